use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;
use fleetpulse_client::locks::LockRequest;
use tokio::join;

#[actix_web::test]
async fn a_lock_is_acquired_renewed_and_released() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let locks = client.locks();

    let request = LockRequest {
        owner: Some("billing 7".to_owned()),
        ..LockRequest::new(30_000)
    };
    let grant = locks.acquire("invoices", &request).await.unwrap();
    let holder = locks.holder("invoices").await.unwrap().unwrap();
    assert_eq!((holder.fence, holder.owner), (grant.fence, request.owner));
    let taken = locks.acquire("invoices", &LockRequest::new(1_000)).await;
    assert_eq!(problem(taken), (409, ProblemType::LockTaken));
    let renewed = locks.renew(&grant, Some(60_000)).await.unwrap();
    assert!(renewed.expires_at > grant.expires_at);

    let waiting = LockRequest {
        wait_ms: Some(30_000),
        ..LockRequest::new(30_000)
    };
    let (next, released) = join!(locks.acquire("invoices", &waiting), locks.release(&grant));
    released.unwrap();
    let next = next.unwrap();
    assert!(next.fence > grant.fence);
    let renewed = locks.renew(&grant, None).await;
    assert_eq!(problem(renewed), (409, ProblemType::LockHeldByOther));
    locks.release(&next).await.unwrap();
    assert_eq!(locks.holder("invoices").await.unwrap(), None);
}

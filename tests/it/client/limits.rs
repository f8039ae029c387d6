use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;

#[actix_web::test]
async fn a_limit_is_used_up_and_reset() {
    let scene = Scene::new().await.with(&["--limits=login=window:3/1h,fail=closed"]);
    let service = scene.start().await;
    let client = client(&service);
    let limits = client.limits();

    let policies = limits.policies().await.unwrap();
    let [policy] = &policies[..] else {
        panic!("{policies:?}")
    };
    assert_eq!((&*policy.name, policy.quota, policy.window_ms), ("login", 3, 3_600_000));
    let admitted = limits.check("login", "ada/7", 3).await.unwrap();
    assert_eq!((admitted.allowed, admitted.remaining), (true, 0));
    let refused = limits.check("login", "ada/7", 1).await.unwrap();
    assert!(!refused.allowed && refused.retry_after_ms > 0, "{refused:?}");
    limits.reset("login", "ada/7").await.unwrap();
    assert!(limits.check("login", "ada/7", 1).await.unwrap().allowed);
    let unknown = limits.check("logout", "ada/7", 1).await;
    assert_eq!(problem(unknown), (422, ProblemType::ValidationFailed));
}

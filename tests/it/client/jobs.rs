use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;
use fleetpulse_client::jobs::{
    Completion, End, EnqueueOutcome, Failure, JobState, LeaseRequest, NewJob, Settlement, SettlementOutcome,
};
use tokio::join;

fn request(count: u32) -> LeaseRequest {
    LeaseRequest {
        count: Some(count),
        lease_ms: Some(30_000),
        ..LeaseRequest::default()
    }
}

#[actix_web::test]
async fn jobs_are_enqueued_leased_and_settled() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let jobs = client.jobs();

    let unique = NewJob {
        priority: Some(5),
        unique_key: Some("order/7".to_owned()),
        ..NewJob::with_payload("mail", "to ada").unwrap()
    };
    let batch = [unique.clone(), unique, NewJob::new("mail"), NewJob::new("report")];
    let enqueued = jobs.enqueue("q", &batch).await.unwrap();
    let outcomes: Vec<_> = enqueued.iter().map(|job| job.outcome).collect();
    let created = EnqueueOutcome::Created;
    assert_eq!(outcomes, [created, EnqueueOutcome::Existing, created, created]);

    let mails = LeaseRequest {
        types: vec!["mail".to_owned()],
        ..request(1)
    };
    let leased = jobs.lease("q", &mails).await.unwrap();
    let [first] = &leased[..] else { panic!("{leased:?}") };
    assert_eq!((&first.id, first.attempt), (&enqueued[0].id, 1));
    assert_eq!(first.read::<String>().unwrap(), "to ada");
    let expires_at = jobs.extend(first, 60_000).await.unwrap();
    assert!(expires_at > first.lease_expires_at);
    jobs.report_progress(first, &50).await.unwrap();
    let completion = Completion::with_result(&[1.5]).unwrap();
    let ended = jobs.complete(first, &completion, Some(&mails)).await.unwrap();
    let [second] = &ended.jobs[..] else { panic!("{ended:?}") };
    assert_eq!((ended.state, &second.id), (JobState::Done, &enqueued[2].id));
    let done = jobs.job(&first.id).await.unwrap().unwrap();
    assert_eq!(done.result.unwrap().get(), "[1.5]");

    let failure = Failure::permanent("no such mailbox");
    let ended = jobs.fail(second, &failure, Some(&request(9))).await.unwrap();
    let [third] = &ended.jobs[..] else { panic!("{ended:?}") };
    assert_eq!(ended.state, JobState::Dead);
    let lost = jobs.extend(second, 1_000).await;
    assert_eq!(problem(lost), (409, ProblemType::LeaseOver));

    jobs.retry(&second.id).await.unwrap();
    let settlement = Settlement::new(third, End::Complete(Completion::default()));
    let settled = jobs.settle("q", &[settlement], Some(&request(9))).await.unwrap();
    assert_eq!(settled.outcomes[0].outcome, SettlementOutcome::Settled);
    let retried = settled.jobs.first().expect("the dead job is ready again");
    assert_eq!(retried.id, second.id);
    let released = Settlement::new(retried, End::Release);
    jobs.settle("q", &[released], None).await.unwrap();
    jobs.cancel(&second.id).await.unwrap();

    let page = jobs.list("q", JobState::Done, None).await.unwrap();
    assert_eq!(page.jobs.len(), 2, "{page:?}");
    let queue = jobs.queue("q").await.unwrap();
    assert_eq!((queue.counts.done, queue.counts.cancelled), (2, 1));
    assert!(jobs.job("q.AAAAAAAAAAAAA").await.unwrap().is_none());
}

#[actix_web::test]
async fn a_lease_waits_for_a_job() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let jobs = client.jobs();
    jobs.pause("q").await.unwrap();
    jobs.enqueue("q", &[NewJob::new("mail")]).await.unwrap();
    let waiting = LeaseRequest {
        wait_ms: Some(30_000),
        ..request(1)
    };
    let (leased, resumed) = join!(jobs.lease("q", &waiting), jobs.resume("q"));
    resumed.unwrap();
    assert_eq!(leased.unwrap().len(), 1);
}

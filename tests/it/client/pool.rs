//! The worker pool.

use super::{SOON, client};
use crate::support::{Scene, Service, eventually};
use fleetpulse_client::jobs::{Completion, Failure, Job, JobState, LeasedJob, NewJob, WorkerPool};
use fleetpulse_client::{Client, ProblemType};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::{join, select};

async fn enqueue(client: &Client, job_type: &str) -> String {
    let job = NewJob {
        max_attempts: Some(1),
        ..NewJob::with_payload(job_type, job_type).unwrap()
    };
    client.jobs().enqueue("q", &[job]).await.unwrap().remove(0).id
}

async fn ended(client: &Client, id: &str) -> Job {
    eventually(SOON, "the job has ended", async || {
        let job = client.jobs().job(id).await.unwrap().unwrap();
        job.ended_at.is_some().then_some(job)
    })
    .await
}

fn pool(service: &Service) -> WorkerPool {
    WorkerPool::new(client(service), "q").on_error(|error| panic!("{error}: {error:?}"))
}

/// Behaves according to the type of its job.
async fn run(job: LeasedJob) -> Result<Completion, Failure> {
    match &*job.job_type {
        "add" => Completion::with_result(&3).map_err(Failure::new),
        "refuse" => Err(Failure::permanent("no address")),
        _ => panic!("a fault of the handler"),
    }
}

#[actix_web::test]
async fn a_pool_completes_and_fails_jobs() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let (stop, stopped) = oneshot::channel::<()>();
    let pool = pool(&service).concurrency(2).run(run, async { drop(stopped.await) });
    let story = async {
        let mut ids = Vec::new();
        for job_type in ["add", "refuse", "crash", "add", "add"] {
            ids.push(enqueue(&client, job_type).await);
        }
        let mut jobs = Vec::new();
        for id in ids {
            jobs.push(ended(&client, &id).await);
        }
        drop(stop);
        jobs
    };
    let ((), jobs) = join!(pool, story);
    let (done, dead) = (JobState::Done, JobState::Dead);
    let states: Vec<_> = jobs.iter().map(|job| job.state).collect();
    assert_eq!(states, [done, dead, dead, done, done]);
    assert_eq!(jobs[0].result.as_ref().unwrap().get(), "3");
    assert_eq!(jobs[1].errors[0].error, "no address");
    assert_eq!(jobs[2].errors[0].error, "panicked: a fault of the handler");
}

#[actix_web::test]
async fn leases_are_extended_and_a_cancelled_job_stops_its_handler() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let id = enqueue(&client, "slow").await;
    let (errors, mut lost) = mpsc::unbounded_channel();
    let pool = pool(&service)
        .lease(Duration::from_secs(3))
        .on_error(move |error| errors.send(error.is(ProblemType::LeaseOver)).unwrap());
    let (started, mut starts) = mpsc::unbounded_channel();
    let run = pool.run(
        move |_job| {
            // The sender is dropped with the handler.
            let (alive, dropped) = oneshot::channel::<()>();
            started.send(dropped).unwrap();
            async move {
                let _alive = alive;
                pending().await
            }
        },
        pending(),
    );
    let story = async {
        let dropped = starts.recv().await.unwrap();
        let first = client.jobs().job(&id).await.unwrap().unwrap();
        eventually(SOON, "the lease is extended", async || {
            let job = client.jobs().job(&id).await.unwrap().unwrap();
            assert_eq!((job.state, job.attempts), (JobState::Leased, 1));
            (job.lease_expires_at > first.lease_expires_at).then_some(())
        })
        .await;
        client.jobs().cancel(&id).await.unwrap();
        assert!(lost.recv().await.unwrap(), "the lease has expired");
        dropped.await.unwrap_err();
    };
    select! {
        () = run => panic!("the pool was not stopped"),
        () = story => {}
    }
}

#[actix_web::test]
async fn a_stopped_pool_releases_what_does_not_end_in_time() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let quick = enqueue(&client, "quick").await;
    let slow = enqueue(&client, "slow").await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let pool = pool(&service).drain(Duration::from_millis(300));
    let go = Arc::clone(&go_on);
    let run = pool.run(
        move |job: LeasedJob| {
            let (started, go) = (started.clone(), Arc::clone(&go));
            async move {
                started.send(()).unwrap();
                if job.job_type == "slow" {
                    return pending().await;
                }
                go.notified().await;
                Ok(Completion::default())
            }
        },
        async { drop(stopped.await) },
    );
    let story = async {
        for _ in 0..2 {
            starts.recv().await.unwrap();
        }
        drop(stop);
        go_on.notify_one();
    };
    join!(run, story);
    let jobs = client.jobs();
    assert_eq!(jobs.job(&quick).await.unwrap().unwrap().state, JobState::Done);
    let released = jobs.job(&slow).await.unwrap().unwrap();
    assert_eq!((released.state, released.attempts), (JobState::Ready, 0));
}

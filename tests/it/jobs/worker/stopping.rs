//! A pool that stops: its jobs are completed or released.

use super::*;

#[actix_web::test]
async fn a_deployment_neither_loses_nor_repeats_a_job() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, (0..200).map(|n| deed(n, &["wait 40"])).collect()).await;
    let notes = Arc::<Notes>::default();
    // Each instance is replaced in the middle of its work.
    for _ in 0..3 {
        let before = notes.ended.lock().len();
        let pool = Running::with(&jobs, settings(10), Arc::clone(&notes));
        eventually(SOON, "some are done", async || {
            (notes.ended.lock().len() > before + 5).then_some(())
        })
        .await;
        pool.stop().await;
        let counts = jobs.counts(&id("q")).await.unwrap();
        assert_eq!(
            counts.of(State::Leased),
            0,
            "what was not begun went back at once: {counts:?}"
        );
    }
    let pool = Running::with(&jobs, settings(50), Arc::clone(&notes));
    for job in &ids {
        assert_eq!(reaches(&jobs, job, State::Done).await.attempts, 1);
    }
    pool.stop().await;
    let mut ended = notes.ended.lock().clone();
    ended.sort_unstable();
    assert_eq!(ended, (0..200).collect::<Vec<_>>());
    Books::read(&scene, &id("q")).await.balance();
}

#[actix_web::test]
async fn jobs_leased_while_a_pool_stops_are_completed_or_released() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    for n in 0..40 {
        let pool = Running::start(&jobs, settings(4));
        // It waits for jobs by then.
        sleep(Duration::from_millis(20)).await;
        let stop = async {
            sleep(Duration::from_micros(u64::try_from(n).unwrap() * 50)).await;
            pool.stop().await;
        };
        let (ids, ()) = tokio::join!(put(&jobs, vec![deed(n, &[])]), stop);
        let job = jobs.get(&ids[0]).await.unwrap();
        assert!(
            matches!((job.state, job.attempts), (State::Done, 1) | (State::Ready, 0)),
            "{job:?}"
        );
    }
    Books::read(&scene, &id("q")).await.balance();
}

#[actix_web::test]
async fn handlers_that_do_not_end_in_time_are_dropped_and_released() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, vec![deed(0, &["wait 60000", "well 0"])]).await;
    let hasty = PoolSettings {
        drain: Duration::from_millis(50),
        ..settings(1)
    };
    let pool = Running::start(&jobs, hasty);
    eventually(SOON, "it has begun", async || {
        (!pool.notes.begun.lock().is_empty()).then_some(())
    })
    .await;
    assert_eq!(pool.stop().await.dropped.load(Ordering::SeqCst), 1);
    let job = jobs.get(&ids[0]).await.unwrap();
    assert_eq!((job.state, job.attempts), (State::Ready, 0));
}

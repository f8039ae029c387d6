//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::*;
use crate::support::eventually;
use fleetpulse::jobs::{Retry, RunAt, SettleOutcome, State};
use futures_util::future::join_all;
use redis::cmd;
use std::collections::BTreeSet;

/// A lease as short as there is.
fn brief(count: usize) -> LeaseRequest {
    LeaseRequest {
        lease: Duration::from_millis(100),
        ..up_to(count)
    }
}

#[actix_web::test]
async fn before_three_writes_now_one_script_call() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    for n in 0..20 {
        let mut next = job(n);
        next.run_at = RunAt::After(Duration::from_millis(n as u64 % 3));
        jobs.add(&queue, vec![next]).await.unwrap();
        Books::read(&scene, &queue).await.balance();
        let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
        Books::read(&scene, &queue).await.balance();
        jobs.settle(&queue, leased.iter().map(completed).collect(), None)
            .await
            .unwrap();
        Books::read(&scene, &queue).await.balance();
    }
}

#[actix_web::test]
async fn before_two_workers_leased_the_same_job() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let workers = join_all((0..8).map(|_| embedded(&scene))).await;
    workers[0].add(&queue, (0..1_000).map(job).collect()).await.unwrap();
    let work = async |jobs: &Jobs| {
        let mut taken = Vec::new();
        loop {
            let leased = jobs.lease(&queue, &up_to(7)).await.unwrap();
            if leased.is_empty() {
                return taken;
            }
            taken.extend(numbers(&leased));
            jobs.settle(&queue, leased.iter().map(completed).collect(), None)
                .await
                .unwrap();
        }
    };
    let taken = join_all(workers.iter().map(work)).await;
    let all: Vec<usize> = taken.into_iter().flatten().collect();
    assert_eq!(all.len(), 1_000);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), (0..1_000).collect());
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn before_equal_priorities_ran_newest_first() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let mut expected = Vec::new();
    for n in 0..300 {
        let mut one = job(n);
        one.priority = [0, 5, 1_000, 7][n % 4];
        // Of several types, so that several lines are one.
        one.kind = ["a", "b", "c"][n % 3].into();
        expected.push((1_000 - one.priority, n));
        jobs.add(&queue, vec![one]).await.unwrap();
    }
    expected.sort_unstable();
    let mut taken = Vec::new();
    for count in [1, 2, 3, 50, 1_000] {
        taken.extend(numbers(&jobs.lease(&queue, &up_to(count)).await.unwrap()));
    }
    assert_eq!(taken, expected.into_iter().map(|(_, n)| n).collect::<Vec<_>>());
}

#[actix_web::test]
async fn before_a_crash_lost_the_job() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let mut one = job(0);
    one.max_attempts = 2;
    one.backoff.base = Duration::from_millis(100);
    jobs.add(&queue, vec![one, job(1)]).await.unwrap();
    let lost = jobs.lease(&queue, &brief(1)).await.unwrap();
    // A waiting call gets it within a second of the end of the lease and its backoff.
    let wait = LeaseRequest { wait: SOON, ..brief(1) };
    assert_eq!(numbers(&jobs.lease(&queue, &up_to(1)).await.unwrap()), [1]);
    let next = jobs.lease(&queue, &wait).await.unwrap();
    assert_eq!((numbers(&next), next[0].attempt), (vec![0], 2));
    let found = jobs.get(&lost[0].id).await.unwrap();
    let late = found.leased_ms.unwrap() - lost[0].lease_expires_at;
    assert!((0..1_000).contains(&late), "{late} ms late");
    assert_eq!(found.failures[0].error, "the lease expired");
    // A late settlement is refused, regardless of its result.
    for end in [
        End::Complete { result: None },
        End::Release,
        End::Fail {
            error: "x".to_owned(),
            retry: Retry::Never,
        },
    ] {
        let (outcomes, _) = jobs.settle(&queue, vec![ended(&lost[0], end)], None).await.unwrap();
        assert_eq!(outcomes, [SettleOutcome::NotYours(State::Leased)]);
    }
    // Without any call, the sweep of the service reclaims it, and it was the last attempt.
    let service = scene.start().await;
    let _api = JobApi::of(&service);
    eventually(SOON, "the job is dead", async || {
        (jobs.get(&lost[0].id).await.unwrap().state == State::Dead).then_some(())
    })
    .await;
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn before_a_lost_job_was_retried_without_backoff() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let mut poison = job(0);
    poison.backoff.base = Duration::from_secs(30);
    poison.backoff.jitter = 0.2;
    let poison = (0..3).map(|_| poison.clone()).collect();
    let ids = jobs.add(&queue, poison).await.unwrap();
    jobs.add(&queue, vec![job(1)]).await.unwrap();
    for attempt in [1, 2] {
        let lost = jobs.lease(&queue, &brief(3)).await.unwrap();
        assert_eq!((numbers(&lost), lost[0].attempt), (vec![0; 3], attempt));
        let patient = LeaseRequest { wait: SOON, ..up_to(2) };
        let good = jobs.lease(&queue, &patient).await.unwrap();
        assert_eq!(numbers(&good), [1]);
        let service = scene.start().await;
        let mut waits = Vec::new();
        for one in &ids {
            let found = eventually(SOON, "it is taken back", async || {
                let found = jobs.get(&one.id).await.unwrap();
                (found.state == State::Delayed).then_some(found)
            })
            .await;
            waits.push(found.until_ms.unwrap() - found.failures.last().unwrap().at_ms);
            assert_eq!(found.attempts, attempt);
            jobs.retry(&one.id).await.unwrap();
        }
        drop(service);
        let longest = 30_000 * i64::from(attempt);
        assert!(
            waits.iter().all(|wait| (longest * 8 / 10..=longest + 1).contains(wait)),
            "{waits:?}"
        );
        assert!(waits[0] != waits[1] || waits[1] != waits[2], "jitter: {waits:?}");
        jobs.settle(&queue, vec![ended(&good[0], End::Release)], None)
            .await
            .unwrap();
    }
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn before_the_record_expired_earlier_than_the_job() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let few = JobSettings {
        keep_done: 10,
        keep_dead: 5,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, few).await;
    for round in 0..10 {
        jobs.add(&queue, (0..20).map(job).collect()).await.unwrap();
        let leased = jobs.lease(&queue, &up_to(20)).await.unwrap();
        let end = |(n, leased): (usize, &Leased)| match n % 3 {
            0 => ended(
                leased,
                End::Fail {
                    error: "no".to_owned(),
                    retry: Retry::Never,
                },
            ),
            _ => completed(leased),
        };
        jobs.settle(&queue, leased.iter().enumerate().map(end).collect(), None)
            .await
            .unwrap();
        let books = Books::read(&scene, &queue).await;
        books.balance();
        assert!(
            books.count("done") <= 10 && books.count("dead") <= 5,
            "{round}: {books:#?}"
        );
        assert_eq!(books.count("done") + books.count("dead"), books.records());
    }
    // By age as well, by any call.
    let queue = id_of("other");
    let mut short = job(0);
    short.keep_result = Duration::from_secs(1);
    let added = jobs.add(&queue, vec![short]).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    jobs.settle(&queue, leased.iter().map(completed).collect(), None)
        .await
        .unwrap();
    assert_eq!(jobs.get(&added[0].id).await.unwrap().state, State::Done);
    let _service = scene.start().await;
    eventually(SOON, "it is forgotten", async || {
        jobs.get(&added[0].id).await.is_err().then_some(())
    })
    .await;
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn before_there_were_no_retries_now_they_back_off() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let mut one = job(0);
    one.max_attempts = 5;
    one.backoff.base = Duration::from_millis(40);
    one.backoff.max = Duration::from_millis(100);
    one.backoff.jitter = 0.0;
    let added = jobs.add(&queue, vec![one]).await.unwrap();
    for (attempt, wait_ms) in [(1, 40), (2, 80), (3, 100), (4, 100)] {
        let wait = LeaseRequest { wait: SOON, ..up_to(1) };
        let leased = jobs.lease(&queue, &wait).await.unwrap();
        assert_eq!(leased[0].attempt, attempt);
        let before = jobs.get(&added[0].id).await.unwrap();
        let fail = End::Fail {
            error: "no".to_owned(),
            retry: Retry::Policy,
        };
        jobs.settle(&queue, vec![ended(&leased[0], fail)], None).await.unwrap();
        let found = jobs.get(&added[0].id).await.unwrap();
        let failed = found.failures.last().unwrap().at_ms;
        let due = found.until_ms.unwrap();
        assert!((wait_ms..=wait_ms + 1).contains(&(due - failed)), "{} ms", due - failed);
        assert!(before.leased_ms.unwrap() <= failed);
    }
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn before_statistics_scanned_all_keys_now_they_are_counters() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..10).map(job).collect()).await.unwrap();
    let before: String = scene.redis.query(cmd("INFO").arg("commandstats")).await;
    let counts = jobs.counts(&queue).await.unwrap();
    assert_eq!((counts.of(State::Ready), counts.totals.added), (10, 10));
    assert!(counts.oldest_ready_ms.is_some());
    let after: String = scene.redis.query(cmd("INFO").arg("commandstats")).await;
    for command in ["cmdstat_keys:", "cmdstat_scan:", "cmdstat_hscan:", "cmdstat_zscan:"] {
        let line = |info: &str| {
            info.lines()
                .find(|line| line.starts_with(command))
                .map(ToOwned::to_owned)
        };
        assert_eq!(line(&before), line(&after));
    }
}

//! The work of one call in Redis is bounded: long and many jobs are processed in pieces, and idle queues cost almost nothing.

use super::*;
use crate::support::eventually;
use fleetpulse::jobs::{AddOutcome, JobId, Retry, SettleOutcome, State, Unique, UniqueMode};
use redis::cmd;
use std::ops::Range;

#[actix_web::test]
async fn a_lease_of_long_jobs_is_bounded_by_their_total_size() {
    let (scene, queue) = (Scene::new().await, id_of("long"));
    let settings = JobSettings {
        payload: 1 << 20,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let text = json(&format!("\"{}\"", "x".repeat(900_000)));
    for n in 0..20 {
        let kind = ["a", "b"][n % 2];
        jobs.add(&queue, vec![NewJob::new(kind, text.clone())]).await.unwrap();
    }
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(jobs.lease(&queue, &up_to(1_000)).await.unwrap().len());
        Books::read(&scene, &queue).await.balance();
    }
    assert_eq!(lengths, [4, 4, 4]);
    // The same with one type.
    let small = id_of("small");
    for _ in 0..10 {
        jobs.add(&small, vec![NewJob::new("a", text.clone())]).await.unwrap();
    }
    jobs.add(&small, (0..900).map(job).collect()).await.unwrap();
    let mut of_a = up_to(1_000);
    of_a.kinds = vec!["a".into()];
    let mut of_a_leased = 0;
    while of_a_leased < 9 {
        of_a_leased += jobs
            .lease(
                &small,
                &LeaseRequest {
                    count: 9 - of_a_leased,
                    ..of_a.clone()
                },
            )
            .await
            .unwrap()
            .len();
    }
    let rest = jobs.lease(&small, &up_to(1_000)).await.unwrap();
    assert_eq!((rest.len(), number(&rest[900])), (901, 899), "in their order");
    Books::read(&scene, &small).await.balance();
}

#[actix_web::test]
async fn long_jobs_are_listed_ended_and_redriven_in_pages() {
    const JOBS: usize = 30;
    let (scene, queue) = (Scene::new().await, id_of("long"));
    let settings = JobSettings {
        payload: 1 << 20,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let text = json(&format!("\"{}\"", "x".repeat(600_000)));
    let mut put_in = Vec::new();
    for _ in 0..JOBS {
        let mut new = NewJob::new("a", text.clone());
        new.backoff.base = Duration::ZERO;
        put_in.push(jobs.add(&queue, vec![new]).await.unwrap().remove(0).id);
    }
    let all = async |state: State| -> Vec<JobId> {
        let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let (page, next) = jobs.list(&queue, state, cursor.as_ref(), 100).await.unwrap();
            found.extend(page.into_iter().map(|job| job.id));
            pages += 1;
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert!(pages > 3 || found.is_empty(), "{pages}");
        found
    };
    assert_eq!(all(State::Ready).await, put_in);
    let mut leased = Vec::new();
    while leased.len() < JOBS {
        leased.extend(jobs.lease(&queue, &up_to(100)).await.unwrap());
    }
    let fail = End::Fail {
        error: "no".to_owned(),
        retry: Retry::Never,
    };
    let ends = leased.iter().map(|one| ended(one, fail.clone())).collect();
    let (outcomes, _) = jobs.settle(&queue, ends, None).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::Settled(State::Dead); JOBS]);
    assert_eq!(all(State::Dead).await.len(), JOBS);
    assert_eq!(jobs.redrive(&queue, 25).await.unwrap(), (25, 5));
    assert_eq!(jobs.redrive(&queue, 1_000).await.unwrap(), (5, 0));
    assert_eq!(all(State::Ready).await, put_in, "at the places that they had");
    // Jobs of expired leases return as well, however many expire at once.
    let brief = LeaseRequest {
        lease: Duration::from_secs(2),
        ..up_to(100)
    };
    let mut lost = 0;
    while lost < JOBS {
        lost += jobs.lease(&queue, &brief).await.unwrap().len();
    }
    let patient = LeaseRequest { wait: SOON, ..up_to(1) };
    for id in &put_in {
        let again = jobs.lease(&queue, &patient).await.unwrap();
        assert_eq!((&again[0].id, again[0].attempt), (id, 2));
    }
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn long_results_are_listed_in_pages() {
    const JOBS: usize = 20;
    let (scene, queue) = (Scene::new().await, id_of("long"));
    let settings = JobSettings {
        payload: 1 << 20,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    jobs.add(&queue, (0..JOBS).map(job).collect()).await.unwrap();
    let text = json(&format!("\"{}\"", "x".repeat(900_000)));
    let leased = jobs.lease(&queue, &up_to(JOBS)).await.unwrap();
    for one in &leased {
        let result = Some(text.clone());
        let end = ended(one, End::Complete { result });
        jobs.settle(&queue, vec![end], None).await.unwrap();
    }
    let (mut lengths, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = jobs.list(&queue, State::Done, cursor.as_ref(), 100).await.unwrap();
        lengths.push(page.len());
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(lengths, [4; 5]);
}

#[actix_web::test]
async fn the_statistics_of_a_queue_do_not_depend_on_the_size_of_its_jobs() {
    let (scene, queue) = (Scene::on(Redis::forgetful().await), id_of("long"));
    let settings = JobSettings {
        payload: 1 << 20,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let text = json(&format!("\"{}\"", "x".repeat(900_000)));
    for priority in 0..20 {
        let one = NewJob {
            priority,
            ..NewJob::new("a", text.clone())
        };
        jobs.add(&queue, vec![one]).await.unwrap();
    }
    let before = calls_of(&scene.redis, "hget").await;
    let counts = jobs.counts(&queue).await.unwrap();
    assert_eq!(counts.of(State::Ready), 20);
    assert!(counts.oldest_ready_ms.is_some());
    let read = calls_of(&scene.redis, "hget").await - before;
    assert_eq!(read, 5, "4 MiB and what goes beyond");
}

#[actix_web::test]
async fn many_settlements_of_all_kinds_in_one_call_are_answered_in_order() {
    let (scene, queue) = (Scene::new().await, id_of("many"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..300).map(job).collect()).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(300)).await.unwrap();
    let ends = leased.iter().map(|one| {
        let end = match number(one) % 3 {
            0 => End::Complete { result: None },
            1 => End::Release,
            _ => End::Fail {
                error: "no".to_owned(),
                retry: Retry::Never,
            },
        };
        ended(one, end)
    });
    let ends = ends.collect();
    let (outcomes, next) = jobs.settle(&queue, ends, Some(&up_to(1_000))).await.unwrap();
    let states = [State::Done, State::Ready, State::Dead].map(SettleOutcome::Settled);
    let expected: Vec<_> = (0..300).map(|n| states[n % 3]).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(numbers(&next), (0..300).filter(|n| n % 3 == 1).collect::<Vec<_>>());
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn the_next_jobs_are_leased_if_any_settlement_of_the_call_succeeds() {
    let (scene, queue) = (Scene::new().await, id_of("pieces"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..130).map(job).collect()).await.unwrap();
    let fail = || End::Fail {
        error: "no".to_owned(),
        retry: Retry::Never,
    };
    let leased = jobs.lease(&queue, &up_to(100)).await.unwrap();
    let ends = |range: Range<usize>| leased[range].iter().map(|one| ended(one, fail())).collect::<Vec<_>>();
    // The last piece has the jobs beyond 64, and all of them are done already.
    jobs.settle(&queue, leased[64..].iter().map(completed).collect(), None)
        .await
        .unwrap();
    for _ in 0..2 {
        let (outcomes, next) = jobs.settle(&queue, ends(0..100), Some(&up_to(10))).await.unwrap();
        assert!(
            outcomes[64..]
                .iter()
                .all(|one| *one == SettleOutcome::NotYours(State::Done))
        );
        assert_eq!(next.len(), 10);
        let released = next.iter().map(|one| ended(one, End::Release)).collect();
        jobs.settle(&queue, released, None).await.unwrap();
    }
    let none = leased.iter().map(|one| ended(one, End::Release)).collect();
    let (_, next) = jobs.settle(&queue, none, Some(&up_to(10))).await.unwrap();
    assert!(next.is_empty(), "none of the ends held");
    Books::read(&scene, &queue).await.balance();
}

/// A job with a unique key of its own.
fn keyed(n: usize) -> NewJob {
    NewJob {
        unique: Some(Unique {
            key: format!("k{n}").into(),
            mode: UniqueMode::Refuse,
            keep: None,
            max_wait: None,
        }),
        ..job(n)
    }
}

/// Returns how often a command was called, also by scripts.
async fn calls_of(redis: &Redis, command: &str) -> usize {
    let stats: String = redis.query(cmd("INFO").arg("commandstats")).await;
    let opening = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&*opening));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[actix_web::test]
async fn settlements_of_jobs_with_keys_do_not_read_their_payloads() {
    const JOBS: usize = 100;
    let (scene, queue) = (Scene::on(Redis::forgetful().await), id_of("orders"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..JOBS).map(keyed).collect()).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(JOBS)).await.unwrap();
    jobs.progress(&leased[0].id, leased[0].token, &json("50"))
        .await
        .unwrap();
    // One as it was leased before keys were noted there.
    let (runs, id) = (&scene.keys().queue(&queue, 1)[2], leased[1].id.as_str());
    let short = id.split_once('.').unwrap().1;
    let run: String = scene.redis.query(cmd("HGET").arg(runs).arg(short)).await;
    assert!(run[43..].ends_with(" k1"), "{run}");
    let _: i64 = scene
        .redis
        .query(cmd("HSET").arg(runs).arg(short).arg(&run[..43]))
        .await;
    assert_eq!(jobs.get(&leased[2].id).await.unwrap().unique_key.as_deref(), Some("k2"));
    let before = calls_of(&scene.redis, "hget").await;
    let ends = leased.iter().map(completed).collect();
    let (outcomes, _) = jobs.settle(&queue, ends, None).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::Settled(State::Done); JOBS]);
    // The holder of each key is read once.
    assert_eq!(calls_of(&scene.redis, "hget").await - before, JOBS + 1);
    Books::read(&scene, &queue).await.balance();
    let again = jobs.add(&queue, (0..JOBS).map(keyed).collect()).await.unwrap();
    assert!(
        again.iter().all(|added| added.outcome == AddOutcome::Created),
        "the keys are free"
    );
}

#[actix_web::test]
async fn jobs_that_must_stay_dead_do_not_block_the_redrive_of_others() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..150).map(keyed).chain([job(150)]).collect())
        .await
        .unwrap();
    let fail = End::Fail {
        error: "no".to_owned(),
        retry: Retry::Never,
    };
    let leased = jobs.lease(&queue, &up_to(1_000)).await.unwrap();
    let ends = leased.iter().map(|one| ended(one, fail.clone())).collect();
    jobs.settle(&queue, ends, None).await.unwrap();
    // Others have all the keys now.
    jobs.add(&queue, (0..150).map(keyed).collect()).await.unwrap();
    assert_eq!(jobs.redrive(&queue, 1).await.unwrap(), (1, 150));
    assert_eq!(jobs.redrive(&queue, 1_000).await.unwrap(), (0, 150));
    let back = jobs.get(&leased[150].id).await.unwrap();
    assert_eq!(back.state, State::Ready);
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn queues_without_due_jobs_cost_almost_nothing() {
    const QUEUES: usize = 60;
    let scene = Scene::on(Redis::forgetful().await);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    for n in 0..QUEUES {
        api.add(&format!("q{n}"), body!([{"type": "a"}])).await;
    }
    let calls = async || calls_of(&scene.redis, "evalsha").await;
    // All of them have been examined once.
    eventually(SOON, "they are not examined again", async || {
        let before = calls().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (calls().await - before < QUEUES).then_some(())
    })
    .await;
    // Leased jobs are still swept.
    let mut leased = api.lease("q7", body!({"lease_ms": 1_000})).await;
    let id = leased.remove(0)["id"].as_str().unwrap().to_owned();
    eventually(SOON, "it is taken back", async || {
        let job = api.get(&format!("/v1/jobs/{id}")).await;
        (job.body["state"] == "ready").then_some(())
    })
    .await;
}

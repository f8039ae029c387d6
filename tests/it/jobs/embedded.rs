//! A queue from Rust, without HTTP.

use super::*;
use crate::support::eventually;
use fleetpulse::jobs::{AddOutcome, Added, Fault, JobsError, Retry, RunAt, SettleOutcome, State, Unique, UniqueMode};
use redis::cmd;
use std::sync::Arc;

#[actix_web::test]
async fn jobs_are_leased_in_order_and_completed() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    let added = jobs.add(&queue, (0..5).map(job).collect()).await.unwrap();
    assert!(
        added
            .iter()
            .all(|Added { outcome, .. }| *outcome == AddOutcome::Created)
    );
    Books::read(&scene, &queue).await.balance();
    let leased = jobs.lease(&queue, &up_to(3)).await.unwrap();
    assert_eq!(numbers(&leased), [0, 1, 2]);
    assert_eq!(leased[0].id, added[0].id);
    Books::read(&scene, &queue).await.balance();
    let ends = leased.iter().map(completed).collect::<Vec<_>>();
    let (outcomes, next) = jobs.settle(&queue, ends.clone(), Some(&up_to(9))).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::Settled(State::Done); 3]);
    assert_eq!(numbers(&next), [3, 4]);
    let (again, _) = jobs.settle(&queue, ends, None).await.unwrap();
    assert_eq!(again, outcomes, "a repeated settlement is answered alike");
    let books = Books::read(&scene, &queue).await;
    books.balance();
    assert_eq!((books.count("done"), books.count("leased")), (3, 2));
}

#[actix_web::test]
async fn a_lease_request_does_not_register_a_queue() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let settings = JobSettings {
        queues: 1,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    for name in ["one", "two"] {
        assert!(jobs.lease(&id_of(name), &up_to(1)).await.unwrap().is_empty());
    }
    jobs.add(&queue, vec![job(1)]).await.unwrap();
    let full = jobs.add(&id_of("three"), vec![job(2)]).await;
    assert!(matches!(full, Err(JobsError::TooManyQueues)), "{full:?}");
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    // As another instance, which does not have the queue in its cache, while the maximum number of queues exists.
    let other = embedded_with(&scene, settings).await;
    scene
        .redis
        .query::<()>(cmd("ZREM").arg(scene.keys().queues()).arg("orders"))
        .await;
    other.add(&id_of("three"), vec![job(2)]).await.unwrap();
    let settled = other.settle(&queue, vec![completed(&leased[0])], Some(&up_to(1))).await;
    assert_eq!(settled.unwrap().0, [SettleOutcome::Settled(State::Done)]);
}

#[actix_web::test]
async fn a_queue_with_jobs_stays_registered() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let jobs = embedded(&scene).await;
    let mut keyed = job(1);
    keyed.keep_result = Duration::ZERO;
    let unique = Unique {
        key: "k".into(),
        mode: UniqueMode::Refuse,
        keep: Some(Duration::from_mins(1)),
        max_wait: None,
    };
    let with_key = NewJob {
        unique: Some(unique),
        ..keyed.clone()
    };
    for (name, job) in [("plain", keyed), ("keyed", with_key)] {
        let queue = id_of(name);
        jobs.add(&queue, vec![job]).await.unwrap();
        let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
        jobs.settle(&queue, vec![completed(&leased[0])], None).await.unwrap();
    }
    jobs.pause(&id_of("paused")).await.unwrap();
    let registry = scene.keys().queues();
    for name in ["plain", "keyed", "paused"] {
        scene
            .redis
            .query::<()>(cmd("ZADD").arg(&registry).arg(1).arg(name))
            .await;
    }
    eventually(SOON, "what has nothing is forgotten", async || {
        let exists: u8 = scene
            .redis
            .query(cmd("EXISTS").arg(&scene.keys().queue(&id_of("plain"), 1)[0]))
            .await;
        (exists == 0).then_some(())
    })
    .await;
    // The queues are swept in turn, so this covers all of them again.
    tokio::time::sleep(Duration::from_millis(900)).await;
    let left: Vec<String> = scene.redis.query(cmd("ZRANGE").arg(&registry).arg(0).arg(-1)).await;
    let has = |name: &str| left.iter().any(|left| left == name);
    assert!(has("keyed") && has("paused") && !has("plain"), "{left:?}");
    drop(service);
}

#[actix_web::test]
async fn a_release_can_be_repeated_until_another_worker_has_the_job() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, vec![job(1)]).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    let release = vec![ended(&leased[0], End::Release)];
    for _ in 0..2 {
        let (outcomes, _) = jobs.settle(&queue, release.clone(), None).await.unwrap();
        assert_eq!(outcomes, [SettleOutcome::Settled(State::Ready)]);
    }
    let late = vec![completed(&leased[0])];
    let (outcomes, next) = jobs.settle(&queue, late, Some(&up_to(1))).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::NotYours(State::Ready)]);
    assert!(next.is_empty(), "nothing is handed out where nothing holds");
    let again = jobs.lease(&queue, &up_to(1)).await.unwrap();
    assert_eq!(again[0].attempt, 1);
    let (outcomes, _) = jobs.settle(&queue, release, None).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::NotYours(State::Leased)]);
}

#[actix_web::test]
async fn a_returned_job_does_not_hide_a_longer_waiting_one() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, vec![job(1), job(2)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    jobs.release(&queue, leased).await.unwrap();
    let oldest = jobs.counts(&queue).await.unwrap().oldest_ready_ms;
    assert!(oldest >= Some(300), "{oldest:?}");
}

/// Returns the name of a job in the keys of its queue.
fn short(leased: &Leased) -> String {
    leased.id.to_string().split_once('.').unwrap().1.to_owned()
}

#[actix_web::test]
async fn a_delay_may_be_a_year_and_an_extension_never_shortens_a_lease() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    let year = fleetpulse::jobs::YEAR;
    let far = NewJob {
        run_at: RunAt::After(year),
        ..job(1)
    };
    jobs.add(&queue, vec![far; 20]).await.unwrap();
    let limited = NewJob {
        timeout: Duration::from_mins(1),
        ..job(2)
    };
    jobs.add(&queue, vec![limited; 20]).await.unwrap();
    let mut longest = up_to(20);
    longest.lease = Duration::from_mins(2);
    let ends = async |leased: &Leased| -> i64 {
        let key = &scene.keys().queue(&queue, 1)[4];
        scene.redis.query(cmd("ZSCORE").arg(key).arg(short(leased))).await
    };
    for leased in jobs.lease(&queue, &longest).await.unwrap() {
        let before = ends(&leased).await;
        let said = jobs.extend(&leased.id, leased.token, longest.lease).await.unwrap();
        assert_eq!((said, ends(&leased).await), (before, before));
    }
}

#[actix_web::test]
async fn an_expired_token_is_refused_among_many_expired_ones() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..300).map(job).collect()).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(300)).await.unwrap();
    // All leases have expired and were not reclaimed yet: each call reclaims a hundred.
    let key = &scene.keys().queue(&queue, 1)[4];
    let mut over = cmd("ZADD");
    over.arg(key);
    for (place, leased) in leased.iter().enumerate() {
        over.arg(place + 1).arg(short(leased));
    }
    scene.redis.query::<()>(&over).await;
    let last = leased.last().unwrap();
    let extended = jobs.extend(&last.id, last.token, Duration::from_secs(9)).await;
    assert!(matches!(extended, Err(JobsError::NotYours(_))), "{extended:?}");
    let noted = jobs.progress(&last.id, last.token, &json("1")).await;
    assert!(matches!(noted, Err(JobsError::NotYours(_))), "{noted:?}");
}

#[actix_web::test]
async fn a_failing_job_is_retried_and_finally_dead() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    let mut one = job(1);
    one.max_attempts = 3;
    let added = jobs.add(&queue, vec![one]).await.unwrap();
    for attempt in 1..=3 {
        let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
        assert_eq!(leased[0].attempt, attempt);
        let fail = End::Fail {
            error: format!("no {attempt}"),
            retry: Retry::After(Duration::ZERO),
        };
        let (outcomes, _) = jobs.settle(&queue, vec![ended(&leased[0], fail)], None).await.unwrap();
        let state = if attempt == 3 { State::Dead } else { State::Ready };
        assert_eq!(outcomes, [SettleOutcome::Settled(state)]);
        Books::read(&scene, &queue).await.balance();
    }
    let dead = jobs.get(&added[0].id).await.unwrap();
    assert_eq!((dead.state, dead.attempts), (State::Dead, 3));
    let errors: Vec<_> = dead.failures.iter().map(|failure| failure.error.as_str()).collect();
    assert_eq!(errors, ["no 1", "no 2", "no 3"]);
    assert_eq!(jobs.redrive(&queue, 10).await.unwrap(), (1, 0));
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    assert_eq!((leased[0].attempt, &leased[0].id), (1, &added[0].id));
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn a_delayed_job_is_ready_when_it_is_due() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    let mut one = job(1);
    one.run_at = RunAt::After(Duration::from_millis(300));
    let added = jobs.add(&queue, vec![one]).await.unwrap();
    assert!(jobs.lease(&queue, &up_to(1)).await.unwrap().is_empty());
    let wait = LeaseRequest { wait: SOON, ..up_to(1) };
    let leased = jobs.lease(&queue, &wait).await.unwrap();
    let due = jobs.get(&added[0].id).await.unwrap();
    let late = due.leased_ms.unwrap() - due.run_at_ms;
    assert_eq!(
        due.run_at_ms - due.created_ms,
        300 + (due.run_at_ms - due.created_ms - 300).clamp(0, 1)
    );
    assert!((0..100).contains(&late), "{late} ms late");
    assert_eq!(numbers(&leased), [1]);
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn a_job_that_its_type_refuses_is_not_added() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let validator = |_: &Id, job: &NewJob| match job.payload.get() {
        "1" => Err(vec![Fault::new("payload", "is odd")]),
        _ => Ok(()),
    };
    let jobs = embedded(&scene).await.with_validator(Arc::new(validator));
    let refused = jobs.add(&queue, (0..3).map(job).collect()).await.unwrap_err();
    let JobsError::Invalid(faults) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(faults, [Fault::new("payload", "is odd").of(1)]);
    assert_eq!(jobs.counts(&queue).await.unwrap().of(State::Ready), 0, "all or none");
    jobs.add(&queue, vec![job(2)]).await.unwrap();
}

#[actix_web::test]
async fn the_payload_of_a_continued_job_is_validated_by_its_type() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let validator = |_: &Id, job: &NewJob| match &*job.kind {
        "deed" => Ok(()),
        other => Err(vec![Fault::new("type", format!("{other:?} is none"))]),
    };
    let jobs = embedded(&scene).await.with_validator(Arc::new(validator));
    let deed = NewJob::new("deed", json("1"));
    jobs.add(&queue, vec![deed]).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(1)).await.unwrap();
    let then = |kind: Option<&str>, payload: Option<&str>| {
        let end = End::Then {
            kind: kind.map(Into::into),
            payload: payload.map(json),
            delay: Duration::from_mins(1),
        };
        vec![ended(&leased[0], end)]
    };
    let refused = jobs.settle(&queue, then(None, Some("2")), None).await.unwrap_err();
    let JobsError::Invalid(faults) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(faults[0].member, "then/type");
    // Without one it stays as it is.
    let (outcomes, _) = jobs.settle(&queue, then(None, None), None).await.unwrap();
    assert_eq!(outcomes, [SettleOutcome::Settled(State::Delayed)]);
}

#[actix_web::test]
async fn an_instance_without_cached_types_leases_all_types() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let (one, other) = (embedded(&scene).await, embedded(&scene).await);
    other.counts(&queue).await.unwrap();
    for n in 0..64 {
        let mut next = job(n);
        next.kind = format!("t{n}").into();
        one.add(&queue, vec![next]).await.unwrap();
    }
    let mut more = job(64);
    more.kind = "t64".into();
    let refused = one.add(&queue, vec![more.clone()]).await.unwrap_err();
    assert!(matches!(refused, JobsError::TooManyTypes), "{refused:?}");
    let leased = other.lease(&queue, &up_to(100)).await.unwrap();
    assert_eq!(numbers(&leased), (0..64).collect::<Vec<_>>());
    let then = End::Then {
        kind: Some(more.kind),
        payload: None,
        delay: Duration::ZERO,
    };
    let refused = other
        .settle(&queue, vec![ended(&leased[0], then)], None)
        .await
        .unwrap_err();
    assert!(matches!(refused, JobsError::TooManyTypes), "{refused:?}");
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn uncounted_attempts_count_after_a_day() {
    let (scene, queue) = (Scene::new().await, id_of("orders"));
    let jobs = embedded(&scene).await;
    let mut one = job(0);
    one.max_attempts = 2;
    let id = jobs.add(&queue, vec![one]).await.unwrap().remove(0).id;
    let put_off = async || {
        let leased = jobs
            .lease(&queue, &LeaseRequest { wait: SOON, ..up_to(1) })
            .await
            .unwrap();
        let end = End::Fail {
            error: "the host is left alone".to_owned(),
            retry: Retry::Uncounted(Duration::from_millis(20)),
        };
        jobs.settle(&queue, vec![ended(&leased[0], end)], None).await.unwrap();
        let job = jobs.get(&id).await.unwrap();
        (job.state, job.attempts, job.failures.len())
    };
    for times in 1..=4 {
        assert_eq!(put_off().await, (State::Delayed, 0, times), "the reason is reported");
    }
    // As if it had been enqueued a day ago: the fourth word of its spec is the time.
    let specs = &scene.keys().queue(&queue, 1)[1];
    let (_, short) = id.as_str().split_once('.').unwrap();
    let spec: String = scene.redis.query(cmd("HGET").arg(specs).arg(short)).await;
    let created = spec.split(' ').nth(3).unwrap();
    let earlier = (created.parse::<i64>().unwrap() - 86_400_001).to_string();
    let spec = spec.replacen(&format!(" {created} "), &format!(" {earlier} "), 1);
    let _: i64 = scene.redis.query(cmd("HSET").arg(specs).arg(short).arg(spec)).await;
    assert_eq!(put_off().await.0, State::Delayed);
    assert_eq!(put_off().await.0, State::Dead);
    Books::read(&scene, &queue).await.balance();
}

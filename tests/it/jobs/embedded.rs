//! A queue from Rust, without HTTP.

use super::*;
use fleetpulse::jobs::{AddOutcome, Added, Fault, JobsError, Retry, RunAt, SettleOutcome, State};
use std::sync::Arc;

#[actix_web::test]
async fn what_is_put_in_is_taken_out_in_order_and_done() {
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
async fn a_job_that_fails_comes_back_and_dies_in_the_end() {
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
async fn a_delayed_job_waits_for_its_time() {
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
async fn a_job_that_its_type_refuses_is_not_put_in() {
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
async fn a_queue_of_many_types_is_known_to_who_has_not_seen_them() {
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

//! Leases that only Redis has recorded, because the reply was lost.

use super::*;
use crate::support::{Proxy, eventually};
use fleetpulse::jobs::JobsError;
use fleetpulse::store::StoreError;
use redis::cmd;

const LEASED: usize = 4_000;
const LONG: Duration = Duration::from_mins(10);

/// Over a proxy, with a short timeout.
async fn behind(proxy: &Proxy, scene: &Scene<impl AsRef<Redis>>) -> Jobs {
    let address = proxy.url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_millis(300)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Jobs::new(link, Wakeups::listen(&store), JobSettings::default())
}

/// A job that is dead after one attempt.
fn only_once(n: usize) -> NewJob {
    let mut one = job(n);
    one.max_attempts = 1;
    one
}

/// Returns how many scripts Redis has run.
async fn scripts(redis: &Redis) -> u64 {
    let stats: String = redis.query(cmd("INFO").arg("commandstats")).await;
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.and_then(|line| line.split(',').next()).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn jobs_of_an_unanswered_lease_are_released_at_once_among_many_leases() {
    let scene = Scene::on(Redis::forgetful().await);
    let (direct, proxy, queue) = (embedded(&scene).await, Proxy::to(&scene.redis.url()).await, id_of("q"));
    let cut_off = behind(&proxy, &scene).await;
    for first in (0..LEASED).step_by(500) {
        let jobs = (first..first + 500).map(job).collect();
        direct.add(&queue, jobs).await.unwrap();
    }
    let mut held = Vec::new();
    while held.len() < LEASED {
        let request = LeaseRequest {
            lease: LONG,
            ..up_to(100)
        };
        held.extend(direct.lease(&queue, &request).await.unwrap());
    }
    let ready = scene.keys().queue(&queue, 1).pop().unwrap();
    for settles in [false, true] {
        direct.add(&queue, (0..3).map(only_once).collect()).await.unwrap();
        proxy.keep_answers_back("q:{q}");
        let before = scripts(&scene.redis).await;
        let request = LeaseRequest {
            lease: LONG,
            ..up_to(3)
        };
        let lost = if settles {
            let ended = held.drain(..2).map(|one| completed(&one)).collect();
            cut_off.settle(&queue, ended, Some(&request)).await.map(drop)
        } else {
            cut_off.lease(&queue, &request).await.map(drop)
        };
        assert!(matches!(lost, Err(JobsError::Store(StoreError::Lost(_)))), "{lost:?}");
        eventually(SOON, "they are back", async || {
            let ready: usize = scene.redis.query(cmd("ZCARD").arg(&ready)).await;
            (ready == 3).then_some(())
        })
        .await;
        let more = scripts(&scene.redis).await - before;
        assert!(more < 10, "{more} scripts");
        proxy.let_go().await;
        // No attempt was counted, and the others are leased as they were.
        let again = direct.lease(&queue, &up_to(9)).await.unwrap();
        assert_eq!(again.iter().map(|one| one.attempt).collect::<Vec<_>>(), [1, 1, 1]);
        direct
            .settle(&queue, again.iter().map(completed).collect(), None)
            .await
            .unwrap();
        let books = Books::read(&scene, &queue).await;
        books.balance();
        assert_eq!((books.count("leased"), books.count("dead")), (held.len(), 0));
    }
}

#[actix_web::test]
async fn an_undelivered_lease_does_not_use_up_the_only_attempt() {
    let scene = Scene::new().await;
    let (direct, proxy, queue) = (embedded(&scene).await, Proxy::to(&scene.redis.url()).await, id_of("q"));
    let (_looked_after, cut_off) = (scene.start().await, behind(&proxy, &scene).await);
    direct.add(&queue, vec![only_once(7)]).await.unwrap();
    proxy.keep_answers_back("q:{q}");
    let brief = LeaseRequest {
        lease: Duration::from_secs(3),
        ..up_to(1)
    };
    let lost = cut_off.lease(&queue, &brief).await;
    assert!(matches!(lost, Err(JobsError::Store(StoreError::Lost(_)))), "{lost:?}");
    proxy.let_go().await;
    // It waits for a worker, also after the end of the undelivered lease.
    let waiting = LeaseRequest {
        wait: Duration::from_secs(6),
        ..up_to(1)
    };
    let leased = direct.lease(&queue, &waiting).await.unwrap();
    assert_eq!((numbers(&leased), leased[0].attempt), (vec![7], 1));
    direct.settle(&queue, vec![completed(&leased[0])], None).await.unwrap();
    let books = Books::read(&scene, &queue).await;
    assert_eq!((books.count("done"), books.count("dead")), (1, 0));
}

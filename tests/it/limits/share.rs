//! Several instances' shares of one policy, settled over a real Redis.

use super::stored;
use crate::support::{Redis, Scene, eventually};
use actix_web::rt;
use fleetpulse::http::Caller;
use fleetpulse::limits::commands::{self, Charge, Charged};
use fleetpulse::limits::{Policies, Share, keep_settling};
use fleetpulse::store::{Link, Store};
use redis::{IntoConnectionInfo, cmd};
use std::future::{pending, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(20);
const ANNA: Caller = Caller::Address(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
const OTHER: Caller = Caller::Address(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)));

async fn link<R: AsRef<Redis>>(scene: &Scene<R>, timeout: Duration) -> Link {
    let address = scene.redis.as_ref().url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), timeout).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    link
}

/// The shares of this many instances, each settled over a connection of its own.
async fn instances<R: AsRef<Redis>>(scene: &Scene<R>, count: usize, policy: &str) -> Vec<Arc<Share>> {
    let policies: Policies = policy.parse().unwrap();
    let mut shares = Vec::new();
    for _ in 0..count {
        let share = Arc::new(Share::new(policies.iter()));
        let link = link(scene, Duration::from_millis(300)).await;
        rt::spawn(keep_settling(Arc::clone(&share), link, pending()));
        shares.push(share);
    }
    shares
}

#[actix_web::test]
async fn many_instances_share_one_rate_with_a_short_burst() {
    const INSTANCES: u32 = 16;
    let scene = Scene::new().await;
    // The bursts of 64 instances are less than what these admit between two settlements.
    let shares = instances(&scene, 16, "api=gcra:500/1s,burst=1").await;
    let (begun, mut admitted) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(3) {
        for share in &shares {
            admitted += u32::from(share.admit(0, ANNA).admitted);
        }
        sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    let instances = f64::from(INSTANCES);
    // Half as much again between two settlements for a machine that is busy.
    let most = instances + (took + instances * 0.15) * 500.0;
    assert!(f64::from(admitted) <= most, "{admitted} > {most}");
    assert!(f64::from(admitted) >= took * 500.0 * 0.5, "{admitted} in {took} s");
}

/// Returns what all instances have admitted according to Redis, in units of six minutes.
async fn owed<R: AsRef<Redis>>(scene: &Scene<R>) -> Option<u64> {
    let name = scene.keys().limit_requests("api", ANNA);
    let stored: Option<String> = scene.redis.as_ref().query(cmd("GET").arg(name)).await;
    let stored = stored?;
    let (written, drained) = stored.split_once(' ').unwrap();
    let ahead_us = drained.parse::<u64>().unwrap() - written.parse::<u64>().unwrap();
    Some(ahead_us.div_ceil(360_000_000))
}

#[actix_web::test]
async fn a_charge_whose_reply_was_lost_is_repeated() {
    let scene = Scene::on(Redis::durable().await);
    let shares = instances(&scene, 3, "api=gcra:10/1h,burst=30").await;
    // So that Redis has the script, and a charge is one command.
    assert!(shares[0].admit(0, OTHER).admitted);
    let other = scene.keys().limit_requests("api", OTHER);
    eventually(SOON, "the first charge is there", async || {
        scene.redis.query::<bool>(cmd("EXISTS").arg(&other)).await.then_some(())
    })
    .await;

    scene.redis.freeze();
    for _ in 0..5 {
        assert!(shares[0].admit(0, ANNA).admitted);
    }
    // Longer than the timeout of a charge.
    sleep(Duration::from_millis(700)).await;
    scene.redis.thaw();
    eventually(SOON, "it is reported again", async || {
        owed(&scene).await.filter(|owed| *owed >= 5)
    })
    .await;
    for share in &shares[1..] {
        assert!(share.admit(0, ANNA).admitted);
    }
    // Counted twice if Redis had read the charge before its sender timed out: the limit is stricter, never weaker.
    let owed = eventually(SOON, "the others' are added", async || {
        owed(&scene).await.filter(|owed| *owed >= 7)
    })
    .await;
    assert!(owed <= 12, "{owed}");
    // Each takes over the total when it settles next.
    for share in &shares[1..] {
        let mut own = 1;
        eventually(SOON, "it has the counts of the others", async || {
            own += 1;
            // By its own count alone it would have all the rest.
            (share.admit(0, ANNA).remaining < 30 - own - 4).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn all_admissions_are_settled_at_a_planned_stop() {
    let scene = Scene::new().await;
    let policies: Policies = "api=gcra:10/1h,burst=3".parse().unwrap();
    let share = Arc::new(Share::new(policies.iter()));
    // More than are settled at one time.
    for n in 0..3_000 {
        let caller = Caller::Address(IpAddr::V4(Ipv4Addr::from_bits(n)));
        assert!(share.admit(0, caller).admitted);
    }
    let link = link(&scene, Duration::from_secs(10)).await;
    keep_settling(share, link, ready(())).await;
    assert_eq!(stored(&scene).await.len(), 3_000);
}

/// Two seconds' worth, of a policy with a burst of ten seconds.
const CHARGE: Charge = Charge {
    us: 2_000_000,
    ago_us: 0,
    most_us: 700_000_000,
    full_us: 10_000_000,
};

#[actix_web::test]
async fn a_clock_that_was_set_back_does_not_increase_debt() {
    let scene = Scene::new().await;
    let link = link(&scene, Duration::from_secs(10)).await;
    let (seconds, us): (u64, u64) = scene.redis.query(&cmd("TIME")).await;
    let now = seconds * 1_000_000 + us;
    let name = scene.keys().limit_requests("api", ANNA);
    let (minute, hour) = (60_000_000, 3_600_000_000);
    for (written, drained, owed) in [
        // A minute, an hour: the debt does not change.
        (now + minute, now + minute + 3_000_000, 3_000_000),
        (now + hour, now + hour + 3_000_000, 3_000_000),
        (now + hour, now + hour, 0),
        // Without a debt, a burst remains.
        (now, now + hour, CHARGE.full_us),
        (now + hour, now + 3 * hour, CHARGE.full_us),
    ] {
        let stored = format!("{written} {drained}");
        scene.redis.query::<()>(cmd("SET").arg(&name).arg(stored)).await;
        let charged = commands::charge(&link, "api", ANNA, CHARGE).await.unwrap();
        let expected = Charged {
            ahead_us: owed + CHARGE.us,
            damaged: false,
        };
        assert_eq!(charged, expected, "{written} {drained}");
    }
}

#[actix_web::test]
async fn an_invalid_count_of_a_caller_is_a_used_up_burst_and_expires() {
    let scene = Scene::new().await;
    let link = link(&scene, Duration::from_secs(10)).await;
    let name = scene.keys().limit_requests("api", ANNA);
    let set = |value: &str| cmd("SET").arg(&name).arg(value).to_owned();
    let mut writes: Vec<_> = ["NaN", "", " ", "1", "-1 5", "1 2 3", "1 nan", "1e3 5", &"9".repeat(40)]
        .into_iter()
        .map(set)
        .collect();
    writes.push(cmd("RPUSH").arg(&name).arg("x").to_owned());
    for write in &writes {
        scene.redis.query::<()>(cmd("DEL").arg(&name)).await;
        scene.redis.query::<()>(write).await;
        let charged = commands::charge(&link, "api", ANNA, CHARGE).await.unwrap();
        assert!(charged.damaged, "{write:?}");
        assert_eq!(charged.ahead_us, CHARGE.full_us + CHARGE.us, "{write:?}");
        let lives_ms: u64 = scene.redis.query(cmd("PTTL").arg(&name)).await;
        assert!((1..=12_001).contains(&lives_ms), "{write:?}: {lives_ms}");
        let again = commands::charge(&link, "api", ANNA, CHARGE).await.unwrap();
        assert!(
            !again.damaged && again.ahead_us > CHARGE.full_us,
            "{write:?}: {again:?}"
        );
    }
}

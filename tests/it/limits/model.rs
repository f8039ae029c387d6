//! Random calls to the real Redis, compared with a simple model of each algorithm. When exactly Redis read its clock is not known, only that
//! it was between the call and its answer. So the model decides what must be admitted and what must not, and accepts either answer if it
//! depends on the microsecond.

use crate::support::{Scene, now_us};
use fleetpulse::ids::ExternalId;
use fleetpulse::limits::{Algorithm, Decision, LimitMetrics, Limits, Policies, Policy};
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::sleep;

const POLICIES: &str =
    "even=gcra:20/200ms,burst=4; steep=gcra:3/100ms,burst=1; sliding=window:5/120ms; one=window:1/60ms";
const CASES: u32 = 24;

#[derive(Debug, Clone)]
enum Call {
    Check { policy: &'static str, key: u8, cost: u32 },
    Reset { policy: &'static str, key: u8 },
    Pause { ms: u64 },
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let policy = || prop_oneof![Just("even"), Just("steep"), Just("sliding"), Just("one")];
    let check = (policy(), 0..2_u8, 1..=5_u32).prop_map(|(policy, key, cost)| Call::Check { policy, key, cost });
    let reset = (policy(), 0..2_u8).prop_map(|(policy, key)| Call::Reset { policy, key });
    let pause = (0..60_u64).prop_map(|ms| Call::Pause { ms });
    vec(prop_oneof![12 => check, 1 => reset, 3 => pause], 1..60)
}

/// The units that were admitted for a key, with their uncertainty: (not before, not after, units), µs.
type Admitted = Vec<(i64, i64, i64)>;

/// The prediction of the model for a call.
#[derive(Debug, PartialEq)]
enum Verdict {
    Must,
    May,
    MustNot,
}

/// The units, or µs, that count at the least and at the most.
fn bounds(policy: &Policy, admitted: &Admitted, from: i64, to: i64) -> (i64, i64) {
    match policy.algorithm() {
        Algorithm::Gcra => {
            let interval = i64::try_from(policy.interval_us()).unwrap();
            let (mut least, mut most) = (0, 0);
            for (earliest, latest, units) in admitted {
                least = least.max(*earliest) + units * interval;
                most = most.max(*latest) + units * interval;
            }
            ((least - to).max(0), (most - from).max(0))
        }
        Algorithm::Window => {
            let window = i64::try_from(policy.window_us()).unwrap();
            let slice = i64::try_from(policy.window_us().div_ceil(20)).unwrap();
            let sum = |counts: &dyn Fn(i64, i64) -> bool| {
                let counted = admitted
                    .iter()
                    .filter(|(earliest, latest, _)| counts(*earliest, *latest));
                counted.map(|(_, _, units)| units).sum::<i64>()
            };
            let least = sum(&|earliest, _| earliest > to - window);
            let most = sum(&|_, latest| latest + slice >= from - window);
            (least, most)
        }
    }
}

fn verdict(policy: &Policy, admitted: &Admitted, from: i64, to: i64, cost: u32) -> Verdict {
    let unit = if policy.algorithm() == Algorithm::Gcra {
        i64::try_from(policy.interval_us()).unwrap()
    } else {
        1
    };
    let (least, most) = bounds(policy, admitted, from, to);
    let (room, cost) = (i64::from(policy.capacity()) * unit, i64::from(cost) * unit);
    match () {
        () if most + cost <= room => Verdict::Must,
        () if least + cost > room => Verdict::MustNot,
        () => Verdict::May,
    }
}

async fn follow(limits: &Limits, calls: Vec<Call>, case: u32) {
    let mut model: HashMap<(&str, u8), Admitted> = HashMap::new();
    let name = |key: u8| ExternalId::parse(&format!("case{case}:{key}")).unwrap();
    for call in calls {
        match call {
            Call::Pause { ms } => sleep(Duration::from_millis(ms)).await,
            Call::Reset { policy, key } => {
                limits.reset(policy, &name(key)).await.unwrap();
                model.remove(&(policy, key));
            }
            Call::Check {
                policy: word,
                key,
                cost,
            } => {
                let policy = limits.policies().get(word).unwrap();
                let from = now_us();
                let answer = limits.check(word, &name(key), cost).await;
                let to = now_us() + 1;
                if cost > policy.capacity() {
                    assert!(answer.is_err(), "{word}: {cost} is never admitted");
                    continue;
                }
                let answer = answer.unwrap();
                let admitted = model.entry((word, key)).or_default();
                let expected = verdict(policy, admitted, from, to, cost);
                let allowed = if answer.allowed {
                    Verdict::Must
                } else {
                    Verdict::MustNot
                };
                assert!(
                    expected == Verdict::May || expected == allowed,
                    "{word}: {expected:?}, {answer:?}, {admitted:?}"
                );
                if answer.allowed {
                    admitted.push((from, to, i64::from(cost)));
                }
                assert_within_bounds(policy, admitted, from, to, &answer);
            }
        }
    }
}

/// The rest, and the time at which all is refilled, are between the bounds of the model.
fn assert_within_bounds(policy: &Policy, admitted: &Admitted, from: i64, to: i64, answer: &Decision) {
    let (least, most) = bounds(policy, admitted, from, to);
    let capacity = i64::from(policy.capacity());
    let left = match policy.algorithm() {
        Algorithm::Gcra => {
            let interval = i64::try_from(policy.interval_us()).unwrap();
            let left = |ahead: i64| (capacity * interval - ahead).max(0) / interval;
            left(most)..=left(least)
        }
        Algorithm::Window => (capacity - most).max(0)..=capacity - least,
    };
    assert!(
        left.contains(&i64::from(answer.remaining)),
        "{policy}: {left:?}, {answer:?}"
    );
    assert_eq!(answer.allowed, answer.retry_after.is_zero(), "{policy}: {answer:?}");
    assert!(answer.retry_after <= answer.reset, "{policy}: {answer:?}");
}

#[test]
fn any_sequence_of_calls_matches_the_model() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (scene, limits) = runtime.block_on(async {
        let scene = Scene::new().await;
        let address = redis::IntoConnectionInfo::into_connection_info(scene.redis.url()).unwrap();
        let store = Store::new(address, scene.keys(), Duration::from_secs(10)).unwrap();
        let policies: Policies = POLICIES.parse().unwrap();
        let link = Link::open(&store);
        link.connected().await;
        let limits = Limits::new(
            &link,
            &policies,
            &LimitMetrics::register(&MetricsRegistry::default()).unwrap(),
        );
        (scene, limits)
    });
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let numbers = AtomicU32::new(0);
    let ran = TestRunner::new(config).run(&calls(), |calls| {
        let case = numbers.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(follow(&limits, calls, case));
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
    drop(scene);
}

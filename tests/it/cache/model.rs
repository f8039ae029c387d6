//! A model test: under concurrent reads, writes and losses, no caller gets a value that is older than an invalidation which was acknowledged
//! before the call; neither from Redis, nor from a computation in progress, nor from the memory of the instance that acknowledged it. The
//! memory of another instance may lag, at most for as long as it may keep an entry.

use super::{embedded_with, id, minute};
use crate::support::Scene;
use actix_web::rt;
use fleetpulse::cache::{Cache, CacheError, CacheSettings, Policy, Tag};
use fleetpulse::ids::Id;
use futures_util::future::join_all;
use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const INSTANCES: usize = 3;
const KEYS: usize = 3;
/// For how long the memory of an instance may keep an entry, and the additional time of a busy machine.
const LAG: Duration = Duration::from_millis(40 + 400);

/// The next action of an actor, with a key, after a pause in tenths of a millisecond.
#[derive(Debug, Clone)]
struct Step {
    act: Act,
    key: usize,
    pause: u64,
}

#[derive(Debug, Clone)]
enum Act {
    /// Get or compute; the computation takes this many tenths of a millisecond after it has read the source.
    Read(u64),
    Look,
    /// The source changes, and then the cache is invalidated in one of the ways.
    Change(Way),
    /// Redis loses a version.
    Lose,
}

#[derive(Debug, Clone)]
enum Way {
    Tag,
    Namespace,
    Key,
    Event,
}

#[derive(Debug, Default)]
struct Truth {
    value: AtomicU64,
    /// The acknowledged values, with the instance and the time.
    acknowledged: Mutex<Vec<(u64, usize, Instant)>>,
}

impl Truth {
    /// The oldest value that a read may return which begins now at an instance.
    fn floor(&self, instance: usize, is_local: bool) -> u64 {
        let now = Instant::now();
        let acknowledged = self.acknowledged.lock();
        let counts = |&&(_, by, at): &&(u64, usize, Instant)| !is_local || by == instance || now - at > LAG;
        acknowledged
            .iter()
            .filter(counts)
            .map(|(value, ..)| *value)
            .max()
            .unwrap_or(0)
    }
}

struct World {
    scene: Scene,
    instances: Vec<Cache>,
    truths: Vec<Arc<Truth>>,
    policy: Policy,
    is_local: bool,
    computed: AtomicU64,
    read: AtomicU64,
}

fn tag(key: usize) -> Tag {
    id(&format!("t{key}"))
}

fn key_of(key: usize) -> String {
    format!("k{key}")
}

fn namespace(key: usize) -> Id {
    // Two of the keys share a namespace.
    id(if key == 0 { "n" } else { "m" })
}

impl World {
    async fn new(is_local: bool, is_leased: bool) -> Self {
        let scene = Scene::new().await;
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            let settings = CacheSettings {
                local_ttl_ms: 40,
                ..CacheSettings::default()
            };
            instances.push(embedded_with(&scene.redis.url(), &scene, settings).await);
        }
        let put = minute().kept_locally(if is_local {
            Duration::from_mins(1)
        } else {
            Duration::ZERO
        });
        let mut policy = Policy::new(put);
        policy.beta = 1_000.0;
        if is_leased {
            policy = policy.leased(Duration::from_secs(5));
        }
        Self {
            scene,
            instances,
            truths: (0..KEYS).map(|_| Arc::default()).collect(),
            policy,
            is_local,
            computed: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    async fn step(self: &Arc<Self>, instance: usize, step: &Step) {
        sleep(Duration::from_micros(100 * step.pause)).await;
        let (cache, truth, key) = (&self.instances[instance], &self.truths[step.key], step.key);
        let name = key_of(key);
        match &step.act {
            Act::Read(takes) => {
                let floor = truth.floor(instance, self.is_local);
                let (source, world, takes) = (Arc::clone(truth), Arc::clone(self), *takes);
                let compute = move || async move {
                    world.computed.fetch_add(1, Ordering::Relaxed);
                    let value = source.value.load(Ordering::SeqCst);
                    sleep(Duration::from_micros(100 * takes)).await;
                    Ok::<_, Infallible>(value)
                };
                let mut policy = self.policy.clone();
                policy.put.tags = vec![tag(key)];
                let fetched = cache
                    .get_or_compute(&namespace(key), &name, &policy, compute)
                    .await
                    .unwrap();
                assert!(
                    fetched.value >= floor,
                    "{name} at {instance}: {fetched:?}, and {floor} was acknowledged"
                );
                self.read.fetch_add(1, Ordering::Relaxed);
            }
            Act::Look => {
                let floor = truth.floor(instance, self.is_local);
                match cache.get::<u64>(&namespace(key), &name).await {
                    Ok(Some(hit)) => assert!(
                        hit.value >= floor,
                        "{name} at {instance}: {hit:?}, and {floor} was acknowledged"
                    ),
                    Ok(None) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Act::Change(way) => {
                let value = truth.value.fetch_add(1, Ordering::SeqCst) + 1;
                let result: Result<(), CacheError> = match way {
                    Way::Tag => cache.invalidate(&[tag(key)]).await,
                    Way::Namespace => cache.clear(&namespace(key)).await,
                    Way::Key => cache.delete(&namespace(key), &name).await,
                    Way::Event => {
                        let target = fleetpulse::cache::Target::Tag(tag(key));
                        cache.outdate(&[target], u64::MAX >> 11).await.map(drop)
                    }
                };
                result.unwrap();
                truth.acknowledged.lock().push((value, instance, Instant::now()));
            }
            Act::Lose => {
                let keys = self.scene.keys();
                let lost = if step.pause.is_multiple_of(2) {
                    keys.cache_tag(&tag(key))
                } else {
                    keys.cache_entry(&namespace(key), &name)
                };
                let _: u64 = self.scene.redis.query(redis::cmd("DEL").arg(lost.name)).await;
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let way = prop_oneof![3 => Just(Way::Tag), 1 => Just(Way::Namespace), 2 => Just(Way::Key), 1 => Just(Way::Event)];
    let act = prop_oneof![
        8 => (0_u64..40).prop_map(Act::Read),
        3 => Just(Act::Look),
        2 => way.prop_map(Act::Change),
        1 => Just(Act::Lose),
    ];
    let step = (act, 0..KEYS, 0_u64..20).prop_map(|(act, key, pause)| Step { act, key, pause });
    // Several actors at each instance.
    prop::collection::vec(prop::collection::vec(step, 40..80), 4 * INSTANCES)
}

fn hold(is_local: bool, is_leased: bool) {
    let mut runner = TestRunner::new(Config {
        cases: 8,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    });
    let counts = Mutex::new((0, 0));
    let outcome = runner.run(&steps(), |actors| {
        let (computed, read) = rt::System::new().block_on(async {
            let world = Arc::new(World::new(is_local, is_leased).await);
            let all = actors.iter().enumerate().map(async |(actor, steps)| {
                for step in steps {
                    world.step(actor % INSTANCES, step).await;
                }
            });
            join_all(all).await;
            (
                world.computed.load(Ordering::Relaxed),
                world.read.load(Ordering::Relaxed),
            )
        });
        let mut counts = counts.lock();
        *counts = (counts.0 + computed, counts.1 + read);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (computed, read) = counts.into_inner();
    // It still caches.
    assert!(computed > 0 && computed < read, "{computed} computed of {read}");
}

#[test]
fn no_caller_gets_a_value_that_was_invalidated_before_the_call() {
    hold(false, false);
}

#[test]
fn with_a_lease_no_caller_gets_an_invalidated_value() {
    hold(false, true);
}

#[test]
fn process_memory_serves_an_invalidated_value_at_most_for_the_allowed_lag() {
    hold(true, false);
}

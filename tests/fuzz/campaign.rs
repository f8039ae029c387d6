//! How a target runs: for a time instead of for a number of cases, from a seed that is printed, and with bounded cost.

use nix::time::{ClockId, clock_gettime};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::env;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Cases that share a seed.
const CASES: u32 = 64;
/// What a call may cost whatever its input is. A debug build on a busy machine stays far below it.
const BASE: Cost = Cost {
    time: Duration::from_millis(50),
    bytes: 64 * 1024,
};
/// What a call may cost for each byte of its input.
const PER_BYTE: Cost = Cost {
    time: Duration::from_micros(20),
    bytes: 512,
};

struct Cost {
    time: Duration,
    bytes: u64,
}

/// Checks random inputs until the time is over.
///
/// # Panics
/// If a check fails, with the seed and the smallest input that still fails.
pub fn run<S: Strategy>(target: &str, inputs: &S, check: impl Fn(S::Value))
where
    S::Value: Debug,
{
    let began = Instant::now();
    let time = Duration::from_secs(setting("FUZZ_SECONDS").unwrap_or(2));
    let given: Option<u64> = setting("FUZZ_SEED");
    let first = given.unwrap_or_else(rand::random);
    let mut batches = 0;
    while batches == 0 || given.is_none() && began.elapsed() < time {
        let seed = first.wrapping_add(batches);
        let mut runner = TestRunner::new_with_rng(config(), rng(seed));
        let ran = runner.run(inputs, |input| {
            check(input);
            Ok(())
        });
        if let Err(failure) = ran {
            panic!("FUZZ_SEED={seed} repeats this failure of `{target}`: {failure}");
        }
        batches += 1;
    }
    let cases = batches * u64::from(CASES);
    println!("{target}: {cases} cases from seed {first}");
}

/// Returns what `call` returns for an input of `len` bytes.
///
/// # Panics
/// If it takes more time on the processor, or allocates more memory, than is linear in the input.
pub fn bounded<T>(len: usize, call: impl FnOnce() -> T) -> T {
    let time = BASE.time + PER_BYTE.time * u32::try_from(len).unwrap();
    let mut returned = None;
    let memory = allocation_counter::measure(|| returned = Some(within(time, call)));
    let bytes = BASE.bytes + PER_BYTE.bytes * u64::try_from(len).unwrap();
    assert!(
        memory.bytes_total <= bytes,
        "{} bytes are allocated for an input of {len}",
        memory.bytes_total
    );
    returned.unwrap()
}

/// Returns what `call` returns.
///
/// # Panics
/// If it takes more time on the processor.
pub fn within<T>(time: Duration, call: impl FnOnce() -> T) -> T {
    let began = processor_time();
    let returned = call();
    let took = processor_time().saturating_sub(began);
    assert!(took <= time, "it takes {took:?}, which is more than {time:?}");
    returned
}

/// Generates mutations of a corpus: parts are replaced, removed or repeated.
pub fn mutated(
    corpus: &'static [&'static str],
    tokens: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> + use<> {
    let piece = prop_oneof![
        2 => vec(any::<u8>(), 0..3),
        3 => select(tokens).prop_map(|token| token.as_bytes().to_vec()),
        1 => select(corpus).prop_map(|entry| entry.as_bytes().to_vec()),
    ];
    let times = prop_oneof![30 => Just(1), 1 => 2..300_usize];
    let edit = (any::<Index>(), 0..8_usize, piece, times);
    (select(corpus), vec(edit, 0..5)).prop_map(|(entry, edits)| {
        let mut bytes = entry.as_bytes().to_vec();
        for (at, len, piece, times) in edits {
            let start = at.index(bytes.len() + 1);
            let end = bytes.len().min(start + len);
            bytes.splice(start..end, piece.repeat(times));
        }
        bytes
    })
}

/// The same as text; bytes that are not UTF-8 become replacement characters.
pub fn mutated_text(
    corpus: &'static [&'static str],
    tokens: &'static [&'static str],
) -> impl Strategy<Value = String> + use<> {
    mutated(corpus, tokens).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn config() -> Config {
    Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..Config::default()
    }
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn setting<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    env::var(name).ok().map(|value| value.parse().unwrap())
}

/// The time that this thread has spent on a processor: unlike the time of day, it does not depend on what else runs.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

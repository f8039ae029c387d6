//! The scripts of the slice, each as one typed function. The keys of one call share a slot; keys of several partitions take a call for
//! each.

use super::entry::{self, Head, Nonce, Version};
use super::keys::Placed;
use super::model::{Name, Stored};
use super::subject::Message;
use crate::clock::whole_ms;
use crate::once::Once;
use crate::store::{Link, Script, StoreError};
use futures_util::future::try_join_all;
use redis::Value;
use std::sync::LazyLock;
use std::time::Duration;

/// The maximum number of keys in one call.
const AT_ONCE: usize = 500;

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| Script::new($name, "", include_str!(concat!("lua/", $name, ".lua"))))
    };
}

static TICKET: LazyLock<Script> = script!("ticket");
static VERSIONS: LazyLock<Script> = script!("versions");
static STORE: LazyLock<Script> = script!("store");
static GIVE_UP: LazyLock<Script> = script!("give_up");
static PUT: LazyLock<Script> = script!("put");
static DROP: LazyLock<Script> = script!("drop");
static OUTDATE: LazyLock<Script> = script!("outdate");
static DROP_OUTDATED: LazyLock<Script> = script!("drop_outdated");
static TOUCH: LazyLock<Script> = script!("touch");
static COUNT: LazyLock<Script> = script!("count");
static WARM: LazyLock<Script> = script!("warm");

/// Returns milliseconds for a script: at least one.
fn ms(duration: Duration) -> u64 {
    whole_ms(duration).max(1)
}

/// The result of `ticket`.
#[derive(Debug)]
pub(super) enum Asked {
    /// The nonce of what is stored, and the clock of Redis in milliseconds.
    Granted {
        nonce: Nonce,
        now_ms: u64,
        /// Whether nothing was stored.
        was_nothing: bool,
    },
    /// Another caller has the lease, for at most this time.
    Leased(Duration),
}

/// Records what is stored under a key. `lease` is a token, and for how long other callers get no ticket.
pub(super) async fn ticket(
    link: &Link,
    name: &Name<'_>,
    life: Duration,
    lease: Option<(Nonce, Duration)>,
) -> Result<Asked, StoreError> {
    let keys = link.store().keys();
    let mut call = TICKET.call(2, 6, 384);
    call.arg(keys.cache_entry(name.namespace, name.key).name)
        .arg(keys.cache_lease(name.namespace, name.key).name);
    let (token, lasting) = lease.map_or((Nonce([0; 8]), 0), |(token, lasting)| (token, ms(lasting)));
    call.arg(&entry::mark(Nonce::random())[..])
        .arg(ms(life))
        .arg(lasting)
        .arg(&token.0[..]);
    let (outcome, nonce, number): (String, Vec<u8>, u64) = link.run(&TICKET, &call).await?;
    match (outcome.as_str(), <[u8; 8]>::try_from(nonce)) {
        ("granted" | "marked", Ok(nonce)) => Ok(Asked::Granted {
            nonce: Nonce(nonce),
            now_ms: number,
            was_nothing: outcome == "marked",
        }),
        ("leased", _) => Ok(Asked::Leased(Duration::from_millis(number))),
        _ => Err(not_understood("ticket", &outcome)),
    }
}

/// The versions that are stored, and Redis's clock from before they were read.
#[derive(Debug)]
pub(super) struct Versions {
    /// In the order of the keys.
    pub all: Vec<Version>,
    /// ms; the earliest, if several nodes answered.
    pub now_ms: u64,
}

/// Returns the versions of namespaces and tags, and creates missing ones. Entries that depend on them may live for `life` from now on.
pub(super) async fn versions(link: &Link, keys: &[Placed], life: Duration) -> Result<Versions, StoreError> {
    let groups = groups(keys);
    let answers = try_join_all(groups.iter().map(|group| versions_of(link, keys, group, life))).await?;
    let mut now_ms = u64::MAX;
    let mut all: Vec<Option<Version>> = vec![None; keys.len()];
    for (group, (at, versions)) in groups.iter().zip(answers) {
        now_ms = now_ms.min(at);
        for (&index, version) in group.iter().zip(versions) {
            all[index] = Some(version);
        }
    }
    let all = all.into_iter().collect::<Option<_>>();
    let all = all.ok_or_else(|| not_understood("versions", "too few"))?;
    Ok(Versions { all, now_ms })
}

async fn versions_of(
    link: &Link,
    keys: &[Placed],
    group: &[usize],
    life: Duration,
) -> Result<(u64, Vec<Version>), StoreError> {
    let mut call = VERSIONS.call(group.len(), 1 + 2 * group.len(), 96 * group.len());
    for &index in group {
        call.arg(&keys[index].name);
    }
    call.arg(ms(life));
    for _ in group {
        call.arg(&Nonce::random().0[..]);
    }
    let answer: Vec<Value> = link.run(&VERSIONS, &call).await?;
    let mut answer = answer.into_iter();
    let now_ms = match answer.next() {
        Some(Value::Int(now)) => u64::try_from(now).unwrap_or(0),
        _ => return Err(not_understood("versions", "no time")),
    };
    let version = |value| match value {
        Value::BulkString(bytes) => Version::decode(&bytes),
        _ => None,
    };
    let versions: Option<Vec<_>> = answer.map(version).collect();
    let versions = versions.ok_or_else(|| not_understood("versions", "no version"))?;
    Ok((now_ms, versions))
}

/// Writes a computed entry if what is stored has the nonce `was`, and ends the lease.
pub(super) async fn store(
    link: &Link,
    name: &Name<'_>,
    was: Nonce,
    written: &Written,
    lease: Option<Nonce>,
) -> Result<Stored, StoreError> {
    let keys = link.store().keys();
    let mut call = STORE.call(2, 6, 384 + written.bytes.len());
    call.arg(keys.cache_entry(name.namespace, name.key).name)
        .arg(keys.cache_lease(name.namespace, name.key).name);
    call.arg(&was.0[..])
        .arg(&written.bytes)
        .arg(ms(written.life))
        .arg(lease.as_ref().map_or(&[][..], |token| &token.0[..]));
    let outcome: String = link.run(&STORE, &call).await?;
    match outcome.as_str() {
        "stored" => Ok(Stored::Stored),
        "superseded" => Ok(Stored::Superseded),
        _ => Err(not_understood("store", &outcome)),
    }
}

/// An entry as it is to be written, and its TTL.
#[derive(Debug)]
pub(super) struct Written {
    pub bytes: Vec<u8>,
    pub life: Duration,
}

impl Written {
    /// `now_ms` is Redis's clock.
    pub(super) fn new(head: &Head, value: &[u8], now_ms: u64) -> Self {
        let until = head.fresh_until_ms + head.afterlife_ms();
        Self {
            bytes: head.encode(value),
            life: Duration::from_millis(until.saturating_sub(now_ms)),
        }
    }
}

/// Ends the lease of a computation that failed.
pub(super) async fn give_up(link: &Link, name: &Name<'_>, token: Nonce) -> Result<(), StoreError> {
    let mut call = GIVE_UP.call(1, 2, 128);
    call.arg(link.store().keys().cache_lease(name.namespace, name.key).name);
    call.arg(&token.0[..]);
    link.run::<Value>(&GIVE_UP, &call).await.map(drop)
}

/// Writes entries unconditionally, if the clock of Redis is not past `until_ms`. `message` is about the keys, in their order, here and below.
pub(super) async fn put(
    link: &Link,
    keys: &[Placed],
    entries: &[Written],
    until_ms: u64,
    message: &Message,
) -> Result<(), StoreError> {
    let channel = link.store().keys().cache_channel();
    let groups = groups(keys);
    let calls = groups.iter().map(async |group| {
        let bytes: usize = group.iter().map(|&index| entries[index].bytes.len() + 128).sum();
        let mut call = PUT.call(group.len(), 3 + 3 * group.len(), bytes);
        for &index in group {
            call.arg(&keys[index].name);
        }
        call.arg(&channel).arg(message.part(group).bytes()).arg(until_ms);
        for &index in group {
            call.arg(ms(entries[index].life)).arg(&entries[index].bytes);
        }
        match link.run::<i64>(&PUT, &call).await? {
            // The script wrote nothing, as if it had not been sent.
            -1 => Err(StoreError::Unavailable),
            _ => Ok(()),
        }
    });
    try_join_all(calls).await.map(drop)
}

/// Removes entries or versions. Returns how many there were.
pub(super) async fn drop_all(link: &Link, keys: &[Placed], message: &Message) -> Result<u64, StoreError> {
    each_group(link, &DROP, keys, None, message).await
}

/// Makes versions invalidate everything whose computation began by a time, Unix ms. Returns how many changed.
pub(super) async fn outdate(link: &Link, keys: &[Placed], by_ms: u64, message: &Message) -> Result<u64, StoreError> {
    each_group(link, &OUTDATE, keys, Some(by_ms), message).await
}

/// Removes those entries whose computation began by a time, Unix ms. Returns how many.
pub(super) async fn drop_outdated(
    link: &Link,
    keys: &[Placed],
    by_ms: u64,
    message: &Message,
) -> Result<u64, StoreError> {
    each_group(link, &DROP_OUTDATED, keys, Some(by_ms), message).await
}

async fn each_group(
    link: &Link,
    script: &Script,
    keys: &[Placed],
    by_ms: Option<u64>,
    message: &Message,
) -> Result<u64, StoreError> {
    let channel = link.store().keys().cache_channel();
    let groups = groups(keys);
    let calls = groups.iter().map(async |group| {
        let mut call = script.call(group.len(), 3 + group.len(), 96 * group.len());
        for &index in group {
            call.arg(&keys[index].name);
        }
        if let Some(by_ms) = by_ms {
            call.arg(by_ms);
        }
        call.arg(&channel).arg(message.part(group).bytes());
        link.run::<u64>(script, &call).await
    });
    Ok(try_join_all(calls).await?.into_iter().sum())
}

/// Changes until when the entry with this nonce is fresh, ms of Redis's clock. Returns whether it was there.
pub(super) async fn touch(
    link: &Link,
    name: &Name<'_>,
    nonce: Nonce,
    fresh_until_ms: u64,
    life: Duration,
) -> Result<bool, StoreError> {
    let keys = link.store().keys();
    let mut call = TOUCH.call(1, 6, 256);
    call.arg(keys.cache_entry(name.namespace, name.key).name);
    call.arg(&nonce.0[..])
        .arg(&fresh_until_ms.to_be_bytes()[..])
        .arg(ms(life))
        .arg(keys.cache_channel())
        .arg(Message::of([name.subject]).bytes());
    link.run(&TOUCH, &call).await
}

/// The result of `count`.
#[derive(Debug)]
pub(super) enum Counted {
    /// The value of the counter, and its remaining TTL.
    At(i64, Duration),
    /// The same, after a call with the same idempotency key.
    Before(i64, Duration),
    /// The idempotency key was used with another body.
    Differs,
    /// The counter would exceed its range.
    Range,
    /// What is stored is not a counter.
    NoCounter,
}

/// Adds to a counter, once for each idempotency key. A counter that begins now expires after `life`.
pub(super) async fn count(
    link: &Link,
    key: &Placed,
    by: i64,
    life: Duration,
    once: Option<&Once>,
) -> Result<Counted, StoreError> {
    let keys = link.store().keys();
    let record = once.map(|once| keys.cache_once(key.partition, &once.name));
    let mut call = COUNT.call(2, 6, 256);
    call.arg(&key.name).arg(record.as_ref().unwrap_or(&key.name));
    call.arg(by)
        .arg(ms(life))
        .arg(once.map_or("", |once| &once.body))
        .arg(ms(Once::KEPT));
    let (outcome, value, ends_ms): (String, String, u64) = link.run(&COUNT, &call).await?;
    match (outcome.as_str(), value.parse()) {
        ("counted", Ok(value)) => Ok(Counted::At(value, Duration::from_millis(ends_ms))),
        ("before", Ok(value)) => Ok(Counted::Before(value, Duration::from_millis(ends_ms))),
        ("differs", _) => Ok(Counted::Differs),
        ("range", _) => Ok(Counted::Range),
        ("none", _) => Ok(Counted::NoCounter),
        _ => Err(not_understood("count", &outcome)),
    }
}

/// Groups the indexes of keys by call: a call has keys of one partition, and at most [`AT_ONCE`].
fn groups(keys: &[Placed]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let fits = |group: &&mut Vec<usize>| group.len() < AT_ONCE && keys[group[0]].partition == key.partition;
        match groups.iter_mut().rev().find(fits) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

fn not_understood(script: &str, outcome: &str) -> StoreError {
    StoreError::Answer(format!("{script}: {outcome:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_keys_of_one_partition_up_to_the_maximum() {
        let keys: Vec<_> = (0..1_300_u16)
            .map(|n| Placed {
                partition: n % 2,
                name: n.to_string(),
            })
            .collect();
        let groups = groups(&keys);
        assert_eq!(groups.len(), 4);
        for group in &groups {
            assert!(group.len() <= AT_ONCE);
            assert!(
                group
                    .iter()
                    .all(|&index| keys[index].partition == keys[group[0]].partition)
            );
        }
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), 1_300);
    }
}

/// The result of `warm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The caller has the lease.
    Yours,
    /// Another instance has it, for at least this time.
    UnderWay(Duration),
    /// The cache was warmed recently.
    Done,
}

/// What to do with the lease of warming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Take or extend it.
    Take,
    /// Take or extend it even if the cache was warmed recently.
    TakeAgain,
    /// End it.
    End,
}

/// Takes or extends the lease of warming for a time, or ends it, so that no instance can [take](Wish::Take) it for that time.
pub(super) async fn warm(link: &Link, token: Nonce, lasting: Duration, wish: Wish) -> Result<Turn, StoreError> {
    let mut call = WARM.call(1, 5, 128);
    call.arg(link.store().keys().cache_warming());
    call.arg(format!("{:016x}", u64::from_be_bytes(token.0)))
        .arg(ms(lasting))
        .arg(u8::from(wish == Wish::End))
        .arg(u8::from(wish == Wish::TakeAgain));
    let (whose, left): (String, u64) = link.run(&WARM, &call).await?;
    match whose.as_str() {
        "yours" => Ok(Turn::Yours),
        "under way" => Ok(Turn::UnderWay(Duration::from_millis(left))),
        "done" => Ok(Turn::Done),
        _ => Err(not_understood("warm", &whose)),
    }
}

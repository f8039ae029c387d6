//! The Redis commands of the tracking slice, one typed function each. All keys of a call share a slot.

use super::Kind;
use super::model::{Fix, Removed};
use super::profile::{Profile, VersionedProfile};
use super::profile_hash;
use super::snapshot::{self, Head, Record};
use crate::geo::{Point, geohash52, searchable};
use crate::ids::Id;
use crate::store::{Link, Script, StoreError, deferred};
use redis::{Cmd, Pipeline, Value};
use std::sync::LazyLock;

/// The most fixes in one script call. It is bounded by Lua's `unpack`, and a batch of more than some hundred fixes is not faster per fix.
pub const MAX_FIXES: usize = 512;

const PUBLISH: &str = include_str!("lua/publish.lua");
const CLOCK: &str = include_str!("lua/clock.lua");
const MERGE_PROFILE: &str = include_str!("lua/merge_profile.lua");
const MERGE_CHANGES: &str = include_str!("lua/merge_changes.lua");

macro_rules! script {
    ($name:literal $(, $shared:expr)*) => {
        LazyLock::new(|| Script::new($name, &[$($shared),*].concat(), include_str!(concat!("lua/", $name, ".lua"))))
    };
}

// Most batches change no profile.
static RECORD: LazyLock<Script> = script!(
    "record",
    PUBLISH,
    CLOCK,
    &deferred("merge_changes", &[MERGE_PROFILE, MERGE_CHANGES])
);
static REMOVE: LazyLock<Script> = script!("remove", PUBLISH, CLOCK);
static EXPIRE: LazyLock<Script> = script!("expire", "");
static PUT_PROFILE: LazyLock<Script> = script!("put_profile", PUBLISH, CLOCK, MERGE_PROFILE);

/// The target of a call, and its sender.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The kind.
    pub kind: Kind,
    /// The partition.
    pub partition: u16,
    /// TTL of the kind, milliseconds.
    pub ttl_ms: i64,
    /// TTL of profiles, milliseconds.
    pub profile_ttl_ms: i64,
    /// The name of this instance.
    pub origin: &'a str,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
}

impl Target<'_> {
    fn head(&self) -> String {
        Head::open(self.origin, self.now_ms, self.partition)
    }
}

/// A fix to store, or a change of its entity's profile.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The id of the entity.
    pub id: &'a Id,
    /// The fix; `None` where only the profile changes.
    pub fix: Option<&'a Fix>,
    /// The change of the profile, if there is one.
    pub change: Option<&'a Profile>,
}

/// The outcome of one fix in Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the fix was stored; otherwise a newer one is stored already.
    pub is_stored: bool,
    /// Whether the profile changed.
    pub is_profile_changed: bool,
    /// Whether attributes were left out, because the profile would have too many.
    pub attributes_left_out: bool,
}

impl Verdict {
    /// Parses a digit of the reply of `record.lua`.
    const fn of(digit: u8) -> Option<Self> {
        let bits = digit.wrapping_sub(b'0');
        if bits > 7 {
            return None;
        }
        Some(Self {
            is_stored: bits & 1 != 0,
            is_profile_changed: bits & 2 != 0,
            attributes_left_out: bits & 4 != 0,
        })
    }
}

/// Stores up to [`MAX_FIXES`] fixes of different entities of one partition. Returns a verdict for each.
pub async fn record(link: &Link, target: Target<'_>, fixes: &[Recorded<'_>]) -> Result<Vec<Verdict>, StoreError> {
    let call = record_call(link, target, fixes);
    let outcomes: String = link.run(&RECORD, &call).await?;
    let verdicts: Vec<_> = outcomes.bytes().filter_map(Verdict::of).collect();
    if verdicts.len() == fixes.len() {
        Ok(verdicts)
    } else {
        Err(StoreError::Answer(format!(
            "record: {} outcomes for {} fixes",
            verdicts.len(),
            fixes.len()
        )))
    }
}

fn record_call(link: &Link, target: Target<'_>, fixes: &[Recorded<'_>]) -> Cmd {
    let Target {
        kind,
        partition,
        ttl_ms,
        ..
    } = target;
    let keys = link.store().keys();
    let changes: Vec<(usize, &Recorded<'_>, &Profile)> = fixes
        .iter()
        .enumerate()
        .filter_map(|(index, fix)| fix.change.map(|change| (index + 1, fix, change)))
        .collect();
    let mut call = RECORD.call(
        3 + fixes.len() + changes.len(),
        9 + 5 * fixes.len(),
        256 * (fixes.len() + 1),
    );
    call.arg(keys.geo(kind, partition))
        .arg(keys.sequence(kind, partition))
        .arg(keys.updates(kind, partition));
    let mut key = String::with_capacity(64);
    for Recorded { id, .. } in fixes {
        keys.write_snapshot(&mut key, kind, partition, id);
        call.arg(key.as_str());
    }
    for (_, fix, _) in &changes {
        call.arg(keys.profile(kind, partition, fix.id));
    }
    call.arg(target.head())
        .arg(target.profile_ttl_ms)
        .arg(fixes.len())
        .arg(changes.len());
    let mut json = Vec::with_capacity(256);
    for Recorded { id, fix, .. } in fixes {
        call.arg(id.as_str());
        let Some(fix) = fix else {
            call.arg(0).arg(0).arg("");
            continue;
        };
        json.clear();
        snapshot::write(&mut json, id, fix);
        call.arg(geohash52(searchable(fix.point)))
            .arg(fix.timestamp_ms + ttl_ms)
            .arg(json.as_slice());
    }
    for (index, _, change) in changes {
        call.arg(index);
        profile_hash::write(&mut call, change);
    }
    call
}

/// The time of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Now by Redis's clock, but after the fix that it removes and not before this.
    NotBefore(Removed),
    /// Exactly this.
    At(Removed),
}

/// Removes an entity's fix. Returns the removal as it was stored, or `None` where a newer fix stays.
pub async fn remove(link: &Link, target: Target<'_>, id: &Id, removal: Removal) -> Result<Option<Removed>, StoreError> {
    let Target { kind, partition, .. } = target;
    let keys = link.store().keys();
    let mut call = REMOVE.call(4, 10, 512);
    call.arg(keys.geo(kind, partition))
        .arg(keys.sequence(kind, partition))
        .arg(keys.updates(kind, partition));
    call.arg(keys.snapshot(kind, partition, id));
    call.arg(target.head()).arg(id.as_str()).arg(target.ttl_ms);
    let (mode, Removed { at_ms, received_us }) = match removal {
        Removal::NotBefore(removed) => ("not_before", removed),
        Removal::At(removed) => ("at", removed),
    };
    call.arg(mode).arg(at_ms).arg(received_us);
    let stored: Option<(i64, i64)> = link.run(&REMOVE, &call).await?;
    Ok(stored.map(|(at_ms, received_us)| Removed { at_ms, received_us }))
}

/// Removes entities of one partition (at most [`MAX_FIXES`]) from the GEO index if their snapshots have expired. Returns the expiry of
/// each snapshot in order, Unix milliseconds; `None` where it has expired.
pub async fn expire(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<Option<i64>>, StoreError> {
    let keys = link.store().keys();
    let mut call = EXPIRE.call(1 + ids.len(), 1 + 2 * ids.len(), 64 * ids.len());
    call.arg(keys.geo(kind, partition));
    for id in ids {
        call.arg(keys.snapshot(kind, partition, id));
    }
    for id in ids {
        call.arg(id.as_str());
    }
    let ends: Vec<i64> = link.run(&EXPIRE, &call).await?;
    Ok(ends.into_iter().map(|at_ms| (at_ms != GONE).then_some(at_ms)).collect())
}

/// What `PEXPIRETIME` returns for a missing key.
const GONE: i64 = -2;

/// Sets the TTL of the profiles of entities of one partition, counted from now.
pub async fn keep_profiles(link: &Link, target: Target<'_>, ids: &[Id]) -> Result<(), StoreError> {
    let keys = link.store().keys();
    let mut pipeline = Pipeline::with_capacity(ids.len());
    for id in ids {
        pipeline
            .cmd("PEXPIRE")
            .arg(keys.profile(target.kind, target.partition, id))
            .arg(target.profile_ttl_ms)
            .ignore();
    }
    link.pipeline(&pipeline).await
}

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProfileChange<'a> {
    /// Members that are not given are removed.
    Replace(&'a Profile),
    /// Members that are not given stay.
    Merge(&'a Profile),
}

/// The outcome of a change of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileVerdict {
    /// The profile changed; the number of the batch in its partition.
    Changed(u64),
    /// Nothing changed.
    Unchanged,
    /// The profile would have more than 32 attributes; nothing was changed.
    TooManyAttributes,
}

/// Changes a profile, with Redis's current time.
pub async fn change_profile(
    link: &Link,
    target: Target<'_>,
    id: &Id,
    change: ProfileChange<'_>,
) -> Result<ProfileVerdict, StoreError> {
    let Target { kind, partition, .. } = target;
    let keys = link.store().keys();
    let mut call = PUT_PROFILE.call(3, 110, 1024);
    call.arg(keys.profile(kind, partition, id))
        .arg(keys.sequence(kind, partition))
        .arg(keys.updates(kind, partition));
    call.arg(target.head()).arg(id.as_str()).arg(target.profile_ttl_ms);
    let (verb, change) = match change {
        ProfileChange::Replace(change) => ("replace", change),
        ProfileChange::Merge(change) => ("merge", change),
    };
    call.arg(verb);
    profile_hash::write(&mut call, change);
    let sequence: i64 = link.run(&PUT_PROFILE, &call).await?;
    Ok(match sequence {
        -1 => ProfileVerdict::TooManyAttributes,
        0 => ProfileVerdict::Unchanged,
        sequence => ProfileVerdict::Changed(sequence.unsigned_abs()),
    })
}

/// Reads the profiles of entities of one partition, in order. A key of another type is read as no profile.
pub async fn profiles(
    link: &Link,
    kind: Kind,
    partition: u16,
    ids: &[Id],
) -> Result<Vec<VersionedProfile>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys = link.store().keys();
    let mut pipeline = Pipeline::with_capacity(ids.len());
    for id in ids {
        pipeline.cmd("HGETALL").arg(keys.profile(kind, partition, id));
    }
    // Errors are handled one by one: a key of another type must not fail the others.
    let hashes: Vec<Value> = link.pipeline(pipeline.ignore_errors()).await?;
    hashes.into_iter().map(profile_hash::read).collect()
}

/// Returns whether any of the entities of one partition has a profile.
pub async fn any_profile(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<bool, StoreError> {
    if ids.is_empty() {
        return Ok(false);
    }
    let keys = link.store().keys();
    let mut cmd = redis::cmd("EXISTS");
    for id in ids {
        cmd.arg(keys.profile(kind, partition, id));
    }
    let count: u64 = link.query(&cmd).await?;
    Ok(count > 0)
}

/// Returns a page of the GEO index: the cursor of the next page (0 at the end), and the ids.
pub async fn index_page(link: &Link, kind: Kind, partition: u16, cursor: u64) -> Result<(u64, Vec<Id>), StoreError> {
    let mut cmd = redis::cmd("ZSCAN");
    cmd.arg(link.store().keys().geo(kind, partition))
        .arg(cursor)
        .arg("COUNT")
        .arg(MAX_FIXES);
    // As bytes, because a member that is not UTF-8 must not fail the page.
    let (cursor, members): (u64, Vec<(Vec<u8>, f64)>) = link.query(&cmd).await?;
    // A member that is not an id was added by another program; it is skipped.
    Ok((
        cursor,
        members
            .iter()
            .filter_map(|(member, _)| Id::parse(std::str::from_utf8(member).ok()?).ok())
            .collect(),
    ))
}

/// Returns the records of entities of one partition, in order; `None` where Redis has none.
pub async fn snapshots(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<Option<Record>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut cmd = redis::cmd("MGET");
    let mut key = String::with_capacity(64);
    for id in ids {
        link.store().keys().write_snapshot(&mut key, kind, partition, id);
        cmd.arg(key.as_str());
    }
    let values: Vec<Option<Vec<u8>>> = link.query(&cmd).await?;
    let records = ids.iter().zip(&values);
    // A record under the key of another entity was copied there by hand.
    Ok(records
        .map(|(id, value)| snapshot::read(value.as_deref()?).filter(|record| record.id() == id))
        .collect())
}

/// Returns the sequence of the latest batch of a partition.
async fn sequence(link: &Link, kind: Kind, partition: u16) -> Result<u64, StoreError> {
    let sequence: Option<u64> = link
        .query(redis::cmd("GET").arg(link.store().keys().sequence(kind, partition)))
        .await?;
    Ok(sequence.unwrap_or(0))
}

/// Raises the sequence of a partition to at least `known`, so that a Redis that has lost its latest writes does not use a number twice.
/// Returns the sequence.
pub async fn raise_sequence(link: &Link, kind: Kind, partition: u16, known: u64) -> Result<u64, StoreError> {
    let sequence = sequence(link, kind, partition).await?;
    if sequence >= known {
        return Ok(sequence);
    }
    let mut cmd = redis::cmd("INCRBY");
    cmd.arg(link.store().keys().sequence(kind, partition))
        .arg(known - sequence);
    link.query(&cmd).await
}

/// Returns the members of one partition's GEO index within a radius, nearest first, with the distance of the index entry. A member is
/// `None` if it is not a valid id, because another program added it.
pub async fn search(
    link: &Link,
    kind: Kind,
    partition: u16,
    center: Point,
    radius_m: f64,
    count: usize,
) -> Result<Vec<(Option<Id>, f64)>, StoreError> {
    let center = searchable(center);
    let mut cmd = redis::cmd("GEOSEARCH");
    cmd.arg(link.store().keys().geo(kind, partition))
        .arg("FROMLONLAT")
        .arg(center.lon())
        .arg(center.lat());
    cmd.arg("BYRADIUS")
        .arg(radius_m)
        .arg("m")
        .arg("ASC")
        .arg("COUNT")
        .arg(count)
        .arg("WITHDIST");
    let found: Vec<(Vec<u8>, f64)> = link.query(&cmd).await?;
    let id = |member: &[u8]| Id::parse(str::from_utf8(member).ok()?).ok();
    Ok(found
        .into_iter()
        .map(|(member, distance)| (id(&member), distance))
        .collect())
}

//! Every word that the tracking slice says to Redis, each as one typed function. All keys of a call share a slot.

use super::Kind;
use super::model::{Fix, Profile, Scalar};
use super::patch::{Change, ProfilePatch};
use super::snapshot::{self, Head, Word};
use crate::geo::{Point, geohash52, searchable};
use crate::ids::Id;
use crate::store::{Link, Script, StoreError};
use compact_str::CompactString;
use redis::{Cmd, FromRedisValue, Pipeline, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The most fixes in one script call. Lua's `unpack` is the bound, and beyond some hundred a batch gains nothing.
pub const MAX_FIXES: usize = 512;

const PUBLISH: &str = include_str!("lua/publish.lua");
const PUBLISH_AND_MERGE_PROFILE: &str = concat!(include_str!("lua/publish.lua"), include_str!("lua/merge_profile.lua"));

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("lua/", $name, ".lua"))))
    };
}

static RECORD: LazyLock<Script> = script!("record", PUBLISH_AND_MERGE_PROFILE);
static REMOVE: LazyLock<Script> = script!("remove", PUBLISH);
static EXPIRE: LazyLock<Script> = script!("expire", "");
static PUT_PROFILE: LazyLock<Script> = script!("put_profile", PUBLISH_AND_MERGE_PROFILE);

/// Where a call goes and who makes it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The kind.
    pub kind: Kind,
    /// The partition.
    pub partition: u16,
    /// TTL of the kind, milliseconds.
    pub ttl_ms: i64,
    /// This instance's name.
    pub origin: &'a str,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
}

impl Target<'_> {
    fn head(&self) -> String {
        Head::open(self.origin, self.now_ms, self.partition)
    }
}

/// A fix to store.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Whose.
    pub id: &'a Id,
    /// Which.
    pub fix: &'a Fix,
    /// What it says of the profile.
    pub patch: Option<&'a ProfilePatch>,
}

/// What Redis made of one fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored.
    Stored,
    /// Stored, and its profile is another now.
    StoredWithProfile,
    /// A newer one is there.
    Stale,
    /// The profile would have too many attributes; nothing was stored.
    TooManyAttributes,
}

/// Stores up to [`MAX_FIXES`] fixes of different entities of one partition. Returns the batch's sequence and a verdict each.
pub async fn record(
    link: &Link,
    target: Target<'_>,
    fixes: &[Recorded<'_>],
) -> Result<(u64, Vec<Verdict>), StoreError> {
    let call = record_call(link, target, fixes);
    let (sequence, outcomes): (u64, String) = link.run(&RECORD, &call).await?;
    let verdicts: Vec<_> = outcomes
        .bytes()
        .map(|outcome| match outcome {
            b'1' => Verdict::Stored,
            b'p' => Verdict::StoredWithProfile,
            b'a' => Verdict::TooManyAttributes,
            _ => Verdict::Stale,
        })
        .collect();
    if verdicts.len() == fixes.len() {
        Ok((sequence, verdicts))
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
    let patches: Vec<(usize, &Recorded<'_>, &ProfilePatch)> = fixes
        .iter()
        .enumerate()
        .filter_map(|(index, fix)| fix.patch.map(|patch| (index + 1, fix, patch)))
        .collect();
    let mut call = RECORD.call(
        3 + fixes.len() + patches.len(),
        8 + 5 * fixes.len(),
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
    for (_, fix, _) in &patches {
        call.arg(keys.profile(kind, partition, fix.id));
    }
    call.arg(target.head()).arg(fixes.len()).arg(patches.len());
    let mut json = Vec::with_capacity(256);
    for Recorded { id, fix, .. } in fixes {
        json.clear();
        snapshot::write(&mut json, id, fix);
        call.arg(id.as_str())
            .arg(geohash52(searchable(fix.point)))
            .arg(fix.timestamp_ms + ttl_ms)
            .arg(json.as_slice());
    }
    for (index, _, patch) in patches {
        call.arg(index);
        patch_args(&mut call, patch);
    }
    call
}

/// Appends a patch as `merge_profile.lua` reads it.
fn patch_args(call: &mut Cmd, patch: &ProfilePatch) {
    let mut sets: Vec<(String, String)> = Vec::new();
    let mut deletions: Vec<String> = Vec::new();
    let mut put = |name: String, change: Change<String>| match change {
        Change::Keep => {}
        Change::Set(value) => sets.push((name, value)),
        Change::Remove => deletions.push(name),
    };
    put("status".to_owned(), patch.status.to_text());
    put("vehicle_type".to_owned(), patch.vehicle_type.to_text());
    put("capacity".to_owned(), patch.capacity.to_text());
    for (name, value) in &patch.attributes {
        put(
            format!("a:{name}"),
            value
                .as_ref()
                .map_or(Change::Remove, |value| Change::Set(value.to_json())),
        );
    }
    call.arg(sets.len());
    for (name, value) in sets {
        call.arg(name).arg(value);
    }
    call.arg(deletions.len());
    for name in deletions {
        call.arg(name);
    }
}

/// Removes an entity's fix, as of `at_ms` or of now. Returns the sequence and the moment of the removal; `None` where a
/// newer fix stays.
pub async fn remove(
    link: &Link,
    target: Target<'_>,
    id: &Id,
    at_ms: Option<i64>,
) -> Result<Option<(u64, i64)>, StoreError> {
    let Target { kind, partition, .. } = target;
    let keys = link.store().keys();
    let mut call = REMOVE.call(4, 8, 512);
    call.arg(keys.geo(kind, partition))
        .arg(keys.sequence(kind, partition))
        .arg(keys.updates(kind, partition));
    call.arg(keys.snapshot(kind, partition, id));
    call.arg(target.head()).arg(id.as_str()).arg(target.ttl_ms);
    call.arg(at_ms.map_or_else(String::new, |at_ms| at_ms.to_string()));
    let (sequence, at_ms): (u64, i64) = link.run(&REMOVE, &call).await?;
    Ok((sequence > 0).then_some((sequence, at_ms)))
}

/// Takes entities of one partition (at most [`MAX_FIXES`]) out of the GEO index whose snapshot has ended. Returns how many.
pub async fn expire(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<u64, StoreError> {
    let keys = link.store().keys();
    let mut call = EXPIRE.call(1 + ids.len(), 1 + 2 * ids.len(), 64 * ids.len());
    call.arg(keys.geo(kind, partition));
    for id in ids {
        call.arg(keys.snapshot(kind, partition, id));
    }
    for id in ids {
        call.arg(id.as_str());
    }
    link.run(&EXPIRE, &call).await
}

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProfileChange<'a> {
    /// What is not in the patch is gone.
    Replace(&'a ProfilePatch),
    /// What is not in the patch stays.
    Merge(&'a ProfilePatch),
    /// All of it goes.
    Delete,
}

/// What became of a change of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileVerdict {
    /// Done, as this batch of its partition.
    Changed(u64),
    /// There was none to delete.
    Absent,
    /// It would have more than 32 attributes.
    TooManyAttributes,
}

/// Writes a profile.
pub async fn change_profile(
    link: &Link,
    target: Target<'_>,
    id: &Id,
    change: ProfileChange<'_>,
) -> Result<ProfileVerdict, StoreError> {
    let Target { kind, partition, .. } = target;
    let keys = link.store().keys();
    let mut call = PUT_PROFILE.call(3, 80, 1024);
    call.arg(keys.profile(kind, partition, id))
        .arg(keys.sequence(kind, partition))
        .arg(keys.updates(kind, partition));
    call.arg(target.head()).arg(id.as_str());
    match change {
        ProfileChange::Replace(patch) => patch_args(call.arg("replace"), patch),
        ProfileChange::Merge(patch) => patch_args(call.arg("merge"), patch),
        ProfileChange::Delete => {
            call.arg("delete");
        }
    }
    let sequence: i64 = link.run(&PUT_PROFILE, &call).await?;
    Ok(match sequence {
        -1 => ProfileVerdict::TooManyAttributes,
        0 => ProfileVerdict::Absent,
        sequence => ProfileVerdict::Changed(sequence.unsigned_abs()),
    })
}

/// A profile with the sequence of the batch that wrote or deleted it.
pub type VersionedProfile = (Option<Profile>, u64);

/// Reads the profiles of entities of one partition, in order.
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
    let hashes: Vec<HashMap<String, String>> = link.pipeline(&pipeline).await?;
    Ok(hashes.iter().map(read_profile).collect())
}

/// As [`profiles`], for entities of which some may be anything: what is no profile of ours, or of another type, is none.
pub async fn readable_profiles(
    link: &Link,
    kind: Kind,
    partition: u16,
    ids: &[Id],
) -> Result<Vec<Option<Profile>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys = link.store().keys();
    let mut pipeline = Pipeline::with_capacity(ids.len());
    for id in ids {
        pipeline.cmd("HGETALL").arg(keys.profile(kind, partition, id));
    }
    // Read one by one: as a whole, one that cannot be read would be an error of the connection.
    let hashes: Vec<Value> = link.pipeline(pipeline.ignore_errors()).await?;
    let read = hashes.into_iter().map(|hash| match hash.extract_error() {
        Ok(hash) => Ok(HashMap::from_redis_value(hash)
            .ok()
            .and_then(|hash| read_profile(&hash).0)),
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
        Err(error) => Err(StoreError::Refused(error)),
    });
    read.collect()
}

/// Whether any of the entities of one partition has a profile.
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

fn read_profile(hash: &HashMap<String, String>) -> VersionedProfile {
    let version = hash.get("v").and_then(|version| version.parse().ok()).unwrap_or(0);
    // A hash with a version alone is what a deletion leaves.
    if hash.len() < 2 {
        return (None, version);
    }
    let word = |name: &str| hash.get(name).map(CompactString::new);
    let attributes = hash
        .iter()
        .filter_map(|(name, value)| Some((CompactString::new(name.strip_prefix("a:")?), Scalar::from_json(value)?)))
        .collect();
    let profile = Profile {
        status: word("status"),
        vehicle_type: word("vehicle_type"),
        capacity: hash.get("capacity").and_then(|capacity| capacity.parse().ok()),
        attributes,
    };
    (Some(profile), version)
}

/// One piece of the GEO index: its ids, and the cursor of the next piece (0 at the end).
pub async fn index_page(link: &Link, kind: Kind, partition: u16, cursor: u64) -> Result<(u64, Vec<Id>), StoreError> {
    let mut cmd = redis::cmd("ZSCAN");
    cmd.arg(link.store().keys().geo(kind, partition))
        .arg(cursor)
        .arg("COUNT")
        .arg(MAX_FIXES);
    let (cursor, members): (u64, Vec<(String, f64)>) = link.query(&cmd).await?;
    // What is no id was put there by somebody else; it is left alone.
    Ok((
        cursor,
        members
            .iter()
            .filter_map(|(member, _)| Id::parse(member).ok())
            .collect(),
    ))
}

/// What Redis says of entities of one partition, in order; `None` where it has no word (any more).
pub async fn snapshots(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<Option<Word>>, StoreError> {
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
    Ok(values.iter().map(|value| snapshot::read(value.as_deref()?)).collect())
}

/// The sequence of a partition's latest batch.
async fn sequence(link: &Link, kind: Kind, partition: u16) -> Result<u64, StoreError> {
    let sequence: Option<u64> = link
        .query(redis::cmd("GET").arg(link.store().keys().sequence(kind, partition)))
        .await?;
    Ok(sequence.unwrap_or(0))
}

/// Lets the sequence of a partition go on behind `known`, if a Redis that has lost its tail would number anew what was
/// numbered before. Returns the sequence.
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

/// Members of one partition's GEO index within a radius, nearest first, with the distance of their index entry; `None` for what is
/// no id and was put there by somebody else.
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

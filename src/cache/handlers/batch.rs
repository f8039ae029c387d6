//! Many entries in one call.

use super::super::{Cache, Entry, Put};
use super::entries::EntryBody;
use super::input::{self, KeyBody, PutBody};
use super::{CacheError, OVERHEAD, State, namespace, read};
use crate::cache::MAX_KEY;
use crate::http::{AnswerLimit, Answers, Problem, RawBody, RawObject, no_query, raw, reply};
use crate::runtime::{Room, apart};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::Serialize;
use utoipa::ToSchema;

/// Elements of each list.
const MAX_EACH: usize = 1_000;
/// The largest body, bytes; larger if a single value may have more.
const MAX_BATCH: usize = 8 * 1_048_576;

/// The most keys that one command reads. It is fewer where that many values of the largest size exceed the limit of an answer. An answer
/// that would be too large is therefore cut before all of it is in memory.
const READ_AT_ONCE: usize = 32;

/// The most bytes of an answer that an entry takes besides its value and its key.
const AROUND: usize = 256;

/// The most memory that is taken for one entry before it is read. Few values are larger, whatever the setting allows.
const MOST_OF_ONE: usize = 1_048_576;

/// What is to be deleted, written and found: in this order, at most 1,000 of each.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CacheBatch, example = json!({"delete": ["a"], "set": [{"key": "b", "value": 1, "ttl_s": 60}], "get": ["b", "c"]}))]
pub(super) struct BatchBody {
    /// Keys.
    #[schema(max_items = 1000)]
    delete: Option<Vec<KeyBody>>,
    /// Values, each with its `key`.
    #[schema(max_items = 1000)]
    set: Option<Vec<SetBody>>,
    /// Keys.
    #[schema(max_items = 1000)]
    get: Option<Vec<KeyBody>>,
}

/// A value under a key.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
pub(super) struct SetBody {
    key: KeyBody,
    #[serde(flatten)]
    put: PutBody,
}

/// What was found, in order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheBatchAnswer)]
pub(super) struct BatchAnswer<'a> {
    results: Vec<FoundBody<'a>>,
    /// True if what is under the last keys of `get` did not fit into the answer: get those keys in another call. Else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
}

/// What was found under a key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum FoundBody<'a> {
    /// An entry.
    Entry {
        key: &'a str,
        #[serde(flatten)]
        entry: EntryBody<'a>,
    },
    /// None.
    Nothing { key: &'a str, state: Without },
}

/// Why there is no entry.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Without {
    /// There is nothing.
    Miss,
    /// What lies there is no entry, or not JSON.
    Corrupt,
}

/// Write, delete and get many entries
///
/// Each of them by itself, not all at one time. What is not acceptable or too large is refused before anything is done;
/// after that a failure leaves what was deleted and written by then. What was found is cut where it would be larger than
/// `HTTP_MAX_ANSWER_BYTES`; it has at least the first.
#[utoipa::path(
    post, path = "/v1/cache/{namespace}", operation_id = "batch_cache_entries", tag = "cache", request_body = BatchBody, params(("namespace" = String, Path)),
    responses(
        (status = 200, description = "Done; what was found, in the order of `get`", body = BatchAnswer),
        (status = 413, description = "A value or the body is too large: nothing was done", body = Problem),
        (status = 422, description = "Not acceptable: nothing was done", body = Problem),
        (status = 503, description = "Redis is away: some of it may be deleted and written", body = Problem),
    )
)]
pub async fn batch(request: HttpRequest, payload: web::Payload, cache: State) -> Result<HttpResponse, Problem> {
    let namespace = namespace(&request)?;
    no_query(&request)?;
    let largest = usize::try_from(cache.shared().settings().max_value_bytes).unwrap_or(usize::MAX);
    let most = largest.max(MAX_BATCH);
    let body = RawBody::read_json(&request, &mut payload.into_inner(), most.saturating_add(OVERHEAD)).await?;
    let Asked { delete, set, get } = read(&cache, body, Asked::read).await?;
    // Before anything is done.
    let room = room(&request, get.len(), largest)?;

    let deleted: Vec<&str> = delete.iter().map(String::as_str).collect();
    cache.delete_many(&namespace, &deleted).await?;
    let groups = alike(&set);
    let writes = groups
        .iter()
        .map(|(put, values)| cache.store_many(&namespace, values, put));
    try_join_all(writes).await?;
    let keys: Vec<&str> = get.iter().map(String::as_str).collect();
    let mut entries = Vec::with_capacity(keys.len());
    let limit = AnswerLimit::of(&request);
    let limit = room.as_ref().map_or(limit, |room| room.bytes().min(limit));
    let mut left = limit;
    'reading: for piece in keys.chunks((left / largest.max(1)).clamp(1, READ_AT_ONCE)) {
        for (key, entry) in piece.iter().zip(cache.get_many_bytes(&namespace, piece).await?) {
            let value = entry
                .as_ref()
                .map_or(0, |entry| entry.as_ref().map_or(0, |entry| entry.bytes.len()));
            // A key may have nothing but characters that are escaped.
            let size = value + 6 * key.len() + AROUND;
            if size > left && !entries.is_empty() {
                break 'reading;
            }
            left = left.saturating_sub(size);
            entries.push(entry);
        }
    }
    let body = apart(limit - left, move || answer(&get, &entries)).await??;
    Ok(Answers::counted(reply::json(body), room))
}

/// Takes memory for the answer of a call that gets so many entries: for all that it may have, or a share of it if little is left.
fn room(request: &HttpRequest, keys: usize, largest: usize) -> Result<Option<Room>, Problem> {
    let Some(memory) = Answers::of(request).filter(|_| keys > 0) else {
        return Ok(None);
    };
    let one = largest.saturating_add(6 * MAX_KEY + AROUND);
    let most = one.saturating_mul(keys).min(AnswerLimit::of(request));
    Ok(Some(memory.share(one.min(MOST_OF_ONE).min(most), most)?))
}

/// What a body asks for.
struct Asked {
    delete: Vec<String>,
    set: Vec<Written>,
    get: Vec<String>,
}

impl Asked {
    fn read(cache: &Cache, body: &Bytes) -> Result<Self, Problem> {
        let refused = |fault| Problem::unacceptable(vec![fault]);
        let mut object = RawObject::read(raw(body)?, "").map_err(refused)?;
        let set = object.take("set");
        let mut fields = object.into_fields().map_err(refused)?;
        let delete = input::keys(&mut fields, "delete", MAX_EACH);
        let set = input::writes(&mut fields, "set", set, MAX_EACH, cache.shared().settings());
        let get = input::keys(&mut fields, "get", MAX_EACH);
        let set = fields.finish(Some(set))?;
        for (_, _, value) in &set {
            cache.check_size(value.get().len())?;
        }
        let set = set
            .into_iter()
            .map(|(put, key, value)| (put, key, body.slice_ref(value.get().as_bytes())));
        Ok(Self {
            delete,
            set: set.collect(),
            get,
        })
    }
}

/// The answer's body: what was found under the first keys.
fn answer(keys: &[String], entries: &[Result<Option<Entry>, CacheError>]) -> Result<Vec<u8>, Problem> {
    let truncated = (entries.len() < keys.len()).then_some(true);
    let results = keys.iter().zip(entries).map(|(key, entry)| {
        let nothing = |state| FoundBody::Nothing { key, state };
        match entry {
            Ok(Some(entry)) => Ok(match EntryBody::new(entry) {
                Ok(entry) => FoundBody::Entry { key, entry },
                Err(_corrupt) => nothing(Without::Corrupt),
            }),
            Ok(None) => Ok(nothing(Without::Miss)),
            Err(CacheError::Corrupt) => Ok(nothing(Without::Corrupt)),
            Err(error) => Err(error.clone()),
        }
    });
    let results = results.collect::<Result<_, CacheError>>()?;
    reply::json_of(&BatchAnswer { results, truncated })
}

/// How a value is kept, its key, and the value as a part of the body.
type Written = (Put, String, Bytes);

/// Keys with their values, and how all of them are kept.
type Alike<'a> = (&'a Put, Vec<(&'a str, &'a [u8])>);

/// Values that are kept alike, together; of one key that is given twice the last.
fn alike(written: &[Written]) -> Vec<Alike<'_>> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    for (index, (put, key, value)) in written.iter().enumerate() {
        if written[index + 1..].iter().any(|(_, later, _)| later == key) {
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == put) {
            Some((_, values)) => values.push((key, value)),
            None => groups.push((put, vec![(key, value)])),
        }
    }
    groups
}

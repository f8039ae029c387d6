//! Many entries in one call.

use super::super::{Cache, Entry, Put};
use super::arguments::{FromValueBody, Namespace, ValueBody};
use super::entries::EntryBody;
use super::input::{self, KeyBody, PutBody};
use super::{CacheError, OVERHEAD, State};
use crate::cache::{CacheSettings, MAX_KEY};
use crate::http::{AnswerLimit, Answers, Argument, Fields, Path, Problem, reply};
use crate::runtime::{Budget, Room, apart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::Serialize;
use std::future::{Ready, ready};
use utoipa::ToSchema;

/// The maximum number of elements of each list.
const MAX_EACH: usize = 1_000;
/// The maximum size of a body, in bytes; larger if a single value may be larger.
const MAX_BATCH: usize = 8 * 1_048_576;

/// The maximum number of keys that one command reads; fewer if that many values of the maximum size exceed the limit of an answer. So an
/// answer that would be too large is cut before all of it is in memory.
const READ_AT_ONCE: usize = 32;

/// The maximum size that an entry takes in an answer besides its value and its key, in bytes.
const AROUND: usize = 256;

/// The maximum memory that is taken for one entry before it is read, in bytes. Few values are larger.
const MOST_OF_ONE: usize = 1_048_576;

/// What to delete, store and read: in this order, at most 1,000 of each.
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

/// The entries that were found, in order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheBatchAnswer)]
pub(super) struct BatchAnswer<'a> {
    results: Vec<FoundBody<'a>>,
    /// True if the entries of the last keys of `get` did not fit into the answer: get those keys in another call. Otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
}

/// The result of a key.
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
    /// Nothing is stored.
    Miss,
    /// The stored value is not an entry, or not JSON.
    Corrupt,
}

/// Write, delete and get many entries
///
/// The batch is not atomic. Invalid or too large values are refused before anything is done; a later failure does not undo what was
/// deleted and stored by then. The results are cut at `HTTP_MAX_ANSWER_BYTES`; there is at least one.
#[utoipa::path(
    post, path = "/v1/cache/{namespace}", operation_id = "batch_cache_entries", tag = "cache", request_body = BatchBody, params(("namespace" = String, Path)),
    responses(
        (status = 200, description = "Done; the results in the order of `get`", body = BatchAnswer),
        (status = 413, description = "A value or the body is too large: nothing was done", body = Problem),
        (status = 422, description = "A member is not valid: nothing was done", body = Problem),
        (status = 503, description = "Redis is unavailable: some entries may be deleted or stored", body = Problem),
    )
)]
pub async fn batch(
    Path(Namespace(namespace)): Path<Namespace>,
    answers: AnswerMemory,
    cache: State,
    ValueBody(Batch { delete, set, get }): ValueBody<Batch>,
) -> Result<HttpResponse, Problem> {
    let largest = max_value(cache.shared().settings());
    // Before anything is done.
    let room = answers.room(get.len(), largest)?;

    let deleted: Vec<&str> = delete.iter().map(String::as_str).collect();
    cache.delete_many(&namespace, &deleted).await?;
    let groups = alike(&set);
    let writes = groups
        .iter()
        .map(|(put, values)| cache.store_many(&namespace, values, put));
    try_join_all(writes).await?;
    let keys: Vec<&str> = get.iter().map(String::as_str).collect();
    let mut entries = Vec::with_capacity(keys.len());
    let limit = answers.limit;
    let limit = room.as_ref().map_or(limit, |room| room.bytes().min(limit));
    let mut left = limit;
    'reading: for piece in keys.chunks((left / largest.max(1)).clamp(1, READ_AT_ONCE)) {
        for (key, entry) in piece.iter().zip(cache.get_many_bytes(&namespace, piece).await?) {
            let value = entry
                .as_ref()
                .map_or(0, |entry| entry.as_ref().map_or(0, |entry| entry.bytes.len()));
            // A key may consist only of characters that are escaped.
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

/// The memory for answers, and the maximum size of this one.
pub struct AnswerMemory {
    budget: Option<Budget>,
    /// In bytes.
    limit: usize,
}

impl AnswerMemory {
    /// Takes memory for an answer with this number of entries: for its maximum size, or a share of it if little is left.
    fn room(&self, keys: usize, largest: usize) -> Result<Option<Room>, Problem> {
        let Some(budget) = self.budget.as_ref().filter(|_| keys > 0) else {
            return Ok(None);
        };
        let one = largest.saturating_add(6 * MAX_KEY + AROUND);
        let most = one.saturating_mul(keys).min(self.limit);
        Ok(Some(budget.share(one.min(MOST_OF_ONE).min(most), most)?))
    }
}

impl FromRequest for AnswerMemory {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self {
            budget: Answers::of(request).cloned(),
            limit: AnswerLimit::of(request),
        }))
    }
}

impl Argument for AnswerMemory {}

/// The content of a body.
pub struct Batch {
    delete: Vec<String>,
    set: Vec<Written>,
    get: Vec<String>,
}

impl FromValueBody for Batch {
    fn max_bytes(settings: &CacheSettings) -> usize {
        max_value(settings).max(MAX_BATCH).saturating_add(OVERHEAD)
    }

    fn read(body: &Bytes, cache: &Cache) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let delete = input::keys(&mut fields, "delete", MAX_EACH);
        let set = input::writes(&mut fields, "set", MAX_EACH, cache.shared().settings()).unwrap_or_default();
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

/// The maximum size of a value, in bytes.
fn max_value(settings: &CacheSettings) -> usize {
    usize::try_from(settings.max_value_bytes).unwrap_or(usize::MAX)
}

/// The body of the answer: the results of the first keys.
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

/// Returns the values with the same terms, in one group; of a key that is given twice, the last.
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

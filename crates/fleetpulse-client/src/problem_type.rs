use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

/// The type of a problem, with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemType {
    /// 400: the request cannot be read.
    Malformed,
    /// 401: there is no valid token.
    Unauthenticated,
    /// 403: the caller may not do this.
    Forbidden,
    /// 404: the item, job or other resource does not exist.
    NotFound,
    /// 405: the path does not have this method.
    MethodNotAllowed,
    /// 408: the request arrived too slowly.
    RequestTimeout,
    /// 409: less is available than was to be reserved.
    InsufficientStock,
    /// 409: the quantity would be less than what is reserved.
    BelowReserved,
    /// 409: some of the item is held.
    Held,
    /// 409: the item has another group.
    OtherGroup,
    /// 409: the item or the data have another version.
    VersionConflict,
    /// 409: the state of the reservation or job does not allow this.
    WrongState,
    /// 409: another call with the same key or id is in progress.
    InProgress,
    /// 409: the part is larger than what the reservation has.
    NotThatMuch,
    /// 409: the stock of the reservation was removed from the quantity.
    HasLeft,
    /// 409: a later token of the session is in use.
    TokenSuperseded,
    /// 409: the lock is held.
    LockTaken,
    /// 409: another token holds the lock.
    LockHeldByOther,
    /// 409: the lease has expired, or the job was cancelled.
    LeaseOver,
    /// 409: the queue has as many types of jobs as it may have.
    TooManyTypes,
    /// 409: there are as many queues as there may be.
    TooManyQueues,
    /// 409: there are as many schedules as there may be.
    TooManySchedules,
    /// 409: Redis holds something else than an entry under the key.
    CacheCorrupt,
    /// 409: another caller computes the value.
    CacheLeased,
    /// 409: the ticket does not hold any more.
    CacheSuperseded,
    /// 409: Redis holds something else than a counter under the key.
    NoCounter,
    /// 409: the counter would exceed ±(2^53 − 1).
    CounterRange,
    /// 412: the version is not the one in `If-Match`.
    PreconditionFailed,
    /// 413: the body is too large.
    ContentTooLarge,
    /// 415: the media type or the coding of the body is not supported.
    UnsupportedMediaType,
    /// 421: the request is for another host.
    MisdirectedRequest,
    /// 422: a value is invalid; [`Problem::errors`](crate::Problem::errors) names the fields.
    ValidationFailed,
    /// 429: the caller sends too many requests.
    TooManyRequests,
    /// 429: the queue has as many jobs as it may have.
    QueueFull,
    /// 429: there are as many sessions as there may be.
    TooManySessions,
    /// 429: there are as many items as there may be.
    TooManyItems,
    /// 500: a fault of the service.
    Internal,
    /// 503: the service or its Redis is unavailable.
    Unavailable,
    /// 503: Redis is nearly full.
    StorageFull,
    /// 504: the lock was still held after the wait.
    LockWaitTimeout,
    /// 504: the response is not cached.
    NotCached,
    /// A type that this version of the client does not know, or an answer that is not from the service.
    #[serde(skip)]
    Unknown,
}

impl ProblemType {
    /// Returns the type with a name such as `not_found`; [`Self::Unknown`] if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_known_is_not_an_error() {
        assert_eq!(ProblemType::from_name("lease_over"), ProblemType::LeaseOver);
        for name in ["", "Unknown", "unknown", "LeaseOver"] {
            assert_eq!(ProblemType::from_name(name), ProblemType::Unknown, "{name}");
        }
    }
}

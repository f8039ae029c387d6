use super::record::Record;
use crate::model::Filter;

/// The conditions on an entity besides its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visible<'a> {
    /// Older fixes are left out, Unix milliseconds.
    oldest_ms: i64,
    /// The filter, if it has conditions on profiles.
    filter: Option<&'a Filter>,
}

impl<'a> Visible<'a> {
    /// Returns `None` if no entity can pass the filter.
    pub(super) fn new(ttl_ms: i64, filter: &'a Filter, now_ms: i64) -> Option<Self> {
        // Age < ttl, and age <= max_age; ages count from 0, so a negative maximum is below any.
        let mut oldest_ms = now_ms.saturating_sub(ttl_ms).saturating_add(1);
        if let Some(max_age_ms) = filter.max_age_ms {
            if max_age_ms < 0 {
                return None;
            }
            oldest_ms = oldest_ms.max(now_ms.saturating_sub(max_age_ms));
        }
        Some(Self {
            oldest_ms,
            filter: filter.needs_profile().then_some(filter),
        })
    }

    pub(super) const fn is_recent(&self, timestamp_ms: i64) -> bool {
        timestamp_ms >= self.oldest_ms
    }

    /// Returns whether the profile passes. The record, which is elsewhere in memory, is fetched only if it is needed.
    pub(super) fn accepts<'r>(&self, record: impl FnOnce() -> &'r Record) -> bool {
        self.filter
            .is_none_or(|filter| filter.accepts(record().profile().map(AsRef::as_ref)))
    }
}

use super::record::Record;
use crate::model::Filter;

/// Which entities a query may answer, apart from where they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visible<'a> {
    /// Fixes from before this are too old.
    oldest_ms: i64,
    /// The filter, if it looks at profiles.
    filter: Option<&'a Filter>,
}

impl<'a> Visible<'a> {
    /// `None` if the filter lets nothing through whatever its age.
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

    pub(super) const fn young(&self, timestamp_ms: i64) -> bool {
        timestamp_ms >= self.oldest_ms
    }

    /// Whether the profile passes. The record, which lies elsewhere in memory, is only fetched if it matters.
    pub(super) fn wants<'r>(&self, record: impl FnOnce() -> &'r Record) -> bool {
        self.filter
            .is_none_or(|filter| filter.accepts(record().profile().map(AsRef::as_ref)))
    }
}

use crate::http::FieldError;
use crate::ids::Id;
use serde::Serialize;
use utoipa::ToSchema;

/// The most warnings of a batch that are answered one by one.
const MAX_LISTED: usize = 100;

/// What was dropped of positions that are taken: the first of it, and how much it is in all.
#[derive(Debug, Default, PartialEq)]
pub struct Warnings {
    listed: Vec<PositionWarning>,
    total: usize,
}

/// What was dropped of an element of a batch that is taken.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PositionWarning {
    /// Its place in the batch, from 0; with NDJSON empty lines do not count.
    index: usize,
    /// Its id.
    #[schema(value_type = String)]
    id: Id,
    #[serde(flatten)]
    #[schema(inline)]
    warning: FieldError,
}

impl Warnings {
    /// Adds one about the element at `index`; beyond the first hundred it is only counted.
    pub fn add(&mut self, index: usize, id: &Id, warning: FieldError) {
        self.total += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(PositionWarning {
                index,
                id: id.clone(),
                warning,
            });
        }
    }

    /// The first warnings by element, and the number of all.
    #[must_use]
    pub fn into_parts(mut self) -> (Vec<PositionWarning>, usize) {
        self.listed.sort_by_key(|warning| warning.index);
        (self.listed, self.total)
    }
}

use crate::http::FieldError;
use crate::ids::Id;
use serde::Serialize;
use utoipa::ToSchema;

/// The most warnings of a batch that an answer lists.
const MAX_LISTED: usize = 100;

/// Warnings about the accepted positions of a batch: the first ones, and the total number.
#[derive(Debug, Default, PartialEq)]
pub struct Warnings {
    listed: Vec<PositionWarning>,
    total: usize,
}

/// A warning about an accepted element of a batch.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PositionWarning {
    /// Index in the batch, from 0; in NDJSON empty lines do not count.
    index: usize,
    /// Id of the entity.
    #[schema(value_type = String)]
    id: Id,
    #[serde(flatten)]
    #[schema(inline)]
    warning: FieldError,
}

impl Warnings {
    /// Adds a warning about the element at `index`; beyond the first hundred, warnings are only counted.
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

    /// Returns the first warnings in the order of the elements, and the total number.
    #[must_use]
    pub fn into_parts(mut self) -> (Vec<PositionWarning>, usize) {
        self.listed.sort_by_key(|warning| warning.index);
        (self.listed, self.total)
    }
}

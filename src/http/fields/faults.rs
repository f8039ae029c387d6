use crate::http::{FieldError, Problem, names};

/// The most faults that are collected.
pub const MAX_FAULTS: usize = 20;

/// What is wrong with a body.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub errors: Vec<FieldError>,
    /// The first value that the parser cannot represent. It makes the whole answer a 400.
    pub unreadable: Option<FieldError>,
}

impl Faults {
    pub fn append(&mut self, mut other: Self) {
        self.errors.append(&mut other.errors);
        self.unreadable = self.unreadable.take().or(other.unreadable);
    }

    pub const fn are_many(&self) -> bool {
        self.errors.len() >= MAX_FAULTS
    }

    pub const fn are_none(&self) -> bool {
        self.errors.is_empty() && self.unreadable.is_none()
    }

    /// Notes that the value at `path` cannot be represented.
    pub fn unreadable(&mut self, path: &str, error: &serde_json::Error) {
        self.unreadable
            .get_or_insert_with(|| FieldError::new(path, error.to_string()));
    }
}

impl From<Faults> for Problem {
    fn from(mut faults: Faults) -> Self {
        faults.errors.truncate(MAX_FAULTS);
        match faults.unreadable {
            Some(fault) => Self::malformed(format!("the body cannot be read: {fault}")),
            None => Self::validation_failed(faults.errors),
        }
    }
}

/// Returns the fault for an unknown member. `path` is that of its object: empty, or with a trailing slash.
pub(super) fn unknown_member(path: &str, name: &str, known: &[&str]) -> FieldError {
    let detail = format!("is unknown: {}", names::hint(name, known));
    FieldError::new(&pointer(path, name), detail)
}

/// Returns the JSON Pointer of a member by the name that a client gave it. It escapes two characters (RFC 6901).
pub(super) fn pointer(path: &str, name: &str) -> String {
    let name = names::shown(name).replace('~', "~0").replace('/', "~1");
    format!("{path}{name}")
}

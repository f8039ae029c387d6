use super::faults::{Faults, MAX_FAULTS, pointer, unknown_member};
use super::members::{MAX_MEMBERS, Members};
use super::scalar::Scalar;
use crate::http::{FieldError, Problem};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads the members of a JSON object one by one.
///
/// The names that a reader requests are the known ones; a member that is left at the end is refused. So a reader has to request all names
/// even after a fault.
#[derive(Debug)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The names that were requested.
    known: Vec<&'static str>,
    /// Where the object is in the body: empty, or a path with a trailing slash.
    pub(super) path: String,
    pub(super) faults: Faults,
}

impl<'a> Fields<'a> {
    /// Parses a body, which has to be a JSON object.
    ///
    /// # Errors
    /// 400 if it is not JSON; 422 if it is not an object.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        Ok(Self::of(raw(body)?, String::new())?)
    }

    /// Parses a body that may be omitted.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_optional(body: &'a [u8]) -> Result<Self, Problem> {
        Self::parse(if body.is_empty() { b"{}" } else { body })
    }

    /// Returns a reader of the members of the object at `path`, which is empty or without slashes around it.
    pub(super) fn of(value: &'a RawValue, mut path: String) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let members = match Members::of(value) {
            Ok(Some(members)) => members,
            Ok(None) => {
                match Scalar::of(value) {
                    Ok(_) => faults.errors.push(FieldError::new(&path, "must be an object")),
                    Err(error) => faults.unreadable(&path, &error),
                }
                return Err(faults);
            }
            Err(error) => {
                faults.unreadable(&path, &error);
                return Err(faults);
            }
        };
        if !path.is_empty() {
            path.push('/');
        }
        for (name, value) in members.repeated.iter().take(MAX_FAULTS) {
            let at = pointer(&path, name);
            if let Err(error) = Scalar::of(value) {
                faults.unreadable(&at, &error);
            }
            faults.errors.push(FieldError::new(&at, "is given twice"));
        }
        if members.too_many {
            let detail = format!("must have at most {MAX_MEMBERS} members");
            faults.errors.push(FieldError::new(path.trim_end_matches('/'), detail));
        }
        Ok(Self {
            members: members.kept,
            known: Vec::new(),
            path,
            faults,
        })
    }

    /// Removes and returns a member as it was written, `null` included.
    pub fn value(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let at = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.remove(at).1)
    }

    /// Removes and returns a member as it was written. `null` counts as absent.
    pub fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.value(name).filter(|value| value.get() != "null")
    }

    /// Marks members as known without reading them, because their meaning depends on a member that is wrong.
    pub fn pass_over(&mut self, names: &[&'static str]) {
        for name in names {
            self.value(name);
        }
    }

    /// Accepts another name of a member. It is a fault to give both.
    pub fn alias(&mut self, other: &str, name: &'static str) {
        let is_given = |name: &str| self.members.iter().position(|(member, _)| member == name);
        match (is_given(other), is_given(name)) {
            (Some(at), None) => self.members[at].0 = Cow::Borrowed(name),
            (Some(at), Some(_)) => {
                self.members.remove(at);
                self.refuse(name, "is given twice");
            }
            (None, _) => {}
        }
    }

    /// Returns a required member: the result of `read`, or a fault if the member was not given.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> Option<T> {
        let mut members = self.members.iter();
        if members.any(|(member, value)| member == name && value.get() != "null") {
            return read(self, name);
        }
        self.value(name);
        self.refuse(name, "is missing");
        None
    }

    /// Returns a required member as it was written, `null` included.
    pub fn required_value(&mut self, name: &'static str) -> Option<&'a RawValue> {
        let value = self.value(name);
        if value.is_none() {
            self.refuse(name, "is missing");
        }
        value
    }

    /// Adds the fault that a member is not acceptable.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let fault = FieldError::new(&format!("{}{name}", self.path), detail);
        self.faults.errors.push(fault);
    }

    /// Adds the faults of a part of the body that was read separately.
    pub fn add(&mut self, mut faults: Vec<FieldError>) {
        self.faults.errors.append(&mut faults);
    }

    /// Returns `made` if all members were acceptable.
    ///
    /// # Errors
    /// 422 with every fault; 400 if a value cannot be represented.
    pub fn finish<T>(self, made: Option<T>) -> Result<T, Problem> {
        Ok(self.end(made)?)
    }

    /// Does the same for callers that do not answer with the faults.
    ///
    /// # Errors
    /// Every fault.
    pub fn faults<T>(self, made: Option<T>) -> Result<T, Vec<FieldError>> {
        self.end(made)
            .map_err(|faults| faults.unreadable.into_iter().chain(faults.errors).collect())
    }

    pub(super) fn end<T>(mut self, made: Option<T>) -> Result<T, Faults> {
        self.refuse_unknown();
        match made {
            Some(made) if self.faults.are_none() => Ok(made),
            _ => Err(self.faults),
        }
    }

    /// Adds the faults about unknown members.
    fn refuse_unknown(&mut self) {
        let Self {
            members,
            known,
            path,
            faults,
        } = self;
        for (name, value) in members {
            if let Err(error) = Scalar::of(value) {
                faults.unreadable(&pointer(path, name), &error);
            }
            if !faults.are_many() {
                faults.errors.push(unknown_member(path, name, known));
            }
        }
        faults.errors.truncate(MAX_FAULTS);
    }
}

/// Returns a body as it was written.
pub(super) fn raw(body: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))
}

//! Objects: a body of one or several, and members that are objects.

use super::Fields;
use super::faults::Faults;
use super::reader::raw;
use super::values::read_elements;
use crate::http::Problem;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;

impl<'a> Fields<'a> {
    /// Parses a body that is one object or an array of `count` objects, each read by `read`. Returns what was read, and whether it was an
    /// array.
    ///
    /// # Errors
    /// 400 if it is not JSON; 422 with every fault.
    pub fn parse_one_or_many<T>(
        body: &'a [u8],
        count: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<(Vec<T>, bool), Problem> {
        let body = raw(body)?;
        if !body.get().starts_with('[') {
            let mut fields = Self::of(body, String::new())?;
            let one = read(&mut fields);
            return Ok((vec![fields.finish(one)?], false));
        }
        let mut faults = Faults::default();
        match read_each(body, "", count, &mut faults, read) {
            Some(all) if faults.are_none() => Ok((all, true)),
            _ => Err(faults.into()),
        }
    }

    /// Returns what `read` makes of the members of an object.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let value = self.take(name)?;
        let path = format!("{}{name}", self.path);
        read_object(value, path, &mut self.faults, read)
    }

    /// Returns an array of `count` objects, each read by `read` from its own members.
    pub fn each<T>(
        &mut self,
        name: &'static str,
        count: RangeInclusive<usize>,
        read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let array = self.take(name)?;
        let path = format!("{}{name}", self.path);
        read_each(array, &path, count, &mut self.faults, read)
    }
}

/// Reads the members of the object at `path`. Its faults are added to `faults`.
fn read_object<'a, T>(
    value: &'a RawValue,
    path: String,
    faults: &mut Faults,
    read: impl FnOnce(&mut Fields<'a>) -> T,
) -> Option<T> {
    let mut fields = match Fields::of(value, path) {
        Ok(fields) => fields,
        Err(more) => {
            faults.append(more);
            return None;
        }
    };
    let made = read(&mut fields);
    fields.end(Some(made)).map_err(|more| faults.append(more)).ok()
}

/// Reads the objects of the array at `path`. Their faults are added to `faults`.
fn read_each<'a, T>(
    array: &'a RawValue,
    path: &str,
    count: RangeInclusive<usize>,
    faults: &mut Faults,
    mut read: impl FnMut(&mut Fields<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let elements = read_elements(array, path, count, faults)?;
    let mut all = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        let at = if path.is_empty() {
            index.to_string()
        } else {
            format!("{path}/{index}")
        };
        all.extend(read_object(element, at, faults, &mut read).flatten());
        if faults.are_many() {
            break;
        }
    }
    Some(all)
}

//! Splits an array into its elements where the JSON parser cannot, so that one invalid element does not affect the others.
//!
//! Only brackets, commas and quotes count: an element in which these are balanced ends where it should, whatever else it contains
//! (`NaN`, bytes that are not UTF-8, control characters). Every byte is read a constant number of times. Used only for bodies that the
//! parser has refused.

use super::loose::Text;
use super::raw::MAX_BATCH;

/// Why a body cannot be split into elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitError {
    /// It is neither an array nor an object with the array `positions`, or it is not terminated.
    NoArray,
    /// `positions` is given twice.
    Twice,
    /// More than [`MAX_BATCH`].
    TooMany,
}

/// Returns the texts of a batch's elements, in either of its JSON forms.
pub(super) fn elements(body: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
    let body = body.trim_ascii();
    if body.first() == Some(&b'[') {
        return array(body);
    }
    let mut positions = None;
    let mut scanner = Scanner::inside(body, b'{').ok_or(SplitError::NoArray)?;
    for member in scanner.by_ref() {
        if let Some((name, value)) = name_and_value(member)
            && is(name, "positions")
            && positions.replace(value).is_some()
        {
            return Err(SplitError::Twice);
        }
    }
    if !scanner.has_ended_with(b'}') {
        return Err(SplitError::NoArray);
    }
    array(positions.ok_or(SplitError::NoArray)?)
}

/// Returns the text of the id of an element that is not JSON, if it has one.
pub(super) fn id(element: &[u8]) -> Option<String> {
    let members = Scanner::inside(element.trim_ascii(), b'{')?;
    let (_, value) = members.filter_map(name_and_value).find(|(name, _)| is(name, "id"))?;
    serde_json::from_slice(value).ok()
}

fn array(text: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
    let mut scanner = Scanner::inside(text, b'[').ok_or(SplitError::NoArray)?;
    let mut elements = Vec::new();
    for element in scanner.by_ref() {
        if elements.len() == MAX_BATCH {
            return Err(SplitError::TooMany);
        }
        elements.push(element);
    }
    if scanner.has_ended_with(b']') {
        Ok(elements)
    } else {
        Err(SplitError::NoArray)
    }
}

/// Returns whether a name as written in JSON is this one.
fn is(written: &[u8], name: &str) -> bool {
    serde_json::from_slice::<Text<'_>>(written).is_ok_and(|Text(written)| written == name)
}

/// Returns the name (with its quotes) and the value of an object's member.
fn name_and_value(member: &[u8]) -> Option<(&[u8], &[u8])> {
    if member.first() != Some(&b'"') {
        return None;
    }
    let (name, rest) = member.split_at(end_of_string(member, 0));
    Some((name, rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii()))
}

/// Returns the end of the string whose opening quote is at `start`: after its closing quote, or the end of the text.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Iterates over the texts between commas in an array or object, up to its closing bracket or the end of the text.
#[derive(Debug)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The byte that ended the last element: a comma or a bracket; `None` at the end of the text.
    ended_by: Option<u8>,
    is_over: bool,
}

impl<'a> Scanner<'a> {
    /// Returns a scanner that starts after the opening bracket, if the text begins with this bracket.
    fn inside(text: &'a [u8], bracket: u8) -> Option<Self> {
        let rest = text.strip_prefix(&[bracket])?;
        // `[]` has no elements; `[,]` has two empty ones.
        let is_empty = matches!(rest.trim_ascii_start().first(), Some(b']' | b'}'));
        let scanner = Self {
            text,
            at: 1,
            ended_by: None,
            is_over: false,
        };
        Some(if is_empty { scanner.at_its_end() } else { scanner })
    }

    fn at_its_end(mut self) -> Self {
        let spaces = self.text[1..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.at += spaces;
        self.end(self.text.get(self.at).copied());
        self
    }

    fn end(&mut self, byte: Option<u8>) {
        self.ended_by = byte;
        self.is_over = byte != Some(b',');
        self.at += 1;
    }

    /// Returns whether this bracket was the end of the text.
    fn has_ended_with(&self, bracket: u8) -> bool {
        self.ended_by == Some(bracket) && self.at == self.text.len()
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.is_over {
            return None;
        }
        let (start, mut depth) = (self.at, 0_usize);
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at = end_of_string(self.text, self.at);
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' | b',' if depth == 0 => break,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        let element = self.text[start..self.at].trim_ascii();
        self.end(self.text.get(self.at).copied());
        Some(element)
    }
}

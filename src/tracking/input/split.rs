//! Tells the elements of an array apart where the parser cannot, so that one that is not JSON harms no other.
//!
//! Looks at brackets, commas and quotes alone: any element in which these are balanced ends where it ends, whatever else is
//! in it (`NaN`, bytes that are no UTF-8, control characters). Every byte is looked at a constant number of times. Only used
//! for bodies that the parser has refused.

use super::loose::Text;
use super::raw::MAX_BATCH;

/// Why a body has no elements that could be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitError {
    /// Neither an array nor an object with the array `positions`, or it does not end.
    NoArray,
    /// `positions` is there twice.
    Twice,
    /// More than [`MAX_BATCH`].
    TooMany,
}

/// The texts of a batch's elements, in either of its JSON forms.
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

/// The text of the id of an element that is not JSON, if it has one.
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

/// Whether a name as it is written in JSON is this one.
fn is(written: &[u8], name: &str) -> bool {
    serde_json::from_slice::<Text<'_>>(written).is_ok_and(|Text(written)| written == name)
}

/// The name, with its quotes, and the value of an object's member.
fn name_and_value(member: &[u8]) -> Option<(&[u8], &[u8])> {
    if member.first() != Some(&b'"') {
        return None;
    }
    let (name, rest) = member.split_at(end_of_string(member, 0));
    Some((name, rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii()))
}

/// Where the string ends whose opening quote is at `start`: behind its closing quote, or with the text.
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

/// Goes through what stands between commas in an array or object, to its closing bracket or the end of the text.
#[derive(Debug)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The last byte of the last element that was no part of it.
    ended_by: Option<u8>,
    is_over: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner behind the opening bracket, if the text begins with this one.
    fn inside(text: &'a [u8], bracket: u8) -> Option<Self> {
        let rest = text.strip_prefix(&[bracket])?;
        // `[]` has no element, while `[,]` has two that are empty.
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

    /// Whether this bracket was the last of the text.
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

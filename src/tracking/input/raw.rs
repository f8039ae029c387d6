//! A position as received: its members by meaning, not yet validated.

use super::loose::{Attributes, Loose, Text};
use super::names::{Member, Name};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The most fixes in a batch.
pub const MAX_BATCH: usize = 10_000;

/// The members of a fix that the service uses, as received. Others are read and dropped.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawFix<'a> {
    /// The first value of each member given under a lower-case name.
    values: [Option<Loose<'a>>; Member::ALL.len()],
    /// The rank of the name of each of these values.
    ranks: [u8; Member::ALL.len()],
    /// The names of each member that were given, one bit per rank.
    seen: [u8; Member::ALL.len()],
    /// The members of which one name was given twice, one bit per member; the first value is kept.
    repeated: u16,
    /// Values under a further name of a member, and all values under names that are not in lower case: at most two for each name.
    others: Vec<Other<'a>>,
    /// The type of a value that is not an object.
    pub(super) not_an_object: Option<&'static str>,
}

/// The members of a profile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawProfile<'a> {
    pub(super) status: Option<Loose<'a>>,
    pub(super) vehicle_type: Option<Loose<'a>>,
    pub(super) capacity: Option<Loose<'a>>,
    pub(super) attributes: Option<Loose<'a>>,
}

/// A value that counts only if the preferred one is unusable.
#[derive(Debug, PartialEq)]
struct Other<'a> {
    name: Name,
    /// The name as received, if not in lower case.
    written: Option<Cow<'a, str>>,
    value: Loose<'a>,
}

impl<'a> RawFix<'a> {
    /// Reads a position in one pass. If the parser fails, reads it member by member.
    ///
    /// # Errors
    /// The parser's error.
    pub(super) fn fill(&mut self, json: &'a [u8]) -> serde_json::Result<()> {
        let mut parser = serde_json::Deserializer::from_slice(json);
        let read = Fill(self).deserialize(&mut parser).and_then(|()| parser.end());
        match read {
            Err(error) if error.is_syntax() => {
                *self = Self::read_member_by_member(json).map_err(|_second| error)?;
                Ok(())
            }
            read => read,
        }
    }

    /// Reads JSON that the parser cannot represent: a number beyond any double, half of a surrogate pair, deep nesting. In a member
    /// that does not decide about the position, only that member is unusable.
    ///
    /// # Errors
    /// The parser's error for any other fault.
    fn read_member_by_member(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<ByMember<'a>>(json).map(|ByMember(fix)| fix)
    }

    /// Returns the members of which one name was given twice.
    pub(super) fn repeated(&self) -> impl Iterator<Item = Member> {
        let repeated = self.repeated;
        let all: &[Member] = if repeated == 0 { &[] } else { &Member::ALL };
        all.iter()
            .copied()
            .filter(move |member| repeated & (1 << *member as u8) != 0)
    }

    /// Returns what `read` makes of a member's first usable value, in the order of its names. A value for which `read` returns `None`
    /// counts as `null`, and a later value is tried.
    ///
    /// # Errors
    /// The error of the first value, if `read` can use none.
    #[inline]
    pub(super) fn read<T, E>(
        &self,
        member: Member,
        mut read: impl FnMut(&Loose<'a>) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if !self.others.is_empty() {
            return self.read_one_of_several(member, read);
        }
        match &self.values[member as usize] {
            None | Some(Loose::Null) => Ok(None),
            Some(value) => read(value),
        }
    }

    #[cold]
    fn read_one_of_several<T, E>(
        &self,
        member: Member,
        mut read: impl FnMut(&Loose<'a>) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let index = member as usize;
        let first = self.values[index].as_ref();
        let mut values: Vec<(u8, bool, &Loose<'a>)> = self
            .others
            .iter()
            .filter(|other| other.name.member == member)
            .map(|other| (other.name.rank, other.written.is_some(), &other.value))
            .chain(first.map(|value| (self.ranks[index], false, value)))
            .filter(|(_, _, value)| !matches!(value, Loose::Null))
            .collect();
        values.sort_by_key(|(rank, is_other_case, _)| (*rank, *is_other_case));
        let mut fault = None;
        for (_, _, value) in values {
            match read(value) {
                Ok(None) => {}
                Ok(Some(read)) => return Ok(Some(read)),
                Err(error) => drop(fault.get_or_insert(error)),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    /// Moves values whose name was only given in another case to their member.
    pub(super) fn settle_other_cases(&mut self) {
        for other in std::mem::take(&mut self.others) {
            let slot = &mut self.values[other.name.member as usize];
            if matches!(slot, None | Some(Loose::Null)) {
                *slot = Some(other.value);
            }
        }
    }

    /// Removes and returns the members of the profile, if there are any.
    pub(super) fn take_profile(&mut self) -> Option<RawProfile<'a>> {
        const FIRST: usize = Member::Status as usize;
        if self.values[FIRST..].iter().all(Option::is_none) {
            return None;
        }
        let mut take = |member: Member| self.values[member as usize].take();
        Some(RawProfile {
            status: take(Member::Status),
            vehicle_type: take(Member::VehicleType),
            capacity: take(Member::Capacity),
            attributes: take(Member::Attributes),
        })
    }

    #[inline]
    fn take(&mut self, written: Cow<'a, str>, value: Loose<'a>) {
        if let Some(name) = Name::exact(&written) {
            self.take_exact(name, value);
        } else if let Some(name) = Name::in_any_case(&written) {
            self.take_in_other_case(name, written, value);
        }
    }

    #[inline]
    fn take_exact(&mut self, name: Name, value: Loose<'a>) {
        let index = name.member as usize;
        let bit = 1 << name.rank;
        if self.seen[index] == 0 {
            self.seen[index] = bit;
            self.ranks[index] = name.rank;
            self.values[index] = Some(value);
        } else if self.seen[index] & bit != 0 {
            self.repeated |= 1 << index;
        } else {
            self.seen[index] |= bit;
            self.others.push(Other {
                name,
                written: None,
                value,
            });
        }
    }

    /// Of several spellings of one name the first counts.
    #[cold]
    fn take_in_other_case(&mut self, name: Name, written: Cow<'a, str>, value: Loose<'a>) {
        let held = self
            .others
            .iter()
            .find_map(|other| (other.name == name).then_some(other.written.as_ref()?));
        match held {
            Some(held) if *held == written => self.repeated |= 1 << name.member as u8,
            Some(_) => {}
            None => self.others.push(Other {
                name,
                written: Some(written),
                value,
            }),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawFix<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fix = Self::default();
        Fill(&mut fix).deserialize(deserializer)?;
        Ok(fix)
    }
}

/// Reads into an existing empty position: it is large, and would otherwise be moved several times on its way out of the parser.
pub(super) struct Fill<'f, 'a>(pub(super) &'f mut RawFix<'a>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Fill<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Reads a name in any case, as [`Name::in_any_case`] does.
#[inline]
fn is_attributes(name: &str) -> bool {
    name.eq_ignore_ascii_case(Member::Attributes.name())
}

/// A value that is not an object is recorded and is not an error of the parser, because one bad element must not fail a batch.
macro_rules! not_an_object {
    ($($visit:ident($type:ty) => $name:literal),+ $(,)?) => {
        $(fn $visit<E>(self, _: $type) -> Result<(), E> {
            self.0.not_an_object = Some($name);
            Ok(())
        })+
    };
}

impl<'de: 'a, 'a> Visitor<'de> for Fill<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    not_an_object! {
        visit_bool(bool) => "a boolean",
        visit_i64(i64) => "a number",
        visit_u64(u64) => "a number",
        visit_f64(f64) => "a number",
        visit_str(&str) => "a string",
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.not_an_object = Some("null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<Loose<'de>>()?.is_some() {}
        self.0.not_an_object = Some("an array");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let value = if is_attributes(&name) {
                map.next_value_seed(Attributes)?
            } else {
                map.next_value()?
            };
            self.0.take(name, value);
        }
        Ok(())
    }
}

/// A position whose members are read one by one.
struct ByMember<'a>(RawFix<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for ByMember<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByMemberVisitor).map(Self)
    }
}

struct ByMemberVisitor;

impl<'de> Visitor<'de> for ByMemberVisitor {
    type Value = RawFix<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fix = RawFix::default();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Ok(Text(name)) = serde_json::from_str(name.get()) else {
                continue;
            };
            let known = Name::exact(&name).or_else(|| Name::in_any_case(&name));
            let read = if is_attributes(&name) {
                Attributes.deserialize(value)
            } else {
                serde_json::from_str(value.get())
            };
            let value = match read {
                Ok(value) => value,
                Err(error) if known.is_some_and(|name| name.member.decides()) => return Err(A::Error::custom(error)),
                Err(_) => Loose::Unreadable,
            };
            fix.take(name, value);
        }
        Ok(fix)
    }
}

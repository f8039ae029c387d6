//! The query parameter `fields`: the members of an entity that a list shows.

use crate::http::{FieldError, Problem, QueryParameters, QueryString, names};

/// A set of members. The id is always shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Members(u16);

/// A member that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the members of answers")]
pub enum Member {
    Lat,
    Lon,
    DistanceM,
    AgeMs,
    Timestamp,
    AccuracyM,
    AltitudeM,
    SpeedMps,
    HeadingDeg,
    Status,
    VehicleType,
    Capacity,
    Attributes,
}

/// The name of the parameter.
pub const FIELDS: &str = "fields";
const ID: &str = "id";
const NAMES: [(&str, Option<Member>); 14] = [
    (ID, None),
    ("lat", Some(Member::Lat)),
    ("lon", Some(Member::Lon)),
    ("distance_m", Some(Member::DistanceM)),
    ("age_ms", Some(Member::AgeMs)),
    ("timestamp", Some(Member::Timestamp)),
    ("accuracy_m", Some(Member::AccuracyM)),
    ("altitude_m", Some(Member::AltitudeM)),
    ("speed_mps", Some(Member::SpeedMps)),
    ("heading_deg", Some(Member::HeadingDeg)),
    ("status", Some(Member::Status)),
    ("vehicle_type", Some(Member::VehicleType)),
    ("capacity", Some(Member::Capacity)),
    ("attributes", Some(Member::Attributes)),
];

impl Default for Members {
    /// Returns the set of all members.
    fn default() -> Self {
        Self(u16::MAX)
    }
}

impl Members {
    /// Returns whether a member is shown.
    #[must_use]
    pub const fn has(self, member: Member) -> bool {
        self.0 & (1 << member as u16) != 0
    }

    /// Parses a list of names.
    ///
    /// # Errors
    /// 422 with the nearest name if one is unknown.
    fn parse(list: &str) -> Result<Self, Problem> {
        let mut members = 0;
        for name in list.split(',') {
            match NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, Some(member))) => members |= 1 << *member as u16,
                Some((_, None)) => {}
                None => {
                    let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
                    let detail = format!("`{}` is unknown: {}", names::shown(name), names::hint(name, &known));
                    return Err(Problem::validation_failed(vec![FieldError::new(FIELDS, detail)]));
                }
            }
        }
        Ok(Self(members))
    }
}

/// All members are shown if the parameter is absent.
impl QueryParameters for Members {
    const KNOWN: &'static [&'static str] = &[FIELDS];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        query.text(FIELDS).map_or(Ok(Self::default()), Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Members, Problem> {
        let query = QueryString::parse(query, &["lat", "lon", "status", FIELDS], &[]).unwrap();
        Members::read(&query)
    }

    #[test]
    fn only_named_members_are_shown() {
        let members = read("lat=1&fields=lat,distance_m,id").unwrap();
        assert!(members.has(Member::Lat) && members.has(Member::DistanceM));
        assert!(!members.has(Member::Lon) && !members.has(Member::Attributes));
        assert_eq!(read("lat=1&lon=2").unwrap(), Members::default());
        assert_eq!(read("status=fields").unwrap(), Members::default());
        assert!(Members::default().has(Member::Attributes));
        assert!(!read("fields=id").unwrap().has(Member::Lat));
        assert!(read("fields=lat%2Clon").unwrap().has(Member::Lon));
    }

    #[test]
    fn an_unknown_member_is_answered_with_the_nearest_one() {
        let fault = |query| read(query).unwrap_err().to_string();
        assert!(fault("fields=lat,lng").contains("`lng` is unknown: did you mean `lon`?"));
        assert!(fault("fields=").starts_with("422"));
    }
}

use super::cursor::Cursor;
use super::loose::{Loose, Text};
use super::{BodyError, malformed, number};
use crate::geo::{BoundingBox, MAX_WRAPPED_LONGITUDE_DEG, Point, PointError, wrap_longitude};
use crate::http::{FieldError, MAX_FAULTS, Problem, QueryParameters, QueryString, unknown_member};
use crate::tracking::Kind;
use crate::tracking::members::{FIELDS, Members};
use crate::tracking::model::{Filter, NearbyQuery, WithinQuery};
use compact_str::CompactString;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The largest radius, metres.
pub const MAX_RADIUS_M: f64 = 200_000.0;
const DEFAULT_RADIUS_M: f64 = 2_000.0;
/// The most entities in an answer.
pub const MAX_LIMIT: usize = 1_000;
const DEFAULT_LIMIT: usize = 10;
/// The most queries in one call.
pub const MAX_QUERIES: usize = 1_000;
/// The most entities that the answers of one call may hold together; it bounds the size of the body.
pub const MAX_ANSWERS: usize = 50_000;
/// The most values of a repeatable filter.
const MAX_WORDS: usize = 32;

/// The source from which a query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The live index of this instance.
    Live,
    /// Redis itself.
    Redis,
}

impl Source {
    /// Returns the name in URLs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Redis => "redis",
        }
    }
}

const FILTER: [&str; 2] = ["max_age_s", "min_capacity"];
const WORDS: [&str; 2] = ["status", "vehicle_type"];

/// The query string of `GET …/nearby`.
#[derive(Debug, PartialEq)]
pub struct NearbyParameters {
    /// The query.
    pub query: NearbyQuery,
    /// Where it is answered.
    pub source: Source,
    /// The members of each entity in the answer.
    pub members: Members,
}

impl QueryParameters for NearbyParameters {
    const KNOWN: &'static [&'static str] = &[
        "lat", "lon", "radius_m", "limit", FILTER[0], FILTER[1], "source", FIELDS,
    ];
    const REPEATABLE: &'static [&'static str] = &WORDS;

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let lat = required(query, "lat")?;
        let lon = required(query, "lon")?;
        let radius_m = given(query.number("radius_m"))?;
        let limit = given(query.number("limit"))?;
        let filter = filter(query, &mut errors)?;
        let source = source(query, &mut errors);
        match build(lat, lon, radius_m, limit, filter, "", &mut errors) {
            Some(nearby) if errors.is_empty() => Ok(Self {
                query: nearby,
                source,
                members: Members::read(query)?,
            }),
            _ => Err(unacceptable(errors)),
        }
    }
}

/// The query string of `GET …/within`.
#[derive(Debug, PartialEq)]
pub struct WithinParameters {
    /// The query, from its first page on.
    pub query: WithinQuery,
    /// The end of the previous page.
    pub cursor: Option<Cursor>,
    /// The members of each entity in the answer.
    pub members: Members,
}

impl QueryParameters for WithinParameters {
    const KNOWN: &'static [&'static str] = &["bbox", "limit", "cursor", FILTER[0], FILTER[1], FIELDS];
    const REPEATABLE: &'static [&'static str] = &WORDS;

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let text = query
            .text("bbox")
            .ok_or_else(|| malformed_parameter("bbox", "is required"))?;
        let mut sides = text.split(',').map(|side| side.trim().parse::<f64>());
        let four = (sides.next(), sides.next(), sides.next(), sides.next(), sides.next());
        let (Some(Ok(west)), Some(Ok(south)), Some(Ok(east)), Some(Ok(north)), None) = four else {
            return Err(malformed_parameter(
                "bbox",
                "must be four numbers: west,south,east,north",
            ));
        };
        let mut errors = Vec::new();
        let bounds = BoundingBox::new(west, south, east, north);
        if let Err(error) = &bounds {
            errors.push(FieldError::new("bbox", error.to_string()));
        }
        let limit = limit(given(query.number("limit"))?, MAX_LIMIT, "", &mut errors);
        let filter = filter(query, &mut errors)?;
        let (Ok(bounds), []) = (bounds, errors.as_slice()) else {
            return Err(unacceptable(errors));
        };
        let refused = |detail| Problem::invalid_parameter("cursor", detail);
        Ok(Self {
            query: WithinQuery {
                bounds,
                limit,
                filter,
                after: None,
            },
            cursor: query.text("cursor").map(Cursor::parse).transpose().map_err(refused)?,
            members: Members::read(query)?,
        })
    }
}

impl WithinParameters {
    /// Returns the query for the page that the request asks for.
    ///
    /// # Errors
    /// 422 if the cursor belongs to another listing.
    pub fn page(mut self, kind: Kind) -> Result<WithinQuery, Problem> {
        let refused = |detail| Problem::invalid_parameter("cursor", detail);
        if let Some(cursor) = self.cursor {
            self.query.after = Some(cursor.after(kind, &self.query).map_err(refused)?);
        }
        Ok(self.query)
    }
}

/// Parses the body of `POST …/nearby`: `{"queries":[…]}`.
///
/// # Errors
/// [`BodyError`] with the fields at fault, by query.
pub fn parse_queries(body: &[u8]) -> Result<Vec<NearbyQuery>, BodyError> {
    let unacceptable = |path: &str, detail: String| BodyError::Unacceptable(vec![FieldError::new(path, detail)]);
    let Queries { queries, unknown } = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let mut errors: Vec<_> = unknown
        .iter()
        .map(|name| unknown_member("", name, &["queries"]))
        .collect();
    let Some(raw) = queries else {
        errors.push(FieldError::new("", "misses the member \"queries\""));
        return Err(BodyError::Unacceptable(errors));
    };
    if raw.len() > MAX_QUERIES {
        return Err(unacceptable("queries", format!("has at most {MAX_QUERIES} elements")));
    }
    let mut queries = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        queries.extend(one_query(raw, index, &mut errors));
        if errors.len() >= MAX_FAULTS {
            break;
        }
    }
    if !errors.is_empty() {
        errors.truncate(MAX_FAULTS);
        return Err(BodyError::Unacceptable(errors));
    }
    if queries.iter().map(|query| query.limit).sum::<usize>() > MAX_ANSWERS {
        return Err(unacceptable(
            "queries",
            format!("their limits must not add up to more than {MAX_ANSWERS}"),
        ));
    }
    Ok(queries)
}

#[derive(Default)]
struct Queries<'a> {
    queries: Option<Vec<Loose<'a>>>,
    /// The first unknown members.
    unknown: Vec<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Queries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(QueriesVisitor)
    }
}

/// Written by hand because a derived one would read an array as well, and other members to any depth.
struct QueriesVisitor;

impl<'de> Visitor<'de> for QueriesVisitor {
    type Value = Queries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the member \"queries\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut body = Queries::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if name != "queries" {
                let _: Loose<'de> = map.next_value()?;
                if body.unknown.len() < MAX_FAULTS {
                    body.unknown.push(name);
                }
            } else if body.queries.replace(map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field("queries"));
            }
        }
        Ok(body)
    }
}

/// The members of a query; coordinates are accepted under their other names as well.
const MEMBERS: [&str; 8] = [
    "lat", "lon", "radius_m", "limit", FILTER[0], FILTER[1], WORDS[0], WORDS[1],
];

fn one_query(raw: &Loose<'_>, index: usize, errors: &mut Vec<FieldError>) -> Option<NearbyQuery> {
    let path = format!("queries/{index}/");
    let Loose::Object(members) = raw else {
        errors.push(FieldError::new(
            path.trim_end_matches('/'),
            format!("must be an object, not {}", raw.type_name()),
        ));
        return None;
    };
    let before = errors.len();
    let (mut lat, mut lon, mut radius_m, mut count) = (None, None, None, None);
    let (mut max_age_s, mut min_capacity, mut filter) = (None, None, Filter::default());
    let mut seen: Vec<&str> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let name = match &**name {
            "latitude" => "lat",
            "lng" | "longitude" => "lon",
            name => name,
        };
        let slot = match name {
            "lat" => Some(&mut lat),
            "lon" => Some(&mut lon),
            "radius_m" => Some(&mut radius_m),
            "limit" => Some(&mut count),
            "max_age_s" => Some(&mut max_age_s),
            "min_capacity" => Some(&mut min_capacity),
            "status" | "vehicle_type" => None,
            _ => {
                errors.push(unknown_member(&path, name, &MEMBERS));
                continue;
            }
        };
        let at = format!("{path}{name}");
        if seen.contains(&name) {
            errors.push(FieldError::new(&at, "is given twice"));
            continue;
        }
        seen.push(name);
        match (value, slot) {
            (Loose::Null, _) => {}
            (value, Some(slot)) => match number(value) {
                Some(number) => *slot = Some(number),
                None => errors.push(FieldError::new(&at, "must be a number")),
            },
            (value, None) if name == "status" => filter.statuses = words(value, &at, errors),
            (value, None) => filter.vehicle_types = words(value, &at, errors),
        }
    }
    let count = count.map(|count| whole(count).unwrap_or(usize::MAX));
    let capacity = min_capacity.map(|least| {
        whole(least)
            .and_then(|least| u32::try_from(least).ok())
            .ok_or("must be a whole number")
    });
    filter_numbers(max_age_s, capacity.transpose(), &path, &mut filter, errors);
    for (name, value) in [("lat", lat), ("lon", lon)] {
        let at = FieldError::new(&format!("{path}{name}"), "is required");
        if value.is_none() && !errors[before..].iter().any(|error| error.pointer == at.pointer) {
            errors.push(at);
        }
    }
    let query = build(lat?, lon?, radius_m, count, filter, &path, errors)?;
    (errors.len() == before).then_some(query)
}

/// Returns a small whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a small whole number"
)]
fn whole(number: f64) -> Option<usize> {
    ((0.0..=1e9).contains(&number) && number.fract() == 0.0).then_some(number as usize)
}

fn required(query: &QueryString<'_>, name: &str) -> Result<f64, Problem> {
    given(query.number(name))?.ok_or_else(|| malformed_parameter(name, "is required"))
}

fn given<T>(value: Result<Option<T>, FieldError>) -> Result<Option<T>, Problem> {
    value.map_err(|error| Problem::malformed_query(vec![error]))
}

fn malformed_parameter(name: &str, detail: &str) -> Problem {
    Problem::malformed_query(vec![FieldError::parameter(name, detail)])
}

/// Returns the problem for invalid parameters. The faults come from code that query strings share with bodies.
fn unacceptable(errors: Vec<FieldError>) -> Problem {
    Problem::validation_failed(errors.into_iter().map(FieldError::into_parameter).collect())
}

fn source(query: &QueryString<'_>, errors: &mut Vec<FieldError>) -> Source {
    match query.text("source") {
        None | Some("live") => Source::Live,
        Some("redis") => Source::Redis,
        Some(_) => {
            errors.push(FieldError::new("source", "must be live or redis"));
            Source::Live
        }
    }
}

fn filter(query: &QueryString<'_>, errors: &mut Vec<FieldError>) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    let max_age_s = given(query.number("max_age_s"))?;
    let min_capacity = given(query.number("min_capacity"))?;
    filter_numbers(max_age_s, Ok(min_capacity), "", &mut filter, errors);
    for (name, words) in [
        ("status", &mut filter.statuses),
        ("vehicle_type", &mut filter.vehicle_types),
    ] {
        words.extend(query.all(name).take(MAX_WORDS + 1).map(CompactString::new));
        if words.len() > MAX_WORDS {
            errors.push(FieldError::new(name, format!("may be given at most {MAX_WORDS} times")));
        }
    }
    Ok(filter)
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
fn filter_numbers(
    max_age_s: Option<f64>,
    min_capacity: Result<Option<u32>, &'static str>,
    path: &str,
    filter: &mut Filter,
    errors: &mut Vec<FieldError>,
) {
    match max_age_s {
        None => {}
        Some(seconds) if (0.0..=1e9).contains(&seconds) => filter.max_age_ms = Some((seconds * 1000.0) as i64),
        Some(_) => errors.push(FieldError::new(&format!("{path}max_age_s"), "must be at least 0")),
    }
    match min_capacity {
        Ok(least) => filter.min_capacity = least,
        Err(detail) => errors.push(FieldError::new(&format!("{path}min_capacity"), detail)),
    }
}

fn words(value: &Loose<'_>, path: &str, errors: &mut Vec<FieldError>) -> Vec<CompactString> {
    match value {
        Loose::Text(word) => vec![CompactString::new(word)],
        Loose::Words(words) if words.len() <= MAX_WORDS => words.iter().map(|word| CompactString::new(word)).collect(),
        _ => {
            errors.push(FieldError::new(
                path,
                format!("must be a string or an array of at most {MAX_WORDS} strings"),
            ));
            Vec::new()
        }
    }
}

fn limit(given: Option<usize>, default: usize, path: &str, errors: &mut Vec<FieldError>) -> usize {
    let limit = given.unwrap_or(default);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new(
            &format!("{path}limit"),
            "must be a whole number between 1 and 1000",
        ));
    }
    limit
}

fn build(
    lat: f64,
    lon: f64,
    radius_m: Option<f64>,
    count: Option<usize>,
    filter: Filter,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<NearbyQuery> {
    let radius_m = radius_m.unwrap_or(DEFAULT_RADIUS_M);
    if !(0.0..=MAX_RADIUS_M).contains(&radius_m) {
        errors.push(FieldError::new(
            &format!("{path}radius_m"),
            "must be between 0 and 200000 metres",
        ));
    }
    let limit = limit(count, DEFAULT_LIMIT, path, errors);
    let center = center(lat, lon, path, errors)?;
    Some(NearbyQuery {
        center,
        radius_m,
        limit,
        filter,
    })
}

/// Parses the centre of a query. Its longitude may be beyond the antimeridian, because maps that scroll across it send such values.
fn center(lat: f64, lon: f64, path: &str, errors: &mut Vec<FieldError>) -> Option<Point> {
    let Some(lon) = wrap_longitude(lon) else {
        let detail =
            format!("longitude must be between -{MAX_WRAPPED_LONGITUDE_DEG} and {MAX_WRAPPED_LONGITUDE_DEG} degrees");
        errors.push(FieldError::new(&format!("{path}lon"), detail));
        return None;
    };
    let point = Point::new(lat, lon);
    let name = |error| match error {
        PointError::Latitude => "lat",
        PointError::Longitude => "lon",
    };
    point
        .map_err(|error| errors.push(FieldError::new(&format!("{path}{}", name(error)), error.to_string())))
        .ok()
}

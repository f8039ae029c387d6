use super::cursor::Cursor;
use crate::geo::{BoundingBox, MAX_WRAPPED_LONGITUDE_DEG, Point, PointError, wrap_longitude};
use crate::http::{FieldError, Fields, Problem, QueryParameters, QueryString, Scalar};
use crate::tracking::Kind;
use crate::tracking::members::{FIELDS, Members};
use crate::tracking::model::{Filter, NearbyQuery, WithinQuery};
use compact_str::CompactString;

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
        match build(lat, lon, radius_m, limit, filter, &mut errors) {
            Some(nearby) if errors.is_empty() => Ok(Self {
                query: nearby,
                source,
                members: Members::read(query)?,
            }),
            _ => Err(invalid_parameters(errors)),
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
        let limit = limit(given(query.number("limit"))?, MAX_LIMIT, &mut errors);
        let filter = filter(query, &mut errors)?;
        let (Ok(bounds), []) = (bounds, errors.as_slice()) else {
            return Err(invalid_parameters(errors));
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
    /// Returns the query for the requested page.
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
/// 400 or 422 with the fields at fault, by query.
pub fn parse_queries(body: &[u8]) -> Result<Vec<NearbyQuery>, Problem> {
    let mut fields = Fields::parse(body)?;
    let queries = fields.required("queries", |fields, name| fields.each(name, 0..=MAX_QUERIES, one_query));
    if queries.iter().flatten().map(|query| query.limit).sum::<usize>() > MAX_ANSWERS {
        fields.refuse(
            "queries",
            format!("their limits must not add up to more than {MAX_ANSWERS}"),
        );
    }
    fields.finish(queries)
}

/// Reads a query. Coordinates are accepted under their other names as well.
fn one_query(fields: &mut Fields<'_>) -> Option<NearbyQuery> {
    fields.alias("latitude", "lat");
    fields.alias("lng", "lon");
    fields.alias("longitude", "lon");
    let lat = fields.required("lat", any_number);
    let lon = fields.required("lon", any_number);
    let radius_m = any_number(fields, "radius_m");
    // A number beyond any limit is refused as one of a wrong size.
    let count = any_number(fields, "limit").map(|count| whole(count).unwrap_or(usize::MAX));
    let max_age_s = any_number(fields, "max_age_s");
    let capacity = any_number(fields, "min_capacity").map(|least| {
        whole(least)
            .and_then(|least| u32::try_from(least).ok())
            .ok_or("must be a whole number")
    });
    let mut filter = Filter {
        statuses: words(fields, WORDS[0]),
        vehicle_types: words(fields, WORDS[1]),
        ..Filter::default()
    };
    let mut errors = Vec::new();
    filter_numbers(max_age_s, capacity.transpose(), &mut filter, &mut errors);
    let query = lat
        .zip(lon)
        .and_then(|(lat, lon)| build(lat, lon, radius_m, count, filter, &mut errors));
    for FieldError { pointer, detail, .. } in errors {
        fields.refuse(pointer.trim_start_matches('/'), detail);
    }
    query
}

/// Returns a number of any size; its meaning has a range of its own.
fn any_number(fields: &mut Fields<'_>, name: &'static str) -> Option<f64> {
    if let Scalar::Number(number) = fields.scalar(name)? {
        return number.as_f64();
    }
    fields.refuse(name, "must be a number");
    None
}

/// Returns the words of a filter: a string or an array of strings.
fn words(fields: &mut Fields<'_>, name: &'static str) -> Vec<CompactString> {
    let words = fields.text_or_texts(name, MAX_WORDS).unwrap_or_default();
    words.iter().map(CompactString::new).collect()
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

/// Returns the problem for invalid parameters. The faults are from code that query strings share with bodies.
fn invalid_parameters(errors: Vec<FieldError>) -> Problem {
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
    filter_numbers(max_age_s, Ok(min_capacity), &mut filter, errors);
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
    filter: &mut Filter,
    errors: &mut Vec<FieldError>,
) {
    match max_age_s {
        None => {}
        Some(seconds) if (0.0..=1e9).contains(&seconds) => filter.max_age_ms = Some((seconds * 1000.0) as i64),
        Some(_) => errors.push(FieldError::new("max_age_s", "must be at least 0")),
    }
    match min_capacity {
        Ok(least) => filter.min_capacity = least,
        Err(detail) => errors.push(FieldError::new("min_capacity", detail)),
    }
}

fn limit(given: Option<usize>, default: usize, errors: &mut Vec<FieldError>) -> usize {
    let limit = given.unwrap_or(default);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new("limit", "must be a whole number between 1 and 1000"));
    }
    limit
}

fn build(
    lat: f64,
    lon: f64,
    radius_m: Option<f64>,
    count: Option<usize>,
    filter: Filter,
    errors: &mut Vec<FieldError>,
) -> Option<NearbyQuery> {
    let radius_m = radius_m.unwrap_or(DEFAULT_RADIUS_M);
    if !(0.0..=MAX_RADIUS_M).contains(&radius_m) {
        errors.push(FieldError::new("radius_m", "must be between 0 and 200000 metres"));
    }
    let limit = limit(count, DEFAULT_LIMIT, errors);
    let center = center(lat, lon, errors)?;
    Some(NearbyQuery {
        center,
        radius_m,
        limit,
        filter,
    })
}

/// Parses the centre of a query. Its longitude may be beyond the antimeridian, because maps that scroll across it send such values.
fn center(lat: f64, lon: f64, errors: &mut Vec<FieldError>) -> Option<Point> {
    let Some(lon) = wrap_longitude(lon) else {
        let detail =
            format!("longitude must be between -{MAX_WRAPPED_LONGITUDE_DEG} and {MAX_WRAPPED_LONGITUDE_DEG} degrees");
        errors.push(FieldError::new("lon", detail));
        return None;
    };
    let point = Point::new(lat, lon);
    let name = |error| match error {
        PointError::Latitude => "lat",
        PointError::Longitude => "lon",
    };
    point
        .map_err(|error| errors.push(FieldError::new(name(error), error.to_string())))
        .ok()
}

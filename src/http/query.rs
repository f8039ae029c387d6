use super::{FieldError, MAX_FAULTS, Problem, names};
use std::borrow::Cow;

/// A query string, split into its parameters. An unknown parameter is a 400 that names the nearest known one, so a misspelt filter is
/// never ignored.
#[derive(Debug)]
pub struct QueryString<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> QueryString<'a> {
    /// Splits a query string, and compares its names with the known ones.
    ///
    /// # Errors
    /// 400 with every parameter that is unknown, or that is given more than once and is not in `repeatable`; 400 if one is not UTF-8,
    /// because it would be read as another text.
    pub fn parse(query: &'a str, known: &[&str], repeatable: &[&str]) -> Result<Self, Problem> {
        let (pairs, is_decoded) = split(query);
        if is_decoded && !is_text(query, &pairs) {
            return Err(Problem::malformed_query(not_text(&pairs)));
        }
        let mut errors = Vec::new();
        for (index, (name, _)) in pairs.iter().enumerate() {
            let is_repeatable = repeatable.contains(&&**name);
            if !is_repeatable && !known.contains(&&**name) {
                errors.push(unknown(name, known, repeatable));
            } else if !is_repeatable && pairs[..index].iter().any(|(other, _)| other == name) {
                errors.push(FieldError::parameter(&**name, "is given twice; give it once"));
            }
            if errors.len() >= MAX_FAULTS {
                break;
            }
        }
        if errors.is_empty() {
            Ok(Self { pairs })
        } else {
            Err(Problem::malformed_query(errors))
        }
    }

    /// Returns the value of a parameter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| &**value)
    }

    /// Returns all values of a repeatable parameter.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.pairs
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| &**value)
    }

    /// Returns the number of a parameter, if it is given.
    ///
    /// # Errors
    /// A [`FieldError`] if it is not a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, FieldError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_unspecific| FieldError::parameter(name, "must be a number"))
        };
        self.text(name).map(parse).transpose()
    }
}

fn unknown(name: &str, known: &[&str], repeatable: &[&str]) -> FieldError {
    let known = [known, repeatable].concat();
    let hint = names::hint(name, &known);
    FieldError::parameter(names::shown(name), format!("is unknown: {hint}"))
}

/// Returns the faults of parameters that contain the replacement character.
fn not_text(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<FieldError> {
    let is_replaced = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    let replaced = pairs
        .iter()
        .filter(|(name, value)| is_replaced(name) || is_replaced(value));
    let fault =
        |name: &str| FieldError::parameter(names::shown(name), "is not UTF-8; percent-encode the bytes of UTF-8");
    replaced.take(MAX_FAULTS).map(|(name, _)| fault(name)).collect()
}

/// Returns whether nothing was replaced because it is not UTF-8.
fn is_text(query: &str, pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    let count = |text: &str| text.matches(char::REPLACEMENT_CHARACTER).count();
    let decoded: usize = pairs.iter().map(|(name, value)| count(name) + count(value)).sum();
    // A replacement character that the client has sent is valid text.
    decoded == 0 || decoded == count(query) + query.to_ascii_uppercase().matches("%EF%BF%BD").count()
}

/// Parameters for which memory is reserved at once.
const USUAL_PAIRS: usize = 8;

/// Names and values.
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Returns the names and values of a query string, and whether any of them was decoded. Most queries have nothing to decode.
fn split(query: &str) -> (Pairs<'_>, bool) {
    let mut pairs = Vec::with_capacity(USUAL_PAIRS);
    let (mut start, mut equals) = (0, None);
    // In one pass over the bytes: in such short texts, a search for each character takes longer.
    for (at, byte) in query.bytes().enumerate() {
        match byte {
            b'%' | b'+' => return (form_urlencoded::parse(query.as_bytes()).collect(), true),
            b'=' if equals.is_none() => equals = Some(at),
            b'&' => {
                pairs.extend(pair(query, start, equals, at));
                (start, equals) = (at + 1, None);
            }
            _ => {}
        }
    }
    pairs.extend(pair(query, start, equals, query.len()));
    (pairs, false)
}

/// Returns the parameter between two places of a query string; `None` if nothing is there.
fn pair(query: &str, start: usize, equals: Option<usize>, end: usize) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let (name, value) = equals.map_or((start..end, end..end), |equals| (start..equals, equals + 1..end));
    (start < end).then(|| (Cow::Borrowed(&query[name]), Cow::Borrowed(&query[value])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let known = ["lat", "limit"];
        assert!(QueryString::parse("lat=1&status=a&status=b", &known, &["status"]).is_ok());
        assert!(QueryString::parse("lat=1&lat=2", &known, &[]).is_err());
        assert!(QueryString::parse("latt=1", &known, &[]).is_err());
    }

    #[test]
    fn an_unknown_parameter_is_answered_with_the_nearest_known_one() {
        let said = |query, known: &[&str]| QueryString::parse(query, known, &["status"]).unwrap_err().to_string();
        for (query, hint) in [
            ("statuses=a", "`statuses` is unknown: did you mean `status`?"),
            ("Lng=1", "`Lng` is unknown: did you mean `lon`?"),
            (
                "vehicleType=a",
                "`vehicleType` is unknown: known are `lat`, `lon`, `status`",
            ),
        ] {
            let said = said(query, &["lat", "lon"]);
            assert!(said.ends_with(hint), "{said}");
        }
        let none = QueryString::parse("x=1", &[], &[]).unwrap_err().to_string();
        assert!(none.ends_with("`x` is unknown: none is known here"), "{none}");
    }

    #[test]
    fn values_are_decoded() {
        let query = QueryString::parse("s=a%20b+c", &["s"], &[]).unwrap();
        assert_eq!(query.text("s"), Some("a b c"));
        assert!(query.number::<f64>("s").is_err());
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        for bad in ["s=%FF", "s=a%C3", "%FF=a", "s=%ED%A0%80", "s=%FF%EF%BF%BD"] {
            assert!(QueryString::parse(bad, &["s"], &[]).is_err(), "{bad}");
        }
        for good in ["s=%C3%A9", "s=%EF%BF%BD", "s=%zz", "s=%"] {
            assert!(QueryString::parse(good, &["s"], &[]).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_has_nothing_to_decode_is_split_alike() {
        for query in ["", "a", "a=", "=b", "a=b=c", "&&a=1&", "lat=40.7&lon=-74&status=é"] {
            let decoded: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            assert_eq!(split(query).0, decoded, "{query:?}");
        }
    }
}

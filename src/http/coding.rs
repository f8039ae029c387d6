//! Content codings and media types as clients request them: lists with quality values (RFC 9110, section 12).

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// The supported codings of request and response bodies, as `Accept-Encoding` and `Content-Encoding` name them.
pub const CODINGS: HeaderValue = HeaderValue::from_static("gzip, deflate");

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1951 inside the format of RFC 1950.
    Deflate,
}

impl Coding {
    /// Parses a coding's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else {
            is("deflate").then_some(Self::Deflate)
        }
    }

    /// Returns the coding's name as a header has it.
    #[must_use]
    pub const fn header(self) -> HeaderValue {
        match self {
            Self::Gzip => HeaderValue::from_static("gzip"),
            Self::Deflate => HeaderValue::from_static("deflate"),
        }
    }
}

/// Returns the coding that a client prefers to the plain body, if there is one: gzip, or deflate if the client accepts only that or
/// prefers it.
#[must_use]
pub fn preferred_coding(headers: &HeaderMap) -> Option<Coding> {
    let (mut gzip, mut deflate, mut identity, mut others) = (None, None, None, None);
    for (name, quality) in headers.get_all(ACCEPT_ENCODING).flat_map(elements) {
        let place = match Coding::parse(name) {
            Some(Coding::Gzip) => &mut gzip,
            Some(Coding::Deflate) => &mut deflate,
            None if name.eq_ignore_ascii_case("identity") => &mut identity,
            None if name == "*" => &mut others,
            None => continue,
        };
        *place = Some(quality.max(place.unwrap_or(0)));
    }
    let quality = |named: Option<u16>| named.or(others).unwrap_or(0);
    let (gzip, deflate) = (quality(gzip), quality(deflate));
    let (coding, best) = if deflate > gzip {
        (Coding::Deflate, deflate)
    } else {
        (Coding::Gzip, gzip)
    };
    // The plain body is acceptable unless it is excluded, but preferred only where it is named.
    (best > 0 && best >= identity.unwrap_or(0)).then_some(coding)
}

/// Returns whether a client prefers a media type to the default one: it names the type itself, with at least the quality of the default.
#[must_use]
pub fn prefers<'h>(accept: impl Iterator<Item = &'h HeaderValue>, media_type: &str, usual: &str) -> bool {
    let range = usual.split_once('/').map_or("", |(range, _)| range);
    let (mut wanted, mut usual_quality, mut of_range, mut of_any) = (None, None, None, None);
    for (name, quality) in accept.flat_map(elements) {
        let place = if name.eq_ignore_ascii_case(media_type) {
            &mut wanted
        } else if name.eq_ignore_ascii_case(usual) {
            &mut usual_quality
        } else if name == "*/*" {
            &mut of_any
        } else if name
            .strip_suffix("/*")
            .is_some_and(|name| name.eq_ignore_ascii_case(range))
        {
            &mut of_range
        } else {
            continue;
        };
        *place = Some(quality.max(place.unwrap_or(0)));
    }
    // The most specific range counts.
    let usual_quality = usual_quality.or(of_range).or(of_any).unwrap_or(0);
    wanted.is_some_and(|quality| quality > 0 && quality >= usual_quality)
}

/// The elements of a list with their qualities in thousandths. An element whose quality cannot be read is left out.
fn elements(line: &HeaderValue) -> impl Iterator<Item = (&str, u16)> {
    let line = line.to_str().unwrap_or_default();
    line.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = weight.map_or(Some(1_000), thousandths)?;
        Some((name, quality))
    })
}

/// A quality: 0 to 1 with at most three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.bytes().fold((0, 100), |(sum, place), digit| {
        (sum + u16::from(digit - b'0') * place, place / 10)
    });
    match (whole, fraction.0) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_coding_is_chosen_by_its_quality() {
        use Coding::{Deflate, Gzip};
        for (lines, chosen) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&["GZIP;q=0.5"], Some(Gzip)),
            (&["deflate"], Some(Deflate)),
            (&["gzip, deflate, br"], Some(Gzip)),
            (&["gzip;q=0.5, deflate"], Some(Deflate)),
            (&["gzip;q=0.5", "deflate;q=0.6"], Some(Deflate)),
            (&["br"], None),
            (&["*"], Some(Gzip)),
            (&["*;q=0"], None),
            (&["gzip;q=0, *"], Some(Deflate)),
            (&["gzip;q=0"], None),
            (&["gzip ; q=0.000"], None),
            (&["gzip;q=0.001"], Some(Gzip)),
            (&["identity, gzip;q=0.5"], None),
            (&["identity;q=0.5, gzip;q=1.0"], Some(Gzip)),
            (&["gzip;q=2"], None),
            (&["gzip;q=0.0000"], None),
            (&["gzipped, ungzip"], None),
        ] {
            assert_eq!(preferred_coding(&accepting(lines)), chosen, "{lines:?}");
        }
    }

    #[test]
    fn a_media_type_is_chosen_by_name_and_quality() {
        for (accept, is) in [
            ("application/geo+json", true),
            ("Application/Geo+JSON; charset=utf-8", true),
            ("application/geo+json, application/json", true),
            ("application/geo+json;q=0.5, */*;q=0.1", true),
            ("application/geo+json;q=0.1, */*;q=0.5", false),
            ("application/geo+json;q=0.1, application/*;q=0.5", false),
            (
                "application/geo+json;q=0.5, application/*, application/json;q=0.1",
                true,
            ),
            ("application/geo+json;q=0", false),
            ("application/geo+json-seq", false),
            ("text/application/geo+json", false),
            ("application/*", false),
            ("*/*", false),
            ("", false),
        ] {
            let header = HeaderValue::from_static(accept);
            let is_preferred = prefers([&header].into_iter(), "application/geo+json", "application/json");
            assert_eq!(is_preferred, is, "{accept}");
        }
    }
}

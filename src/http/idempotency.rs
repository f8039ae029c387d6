use super::Problem;
use crate::ids::ExternalId;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

/// A parsed name, because a text would be parsed at each lookup.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that is repeated from an earlier call with the same key.
pub const REPLAYED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("idempotent-replayed"),
    HeaderValue::from_static("true"),
);

/// Returns the `Idempotency-Key` of a request, if it has one: a text in quotes (RFC 9651, where `\\"` stands for a quote), or bare.
///
/// # Errors
/// 400 if there are several; 422 if it is not an [`ExternalId`].
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<ExternalId>, Problem> {
    let mut lines = request.headers().get_all(&IDEMPOTENCY_KEY);
    let Some(value) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Problem::malformed("Idempotency-Key is given twice; send one"));
    }
    let refused = |detail: String| Problem::invalid_parameter("Idempotency-Key", detail);
    let text = str::from_utf8(value.as_bytes()).map_err(|_no_text| refused("must be UTF-8".to_owned()))?;
    let text = unquoted(text.trim()).ok_or_else(|| refused("has a quote that is not closed".to_owned()))?;
    ExternalId::parse(&text)
        .map(Some)
        .map_err(|error| refused(error.to_string()))
}

fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.to_owned());
    };
    let mut unquoted = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty().then_some(unquoted),
            '\\' => unquoted.push(chars.next()?),
            c => unquoted.push(c),
        }
    }
    None
}

/// Refuses an `Idempotency-Key`, for a call that is not idempotent and does not store keys: the client would rely on a key that has no effect.
///
/// # Errors
/// 422 if the request has an `Idempotency-Key`.
pub fn no_idempotency_key(request: &HttpRequest) -> Result<(), Problem> {
    if !request.headers().contains_key(&IDEMPOTENCY_KEY) {
        return Ok(());
    }
    let detail = "is not supported here, because a repeated call is executed again; remove the header";
    Err(Problem::invalid_parameter("Idempotency-Key", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(value: &[u8]) -> Result<Option<ExternalId>, Problem> {
        let value = HeaderValue::from_bytes(value).unwrap();
        idempotency_key(
            &TestRequest::default()
                .insert_header((&IDEMPOTENCY_KEY, value))
                .to_http_request(),
        )
    }

    #[test]
    fn a_key_is_in_quotes_or_bare() {
        for (given, key) in [
            ("auth0|5f7c", "auth0|5f7c"),
            ("\"a b\"", "a b"),
            (r#""a\"b\\""#, "a\"b\\"),
            ("a\"b", "a\"b"),
            ("ü", "ü"),
        ] {
            assert_eq!(read(given.as_bytes()).unwrap().unwrap().as_str(), key, "{given}");
        }
        for bad in [&b"\"a"[..], b"\"a\"b", b"\"\"", b"", b"\xff", &[b'x'; 257]] {
            assert!(read(bad).unwrap_err().to_string().starts_with("422"), "{bad:?}");
        }
        assert_eq!(idempotency_key(&TestRequest::default().to_http_request()), Ok(None));
    }
}

//! Requests as bytes, composed into reused buffers: no allocation and no serializer per request.

use super::client::Endpoint;
use std::io::Write;

/// Media type of a JSON body.
pub(super) const JSON: &str = "application/json";
/// Media type of a body with one JSON value a line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// The constant part of a request's head: method, path, and the headers up to the value of `Content-Length`.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// Up to the position of the id in the path, if there is one.
    before_id: Vec<u8>,
    /// From there up to the position of the length of the body.
    after_id: Vec<u8>,
}

impl Template {
    /// Creates a template of a POST; the id replaces the `*` of `path`.
    pub(super) fn post(endpoint: &Endpoint, path: &str, media_type: &str) -> Self {
        let (before, after) = path.split_once('*').unwrap_or((path, ""));
        Self {
            before_id: format!("POST {}{before}", endpoint.prefix()).into_bytes(),
            after_id: format!(
                "{after} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media_type}\r\nContent-Length: ",
                endpoint.authority()
            )
            .into_bytes(),
        }
    }

    /// Writes the whole request with this id and body into `out`, which is cleared first.
    pub(super) fn write(&self, out: &mut Vec<u8>, id: &[u8], body: &[u8]) {
        out.clear();
        out.extend_from_slice(&self.before_id);
        out.extend_from_slice(id);
        out.extend_from_slice(&self.after_id);
        push_integer(out, body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }
}

/// Writes a whole GET request into `out`, which is cleared first.
pub(super) fn get(out: &mut Vec<u8>, endpoint: &Endpoint, path: &str) {
    out.clear();
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "GET {}{path} HTTP/1.1\r\nHost: {}\r\n\r\n",
        endpoint.prefix(),
        endpoint.authority()
    );
}

/// Adds a header to a whole request, as the first of them.
pub(super) fn add_header(request: &mut Vec<u8>, header: Option<&str>) {
    let Some(header) = header else { return };
    let first = request
        .windows(2)
        .position(|pair| pair == b"\r\n")
        .map_or(0, |at| at + 2);
    request.splice(first..first, [header.as_bytes(), b"\r\n"].concat());
}

/// Appends a whole number.
fn push_integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number given in millionths, with its six decimals: degrees to a tenth of a metre.
pub(super) fn push_millionths(out: &mut Vec<u8>, value: i32) {
    if value < 0 {
        out.push(b'-');
    }
    let value = value.unsigned_abs();
    push_integer(out, u64::from(value / 1_000_000));
    out.push(b'.');
    push_decimals::<6>(out, value % 1_000_000);
}

/// Appends a number given in tenths, with its decimal.
pub(super) fn push_tenths(out: &mut Vec<u8>, value: u32) {
    push_integer(out, u64::from(value / 10));
    out.push(b'.');
    push_decimals::<1>(out, value % 10);
}

/// Appends a whole number with leading zeros, `N` digits in all.
pub(super) fn push_decimals<const N: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Converts degrees to the millionths that [`push_millionths`] writes.
pub(super) fn millionths(degrees: f64) -> i32 {
    // Degrees are within ±180, so the product fits with room to spare (and a cast saturates).
    #[expect(clippy::cast_possible_truncation, reason = "±180 million fits an i32")]
    let rounded = (degrees * 1e6).round() as i32;
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(text(|out| push_integer(out, 0)), "0");
        assert_eq!(text(|out| push_integer(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(|out| push_millionths(out, -73_985_130)), "-73.985130");
        assert_eq!(text(|out| push_millionths(out, -5)), "-0.000005");
        assert_eq!(text(|out| push_millionths(out, millionths(40.758_896))), "40.758896");
        assert_eq!(text(|out| push_tenths(out, 83)), "8.3");
    }

    #[test]
    fn a_template_is_filled_with_id_and_length() {
        let endpoint = Endpoint::parse("http://h:1/api").unwrap();
        let template = Template::post(&endpoint, "/v1/users/*/position", JSON);
        let request = text(|out| template.write(out, b"u-7", b"{\"lat\":1}"));
        assert_eq!(
            request,
            "POST /api/v1/users/u-7/position HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n\
             Content-Length: 9\r\n\r\n{\"lat\":1}"
        );
    }

    #[test]
    fn a_header_is_added_before_the_others() {
        let endpoint = Endpoint::parse("http://h:1").unwrap();
        let with = |header| {
            text(|out| {
                get(out, &endpoint, "/x");
                add_header(out, header);
            })
        };
        assert_eq!(with(Some("a: b")), "GET /x HTTP/1.1\r\na: b\r\nHost: h:1\r\n\r\n");
        assert_eq!(with(None), "GET /x HTTP/1.1\r\nHost: h:1\r\n\r\n");
    }
}

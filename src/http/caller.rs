//! Identifies callers by the address of their connection, or by the headers of a trusted proxy.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use clap::ValueEnum;
use ipnet::IpNet;
use std::fmt;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use uuid::Uuid;

/// The most addresses of a header that are read. No chain of proxies is longer; further addresses are invented by a client.
const MAX_HOPS: usize = 32;
/// The part of an IPv6 address that identifies a caller: a subscriber has at least a /64 and may use all of it.
const V6_CALLER_BITS: u8 = 64;
/// `64:ff9b::/96`, in which translators represent IPv4 addresses (RFC 6052). By their first 64 bits they would all be one caller. Used
/// only to distinguish callers: the translated address makes no proxy trusted.
const NAT64: u128 = 0x0064_ff9b << 96;
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A caller, as limits distinguish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// An address: of IPv6 the first 64 bits, or the IPv4 address that it represents.
    Address(IpAddr),
    /// The digest of a key that a trusted proxy has checked. A digest, because it is written to Redis.
    Key(Uuid),
}

impl Caller {
    fn at(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(address) if u128::from(address) & !u128::from(u32::MAX) == NAT64 => {
                let [.., a, b, c, d] = address.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX << (128 - u32::from(V6_CALLER_BITS));
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Key(digest) => write!(f, "key-{}", digest.simple()),
        }
    }
}

/// The header in which proxies name the client. Only one is read: a proxy passes on headers that it does not use, so the other one may
/// come from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The rules by which callers are identified.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// The trusted proxies.
    pub trusted: Networks,
    /// The header in which they name the client.
    pub header: ProxyHeader,
    /// The header in which they pass the key of the client.
    pub key_header: Option<HeaderName>,
}

impl Callers {
    /// Returns the sender of a request with these headers over a connection from `peer`.
    #[must_use]
    pub fn identify(&self, peer: IpAddr, headers: &HeaderMap) -> Caller {
        let peer = peer.to_canonical();
        if !self.trusted.contain(peer) {
            return Caller::at(peer);
        }
        // The last, which is the nearest proxy's.
        let key = self.key_header.as_ref().and_then(|name| headers.get_all(name).last());
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            return Caller::Key(Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()));
        }
        Caller::at(self.origin(peer, headers))
    }

    /// Walks from the nearest proxy towards the client while the proxies are trusted. The first address that is not trusted is that of the
    /// caller. A value that is not an address ends the walk at the address before it.
    fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let (name, comma, read): (_, LastOf, Read) = match self.header {
            ProxyHeader::XForwardedFor => (&X_FORWARDED_FOR, last_of, address),
            ProxyHeader::Forwarded => (&FORWARDED, last_unquoted, forwarded_for),
        };
        // By bytes and from the right, so that what a client wrote on the left cannot make the proxies' part unreadable.
        let values: Vec<&[u8]> = headers.get_all(name).map(HeaderValue::as_bytes).collect();
        let hops = values
            .iter()
            .rev()
            .flat_map(|value| parts_from_the_right(value, b',', comma));
        let mut nearest = peer;
        for hop in hops.take(MAX_HOPS) {
            let Some(address) = read(hop) else {
                break;
            };
            nearest = address;
            if !self.trusted.contain(nearest) {
                break;
            }
        }
        nearest
    }
}

/// Returns the position of the last occurrence of a byte.
type LastOf = fn(&[u8], u8) -> Option<usize>;
/// Returns the address in an element of a header.
type Read = fn(&[u8]) -> Option<IpAddr>;

/// Returns the parts of a text between separators, from right to left.
fn parts_from_the_right(text: &[u8], separator: u8, last_of: LastOf) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest?;
        let (left, part) = match last_of(text, separator) {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        rest = left;
        Some(part)
    })
}

fn last_of(text: &[u8], separator: u8) -> Option<usize> {
    text.iter().rposition(|byte| *byte == separator)
}

/// Returns the last occurrence outside of quotes (RFC 9110, section 5.6.4): a proxy may quote text of the client, such as a `Host`. Reads
/// from the right, where proxies append, so that an unterminated quote of the client hides nothing of theirs. A quote without another to
/// its left includes everything to its left, which is then not an address.
fn last_unquoted(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        match *byte {
            // Within quotes one behind an odd number of backslashes is a part of what is quoted.
            b'"' if !(quoted && backslashes_at_the_end(&text[..at]) % 2 == 1) => quoted = !quoted,
            byte if byte == separator && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn backslashes_at_the_end(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim();
    let bare = match (text.strip_prefix('['), text.split_once(':')) {
        (Some(bracketed), _) => match bracketed.split_once(']')? {
            (address, "") => address,
            (address, port) if port.strip_prefix(':').is_some_and(is_port) => address,
            _ => return None,
        },
        // An IPv6 address without brackets has more than one colon, and what follows the first is no port.
        (None, Some((address, port))) if is_port(port) => address,
        _ => text,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Returns the address of the `for` parameter of an element of `Forwarded`. An element with two of them is ignored: RFC 7239 allows one,
/// so the other was not written by a proxy.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut nodes = parts_from_the_right(element, b';', last_unquoted).filter_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        let value = value[1..].trim_ascii();
        name.trim_ascii().eq_ignore_ascii_case(b"for").then_some(value)
    });
    let (node, second) = (nodes.next()?, nodes.next());
    let quoted = node.strip_prefix(b"\"").and_then(|node| node.strip_suffix(b"\""));
    // An address contains nothing that needs escaping: with a backslash it is not an address.
    address(quoted.unwrap_or(node)).filter(|_| second.is_none())
}

/// Networks in CIDR notation; a bare address is a network of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Returns whether one of them contains an address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    // Addresses are compared in canonical form, so networks are stored in it as well. A network that also contains other addresses has
    // no canonical form.
    match network.addr().to_canonical() {
        v4 if v4 != network.addr() => IpNet::new(v4, network.prefix_len().checked_sub(96)?).ok(),
        _ => Some(network),
    }
}

/// Not a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a network; write 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError(String);

impl FromStr for Networks {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| network(part).ok_or_else(|| NetworkError(part.to_owned()));
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers(header: ProxyHeader) -> Callers {
        Callers {
            trusted: "10.0.0.0/8, ::1, fd00::/8".parse().unwrap(),
            header,
            key_header: Some(HeaderName::from_static("x-api-key")),
        }
    }

    fn who(header: ProxyHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        callers(header).identify(peer.parse().unwrap(), &headers).to_string()
    }

    fn by_xff(peer: &str, values: &[&str]) -> String {
        let lines: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
        who(ProxyHeader::XForwardedFor, peer, &lines)
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        assert_eq!(by_xff("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(by_xff("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(by_xff("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(by_xff("10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn the_search_starts_at_the_right_and_ends_at_the_first_untrusted_address() {
        // What a client has written itself is on the left.
        assert_eq!(by_xff("10.1.2.3", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(by_xff("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(
            by_xff("10.1.2.3", &["1.1.1.1", "198.51.100.1, 10.9.9.9"]),
            "198.51.100.1"
        );
        // If all are trusted, the leftmost one.
        assert_eq!(by_xff("10.1.2.3", &["10.0.0.7, 10.0.0.8"]), "10.0.0.7");
        let long = vec!["10.0.0.1"; 1_000].join(",");
        assert_eq!(by_xff("10.1.2.3", &[&format!("1.1.1.1,{long}")]), "10.0.0.1");
    }

    #[test]
    fn addresses_may_have_ports_and_brackets() {
        for (value, caller) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::"),
            ("[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(by_xff("10.1.2.3", &[value]), caller, "{value}");
        }
    }

    #[test]
    fn an_invalid_value_ends_the_search_at_the_last_address() {
        for junk in [
            "",
            "unknown",
            "1.2.3",
            "1.2.3.4:x",
            "[::1",
            "[::1]x",
            "_hidden",
            "1.2.3.4 5",
            "é",
        ] {
            assert_eq!(by_xff("10.1.2.3", &[junk]), "10.1.2.3", "{junk}");
            assert_eq!(
                by_xff("10.1.2.3", &[&format!("1.1.1.1, {junk}, 10.0.0.8")]),
                "10.0.0.8",
                "{junk}"
            );
        }
    }

    #[test]
    fn forwarded_is_parsed_by_rfc_7239() {
        let by = |value| who(ProxyHeader::Forwarded, "10.1.2.3", &[("forwarded", value)]);
        assert_eq!(
            by("for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\""),
            "2001:db8:cafe::"
        );
        assert_eq!(by("proto=https;for=\"192.0.2.43:80\";by=10.0.0.1"), "192.0.2.43");
        assert_eq!(by("for=unknown"), "10.1.2.3");
        assert_eq!(by("by=1.1.1.1"), "10.1.2.3");
        // The header that is not the proxies' own is the client's.
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(who(ProxyHeader::XForwardedFor, "10.1.2.3", &both), "198.51.100.1");
    }

    fn by_forwarded(value: &str) -> String {
        who(ProxyHeader::Forwarded, "10.1.2.3", &[("forwarded", value)])
    }

    #[test]
    fn quoted_text_is_not_parsed_as_parameters() {
        for said in [
            // The Host of a client, copied by the proxy.
            "1.1.1.1,for=1.1.1.1",
            "x;for=1.1.1.1",
            "x,for=1.1.1.1;",
            "for=1.1.1.1",
            ",;,for=1.1.1.1,",
            r#"\",for=1.1.1.1"#,
            r#"\";for=1.1.1.1"#,
            r#"\\\",for=1.1.1.1;x=\""#,
            r"\\",
            "",
        ] {
            for element in [
                format!("host=\"{said}\";for=198.51.100.1"),
                format!("for=198.51.100.1;host=\"{said}\""),
                format!("for=\"198.51.100.1:80\";host=\"{said}\";proto=https"),
            ] {
                assert_eq!(by_forwarded(&element), "198.51.100.1", "{element}");
                let behind = format!("for=1.1.1.1, {element}, for=10.0.0.8;host=\"{said}\"");
                assert_eq!(by_forwarded(&behind), "198.51.100.1", "{behind}");
            }
        }
    }

    #[test]
    fn an_unterminated_quote_hides_no_element_of_the_proxies() {
        for begun in ["for=\"1.1.1.1", "host=\"", "\"", "for=1.1.1.1;host=\"a\\\"", "\"\"\""] {
            for element in ["for=198.51.100.1", "host=\"a,b\";for=\"198.51.100.1\""] {
                let value = format!("{begun}, {element}");
                assert_eq!(by_forwarded(&value), "198.51.100.1", "{value}");
            }
        }
        // In an element of a proxy it is not an address.
        for value in [
            "for=\"198.51.100.1",
            "\"\"\"",
            "for=198.51.100.1\"",
            "for=1.1.1.1;host=\"a",
        ] {
            assert_eq!(by_forwarded(value), "10.1.2.3", "{value}");
        }
    }

    #[test]
    fn an_element_with_two_for_parameters_is_ignored() {
        // A proxy that quotes without escaping what it quotes.
        for value in [
            "for=198.51.100.1;host=\"x\";for=\"1.1.1.1\"",
            "host=\"x\";for=\"1.1.1.1\";for=198.51.100.1",
            "for=198.51.100.1;For=198.51.100.1",
        ] {
            assert_eq!(by_forwarded(value), "10.1.2.3", "{value}");
        }
    }

    #[test]
    fn invalid_utf_8_affects_only_its_element() {
        let value = HeaderValue::from_bytes(b"for=198.51.100.1;host=\"\xff\"").unwrap();
        let headers: HeaderMap = [(FORWARDED, value)].into_iter().collect();
        let caller = callers(ProxyHeader::Forwarded).identify("10.1.2.3".parse().unwrap(), &headers);
        assert_eq!(caller.to_string(), "198.51.100.1");
    }

    #[test]
    fn a_nat64_address_is_the_ipv4_address_that_it_represents() {
        assert_eq!(by_xff("64:ff9b::198.51.100.1", &[]), "198.51.100.1");
        assert_eq!(by_xff("10.1.2.3", &["64:ff9b::198.51.100.2"]), "198.51.100.2");
        assert_eq!(by_xff("10.1.2.3", &["64:ff9b:1::198.51.100.2"]), "64:ff9b:1::");
        // But it is not trusted like that address.
        assert_eq!(by_xff("64:ff9b::10.1.2.3", &["198.51.100.1"]), "10.1.2.3");
    }

    #[test]
    fn a_key_counts_only_from_a_trusted_proxy_and_is_not_shown() {
        let with_key = |peer| who(ProxyHeader::XForwardedFor, peer, &[("x-api-key", "secret-of-anna")]);
        assert_eq!(with_key("203.0.113.9"), "203.0.113.9");
        let shown = with_key("10.1.2.3");
        assert!(shown.starts_with("key-") && !shown.contains("anna"), "{shown}");
        assert_eq!(with_key("10.9.9.9"), shown);
    }

    #[test]
    fn networks_are_parsed() {
        let networks: Networks = "10.0.0.0/8,192.0.2.1, 2001:db8::/33, 0.0.0.0/0".parse().unwrap();
        assert!(
            networks.contain("203.0.113.1".parse().unwrap()),
            "0.0.0.0/0 is everything"
        );
        assert!(networks.contain("2001:db8:7fff::1".parse().unwrap()));
        assert!(!networks.contain("2001:db8:8000::1".parse().unwrap()));
        let one: Networks = "192.0.2.1".parse().unwrap();
        assert!(one.contain("192.0.2.1".parse().unwrap()) && !one.contain("192.0.2.2".parse().unwrap()));
        // As an IPv6 socket shows them.
        for mapped in ["::ffff:192.0.2.0/120", "::ffff:192.0.2.1", "::ffff:0:0/96"] {
            let networks: Networks = mapped.parse().unwrap();
            assert!(networks.contain("192.0.2.1".parse().unwrap()), "{mapped}");
        }
        assert!(!Networks::default().contain("127.0.0.1".parse().unwrap()));
        for bad in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0",
            "host",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "::ffff:0:0/95",
        ] {
            assert!(bad.parse::<Networks>().is_err(), "{bad}");
        }
    }
}

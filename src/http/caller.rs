//! Who calls: by the address of the connection, or by what a trusted proxy says of it.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use clap::ValueEnum;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use uuid::Uuid;

/// Addresses of a header that are looked at. More proxies in a row than that are nobody's; more is what a client made up.
const MAX_HOPS: usize = 32;
/// The part of an IPv6 address that stands for one caller: a subscriber is given at least a /64 and may use all of it.
const V6_CALLER_BITS: u8 = 64;
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A caller as far as limits tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// By address; of an IPv6 address the first 64 bits.
    Address(IpAddr),
    /// By the key that a trusted proxy has checked: a digest of it, because this is written to Redis.
    Key(Uuid),
}

impl Caller {
    fn at(address: IpAddr) -> Self {
        Self::Address(match address {
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

/// The header in which proxies say for whom they ask. One and not whichever is there: a proxy passes on what it does not
/// know, so the other is the client's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How callers are told apart.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// Proxies that are believed.
    pub trusted: Networks,
    /// Where they say for whom they ask.
    pub header: ProxyHeader,
    /// Where they say by which key.
    pub key_header: Option<HeaderName>,
}

impl Callers {
    /// Who sent a request with these headers over a connection from `peer`.
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

    /// Walks from the nearest proxy towards the client, as long as the proxies are trusted: the first address that is not
    /// is the caller's. What is no address ends the walk at the last that was one.
    fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (&X_FORWARDED_FOR, address),
            ProxyHeader::Forwarded => (&FORWARDED, forwarded_for),
        };
        // By bytes, so that what a client wrote on the left cannot make the proxies' part unreadable.
        let values: Vec<&[u8]> = headers.get_all(name).map(HeaderValue::as_bytes).collect();
        let hops = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
        let mut nearest = peer;
        for hop in hops.take(MAX_HOPS) {
            let Some(address) = str::from_utf8(hop).ok().and_then(|hop| read(hop.trim())) else {
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

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
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

/// The address of the `for` parameter of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let node = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    let quoted = node.strip_prefix('"').and_then(|node| node.strip_suffix('"'));
    address(quoted.unwrap_or(node))
}

/// Networks in CIDR notation; a bare address is a network of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Networks {
    /// Whether an address lies in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let outside = |length: u8| u32::from(length - self.bits);
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = u32::from(network) ^ u32::from(address);
                differ.checked_shr(outside(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = u128::from(network) ^ u128::from(address);
                differ.checked_shr(outside(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }
}

/// Not a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no network; write 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError(String);

impl FromStr for Networks {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| Network::parse(part).ok_or_else(|| NetworkError(part.to_owned()));
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
    fn the_walk_begins_at_the_right_and_ends_at_the_first_stranger() {
        // What a client wrote itself stands on the left.
        assert_eq!(by_xff("10.1.2.3", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(by_xff("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(
            by_xff("10.1.2.3", &["1.1.1.1", "198.51.100.1, 10.9.9.9"]),
            "198.51.100.1"
        );
        // All of them trusted: the farthest.
        assert_eq!(by_xff("10.1.2.3", &["10.0.0.7, 10.0.0.8"]), "10.0.0.7");
        let long = vec!["10.0.0.1"; 1_000].join(",");
        assert_eq!(by_xff("10.1.2.3", &[&format!("1.1.1.1,{long}")]), "10.0.0.1");
    }

    #[test]
    fn addresses_come_with_ports_and_brackets() {
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
    fn junk_ends_the_walk_at_the_last_address() {
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
    fn forwarded_is_read_as_rfc_7239_has_it() {
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

    #[test]
    fn a_key_counts_only_from_a_trusted_proxy_and_is_not_shown() {
        let with_key = |peer| who(ProxyHeader::XForwardedFor, peer, &[("x-api-key", "secret-of-anna")]);
        assert_eq!(with_key("203.0.113.9"), "203.0.113.9");
        let shown = with_key("10.1.2.3");
        assert!(shown.starts_with("key-") && !shown.contains("anna"), "{shown}");
        assert_eq!(with_key("10.9.9.9"), shown);
    }

    #[test]
    fn networks_are_read() {
        let networks: Networks = "10.0.0.0/8,192.0.2.1, 2001:db8::/33, 0.0.0.0/0".parse().unwrap();
        assert!(
            networks.contain("203.0.113.1".parse().unwrap()),
            "0.0.0.0/0 is everything"
        );
        assert!(networks.contain("2001:db8:7fff::1".parse().unwrap()));
        assert!(!networks.contain("2001:db8:8000::1".parse().unwrap()));
        let one: Networks = "192.0.2.1".parse().unwrap();
        assert!(one.contain("192.0.2.1".parse().unwrap()) && !one.contain("192.0.2.2".parse().unwrap()));
        assert!(!Networks::default().contain("127.0.0.1".parse().unwrap()));
        for bad in ["10.0.0.0/33", "::/129", "10.0.0", "host", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<Networks>().is_err(), "{bad}");
        }
    }
}

//! A ticket as text, for services that compute a value themselves and bring it to any instance.
//!
//! Base64 (RFC 4648, section 5, without padding) of: the form's number, 1; the nonce of what lay under the key (8 bytes); when it was
//! taken, ms of Redis's clock (8); the version of the namespace (8); for how long what depends on the versions may live, ms (4);
//! the lease's token (8, zeros for none); how many tags (1), and for each its length (1), itself, its version (8). Numbers are
//! big-endian. It is neither secret nor signed: a client may write without a ticket anyway.

use super::Cache;
use super::commands;
use super::entry::Nonce;
use super::error::CacheError;
use super::model::{MAX_TAGS, Tag};
use super::ticket::{TICKET_LIFE, Ticket};
use crate::ids::Id;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::{Duration, Instant};

const FORM: u8 = 1;
const NO_LEASE: Nonce = Nonce([0; 8]);

/// The parts of a ticket that mean the same in every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortableTicket {
    nonce: Nonce,
    made_ms: u64,
    namespace: Nonce,
    life: Duration,
    lease: Option<Nonce>,
    tags: Vec<(Tag, Nonce)>,
}

impl From<&Ticket> for PortableTicket {
    fn from(ticket: &Ticket) -> Self {
        Self {
            nonce: ticket.nonce,
            made_ms: ticket.made_ms,
            namespace: ticket.namespace,
            life: ticket.life,
            lease: ticket.lease,
            tags: ticket.tags.clone(),
        }
    }
}

impl PortableTicket {
    pub(super) fn to_text(&self) -> String {
        let mut bytes = vec![FORM];
        bytes.extend(self.nonce.0);
        bytes.extend(self.made_ms.to_be_bytes());
        bytes.extend(self.namespace.0);
        let life_ms = u32::try_from(self.life.as_millis()).unwrap_or(u32::MAX);
        bytes.extend(life_ms.to_be_bytes());
        bytes.extend(self.lease.unwrap_or(NO_LEASE).0);
        bytes.extend(u8::try_from(self.tags.len()));
        for (tag, version) in &self.tags {
            bytes.extend(u8::try_from(tag.len()));
            bytes.extend(tag.as_bytes());
            bytes.extend(version.0);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for anything that is not the text of a ticket.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mut rest = bytes.as_slice();
        let rest = &mut rest;
        let [FORM] = take(rest)? else { return None };
        let nonce = Nonce(take(rest)?);
        let made_ms = u64::from_be_bytes(take(rest)?);
        let namespace = Nonce(take(rest)?);
        let life = Duration::from_millis(u32::from_be_bytes(take(rest)?).into());
        let lease = Some(Nonce(take(rest)?)).filter(|token| *token != NO_LEASE);
        let [count] = take(rest)?;
        let tags: Option<Vec<_>> = (0..count).map(|_| take_tag(rest)).collect();
        let tags = tags.filter(|tags| tags.len() <= MAX_TAGS && rest.is_empty())?;
        Some(Self {
            nonce,
            made_ms,
            namespace,
            life,
            lease,
            tags,
        })
    }

    /// Returns the ticket for use in this process, at the time `now_ms` of Redis's clock.
    fn adopted(self, now_ms: u64) -> Ticket {
        let now = Instant::now();
        // A forged ticket may have any time.
        let made_ms = self.made_ms.min(now_ms);
        let age = Duration::from_millis(now_ms - made_ms);
        let taken = now.checked_sub(age).unwrap_or(now);
        Ticket {
            nonce: self.nonce,
            was_nothing: false,
            made_ms,
            taken,
            granted: taken,
            namespace: self.namespace,
            tags: self.tags,
            life: self.life,
            lease: self.lease,
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn take_tag(rest: &mut &[u8]) -> Option<(Tag, Nonce)> {
    let [length] = take(rest)?;
    let (tag, left) = rest.split_at_checked(length.into())?;
    *rest = left;
    let tag = Tag::parse(str::from_utf8(tag).ok()?).ok()?;
    Some((tag, Nonce(take(rest)?)))
}

impl Cache {
    /// Returns the ticket for [`Self::store`]; `None` if something that it covers was invalidated meanwhile.
    ///
    /// # Errors
    /// [`CacheError::Store`].
    pub(super) async fn adopt(&self, namespace: &Id, carried: PortableTicket) -> Result<Option<Ticket>, CacheError> {
        let tags: Vec<Tag> = carried.tags.iter().map(|(tag, _)| tag.clone()).collect();
        let keys = self.version_keys(namespace, &tags);
        let versions = commands::versions(self.link(), &keys, TICKET_LIFE).await?;
        let ticket = carried.adopted(versions.now_ms);
        let noted = [ticket.namespace]
            .into_iter()
            .chain(ticket.tags.iter().map(|(_, nonce)| *nonce));
        let holds = noted
            .zip(&versions.all)
            .all(|(nonce, version)| version.upholds(nonce, ticket.made_ms));
        Ok(holds.then_some(ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn carried() -> impl Strategy<Value = PortableTicket> {
        let nonce = || any::<[u8; 8]>().prop_map(Nonce);
        let tag = "[a-zA-Z0-9._:@-]{1,128}".prop_filter("a tag", |tag| Tag::parse(tag).is_ok());
        let tags = prop::collection::vec((tag, nonce()), 0..=MAX_TAGS);
        let lease = prop::option::of(nonce().prop_filter("some", |token| *token != NO_LEASE));
        (nonce(), any::<u64>(), nonce(), any::<u32>(), lease, tags).prop_map(
            |(nonce, made_ms, namespace, life_ms, lease, tags)| PortableTicket {
                nonce,
                made_ms,
                namespace,
                life: Duration::from_millis(life_ms.into()),
                lease,
                tags: tags
                    .into_iter()
                    .map(|(tag, version)| (Tag::parse(&tag).unwrap(), version))
                    .collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn a_ticket_comes_back_as_it_went(carried in carried()) {
            prop_assert_eq!(PortableTicket::parse(&carried.to_text()), Some(carried));
        }

        #[test]
        fn what_is_no_ticket_is_not_taken_for_one(carried in carried(), at in any::<prop::sample::Index>()) {
            let text = carried.to_text();
            let cut = &text[..at.index(text.len())];
            prop_assert_eq!(PortableTicket::parse(cut), None);
            prop_assert_eq!(PortableTicket::parse(&format!("{text}AAAA")), None);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            PortableTicket::parse(&text);
        }
    }

    #[test]
    fn a_made_up_time_does_no_harm() {
        let ticket = PortableTicket {
            nonce: NO_LEASE,
            made_ms: u64::MAX,
            namespace: NO_LEASE,
            life: Duration::ZERO,
            lease: None,
            tags: Vec::new(),
        };
        assert_eq!(ticket.clone().adopted(5).made_ms, 5);
        assert_eq!(PortableTicket { made_ms: 0, ..ticket }.adopted(u64::MAX).made_ms, 0);
    }
}

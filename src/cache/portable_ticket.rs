//! A ticket as text, for services that compute a value themselves and store it through any instance.
//!
//! Base64 (RFC 4648, section 5, without padding) of the version of the form, one byte, and of [`PortableTicket`] as `postcard` writes it.
//! It is neither secret nor signed: a client may write without a ticket anyway.

use super::Cache;
use super::commands;
use super::entry::Nonce;
use super::error::CacheError;
use super::model::Tag;
use super::settings::MAX_TAGS;
use super::ticket::{TICKET_LIFE, Ticket};
use crate::ids::Id;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Changes with the fields of [`PortableTicket`]: instances of two releases run at once, and a ticket is good for five minutes.
const FORM: u8 = 1;

/// The parts of a ticket that mean the same in every process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// # Errors
    /// None of a ticket's parts makes one.
    pub(super) fn to_text(&self) -> Result<String, postcard::Error> {
        Ok(URL_SAFE_NO_PAD.encode(postcard::to_extend(self, vec![FORM])?))
    }

    /// `None` for anything that is not the text of a ticket.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (ticket, rest) = postcard::take_from_bytes::<Self>(bytes.strip_prefix(&[FORM])?).ok()?;
        (rest.is_empty() && ticket.tags.len() <= MAX_TAGS).then_some(ticket)
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

impl Cache {
    /// Returns the ticket for [`Self::store`]; `None` if something that it covers has been invalidated since.
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
        let lease = prop::option::of(nonce());
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
        fn a_ticket_is_read_as_it_was_written(carried in carried()) {
            prop_assert_eq!(PortableTicket::parse(&carried.to_text().unwrap()), Some(carried));
        }

        #[test]
        fn what_is_no_ticket_is_not_taken_for_one(carried in carried(), at in any::<prop::sample::Index>()) {
            let text = carried.to_text().unwrap();
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
    fn a_forged_time_is_harmless() {
        let ticket = PortableTicket {
            nonce: Nonce([0; 8]),
            made_ms: u64::MAX,
            namespace: Nonce([0; 8]),
            life: Duration::ZERO,
            lease: None,
            tags: Vec::new(),
        };
        assert_eq!(ticket.clone().adopted(5).made_ms, 5);
        assert_eq!(PortableTicket { made_ms: 0, ..ticket }.adopted(u64::MAX).made_ms, 0);
    }
}

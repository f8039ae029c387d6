//! Tickets, for services that compute what they cache.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::model::{Name, Tag};
use super::super::portable_ticket::PortableTicket;
use super::super::settings::MAX_TAGS;
use super::super::ticket::TICKET_LIFE;
use super::super::ticketing::Ticketing;
use super::arguments::{Key, Namespace};
use super::{MAX_BODY, State};
use crate::clock::whole_ms;
use crate::http::{AppData, Body, Client, Fields, FromBody, Path, Problem, reply};
use crate::ids::Id;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use std::ops::RangeInclusive;
use std::time::Duration;
use utoipa::ToSchema;

/// The duration of a lease in milliseconds; 0 for none.
const LEASE_MS: RangeInclusive<i64> = 0..=TICKET_LIFE.as_secs().cast_signed() * 1_000;

/// A request for a ticket.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CacheTicketRequest, example = json!({"tags": ["product:7"], "lease_ms": 5000}))]
pub(super) struct TicketRequestBody {
    /// The tags that the value will have: at most 32 ids. Another tag of the value must have been in use before.
    #[schema(max_items = 32)]
    tags: Option<Vec<Id>>,
    /// For how many milliseconds the ticket has a lease: no other caller gets a ticket with a lease for the same key. 0 to 300,000; 0 by
    /// default. Storing a value with the ticket ends the lease.
    #[schema(minimum = 0, maximum = 300000, default = 0)]
    lease_ms: Option<u32>,
}

/// What a ticket is for.
pub struct TicketRequest {
    tags: Vec<Tag>,
    /// `None`: without a lease.
    lease: Option<Duration>,
}

impl FromBody for TicketRequest {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse_optional(body)?;
        let tags = fields.ids("tags", MAX_TAGS).unwrap_or_default();
        let lease_ms = fields.integer("lease_ms", LEASE_MS).unwrap_or(0).unsigned_abs();
        let lease = (lease_ms > 0).then(|| Duration::from_millis(lease_ms));
        fields.finish(Some(Self { tags, lease }))
    }
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheTicket, example = json!({"ticket": "ARlm3vJx0aEAAAGc…", "expires_in_ms": 300_000}))]
pub(super) struct TicketBody {
    /// The ticket, to be sent with the value.
    ticket: String,
    /// After this time a value with the ticket may be refused.
    expires_in_ms: u64,
}

/// Take a ticket before computing a value
///
/// A value with a ticket is stored only if its key was neither written nor deleted since the ticket was taken, and is served only while
/// nothing that it depends on was invalidated since then. So a value that was computed from old data is never served as a new one,
/// however long the computation takes, and through any instance. A client that disconnects before the answer gets no lease.
#[utoipa::path(
    post, path = "/v1/cache/tickets/{namespace}/{key}", operation_id = "take_cache_ticket", tag = "cache", request_body = Option<TicketRequestBody>,
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 201, description = "The ticket", body = TicketBody),
        (status = 409, description = "Another caller has the lease, for at most `retry_after_ms` (`cache_leased`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn take_ticket(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    client: Client,
    cache: State,
    Body(TicketRequest { tags, lease }): Body<TicketRequest>,
) -> Result<HttpResponse, Problem> {
    let name = Name::new(&namespace, &key)?;
    match cache.ticket_for(&name, &tags, TICKET_LIFE, lease).await? {
        Ticketing::Granted(ticket) => {
            let ticket = client.deliver(ticket).await?;
            let text = PortableTicket::from(&ticket).to_text();
            let body = TicketBody {
                ticket: text.map_err(|error| Problem::internal(&error))?,
                expires_in_ms: whole_ms(TICKET_LIFE),
            };
            reply::value(StatusCode::CREATED, &body)
        }
        Ticketing::Leased(left) => {
            let problem = Problem::conflict(
                "cache_leased",
                "Another caller is computing the value",
                "read the value again a little later",
            );
            Err(problem.with("retry_after_ms", whole_ms(left)))
        }
    }
}

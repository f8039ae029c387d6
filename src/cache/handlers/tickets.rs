//! Tickets, for services that compute what they cache.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::model::{MAX_TAGS, Name, Tag};
use super::super::portable_ticket::PortableTicket;
use super::super::ticket::{TICKET_LIFE, Ticketing};
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

/// For how long others may be kept from computing the same; 0: they are not.
const LEASE_MS: RangeInclusive<i64> = 0..=TICKET_LIFE.as_secs().cast_signed() * 1_000;

/// What a value that is to be computed will depend on.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CacheTicketRequest, example = json!({"tags": ["product:7"], "lease_ms": 5000}))]
pub(super) struct TicketRequestBody {
    /// The tags that it will have: at most 32 ids. One that it has besides has to have been in use before.
    #[schema(max_items = 32)]
    tags: Option<Vec<Id>>,
    /// For how many milliseconds nobody else is given a ticket with a lease for the same key, 0 to 300,000; 0 if not given. Writing
    /// with the ticket ends it.
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
    /// To be sent with the value, as it is.
    ticket: String,
    /// A value that comes later than that may not be stored any more.
    expires_in_ms: u64,
}

/// Take a ticket before computing a value
///
/// A value that is written with it is stored only if its key was neither written nor deleted since the ticket was taken, and is
/// served only for as long as nothing that it depends on was invalidated since then. So what is computed from old data never
/// passes for new, however long that takes, and through whichever instance it is written. A client that goes before it is answered
/// gets no lease.
#[utoipa::path(
    post, path = "/v1/cache/tickets/{namespace}/{key}", operation_id = "take_cache_ticket", tag = "cache", request_body = Option<TicketRequestBody>,
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 201, description = "The ticket", body = TicketBody),
        (status = 409, description = "Somebody else has the lease, for `retry_after_ms` at most (`cache_leased`)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
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
            let body = TicketBody {
                ticket: PortableTicket::from(&ticket).to_text(),
                expires_in_ms: whole_ms(TICKET_LIFE),
            };
            reply::value(StatusCode::CREATED, &body)
        }
        Ticketing::Leased(left) => {
            let problem = Problem::conflict(
                "cache_leased",
                "Somebody else computes it",
                "look for the value a little later",
            );
            Err(problem.with("retry_after_ms", whole_ms(left)))
        }
    }
}

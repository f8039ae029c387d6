//! The requests of one connection.

use super::args::CommonArgs;
use super::crowd::{Crowd, Visited};
use crate::cli::client::{Endpoint, Response};
use crate::cli::encode::{JSON, NDJSON, Template, millionths, push_millionths};
use crate::cli::hotspots::HotSpots;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::sync::LazyLock;

/// The number of places that a connection queries before it starts over.
const QUERY_PLACES: usize = 4096;

static CITY: LazyLock<HotSpots> = LazyLock::new(HotSpots::new_york);

/// One connection's requests.
#[derive(Debug)]
pub(super) struct Workload {
    source: Source,
    /// The request being sent; the buffer is reused for the next.
    request: Vec<u8>,
}

#[derive(Debug)]
enum Source {
    Single {
        crowd: Crowd,
        template: Template,
        id: Vec<u8>,
        body: Vec<u8>,
    },
    Batch {
        crowd: Crowd,
        template: Template,
        body: Vec<u8>,
        size: u32,
        ndjson: bool,
    },
    Nearby {
        places: Vec<(i32, i32)>,
        at: usize,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// The request is composed already.
    Fixed,
}

impl Workload {
    /// Fixes of the entities of connection `nth`, one by one or in batches.
    pub(super) fn writes(endpoint: &Endpoint, common: &CommonArgs, nth: u32, batches: bool) -> Self {
        let crowd = Crowd::new(&CITY, common.entities, nth, common.connections, common.bare);
        let kind = common.kind;
        let source = if batches {
            let media_type = if common.ndjson { NDJSON } else { JSON };
            Source::Batch {
                crowd,
                template: Template::post(endpoint, &format!("/v1/{kind}/positions"), media_type),
                body: Vec::new(),
                size: common.batch_size,
                ndjson: common.ndjson,
            }
        } else {
            Source::Single {
                crowd,
                template: Template::post(endpoint, &format!("/v1/{kind}/*/position"), JSON),
                id: Vec::new(),
                body: Vec::new(),
            }
        };
        Self::from(source)
    }

    /// Queries at places that differ between connections.
    pub(super) fn nearby(endpoint: &Endpoint, common: &CommonArgs, nth: u32) -> Self {
        let mut rng = SmallRng::seed_from_u64(1_000_003 + u64::from(nth));
        let places = (0..QUERY_PLACES).map(|_| CITY.draw(&mut rng));
        Self::from(Source::Nearby {
            places: places.map(|(lat, lon)| (millionths(lat), millionths(lon))).collect(),
            at: 0,
            before: format!("GET {}/v1/{}/nearby?lat=", endpoint.prefix(), common.kind).into_bytes(),
            after: format!(
                "&radius_m={}&limit={} HTTP/1.1\r\nHost: {}\r\n\r\n",
                common.radius_m,
                common.limit,
                endpoint.authority()
            )
            .into_bytes(),
        })
    }

    /// The same request repeatedly.
    pub(super) const fn fixed(request: Vec<u8>) -> Self {
        Self {
            source: Source::Fixed,
            request,
        }
    }

    const fn from(source: Source) -> Self {
        Self {
            source,
            request: Vec::new(),
        }
    }

    /// Returns the number of operations of a request: the fixes of a batch, else one.
    pub(super) const fn operations(&self) -> u64 {
        match &self.source {
            Source::Batch { size, .. } => *size as u64,
            _ => 1,
        }
    }

    /// Returns the entities that it has sent.
    pub(super) const fn visited(&self) -> Option<Visited> {
        match &self.source {
            Source::Single { crowd, .. } | Source::Batch { crowd, .. } => Some(crowd.visited()),
            Source::Nearby { .. } | Source::Fixed => None,
        }
    }

    /// Returns the request composed last.
    pub(super) fn request(&self) -> &[u8] {
        &self.request
    }

    /// Composes the next request.
    pub(super) fn compose(&mut self) -> &[u8] {
        let request = &mut self.request;
        match &mut self.source {
            Source::Single {
                crowd,
                template,
                id,
                body,
            } => {
                crowd.advance();
                id.clear();
                crowd.push_id(id);
                body.clear();
                body.push(b'{');
                crowd.push_members(body);
                body.push(b'}');
                template.write(request, id, body);
            }
            Source::Batch {
                crowd,
                template,
                body,
                size,
                ndjson,
            } => {
                push_batch(body, crowd, *size, *ndjson);
                template.write(request, b"", body);
            }
            Source::Nearby {
                places,
                at,
                before,
                after,
            } => {
                *at = (*at + 1) % places.len();
                let (lat, lon) = places[*at];
                request.clear();
                request.extend_from_slice(before);
                push_millionths(request, lat);
                request.extend_from_slice(b"&lon=");
                push_millionths(request, lon);
                request.extend_from_slice(after);
            }
            Source::Fixed => {}
        }
        request
    }

    /// Returns the fault of an answer whose status is a success.
    pub(super) fn complaint(&self, response: &Response) -> Option<&'static str> {
        const NONE_REJECTED: &[u8] = b"\"rejected\":[]";
        match self.source {
            Source::Batch { .. }
                if !response
                    .body
                    .windows(NONE_REJECTED.len())
                    .any(|part| part == NONE_REJECTED) =>
            {
                Some("fixes of a batch rejected")
            }
            Source::Single { .. } if response.status == 200 => Some("fix stale"),
            _ => None,
        }
    }
}

fn push_batch(body: &mut Vec<u8>, crowd: &mut Crowd, size: u32, ndjson: bool) {
    let (open, between, close): (&[u8], &[u8], &[u8]) = if ndjson {
        (b"", b"\n", b"\n")
    } else {
        (b"[", b",", b"]")
    };
    body.clear();
    body.extend_from_slice(open);
    for nth in 0..size {
        if nth > 0 {
            body.extend_from_slice(between);
        }
        crowd.advance();
        body.extend_from_slice(b"{\"id\":\"");
        crowd.push_id(body);
        body.extend_from_slice(b"\",");
        crowd.push_members(body);
        body.push(b'}');
    }
    body.extend_from_slice(close);
}

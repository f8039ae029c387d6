//! Calls the handler, and stores and shares its response.

use super::policy::{CachePolicy, MAX_VARY, Verdict, varies_on};
use super::shared::{Outcome, ResponseKey, SharedResponse};
use super::single_flight::Leader;
use super::store::PutOptions;
use super::stored::{Response, Stored, headers_size, storable_headers};
use super::validators::generate_etag;
use super::worker::{FetchContext, Worker, send_as_get};
use crate::cache::{self, Ticket};
use crate::clock;
use crate::http::Problem;
use actix_web::body::{BodySize, MessageBody, to_bytes};
use actix_web::dev::{ResponseHead, Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, HttpDate,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, TryIntoHeaderValue, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

/// The size that is reserved for what a stored response has besides the handler's headers and the body, in bytes.
const OVERHEAD: usize = 512;

/// The result of a call to the handler.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A response for all requests of the same key.
    Shared {
        request: HttpRequest,
        response: Box<Response>,
        /// The status that the handler answered with; 304 if it validated a stored response.
        handler_status: StatusCode,
        stored: bool,
    },
    /// A response for this client only, for this reason.
    NotShared {
        response: ServiceResponse,
        handler_status: StatusCode,
        reason: &'static str,
    },
    /// An error.
    Failed(Error),
}

impl Fetched {
    /// The handler panicked, or its worker stops.
    pub fn lost(cause: &dyn fmt::Display) -> Self {
        Self::Failed(Problem::internal(cause).into())
    }
}

/// A handler's response that may be shared.
struct Shareable {
    request: HttpRequest,
    response: Box<Response>,
    handler_status: StatusCode,
    /// The policy under which it is stored; `None` for an error, which is shared and not stored.
    policy: Option<CachePolicy>,
}

impl<S, B> Worker<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Calls the handler, stores its response if it may be stored, and sends the outcome to the followers.
    pub(super) async fn fetch(
        self: Rc<Self>,
        mut request: ServiceRequest,
        context: Rc<FetchContext>,
        leader: Option<Leader<ResponseKey, Outcome>>,
    ) -> Fetched {
        let (key, tags) = (&context.found.key, &context.request.tags);
        let baseline = self.store.baseline(key, tags, context.found.store_fault);
        let ticket = if context.found.store_fault.is_some() || context.request.directives.no_store {
            None
        } else {
            self.store.ticket(key, tags).await
        };
        let is_conditional = prepare(&mut request, &context);
        if let Some(leader) = &leader {
            leader.begin();
        }
        let response = match self.service.call(request).await {
            Ok(response) => response,
            Err(error) => {
                finish(leader, self.error_outcome(&error, context.request.has_authorization));
                return Fetched::Failed(error);
            }
        };
        let shareable = match self.shareable(response, &context, is_conditional).await {
            Ok(shareable) => shareable,
            Err(not_shared) => {
                finish(leader, Outcome::NotShared);
                return not_shared;
            }
        };
        let has_followers = leader.as_ref().is_some_and(Leader::begin_storing);
        let (mut outcome, stored) = self.store_response(&shareable, &context, ticket, has_followers).await;
        if let Outcome::Shared(shared) = &mut outcome {
            shared.baseline = baseline.filter(|_| !stored);
        }
        if let Some(leader) = leader {
            leader.finish(outcome, stored);
        }
        Fetched::Shared {
            request: shareable.request,
            response: shareable.response,
            handler_status: shareable.handler_status,
            stored,
        }
    }

    /// Returns the response of the handler if it may be shared.
    async fn shareable(
        &self,
        answered: ServiceResponse<B>,
        context: &FetchContext,
        is_conditional: bool,
    ) -> Result<Shareable, Fetched> {
        let (request, answered) = answered.into_parts();
        let handler_status = answered.status();
        let is_validated = is_conditional && handler_status == StatusCode::NOT_MODIFIED;
        let validated = context.found.response.as_ref().filter(|_| is_validated);
        // A validated response is updated with the headers of the 304 (RFC 9111, section 4.3.4).
        let (status, headers) = match validated {
            Some((stored, _)) => (stored.status, freshened(stored, answered.headers())),
            None => (handler_status, answered.headers().clone()),
        };
        let authorized = request.headers().contains_key(AUTHORIZATION);
        let verdict = self
            .rule
            .rules
            .evaluate(status, &headers, authorized, clock::now().into());
        let meets_condition = || match (&self.rule.condition, validated) {
            (None, _) => true,
            (Some(condition), None) => condition(answered.head()),
            // The condition is about the stored response, not about the 304.
            (Some(condition), Some(_)) => {
                let mut head = ResponseHead::new(status);
                head.headers = headers.clone();
                condition(&head)
            }
        };
        let policy = match verdict {
            Verdict::Store(policy) if meets_condition() => Ok(Some(policy)),
            Verdict::Store(_) => Err("condition"),
            Verdict::ShareOnly => Ok(None),
            Verdict::NotShared(reason) => Err(reason),
        };
        let policy = match (policy, validated) {
            (Ok(policy), _) => policy,
            (Err(reason), None) => return Err(not_shared(request, answered, handler_status, reason)),
            // The cache requested the 304; the client does not have the response.
            (Err(reason), Some((stored, _))) => {
                return Err(not_shared(request, stored.answer(None), handler_status, reason));
            }
        };
        let headers = storable_headers(&headers);
        let room = self.store.max_size().saturating_sub(OVERHEAD + headers_size(&headers));
        let most = self.rule.max_body.min(room) as u64;
        let body = match validated {
            Some((stored, _)) => stored.body.clone(),
            None => match answered.body().size() {
                BodySize::None => Bytes::new(),
                BodySize::Sized(size) if size <= most => match to_bytes(answered.into_body()).await {
                    Ok(body) => body,
                    Err(error) => {
                        let error: Box<dyn std::error::Error> = error.into();
                        return Err(Fetched::Failed(Problem::internal(&error).into()));
                    }
                },
                BodySize::Sized(_) => return Err(not_shared(request, answered, handler_status, "too-large")),
                // Followers would wait until the stream ends.
                BodySize::Stream => return Err(not_shared(request, answered, handler_status, "streamed")),
            },
        };
        let mut response = Box::new(Response {
            policy: policy.unwrap_or(CachePolicy::NONE),
            status,
            headers,
            generated_etag: false,
            generated_cache_control: false,
            body,
        });
        self.complete(&mut response, policy.is_some());
        Ok(Shareable {
            request,
            response,
            handler_status,
            policy,
        })
    }

    /// Adds the headers that every response of the cache has. `is_stored`: it will be stored.
    fn complete(&self, response: &mut Response, is_stored: bool) {
        let headers = &mut response.headers;
        if !headers.contains_key(DATE)
            && let Ok(now) = HttpDate::from(SystemTime::from(clock::now())).try_into_value()
        {
            headers.insert(DATE, now);
        }
        let present: Vec<HeaderName> = varies_on(headers).unwrap_or_default();
        for name in self.rule.key.vary.iter().filter(|name| !present.contains(name)) {
            // Every header name is a valid header value.
            if let Ok(name) = HeaderValue::from_str(name.as_str()) {
                headers.append(VARY, name);
            }
        }
        if !is_stored {
            return;
        }
        if response.status == StatusCode::OK && !headers.contains_key(ETAG) {
            headers.insert(ETAG, generate_etag(&response.body));
            response.generated_etag = true;
        }
        if !headers.contains_key(CACHE_CONTROL) && !headers.contains_key(EXPIRES) {
            let for_clients = self.rule.max_age.map_or_else(
                || HeaderValue::try_from("no-cache"),
                |max_age| HeaderValue::try_from(format!("max-age={}", max_age.as_secs())),
            );
            if let Ok(for_clients) = for_clients {
                headers.insert(CACHE_CONTROL, for_clients);
                response.generated_cache_control = true;
            }
        }
    }

    /// Stores a response if it may be stored. Returns the outcome for the followers, and whether the response is stored.
    async fn store_response(
        &self,
        shareable: &Shareable,
        context: &FetchContext,
        ticket: Option<Ticket>,
        has_followers: bool,
    ) -> (Outcome, bool) {
        let found = &context.found;
        let names = self.further_names(&shareable.response.headers);
        let known = names.iter().all(|name| found.names.contains(name));
        let (Some(policy), Some(ticket)) = (&shareable.policy, ticket) else {
            // An error, or Redis is unavailable.
            let outcome = if known {
                shared(shareable, Stored::Response(shareable.response.clone()).encode(), false)
            } else {
                Outcome::NotShared
            };
            return (outcome, false);
        };
        let tags = &context.request.tags;
        let options = PutOptions {
            policy,
            tags,
            local: self.rule.local,
        };
        if !known {
            self.store_vary(names, &options, context, ticket).await;
            return (Outcome::Retry, false);
        }
        let bytes = Stored::Response(shareable.response.clone()).encode();
        match self.store.put(&found.key, &bytes, &options, ticket).await {
            // A follower may have arrived after an invalidation that followed the handler's reading of its data.
            Some(cache::Stored::Stored) if !has_followers || self.store.holds(&found.key, tags, &bytes).await => {
                (shared(shareable, bytes, true), true)
            }
            Some(cache::Stored::Stored) => (Outcome::Retry, true),
            Some(cache::Stored::Superseded) => (Outcome::Retry, false),
            None => (shared(shareable, bytes, false), false),
        }
    }

    /// Returns the headers that a response varies on and the rule does not name.
    fn further_names(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        let mut names = varies_on(headers).unwrap_or_default();
        names.retain(|name| !self.rule.key.vary.contains(name));
        names
    }

    /// Stores the names of the headers that responses vary on under the primary key, so that the next response is stored under a key
    /// with their values. This response is not stored: its key was not known before the handler was called, so no ticket covers it.
    async fn store_vary(
        &self,
        mut names: Vec<HeaderName>,
        options: &PutOptions<'_>,
        context: &FetchContext,
        ticket: Ticket,
    ) {
        let ticket = if context.found.names.is_empty() {
            Some(ticket)
        } else {
            names.extend(context.found.names.iter().cloned());
            names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            names.dedup();
            self.store
                .ticket(&context.request.primary_key, &context.request.tags)
                .await
        };
        if let Some(ticket) = ticket.filter(|_| names.len() <= MAX_VARY) {
            let noted = Stored::Varies(names).encode();
            self.store
                .put(&context.request.primary_key, &noted, options, ticket)
                .await;
        }
    }

    /// Returns the outcome for followers if an inner middleware failed.
    fn error_outcome(&self, error: &Error, has_authorization: bool) -> Outcome {
        let response = error.error_response();
        let verdict = self.rule.rules.evaluate(
            response.status(),
            response.headers(),
            has_authorization,
            clock::now().into(),
        );
        let headers = storable_headers(response.headers());
        let status = response.status();
        match (verdict, response.into_body().try_into_bytes()) {
            (Verdict::ShareOnly, Ok(body)) => Outcome::Shared(SharedResponse {
                bytes: Stored::Response(Box::new(Response {
                    policy: CachePolicy::NONE,
                    status,
                    headers,
                    generated_etag: false,
                    generated_cache_control: false,
                    body,
                }))
                .encode(),
                handler_status: status,
                stored: false,
                baseline: None,
            }),
            _ => Outcome::NotShared,
        }
    }
}

/// Turns a client's request into one for a complete response, or into a conditional one that validates the stored response. Returns
/// whether it is conditional.
fn prepare(request: &mut ServiceRequest, context: &FetchContext) -> bool {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        if request.headers().contains_key(&name) {
            request.headers_mut().remove(name);
        }
    }
    if request.method() == Method::HEAD {
        send_as_get(request);
    }
    let stored = context.found.response.as_ref();
    let validatable = stored.filter(|(stored, _)| !stored.generated_etag);
    let tag = validatable.and_then(|(stored, _)| stored.headers.get(ETAG));
    if let Some(tag) = tag {
        request.headers_mut().insert(IF_NONE_MATCH, tag.clone());
    }
    tag.is_some()
}

/// Returns the headers of a stored response, updated with those of a 304.
fn freshened(stored: &Response, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = stored.headers.clone();
    // That of the 304, or the current date.
    headers.remove(DATE);
    if stored.generated_cache_control {
        headers.remove(CACHE_CONTROL);
    }
    let age = not_modified.get(AGE).cloned();
    let update = storable_headers(not_modified);
    for name in update.keys() {
        headers.remove(name);
    }
    for (name, value) in &update {
        headers.append(name.clone(), value.clone());
    }
    // It is not stored, and it counts for the freshness: the 304 may come from a cache behind the handler.
    if let Some(age) = age {
        headers.insert(AGE, age);
    }
    headers
}

fn not_shared<B: MessageBody + 'static>(
    request: HttpRequest,
    response: HttpResponse<B>,
    handler_status: StatusCode,
    reason: &'static str,
) -> Fetched {
    Fetched::NotShared {
        response: ServiceResponse::new(request, response.map_into_boxed_body()),
        handler_status,
        reason,
    }
}

fn shared(shareable: &Shareable, bytes: Bytes, stored: bool) -> Outcome {
    Outcome::Shared(SharedResponse {
        bytes,
        handler_status: shareable.handler_status,
        stored,
        baseline: None,
    })
}

fn finish(leader: Option<Leader<ResponseKey, Outcome>>, outcome: Outcome) {
    if let Some(leader) = leader {
        leader.finish(outcome, false);
    }
}

//! The middleware: reads the cache directives of a request, and decides how it is answered.

use super::builder::ResponseCache;
use super::directives::RequestDirectives;
use super::fault::StoreFault;
use super::fetch::Fetched;
use super::key::KeyRule;
use super::policy::{Decision, is_failure};
use super::shared::{Baseline, Outcome, ResponseKey};
use super::single_flight::{Join, WaitError};
use super::status::{Forward, Status};
use super::store::Lookup;
use super::stored::Stored;
use super::validators::Conditions;
use super::worker::{CacheRequest, FetchContext, Found, RANGE_HEADERS, Worker, send_as_get};
use crate::cache::Tag;
use crate::http::Problem;
use crate::ids::Id;
use crate::runtime::caught;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::Method;
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, IF_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::test::TestRequest;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, rt};
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How many times a request joins the fetch of another before it calls the handler itself. The last time it joins only a fetch that
/// has not begun.
const MAX_JOINS: usize = 3;
/// How long an invalidation after a write is retried. Longer than a reconnection takes.
const INVALIDATION_RETRY_LIMIT: Duration = Duration::from_secs(1);
/// The delay between the attempts.
const INVALIDATION_RETRY_DELAY: Duration = Duration::from_millis(50);

impl<S, B> Transform<S, ServiceRequest> for ResponseCache
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = CachedService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(CachedService(Rc::new(Worker {
            service,
            store: self.0.store(),
            rule: Arc::clone(&self.0),
        }))))
    }
}

/// A service behind [`ResponseCache`].
#[derive(Debug)]
pub struct CachedService<S>(Rc<Worker<S>>);

impl<S, B> Service<ServiceRequest> for CachedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let worker = Rc::clone(&self.0);
        match worker.bypass_reason(&request) {
            Some(reason) => Box::pin(worker.bypass(request, reason)),
            None => Box::pin(worker.serve(request)),
        }
    }
}

impl<S, B> Worker<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Returns why the cache does not apply to a request, if it does not.
    fn bypass_reason(&self, request: &ServiceRequest) -> Option<Forward> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(Forward::Method);
        }
        // Conditions that only the handler can evaluate, a body, another protocol, or a range. Ranges are defined for GET only (RFC 9110,
        // section 14.2).
        let special = [IF_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING, UPGRADE];
        let headers = request.headers();
        let is_special = special.iter().any(|name| headers.contains_key(name))
            || request.method() == Method::GET && RANGE_HEADERS.iter().any(|name| headers.contains_key(name))
            || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
            || self.skips(request);
        is_special.then_some(Forward::Bypass)
    }

    fn skips(&self, request: &ServiceRequest) -> bool {
        self.rule.skip.as_ref().is_some_and(|skip| skip(request.head()))
    }

    /// Forwards a request without the cache.
    async fn bypass(self: Rc<Self>, mut request: ServiceRequest, reason: Forward) -> Result<ServiceResponse, Error> {
        if request.method() == Method::HEAD && !self.skips(&request) {
            send_as_get(&mut request);
        }
        let writes = self.rule.invalidate_on_write && !request.method().is_safe();
        let tag = if writes { self.path_tag(&request) } else { None };
        let (mut response, detail) = match tag {
            Some(tag) => {
                // In a task of its own: the invalidation has to follow the write even if the client disconnects.
                let writing = rt::spawn(Rc::clone(&self).write(request, tag)).await;
                writing.unwrap_or_else(|lost| Err(Problem::internal(&lost).into()))?
            }
            None => (self.service.call(request).await?.map_into_boxed_body(), None),
        };
        self.rule.shared.metrics.bypassed.inc();
        let status = Status::Forwarded {
            reason,
            handler_status: None,
            stored: false,
            collapsed: false,
            detail,
        };
        status.append_to(response.headers_mut());
        Ok(response)
    }

    /// Calls the handler of a write and, if that succeeds, invalidates what is stored of its path. Returns the detail for
    /// `Cache-Status` if the invalidation failed.
    async fn write(
        self: Rc<Self>,
        request: ServiceRequest,
        tag: Tag,
    ) -> Result<(ServiceResponse, Option<&'static str>), Error> {
        let response = self.service.call(request).await?.map_into_boxed_body();
        if !response.status().is_success() && !response.status().is_redirection() {
            return Ok((response, None));
        }
        let written = Instant::now();
        while let Err(error) = self.store.invalidate(std::slice::from_ref(&tag)).await {
            if written.elapsed() >= INVALIDATION_RETRY_LIMIT {
                tracing::warn!(%error, "the stored responses of a path could not be invalidated after a write");
                return Ok((response, Some("not-invalidated")));
            }
            sleep(INVALIDATION_RETRY_DELAY).await;
        }
        Ok((response, None))
    }

    fn path_tag(&self, request: &ServiceRequest) -> Option<Tag> {
        Id::parse(&KeyRule::path_tag(self.store.namespace(), request)).ok()
    }

    fn cache_request(&self, request: &ServiceRequest) -> CacheRequest {
        let mut tags = self.rule.tags.as_ref().map_or_else(Vec::new, |tags| tags(request));
        if self.rule.invalidate_on_write {
            tags.extend(self.path_tag(request));
        }
        CacheRequest {
            primary_key: self.rule.key.primary(request),
            tags,
            directives: RequestDirectives::of(request.headers()),
            conditions: Conditions::of(request.headers()),
            has_authorization: !self.rule.rules.share_authorized && request.headers().contains_key(AUTHORIZATION),
        }
    }

    async fn serve(self: Rc<Self>, request: ServiceRequest) -> Result<ServiceResponse, Error> {
        let wanted = self.cache_request(&request);
        let mut skips_single_flight = wanted.has_authorization || wanted.directives.no_store;
        let mut joins = 1;
        loop {
            let found = self.look_up(&wanted, &request).await;
            let (decision, response) = match &found.response {
                Some((response, age)) => {
                    let floor = self.rule.rules.floor;
                    let decision = response.policy.decide(*age, &wanted.directives, floor);
                    (decision, Some((response, *age)))
                }
                None => (Decision::Forward(found.missing()), None),
            };
            let forward = match (decision, response) {
                (Decision::Serve(freshness), Some((response, age))) => {
                    self.count_hit(freshness);
                    return Ok(request.into_response(self.hit(response, age, freshness, &wanted)));
                }
                (Decision::ServeAndRevalidate(freshness), Some((response, age))) => {
                    self.count_hit(freshness);
                    let answer = self.hit(response, age, freshness, &wanted);
                    if wanted.directives.no_store {
                        return Ok(request.into_response(answer));
                    }
                    return Ok(self.refresh_in_background(request, wanted, found, answer));
                }
                (Decision::Forward(forward), _) => forward,
                // There is nothing to serve.
                (_, None) => Forward::Miss,
            };
            if wanted.directives.only_if_cached {
                let mut answer = Problem::not_cached().error_response();
                Status::NotCached.append_to(answer.headers_mut());
                return Ok(request.into_response(answer));
            }
            let join = if skips_single_flight || joins > MAX_JOINS {
                Join::Full
            } else {
                let single_flight = &self.rule.shared.single_flight;
                single_flight.join(&self.response_key(&found), found.looked_up_at, joins == MAX_JOINS)
            };
            let context = |found| {
                Rc::new(FetchContext {
                    request: wanted.clone(),
                    found,
                    forward,
                })
            };
            match join {
                Join::Leader(leader) => {
                    let context = context(found);
                    // In a task of its own: followers wait for its outcome even if this client disconnects.
                    let fetching = rt::spawn(Rc::clone(&self).fetch(request, Rc::clone(&context), Some(leader)));
                    let fetched = fetching.await.unwrap_or_else(|lost| Fetched::lost(&lost));
                    return self.finish_fetch(fetched, &context);
                }
                Join::Full => {
                    let context = context(found);
                    let fetched = Rc::clone(&self).fetch(request, Rc::clone(&context), None).await;
                    return self.finish_fetch(fetched, &context);
                }
                Join::Follower { in_flight, early } => match in_flight.wait().await {
                    Ok(Outcome::Shared(shared)) => {
                        // Whether a response that is not stored was invalidated before this request cannot be read from Redis. It was not
                        // if this request arrived before the fetch began. Otherwise only requests that Redis does not answer either may take
                        // it, and only if this process would have received the invalidation. All may take an error.
                        let untouched =
                            |(baseline, fault): (&Baseline, StoreFault)| self.store.is_untouched(baseline, fault);
                        let without_redis = shared.baseline.as_ref().zip(found.store_fault).is_some_and(untouched);
                        let is_valid = shared.stored || early || without_redis;
                        if let Some(Stored::Response(response)) = Stored::decode(shared.bytes)
                            && (is_valid || is_failure(response.status))
                        {
                            self.rule.shared.metrics.coalesced.inc();
                            let (status, stored) = (shared.handler_status, shared.stored);
                            let answer = self.fetched(&response, status, stored, true, &context(found));
                            return Ok(request.into_response(answer));
                        }
                    }
                    Ok(Outcome::NotShared) | Err(WaitError::Overdue) => skips_single_flight = true,
                    Ok(Outcome::Retry) | Err(WaitError::Lost) => {}
                },
                Join::Storing(in_flight) => {
                    skips_single_flight = matches!(in_flight.wait().await, Err(WaitError::Overdue));
                }
                Join::Stored => {}
            }
            joins += 1;
        }
    }

    /// Looks up the stored response for a request.
    async fn look_up(&self, wanted: &CacheRequest, request: &ServiceRequest) -> Found {
        let mut found = Found {
            key: wanted.primary_key.clone(),
            names: Vec::new(),
            response: None,
            store_fault: None,
            looked_up_at: Instant::now(),
        };
        let mut lookup = self.store.lookup(&found.key, &wanted.tags).await;
        if let Lookup::Found(Stored::Varies(names), _) = lookup {
            found.key = KeyRule::variant(&wanted.primary_key, &names, request.headers());
            found.names = names;
            lookup = self.store.lookup(&found.key, &wanted.tags).await;
        }
        match lookup {
            Lookup::Found(Stored::Response(response), age)
                if response.policy.allows_authorized || !wanted.has_authorization =>
            {
                found.response = Some((response, age));
            }
            Lookup::Found(..) | Lookup::Miss => {}
            Lookup::Unavailable(fault) => found.store_fault = Some(fault),
        }
        found
    }

    fn response_key(&self, found: &Found) -> ResponseKey {
        (self.store.namespace().clone(), found.key.clone())
    }

    /// Returns a stale answer, and fetches a new response in the background unless another request does.
    fn refresh_in_background(
        self: Rc<Self>,
        request: ServiceRequest,
        wanted: CacheRequest,
        found: Found,
        answer: HttpResponse,
    ) -> ServiceResponse {
        let Join::Leader(leader) =
            self.rule
                .shared
                .single_flight
                .join(&self.response_key(&found), found.looked_up_at, false)
        else {
            return request.into_response(answer);
        };
        // The handler needs the routed request itself, so the answer gets a copy.
        let copy = copy_of(&request);
        let context = Rc::new(FetchContext {
            request: wanted,
            found,
            forward: Forward::Stale,
        });
        let refreshing = async move {
            if let Fetched::Failed(error) = self.fetch(request, context, Some(leader)).await {
                tracing::warn!(%error, "a response could not be refreshed");
            }
        };
        rt::spawn(caught("cache.refresh", refreshing));
        ServiceResponse::new(copy, answer)
    }
}

impl Found {
    const fn missing(&self) -> Forward {
        if self.store_fault.is_some() {
            Forward::Miss
        } else if self.names.is_empty() {
            Forward::UriMiss
        } else {
            Forward::VaryMiss
        }
    }
}

/// Returns a copy of a request for outer middleware that reads the request of a response. It has no application data.
fn copy_of(request: &ServiceRequest) -> HttpRequest {
    let mut copy = TestRequest::default()
        .method(request.method().clone())
        .uri(&request.uri().to_string())
        .version(request.version());
    for header in request.headers() {
        copy = copy.append_header(header);
    }
    if let Some(peer) = request.peer_addr() {
        copy = copy.peer_addr(peer);
    }
    copy.to_http_request()
}

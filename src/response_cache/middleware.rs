//! The middleware: what a request asks for, and which way it goes.

use super::answer::Errand;
use super::builder::Builder;
use super::directives::RequestDirectives;
use super::fetch::Fetched;
use super::flight::{Missed, Seat, wait};
use super::key::KeyRule;
use super::shared::{Begun, Outcome, Shared};
use super::shelf::{Look, Shelf, Silence};
use super::status::{Forward, Status};
use super::stored::{Response, Stored};
use super::terms::{Use, is_failure};
use super::validators::Has;
use crate::cache::{Cache, Tag};
use crate::http::Problem;
use crate::ids::Id;
use crate::runtime::caught;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::Method;
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, HeaderName, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, TRANSFER_ENCODING,
    UPGRADE,
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

/// Of a GET alone.
const PARTS: [HeaderName; 2] = [RANGE, IF_RANGE];
/// So often a request waits for what may turn out not to be for it, the last time for nothing that was under way before it
/// came; then it goes alone.
const ROUNDS: usize = 3;
/// For how long an invalidation is repeated that fails after a write: longer than a connection takes to come back.
const INSISTENCE: Duration = Duration::from_secs(1);
/// How long to wait in between.
const BETWEEN: Duration = Duration::from_millis(50);

/// Middleware that keeps responses; see the [module](super).
///
/// It changes the headers of requests that it sends on, so nothing outside of it may hold a clone of their [`HttpRequest`]
/// meanwhile: actix-web panics then, as it does where a clone is held while a request is routed, and does not show
/// whether one is. What a middleware outside wants of a request it takes before, or of the response's own.
#[derive(Debug, Clone)]
pub struct ResponseCache(Arc<Builder>);

impl ResponseCache {
    /// Begins to say how responses are kept: in a namespace of `cache`, which can be cleared and is counted by itself.
    #[must_use]
    pub fn builder(cache: &Cache, shared: &Arc<Shared>, namespace: Id) -> Builder {
        Builder::new(cache, shared, namespace)
    }

    pub(super) fn new(builder: Builder) -> Self {
        Self(Arc::new(builder))
    }
}

impl<S, B> Transform<S, ServiceRequest> for ResponseCache
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Caching<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Caching(Rc::new(Worker {
            service,
            shelf: self.0.shelf(),
            rule: Arc::clone(&self.0),
        }))))
    }
}

/// What [`ResponseCache`] makes of a service.
#[derive(Debug)]
pub struct Caching<S>(Rc<Worker<S>>);

/// The middleware in one worker.
#[derive(Debug)]
pub(super) struct Worker<S> {
    pub(super) service: S,
    pub(super) shelf: Shelf,
    pub(super) rule: Arc<Builder>,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The key, as far as it is known before the answer is.
    pub primary: String,
    pub tags: Vec<Tag>,
    pub directives: RequestDirectives,
    pub has: Has,
    /// It says who asks, and answers are not said to be the same for all.
    pub guarded: bool,
}

/// What was found for it.
#[derive(Debug)]
pub(super) struct Found {
    /// Where its answer lies or is to lie.
    pub key: String,
    /// The headers on which answers depend besides those of the rule, if any are known of.
    pub names: Vec<HeaderName>,
    pub response: Option<(Box<Response>, Duration)>,
    /// Why Redis did not answer, if it did not.
    pub silence: Option<Silence>,
    /// When it began to be looked for.
    pub looked: Instant,
}

impl<S, B> Service<ServiceRequest> for Caching<S>
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
        match worker.passes(&request) {
            Some(why) => Box::pin(worker.pass(request, why)),
            None => Box::pin(worker.serve(request)),
        }
    }
}

impl<S, B> Worker<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Why the cache is not for a request, if it is not.
    fn passes(&self, request: &ServiceRequest) -> Option<Forward> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(Forward::Method);
        }
        // Conditions that only the handler can judge, a body, another protocol; a part of a response, which only a GET can
        // ask for (RFC 9110, section 14.2).
        let special = [IF_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING, UPGRADE];
        let headers = request.headers();
        let is_special = special.iter().any(|name| headers.contains_key(name))
            || request.method() == Method::GET && PARTS.iter().any(|name| headers.contains_key(name))
            || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
            || self.skips(request);
        is_special.then_some(Forward::Bypass)
    }

    fn skips(&self, request: &ServiceRequest) -> bool {
        self.rule.skip.as_ref().is_some_and(|skip| skip(request.head()))
    }

    /// Past the cache.
    async fn pass(self: Rc<Self>, mut request: ServiceRequest, why: Forward) -> Result<ServiceResponse, Error> {
        if request.method() == Method::HEAD && !self.skips(&request) {
            ask_as_get(&mut request);
        }
        let writes = self.rule.invalidate_on_write && !request.method().is_safe();
        let tag = if writes { self.path_tag(&request) } else { None };
        let (mut response, detail) = match tag {
            Some(tag) => {
                // A task of its own: what the handler wrote stays written, whether or not its client does.
                let writing = rt::spawn(Rc::clone(&self).write(request, tag)).await;
                writing.unwrap_or_else(|lost| Err(Problem::internal(&lost).into()))?
            }
            None => (self.service.call(request).await?.map_into_boxed_body(), None),
        };
        self.rule.shared.metrics.bypassed.inc();
        let status = Status::Forwarded {
            why,
            answered: None,
            stored: false,
            collapsed: false,
            detail,
        };
        status.say(response.headers_mut());
        Ok(response)
    }

    /// Asks the handler to write, and invalidates what is kept of its path if it did; says if that failed.
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
        while let Err(error) = self.shelf.invalidate(std::slice::from_ref(&tag)).await {
            if written.elapsed() >= INSISTENCE {
                tracing::warn!(%error, "what was kept of a path that was written to could not be invalidated");
                return Ok((response, Some("not-invalidated")));
            }
            sleep(BETWEEN).await;
        }
        Ok((response, None))
    }

    fn path_tag(&self, request: &ServiceRequest) -> Option<Tag> {
        Id::parse(&KeyRule::path_tag(self.shelf.namespace(), request)).ok()
    }

    fn asked(&self, request: &ServiceRequest) -> Asked {
        let mut tags = self.rule.tags.as_ref().map_or_else(Vec::new, |tags| tags(request));
        if self.rule.invalidate_on_write {
            tags.extend(self.path_tag(request));
        }
        Asked {
            primary: self.rule.key.primary(request),
            tags,
            directives: RequestDirectives::of(request.headers()),
            has: Has::of(request.headers()),
            guarded: !self.rule.rules.share_authorized && request.headers().contains_key(AUTHORIZATION),
        }
    }

    async fn serve(self: Rc<Self>, request: ServiceRequest) -> Result<ServiceResponse, Error> {
        let asked = self.asked(&request);
        let mut goes_alone = asked.guarded || asked.directives.no_store;
        let mut round = 1;
        loop {
            let found = self.find(&asked, &request).await;
            let (use_, response) = match &found.response {
                Some((response, age)) => {
                    let floor = self.rule.rules.floor;
                    let use_ = response.terms.good_for(*age, &asked.directives, floor);
                    (use_, Some((response, *age)))
                }
                None => (Use::Forward(found.missing()), None),
            };
            let why = match (use_, response) {
                (Use::Serve(left), Some((response, age))) => {
                    self.count_hit(left);
                    return Ok(request.into_response(self.hit(response, age, left, &asked)));
                }
                (Use::ServeAndRefresh(left), Some((response, age))) => {
                    self.count_hit(left);
                    let answer = self.hit(response, age, left, &asked);
                    if asked.directives.no_store {
                        return Ok(request.into_response(answer));
                    }
                    return Ok(self.refresh_behind(request, asked, found, answer));
                }
                (Use::Forward(why), _) => why,
                // There is nothing to serve.
                (_, None) => Forward::Miss,
            };
            if asked.directives.only_if_cached {
                let mut answer = Problem::not_cached().error_response();
                Status::NotCached.say(answer.headers_mut());
                return Ok(request.into_response(answer));
            }
            let seat = if goes_alone || round > ROUNDS {
                Seat::Full
            } else {
                let flights = &self.rule.shared.flights;
                flights.board(&self.flight(&found), found.looked, round == ROUNDS)
            };
            let errand = |found| {
                Rc::new(Errand {
                    asked: asked.clone(),
                    found,
                    why,
                })
            };
            match seat {
                Seat::Pilot(pilot) => {
                    let errand = errand(found);
                    // A task of its own: others wait for what it brings, whether or not this client does.
                    let fetching = rt::spawn(Rc::clone(&self).fetch(request, Rc::clone(&errand), Some(pilot)));
                    let fetched = fetching.await.unwrap_or_else(|lost| Fetched::lost(&lost));
                    return self.conclude(fetched, &errand);
                }
                Seat::Full => {
                    let errand = errand(found);
                    let fetched = Rc::clone(&self).fetch(request, Rc::clone(&errand), None).await;
                    return self.conclude(fetched, &errand);
                }
                Seat::Passenger { arrival, early } => match wait(arrival).await {
                    Ok(Outcome::Answer(answer)) => {
                        // Of what is not stored Redis cannot say whether it was invalidated before this one came. If this one
                        // came before it began to be made it was not; else it is for those alone that Redis does not answer
                        // either, and only if this process would have heard of it. A failure is for all.
                        let untouched = |(begun, silence): (&Begun, Silence)| self.shelf.is_untouched(begun, silence);
                        let silent = answer.begun.as_ref().zip(found.silence).is_some_and(untouched);
                        let good = answer.stored || early || silent;
                        if let Some(Stored::Response(response)) = Stored::decode(answer.bytes)
                            && (good || is_failure(response.status))
                        {
                            self.rule.shared.metrics.collapsed.inc();
                            let (answered, stored) = (answer.answered, answer.stored);
                            let answer = self.made(&response, answered, stored, true, &errand(found));
                            return Ok(request.into_response(answer));
                        }
                    }
                    Ok(Outcome::Alone) | Err(Missed::Overdue) => goes_alone = true,
                    Ok(Outcome::Again) | Err(Missed::Lost) => {}
                },
                Seat::Late(arrival) => {
                    goes_alone = matches!(wait(arrival).await, Err(Missed::Overdue));
                }
                Seat::Landed => {}
            }
            round += 1;
        }
    }

    /// What there is for a request.
    async fn find(&self, asked: &Asked, request: &ServiceRequest) -> Found {
        let mut found = Found {
            key: asked.primary.clone(),
            names: Vec::new(),
            response: None,
            silence: None,
            looked: Instant::now(),
        };
        let mut look = self.shelf.look(&found.key, &asked.tags).await;
        if let Look::Found(Stored::Varies(names), _) = look {
            found.key = KeyRule::variant(&asked.primary, &names, request.headers());
            found.names = names;
            look = self.shelf.look(&found.key, &asked.tags).await;
        }
        match look {
            Look::Found(Stored::Response(response), age) if response.terms.open || !asked.guarded => {
                found.response = Some((response, age));
            }
            Look::Found(..) | Look::Nothing => {}
            Look::Silent(silence) => found.silence = Some(silence),
        }
        found
    }

    fn flight(&self, found: &Found) -> (Id, String) {
        (self.shelf.namespace().clone(), found.key.clone())
    }

    /// Sends the request on for a new response, and gives back the answer that there is.
    fn refresh_behind(
        self: Rc<Self>,
        request: ServiceRequest,
        asked: Asked,
        found: Found,
        answer: HttpResponse,
    ) -> ServiceResponse {
        let Seat::Pilot(pilot) = self
            .rule
            .shared
            .flights
            .board(&self.flight(&found), found.looked, false)
        else {
            // Somebody does already.
            return request.into_response(answer);
        };
        // The handler needs the request itself, with all that routing has put into it; the answer goes out with its twin.
        let twin = twin(&request);
        let errand = Rc::new(Errand {
            asked,
            found,
            why: Forward::Stale,
        });
        let refreshing = async move {
            if let Fetched::Failed(error) = self.fetch(request, errand, Some(pilot)).await {
                tracing::warn!(%error, "a response could not be refreshed");
            }
        };
        rt::spawn(caught("cache.refresh", refreshing));
        ServiceResponse::new(twin, answer)
    }
}

impl Found {
    const fn missing(&self) -> Forward {
        if self.silence.is_some() {
            Forward::Miss
        } else if self.names.is_empty() {
            Forward::UriMiss
        } else {
            Forward::VaryMiss
        }
    }
}

/// Makes of a HEAD a GET, so that there is a HEAD wherever there is a handler of GET. The server sends no body.
pub(super) fn ask_as_get(request: &mut ServiceRequest) {
    request.head_mut().method = Method::GET;
    for name in PARTS {
        request.headers_mut().remove(name);
    }
}

/// A request that says the same, for those outside of here that look at an answer's request; it knows nothing of the
/// application that it was sent to.
fn twin(request: &ServiceRequest) -> HttpRequest {
    let mut twin = TestRequest::default()
        .method(request.method().clone())
        .uri(&request.uri().to_string())
        .version(request.version());
    for header in request.headers() {
        twin = twin.append_header(header);
    }
    if let Some(peer) = request.peer_addr() {
        twin = twin.peer_addr(peer);
    }
    twin.to_http_request()
}

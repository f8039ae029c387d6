//! Asking the handler, and what becomes of its answer.

use super::answer::Errand;
use super::flight::Pilot;
use super::middleware::{Worker, ask_as_get};
use super::shared::{Answer, FlightKey, Outcome};
use super::shelf::Keep;
use super::stored::{Response, Stored, headers_size, kept_headers};
use super::terms::{MAX_VARY, Terms, Verdict, varies_on};
use super::validators::make_etag;
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

/// What a stored response has beside its handler's headers and its body, bytes: more than that is seldom.
const ADDED: usize = 512;

/// What a handler answered.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Something for all who ask the same.
    Shared {
        request: HttpRequest,
        response: Box<Response>,
        /// The handler's own status: a confirmation's is not that of what it confirms.
        answered: StatusCode,
        stored: bool,
    },
    /// Something for this client alone, and why.
    Alone {
        response: ServiceResponse,
        answered: StatusCode,
        reason: &'static str,
    },
    /// Nothing.
    Failed(Error),
}

impl Fetched {
    /// The handler panicked, or its thread ends.
    pub fn lost(why: &dyn fmt::Display) -> Self {
        Self::Failed(Problem::internal(why).into())
    }
}

/// A handler's answer that is for several.
struct Made {
    request: HttpRequest,
    response: Box<Response>,
    answered: StatusCode,
    /// Whether it is kept: else it is a failure, to be told and forgotten.
    terms: Option<Terms>,
}

impl<S, B> Worker<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Asks the handler, stores what may be stored, and tells whoever waits.
    pub(super) async fn fetch(
        self: Rc<Self>,
        mut request: ServiceRequest,
        errand: Rc<Errand>,
        pilot: Option<Pilot<FlightKey, Outcome>>,
    ) -> Fetched {
        let (key, tags) = (&errand.found.key, &errand.asked.tags);
        let begun = self.shelf.begun(key, tags, errand.found.silence);
        let ticket = if errand.found.silence.is_some() || errand.asked.directives.no_store {
            None
        } else {
            self.shelf.ticket(key, tags).await
        };
        let validates = prepare(&mut request, &errand);
        if let Some(pilot) = &pilot {
            pilot.depart();
        }
        let answered = match self.service.call(request).await {
            Ok(answered) => answered,
            Err(error) => {
                tell(pilot, self.failure(&error, errand.asked.guarded));
                return Fetched::Failed(error);
            }
        };
        let made = match self.make(answered, &errand, validates).await {
            Ok(made) => made,
            Err(alone) => {
                tell(pilot, Outcome::Alone);
                return alone;
            }
        };
        let awaited = pilot.as_ref().is_some_and(Pilot::close);
        let (mut outcome, stored) = self.keep(&made, &errand, ticket, awaited).await;
        if let Outcome::Answer(answer) = &mut outcome {
            answer.begun = begun.filter(|_| !stored);
        }
        if let Some(pilot) = pilot {
            pilot.land(outcome, stored);
        }
        Fetched::Shared {
            request: made.request,
            response: made.response,
            answered: made.answered,
            stored,
        }
    }

    /// What an answer is, if it is for several.
    async fn make(&self, answered: ServiceResponse<B>, errand: &Errand, validates: bool) -> Result<Made, Fetched> {
        let (request, answered) = answered.into_parts();
        let by_handler = answered.status();
        let confirmed = validates && by_handler == StatusCode::NOT_MODIFIED;
        let known = errand.found.response.as_ref().filter(|_| confirmed);
        // What was confirmed goes on with the headers of its confirmation (RFC 9111, section 4.3.4).
        let (status, headers) = match known {
            Some((known, _)) => (known.status, updated(known, answered.headers())),
            None => (by_handler, answered.headers().clone()),
        };
        let authorized = request.headers().contains_key(AUTHORIZATION);
        let verdict = self.rule.rules.judge(status, &headers, authorized, clock::now().into());
        let wanted = || match (&self.rule.condition, known) {
            (None, _) => true,
            (Some(wanted), None) => wanted(answered.head()),
            // It is about the response that is kept, not about the word that it still holds.
            (Some(wanted), Some(_)) => {
                let mut head = ResponseHead::new(status);
                head.headers = headers.clone();
                wanted(&head)
            }
        };
        let terms = match verdict {
            Verdict::Keep(terms) if wanted() => Ok(Some(terms)),
            Verdict::Keep(_) => Err("condition"),
            Verdict::Tell => Ok(None),
            Verdict::Alone(reason) => Err(reason),
        };
        let terms = match (terms, known) {
            (Ok(terms), _) => terms,
            (Err(reason), None) => return Err(alone(request, answered, by_handler, reason)),
            // The confirmation was for us; its client has not got what it confirms.
            (Err(reason), Some((known, _))) => return Err(alone(request, known.answer(None), by_handler, reason)),
        };
        let headers = kept_headers(&headers);
        let room = self.shelf.most().saturating_sub(ADDED + headers_size(&headers));
        let most = self.rule.max_body.min(room) as u64;
        let body = match known {
            Some((known, _)) => known.body.clone(),
            None => match answered.body().size() {
                BodySize::None => Bytes::new(),
                BodySize::Sized(size) if size <= most => match to_bytes(answered.into_body()).await {
                    Ok(body) => body,
                    Err(error) => {
                        let error: Box<dyn std::error::Error> = error.into();
                        return Err(Fetched::Failed(Problem::internal(&error).into()));
                    }
                },
                BodySize::Sized(_) => return Err(alone(request, answered, by_handler, "too-large")),
                // Without an end in sight: whoever waits for it would wait for as long as it streams.
                BodySize::Stream => return Err(alone(request, answered, by_handler, "streamed")),
            },
        };
        let mut response = Box::new(Response {
            terms: terms.unwrap_or(Terms::NONE),
            status,
            headers,
            made_etag: false,
            made_control: false,
            body,
        });
        self.complete(&mut response, terms.is_some());
        Ok(Made {
            request,
            response,
            answered: by_handler,
            terms,
        })
    }

    /// Adds what every answer from here says.
    fn complete(&self, response: &mut Response, kept: bool) {
        let headers = &mut response.headers;
        if !headers.contains_key(DATE)
            && let Ok(now) = HttpDate::from(SystemTime::from(clock::now())).try_into_value()
        {
            headers.insert(DATE, now);
        }
        let said: Vec<HeaderName> = varies_on(headers).unwrap_or_default();
        for name in self.rule.key.vary.iter().filter(|name| !said.contains(name)) {
            // A header's name is a value as well.
            if let Ok(name) = HeaderValue::from_str(name.as_str()) {
                headers.append(VARY, name);
            }
        }
        if !kept {
            return;
        }
        if response.status == StatusCode::OK && !headers.contains_key(ETAG) {
            headers.insert(ETAG, make_etag(&response.body));
            response.made_etag = true;
        }
        if !headers.contains_key(CACHE_CONTROL) && !headers.contains_key(EXPIRES) {
            let for_clients = self.rule.max_age.map_or_else(
                || HeaderValue::try_from("no-cache"),
                |max_age| HeaderValue::try_from(format!("max-age={}", max_age.as_secs())),
            );
            if let Ok(for_clients) = for_clients {
                headers.insert(CACHE_CONTROL, for_clients);
                response.made_control = true;
            }
        }
    }

    /// Stores what was made, if it may be; says what whoever waits is told, and whether it is stored.
    async fn keep(&self, made: &Made, errand: &Errand, ticket: Option<Ticket>, awaited: bool) -> (Outcome, bool) {
        let found = &errand.found;
        let names = self.further_names(&made.response.headers);
        let known = names.iter().all(|name| found.names.contains(name));
        let (Some(terms), Some(ticket)) = (&made.terms, ticket) else {
            // A failure, or without Redis.
            return if known {
                (
                    answer(made, Stored::Response(made.response.clone()).encode(), false),
                    false,
                )
            } else {
                (Outcome::Alone, false)
            };
        };
        let tags = &errand.asked.tags;
        let keep = Keep {
            terms,
            tags,
            local: self.rule.local,
        };
        if !known {
            self.note_names(names, &keep, errand, ticket).await;
            return (Outcome::Again, false);
        }
        let bytes = Stored::Response(made.response.clone()).encode();
        match self.shelf.put(&found.key, &bytes, &keep, ticket).await {
            // Some who wait may have come after an invalidation that the making did not see.
            Some(cache::Stored::Stored) if !awaited || self.shelf.holds(&found.key, tags, &bytes).await => {
                (answer(made, bytes, true), true)
            }
            Some(cache::Stored::Stored) => (Outcome::Again, true),
            Some(cache::Stored::Superseded) => (Outcome::Again, false),
            None => (answer(made, bytes, false), false),
        }
    }

    /// The headers that a response varies on and the rule does not know of.
    fn further_names(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        let mut names = varies_on(headers).unwrap_or_default();
        names.retain(|name| !self.rule.key.vary.contains(name));
        names
    }

    /// Notes under the primary key on which headers answers vary, so that the next one is kept under a key with their
    /// values. This one is not: nobody can say that what it depends on was not invalidated since before it was made,
    /// because its key was not known then.
    async fn note_names(&self, mut names: Vec<HeaderName>, keep: &Keep<'_>, errand: &Errand, ticket: Ticket) {
        let ticket = if errand.found.names.is_empty() {
            Some(ticket)
        } else {
            names.extend(errand.found.names.iter().cloned());
            names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            names.dedup();
            self.shelf.ticket(&errand.asked.primary, &errand.asked.tags).await
        };
        if let Some(ticket) = ticket.filter(|_| names.len() <= MAX_VARY) {
            let noted = Stored::Varies(names).encode();
            self.shelf.put(&errand.asked.primary, &noted, keep, ticket).await;
        }
    }

    /// What whoever waits is told of a middleware's error.
    fn failure(&self, error: &Error, guarded: bool) -> Outcome {
        let response = error.error_response();
        let verdict = self
            .rule
            .rules
            .judge(response.status(), response.headers(), guarded, clock::now().into());
        let headers = kept_headers(response.headers());
        let status = response.status();
        match (verdict, response.into_body().try_into_bytes()) {
            (Verdict::Tell, Ok(body)) => Outcome::Answer(Answer {
                bytes: Stored::Response(Box::new(Response {
                    terms: Terms::NONE,
                    status,
                    headers,
                    made_etag: false,
                    made_control: false,
                    body,
                }))
                .encode(),
                answered: status,
                stored: false,
                begun: None,
            }),
            _ => Outcome::Alone,
        }
    }
}

/// Makes of a client's request one for a response that can be kept: the whole of it, or a confirmation of what is. Says
/// whether it asks for that.
fn prepare(request: &mut ServiceRequest, errand: &Errand) -> bool {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        if request.headers().contains_key(&name) {
            request.headers_mut().remove(name);
        }
    }
    if request.method() == Method::HEAD {
        ask_as_get(request);
    }
    let known = errand.found.response.as_ref().filter(|(known, _)| !known.made_etag);
    let tag = known.and_then(|(known, _)| known.headers.get(ETAG));
    if let Some(tag) = tag {
        request.headers_mut().insert(IF_NONE_MATCH, tag.clone());
    }
    tag.is_some()
}

fn updated(known: &Response, by: &HeaderMap) -> HeaderMap {
    let mut headers = known.headers.clone();
    // Of its confirmation, or of now.
    headers.remove(DATE);
    if known.made_control {
        headers.remove(CACHE_CONTROL);
    }
    let age = by.get(AGE).cloned();
    let by = kept_headers(by);
    for name in by.keys() {
        headers.remove(name);
    }
    for (name, value) in &by {
        headers.append(name.clone(), value.clone());
    }
    // Not kept, but it counts: a cache behind the handler may have confirmed it.
    if let Some(age) = age {
        headers.insert(AGE, age);
    }
    headers
}

fn alone<B: MessageBody + 'static>(
    request: HttpRequest,
    response: HttpResponse<B>,
    answered: StatusCode,
    reason: &'static str,
) -> Fetched {
    Fetched::Alone {
        response: ServiceResponse::new(request, response.map_into_boxed_body()),
        answered,
        reason,
    }
}

fn answer(made: &Made, bytes: Bytes, stored: bool) -> Outcome {
    Outcome::Answer(Answer {
        bytes,
        answered: made.answered,
        stored,
        begun: None,
    })
}

fn tell(pilot: Option<Pilot<FlightKey, Outcome>>, outcome: Outcome) {
    if let Some(pilot) = pilot {
        pilot.land(outcome, false);
    }
}

use super::metrics::LimitMetrics;
use super::settings::{LimitSettings, Policy, RuleError};
use super::share::{Admission, Share};
use crate::http::{Caller, Callers, Problem};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use futures_util::future::{Either, LocalBoxFuture};
use prometheus::IntCounter;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The limits on this service's own requests, shared by all its workers.
#[derive(Debug)]
pub struct Gate {
    /// The rules, the longest prefix first.
    rules: Vec<Rule>,
    callers: Callers,
    share: Arc<Share>,
}

#[derive(Debug)]
struct Rule {
    /// The path prefix without a slash at its end; empty for all paths.
    prefix: String,
    /// The index of the policy in the share.
    place: u16,
    policy: String,
    /// The value of `RateLimit-Policy`.
    header: HeaderValue,
    refused: IntCounter,
}

impl Gate {
    /// Creates the gate from the settings; `None` if they limit no path.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn new(settings: &LimitSettings, metrics: &LimitMetrics) -> Result<Option<Arc<Self>>, RuleError> {
        let asked_for = settings.request_rules()?;
        if asked_for.is_empty() {
            return Ok(None);
        }
        // Two rules of one policy share its counts.
        let mut policies = Vec::new();
        let mut rules = Vec::with_capacity(asked_for.len());
        for (prefix, policy) in asked_for {
            let known = policies.iter().position(|known| *known == policy);
            let place = known.unwrap_or_else(|| {
                policies.push(policy);
                policies.len() - 1
            });
            rules.push(Rule {
                prefix: prefix.to_owned(),
                place: u16::try_from(place).unwrap_or(u16::MAX),
                policy: policy.name().to_owned(),
                // The characters of names are allowed in headers.
                header: HeaderValue::try_from(advertised(policy)).unwrap_or(HeaderValue::from_static("")),
                refused: metrics.refused_requests.with_label_values(&[policy.name()]),
            });
        }
        Ok(Some(Arc::new(Self {
            rules,
            callers: Callers {
                trusted: settings.trusted_proxies.clone(),
                header: settings.proxy_header,
                key_header: settings.caller_key_header.clone(),
            },
            share: Arc::new(Share::new(policies.into_iter())),
        })))
    }

    /// Returns the counts, which are settled in the background.
    #[must_use]
    pub fn share(&self) -> &Arc<Share> {
        &self.share
    }

    fn rule(&self, path: &str) -> Option<usize> {
        let covers = |rule: &Rule| {
            let rest = path.strip_prefix(rule.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.rules.iter().position(covers)
    }

    fn caller(&self, request: &ServiceRequest) -> Caller {
        // Connections that are not from the network have no address; all of them count as one caller.
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        self.callers.identify(peer, request.headers())
    }
}

impl Rule {
    /// The fields of draft-ietf-httpapi-ratelimit-headers, as its version 10 has them.
    fn add_headers(&self, headers: &mut HeaderMap, admission: &Admission) {
        headers.insert(RATE_LIMIT_POLICY.clone(), self.header.clone());
        // Built without `format!`, which took a third of the time of the whole check.
        let mut now = String::with_capacity(self.policy.len() + 32);
        now.push('"');
        now.push_str(&self.policy);
        now.push_str("\";r=");
        now.push_str(itoa::Buffer::new().format(admission.remaining));
        now.push_str(";t=");
        now.push_str(itoa::Buffer::new().format(seconds(admission.more_after)));
        if let Ok(now) = HeaderValue::try_from(now) {
            headers.insert(RATE_LIMIT.clone(), now);
        }
    }

    fn refusal(&self, admission: &Admission) -> HttpResponse {
        self.refused.inc();
        // The same as `t`, so that a client that waits for either of them is not refused again for trying too early.
        let wait_s = seconds(admission.more_after);
        let problem = Problem::too_many_requests("the caller has used up its rate limit", wait_s)
            .with("violated-policies", vec![self.policy.clone()]);
        let mut response = problem.error_response();
        self.add_headers(response.headers_mut(), admission);
        response
    }
}

/// Returns the value of `RateLimit-Policy`: the burst, and the time in which it is refilled. This is the policy's rate, and the remaining
/// units (`r`) are never more than this quota. The field allows only whole seconds, so another time is omitted.
fn advertised(policy: &Policy) -> String {
    let (name, burst, quota) = (policy.name(), policy.capacity(), u64::from(policy.quota()));
    let window_s = policy.window_us() * u64::from(burst) / (quota * 1_000_000);
    if window_s * quota * 1_000_000 == policy.window_us() * u64::from(burst) {
        format!("\"{name}\";q={burst};w={window_s}")
    } else {
        format!("\"{name}\";q={burst}")
    }
}

/// Returns whole seconds, rounded up.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// Middleware that checks requests against a [`Gate`]; without one it only forwards them.
#[derive(Debug, Clone)]
pub struct Guard(pub Option<Arc<Gate>>);

impl<S, B> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Guarded {
            service,
            gate: self.0.clone(),
        }))
    }
}

/// The service that [`Guard`] wraps.
#[derive(Debug)]
pub struct Guarded<S> {
    service: S,
    gate: Option<Arc<Gate>>,
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Future = Either<S::Future, LocalBoxFuture<'static, Result<Self::Response, Self::Error>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let Some(gate) = &self.gate else {
            return Either::Left(self.service.call(request));
        };
        // The path as the router reads it: `%64rivers` is `drivers` to both.
        let Some(at) = gate.rule(request.match_info().as_str()) else {
            return Either::Left(self.service.call(request));
        };
        let rule = &gate.rules[at];
        let admission = gate.share.admit(rule.place, gate.caller(&request));
        if !admission.admitted {
            let refusal = InternalError::from_response("limited", rule.refusal(&admission));
            return Either::Right(Box::pin(ready(Err(refusal.into()))));
        }
        let (gate, handling) = (Arc::clone(gate), self.service.call(request));
        Either::Right(Box::pin(async move {
            let mut response = handling.await?;
            gate.rules[at].add_headers(response.headers_mut(), &admission);
            Ok(response)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Policies;
    use super::*;

    #[test]
    fn the_burst_is_advertised_with_the_time_in_which_it_is_refilled() {
        for (policy, header) in [
            ("a=gcra:10/1h", "\"a\";q=10;w=3600"),
            ("a=gcra:600/1m,burst=100", "\"a\";q=100;w=10"),
            ("a=gcra:10/1h,burst=30", "\"a\";q=30;w=10800"),
            // Whole seconds, though the interval is rounded up.
            ("a=gcra:3/1s", "\"a\";q=3;w=1"),
            ("a=gcra:500/1s,burst=20", "\"a\";q=20"),
            ("a=gcra:2/3s,burst=1", "\"a\";q=1"),
            ("a=gcra:1000000/31d,burst=1000000", "\"a\";q=1000000;w=2678400"),
        ] {
            let policies: Policies = policy.parse().unwrap();
            assert_eq!(advertised(policies.iter().next().unwrap()), header, "{policy}");
        }
    }
}

use super::payload::{non_empty_text, read};
use super::settings::WORK_QUEUE;
use super::webhook::{DEFAULT, Webhooks};
use crate::clock;
use crate::http::{Fields, Stamp};
use crate::jobs::worker::{Context, Job, JobFailure, Outcome};
use crate::jobs::{Backoff, BackoffKind, Fault};
use crate::json::Object;
use crate::outgoing::{CallError, Outgoing, Reply};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// Attempts within a day: five seconds, doubled up to eight hours. On the first day of a job, no attempt is counted while the circuit
/// breaker of the host is open.
pub(super) const ATTEMPTS: u32 = 15;
pub(super) const BACKOFF: Backoff = Backoff {
    kind: BackoffKind::Exponential,
    base: Duration::from_secs(5),
    max: Duration::from_hours(8),
    jitter: 0.2,
};
/// The minimum delay after a host answers that it is busy.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// The margin between the timeout of the call and that of the attempt: a call that is dropped with its attempt would not count as a failure
/// for the circuit breaker or the handler.
const LEFT_OVER: Duration = Duration::from_millis(250);
/// The minimum delay of a job while the circuit breaker of its host is open.
const LEAST_REST: Duration = Duration::from_millis(20);

/// Sends messages to webhooks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifier {
    outgoing: Outgoing,
    webhooks: Arc<Webhooks>,
}

/// A message: `{"type","timestamp","data":{"title","body",…}}`.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// The id of the message, the same at each attempt.
    pub id: &'a str,
    /// The time of the event, Unix milliseconds, the same at each attempt. The header has the time of the attempt.
    pub at_ms: i64,
    pub kind: &'a str,
    pub title: &'a str,
    pub body: &'a str,
    pub data: &'a RawValue,
}

/// The body of a message. `data` is forwarded as raw JSON, so that numbers keep all digits.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: Stamp,
    data: BodyData<'a>,
}

#[derive(Serialize)]
struct BodyData<'a> {
    title: &'a str,
    body: &'a str,
    data: &'a RawValue,
}

/// Maximum nesting of the data of a notification: that of any JSON that is parsed into values.
const MAX_NESTING: usize = 127;

impl Notifier {
    /// Creates a notifier of webhooks with an HTTP client.
    #[must_use]
    pub fn new(outgoing: Outgoing, webhooks: Webhooks) -> Self {
        Self {
            outgoing,
            webhooks: Arc::new(webhooks),
        }
    }

    /// Sends a message within the time left of the attempt. A 2xx is a success; a 410 is a permanent failure; any other status is retried.
    pub(super) async fn notify<S>(
        &self,
        context: &Context<S>,
        webhook: Option<&str>,
        message: &Message<'_>,
    ) -> Result<(), JobFailure> {
        let name = webhook.unwrap_or(DEFAULT);
        let Some(webhook) = self.webhooks.get(name) else {
            return Err(JobFailure::never(format!(
                "the webhook \"{name}\" is not configured (WEBHOOK_URLS)"
            )));
        };
        let now = clock::now();
        let body = Body {
            r#type: message.kind,
            timestamp: Stamp(message.at_ms),
            data: BodyData {
                title: message.title,
                body: message.body,
                data: message.data,
            },
        };
        let body = Bytes::from(serde_json::to_vec(&body)?);
        // The id is a part of the signed text, whose parts are separated by full stops.
        let id = message.id.replace('.', ":");
        let headers = webhook.headers(&id, now.timestamp(), &body);
        let within = context
            .time_left()
            .map(|left| left.saturating_sub((left / 10).min(LEFT_OVER)));
        match self.outgoing.post(&webhook.url, headers, body, within).await {
            Ok(reply) => judge(&reply),
            Err(error @ CallError::Forbidden) => Err(JobFailure::never(error)),
            Err(error @ CallError::Open(rest)) => {
                // Spread over time, because the host may have recovered.
                let rest = rest.max(LEAST_REST).mul_f64(rand::random_range(1.0..1.5));
                Err(JobFailure::uncounted(rest, error))
            }
            Err(error) => Err(JobFailure::new(error)),
        }
    }
}

fn judge(reply: &Reply) -> Result<(), JobFailure> {
    let detail = format!("the webhook answered {}", reply.status);
    match (reply.status, reply.retry_after) {
        (200..=299, _) => Ok(()),
        (410, _) => Err(JobFailure::never(detail)),
        (429 | 503, Some(wait)) => Err(JobFailure::at_least(wait.max(LEAST_WAIT), detail)),
        // A 404 or 401 too: the receiver may be being set up, or its secret may be being changed.
        _ => Err(JobFailure::new(detail)),
    }
}

/// `notification`: sends a message to a webhook.
#[derive(Debug)]
pub struct Notification {
    title: String,
    body: String,
    data: Box<RawValue>,
    webhook: Option<String>,
}

/// Reads the name of a webhook. Whether it is configured is checked when the message is sent: instances may be configured one after the
/// other.
pub(super) fn webhook(fields: &mut Fields<'_>) -> Option<String> {
    fields.id("webhook").map(|name| name.to_string())
}

impl Job for Notification {
    const NAME: &'static str = "notification";
    const QUEUE: &'static str = WORK_QUEUE;
    const MAX_ATTEMPTS: u32 = ATTEMPTS;
    const BACKOFF: Backoff = BACKOFF;
    type State = Notifier;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |fields| {
            let data = fields.take("data");
            let title = non_empty_text(fields, "title", 200);
            let body = non_empty_text(fields, "body", 4_000);
            let webhook = webhook(fields);
            if let Some(data) = data
                && let Err(fault) = Object::read(data, MAX_NESTING)
            {
                fields.refuse("data", fault.to_string());
            }
            Some(Self {
                title: title?,
                body: body?,
                data: data.unwrap_or(RawValue::NULL).to_owned(),
                webhook,
            })
        })
    }

    async fn run(self, context: Context<Notifier>) -> Result<Outcome, JobFailure> {
        let message = Message {
            id: context.id().as_str(),
            at_ms: context.created_ms(),
            kind: Self::NAME,
            title: &self.title,
            body: &self.body,
            data: &self.data,
        };
        context.notify(&context, self.webhook.as_deref(), &message).await?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Retry;

    #[test]
    fn every_status_except_410_is_retried() {
        let judged = |status, retry_after: Option<u64>| {
            let reply = Reply {
                status,
                retry_after: retry_after.map(Duration::from_secs),
            };
            judge(&reply).err().map(|failure| failure.retry)
        };
        for status in [200, 202, 204] {
            assert_eq!(judged(status, None), None);
        }
        for later in [301, 302, 307, 400, 401, 403, 404, 408, 413, 422, 425, 500, 502, 504] {
            assert_eq!(judged(later, Some(5)), Some(Retry::Policy), "{later}");
        }
        for busy in [429, 503] {
            assert_eq!(judged(busy, None), Some(Retry::Policy), "{busy}");
        }
        assert_eq!(judged(410, Some(5)), Some(Retry::Never));
        assert_eq!(judged(429, Some(7)), Some(Retry::AtLeast(Duration::from_secs(7))));
        assert_eq!(judged(503, Some(0)), Some(Retry::AtLeast(LEAST_WAIT)));
    }

    #[test]
    fn the_faults_of_a_payload_are_named() {
        let read = Notification::parse(r#"{"title":"Hi","body":"There","data":{"a":1.10}}"#).unwrap();
        assert_eq!((read.title.as_str(), read.data.get()), ("Hi", r#"{"a":1.10}"#));
        let faults = Notification::parse(r#"{"title":"","data":[1],"webhook":"no webhook"}"#).unwrap_err();
        let members: Vec<_> = faults.iter().map(|fault| fault.member.as_str()).collect();
        assert_eq!(members, ["title", "body", "webhook", "data"]);
        let faults = Notification::parse(r#"{"title":"Hi","body":"There","Data":{"a":1}}"#).unwrap_err();
        assert_eq!(faults[0].member, "Data", "an unknown member is refused: {faults:?}");
        for wrong in ["[]", "1", "\"\""] {
            assert_eq!(Notification::parse(wrong).unwrap_err()[0].member, "", "{wrong}");
        }
    }
}

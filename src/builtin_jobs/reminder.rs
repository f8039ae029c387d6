use super::notify::{ATTEMPTS, BACKOFF, Message, Notifier, webhook};
use super::payload::read;
use super::settings::{ReminderHours, WORK_QUEUE};
use crate::clock;
use crate::http::Fields;
use crate::ids::ExternalId;
use crate::jobs::worker::{Context, Job, JobFailure, Outcome};
use crate::jobs::{Backoff, Fault, NewJob, Retry};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use std::time::Duration;

/// The delay of the recommendation after the last reminder.
const UNTIL_ALTERNATIVE: Duration = Duration::from_hours(24);

/// The state of reminder jobs.
#[derive(Debug)]
pub struct Reminders {
    /// Sends them.
    pub notifier: Notifier,
    /// When they are sent.
    pub hours: ReminderHours,
}

/// A conversation that was not answered.
#[derive(Debug, PartialEq)]
struct Conversation {
    id: ExternalId,
    vendor_id: Option<ExternalId>,
    user_id: Option<ExternalId>,
    webhook: Option<String>,
}

impl Conversation {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let conversation_id = fields.required("conversation_id", Fields::external_id);
        let (vendor_id, user_id) = (fields.external_id("vendor_id"), fields.external_id("user_id"));
        let webhook = webhook(fields);
        Some(Self {
            id: conversation_id?,
            vendor_id,
            user_id,
            webhook,
        })
    }

    fn json(&self) -> Value {
        json!({
            "conversation_id": self.id,
            "vendor_id": self.vendor_id,
            "user_id": self.user_id,
            "webhook": self.webhook,
        })
    }
}

/// `response_reminder`: sends reminders of a conversation that waits for an answer, and then recommends another vendor.
///
/// The first run of the job only starts the series: the first reminder is sent after the first of the hours.
#[derive(Debug)]
pub struct ResponseReminder {
    conversation: Conversation,
    /// The number of the reminder to send; the first is 1, 0 starts the series.
    number: usize,
}

impl Job for ResponseReminder {
    const NAME: &'static str = "response_reminder";
    const QUEUE: &'static str = WORK_QUEUE;
    const MAX_ATTEMPTS: u32 = ATTEMPTS;
    const BACKOFF: Backoff = BACKOFF;
    type State = Reminders;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |fields| {
            let number = fields.integer("reminder", 0..=20).unwrap_or(0);
            Some(Self {
                conversation: Conversation::read(fields)?,
                number: usize::try_from(number).unwrap_or(0),
            })
        })
    }

    /// Requires the conversation as the unique key, for the whole series, so that one call can end it.
    fn check(&self, job: &NewJob) -> Vec<Fault> {
        match &job.unique {
            Some(unique) if unique.key == self.conversation.id.as_str() => match unique.keep {
                None => Vec::new(),
                Some(_) => vec![Fault::new(
                    "unique_for_ms",
                    "is not allowed: the series keeps its key until it ends",
                )],
            },
            _ => vec![Fault::new(
                "unique_key",
                "must be the conversation_id, which ends the series",
            )],
        }
    }

    async fn run(self, context: Context<Reminders>) -> Result<Outcome, JobFailure> {
        let Self { conversation, number } = self;
        let hours = &context.hours;
        if (1..=hours.count()).contains(&number) {
            let message = Message {
                // Each reminder is a message of its own, although the job is the same.
                id: &format!("{}:{number}", context.id()),
                at_ms: due_ms(&context),
                kind: Self::NAME,
                title: "Still waiting for an answer",
                body: &format!(
                    "Reminder {number} of {}: a conversation has not been answered.",
                    hours.count()
                ),
                data: &to_raw_value(&with(conversation.json(), "reminder", number.into()))?,
            };
            let webhook = conversation.webhook.as_deref();
            if let Err(failure) = context.notifier.notify(&context, webhook, &message).await {
                let is_final = failure.retry == Retry::Never || context.attempt() >= context.max_attempts();
                if !is_final {
                    return Err(failure);
                }
                // A reminder that fails does not end the series.
                tracing::warn!(job = %context.id(), number, failure.error, "a reminder could not be sent; the series continues");
            }
        }
        let (kind, delay, payload) = if let Some(wait) = hours.wait_for(number + 1) {
            let payload = with(conversation.json(), "reminder", (number + 1).into());
            (None, wait, payload)
        } else {
            let kind = Some(AlternativeVendorRecommendation::NAME);
            (kind, UNTIL_ALTERNATIVE, conversation.json())
        };
        Ok(Outcome::Then {
            kind,
            payload: Some(to_raw_value(&payload)?),
            delay,
        })
    }
}

/// Returns when a message of the series was due; now, if the job was retried before it was due.
fn due_ms<S>(context: &Context<S>) -> i64 {
    context.run_at_ms().min(clock::now_ms())
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// `alternative_vendor_recommendation`: notifies a webhook that another vendor should be recommended, because this one has not answered.
#[derive(Debug)]
pub struct AlternativeVendorRecommendation(Conversation);

impl Job for AlternativeVendorRecommendation {
    const NAME: &'static str = "alternative_vendor_recommendation";
    const QUEUE: &'static str = WORK_QUEUE;
    const MAX_ATTEMPTS: u32 = ATTEMPTS;
    const BACKOFF: Backoff = BACKOFF;
    type State = Notifier;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, Conversation::read).map(Self)
    }

    async fn run(self, context: Context<Notifier>) -> Result<Outcome, JobFailure> {
        let message = Message {
            id: &format!("{}:alternative", context.id()),
            at_ms: due_ms(&context),
            kind: Self::NAME,
            title: "Another vendor may answer",
            body: "A conversation was not answered in spite of reminders: recommend another vendor.",
            data: &to_raw_value(&self.0.json())?,
        };
        context.notify(&context, self.0.webhook.as_deref(), &message).await?;
        Ok(Outcome::Done)
    }
}

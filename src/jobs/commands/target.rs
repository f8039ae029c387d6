//! What a command is sent to, and the reply of its script.

use crate::ids::Id;
use crate::jobs::error::{Fault, JobsError};
use crate::jobs::model::State;
use crate::jobs::occupancy::Occupancy;
use crate::jobs::queue_cache::QueueCache;
use crate::jobs::settings::JobSettings;
use crate::once::Once;
use crate::store::{Keys, Link, Script, StoreError};
use redis::{Cmd, Value};
use std::sync::Arc;
use std::vec::IntoIter;

/// How often a call is repeated because the queue has more types than the cache.
const TRIES: usize = 8;

/// A script of a queue: `queue.lua`, the files that it shares with others, and its own. A name with files in brackets is a function that the
/// last of them defines; see [`deferred`](crate::store::deferred).
macro_rules! script {
    (@text $name:literal) => {
        include_str!(concat!("../lua/", $name, ".lua"))
    };
    (@text $name:literal [$($file:literal),+]) => {
        &$crate::store::deferred($name, &[$(script!(@text $file)),+])
    };
    ($name:literal $(, $shared:literal $([$($file:literal),+])?)*) => {
        LazyLock::new(|| {
            let shared = [script!(@text "queue") $(, script!(@text $shared $([$($file),+])?))*].concat();
            Script::new($name, &shared, script!(@text $name))
        })
    };
}
pub(super) use script;

/// A queue and its connection.
#[derive(Debug, Clone)]
pub(in crate::jobs) struct Target {
    pub link: Link,
    pub queue_cache: Arc<QueueCache>,
    pub occupancy: Arc<Occupancy>,
    pub settings: JobSettings,
    pub queue: Id,
    /// The idempotency key of the call.
    pub once: Option<Once>,
}

impl Target {
    /// Runs a script that changes the queue, with the wake-up channel, the name of the queue and the limits before the other arguments.
    pub(super) async fn change(
        &self,
        script: &Script,
        parts: usize,
        bytes: usize,
        args: impl Fn(&mut Cmd),
    ) -> Result<Reply, JobsError> {
        let JobSettings {
            keep_done,
            keep_dead,
            events,
            ..
        } = self.settings;
        let (most_waiting, most_bytes) = self.room();
        let dead_ms = self.settings.dead().as_millis();
        let limits = format!("{keep_done} {keep_dead} {dead_ms} {events} {most_waiting} {most_bytes}");
        let channel = self.link.store().keys().queue_wake();
        self.run(script, parts + 3, bytes, |call| {
            call.arg(&channel).arg(self.queue.as_str()).arg(&limits);
            args(call);
        })
        .await
    }

    /// Returns how many jobs and bytes this queue may hold: the total limits less the size of the other queues.
    pub(super) fn room(&self) -> (u64, u64) {
        let others = self.occupancy.of_others(&self.queue);
        (
            self.settings.waiting.saturating_sub(others.waiting),
            self.settings.bytes.saturating_sub(others.bytes),
        )
    }

    /// Runs a script with the keys of the queue. It runs again with more keys if the queue has more types than the cache.
    pub(super) async fn run(
        &self,
        script: &Script,
        parts: usize,
        bytes: usize,
        args: impl Fn(&mut Cmd),
    ) -> Result<Reply, JobsError> {
        for _ in 0..TRIES {
            let keys = self.queue_cache.keys(self.link.store().keys(), &self.queue);
            let mut call = script.call(keys.len(), keys.len() + parts, 1_024 + bytes);
            for (index, key) in keys.iter().enumerate() {
                match &self.once {
                    Some(once) if index == Keys::QUEUE_ONCE => call.arg(format!("{key}:{}", once.name)),
                    _ => call.arg(key),
                };
            }
            args(&mut call);
            let mut reply = Reply(self.link.run::<Vec<Value>>(script, &call).await?.into_iter());
            match &*reply.text()? {
                "types" => self
                    .queue_cache
                    .set_types(&self.queue, usize::try_from(reply.number()?).unwrap_or(1)),
                "full" => return Err(JobsError::TooManyTypes),
                "ok" => return Ok(reply),
                other => return Err(reply.refusal(other)?),
            }
        }
        Err(StoreError::Unavailable.into())
    }
}

/// The reply of a script, read value by value.
#[derive(Debug)]
pub(in crate::jobs) struct Reply(IntoIter<Value>);

impl Reply {
    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => String::from_utf8(bytes).map_err(|_no_text| not_understood()),
            Some(Value::SimpleString(text)) => Ok(text),
            Some(Value::Int(number)) => Ok(number.to_string()),
            _ => Err(not_understood()),
        }
    }

    pub(super) fn number(&mut self) -> Result<i64, StoreError> {
        match self.0.next() {
            Some(Value::Int(number)) => Ok(number),
            Some(Value::BulkString(bytes)) => str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(not_understood),
            _ => Err(not_understood()),
        }
    }

    pub(super) fn count(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.number()?).map_err(|_negative| not_understood())
    }

    /// Returns the number of bytes of text that are left.
    pub(super) fn bytes(&self) -> usize {
        let text = |value: &Value| match value {
            Value::BulkString(bytes) => bytes.len(),
            _ => 0,
        };
        self.0.as_slice().iter().map(text).sum()
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// Returns the error of a status other than `ok`.
    fn refusal(&mut self, status: &str) -> Result<JobsError, StoreError> {
        Ok(match status {
            "unknown" => JobsError::Unknown,
            "no" => JobsError::Conflict(state(&self.text()?)?),
            "far" => too_far(usize::try_from(self.number()? - 1).unwrap_or(0)),
            "crowded" => JobsError::TooManySchedules,
            "bound" if self.text()? == "waiting" => JobsError::TooManyWaiting,
            "bound" => JobsError::TooManyBytes,
            "differs" => JobsError::KeyReused,
            _ => not_understood().into(),
        })
    }
}

pub(super) fn not_understood() -> StoreError {
    StoreError::Answer("jobs: not what a script answers".to_owned())
}

fn state(letter: &str) -> Result<State, StoreError> {
    let letter = letter.chars().next().ok_or_else(not_understood)?;
    State::from_letter(letter).ok_or_else(not_understood)
}

/// Returns the error for a job that is due too late, by its index.
pub(in crate::jobs) fn too_far(index: usize) -> JobsError {
    JobsError::Invalid(vec![Fault::new("run_at", "must be within a year from now").of(index)])
}

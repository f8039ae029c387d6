//! Lists, statistics and events of queues, and calls that change many jobs of one.

use super::api::Jobs;
use super::check;
use super::commands::{self, Events};
use super::error::{Fault, JobsError};
use super::id::JobId;
use super::model::State;
use super::record::Job;
use super::stats::Counts;
use crate::ids::Id;
use crate::runtime::Room;
use compact_str::CompactString;
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The interval at which a waiting call reads the stream of events.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The number of dead jobs that one step of a call deletes, and the maximum number of steps.
const PIECE: usize = 1_000;
const MAX_PIECES: usize = 10_000;
/// The number of dead jobs that a call moves at most, the number per step, and the maximum number of steps.
const MAX_REDRIVEN: u64 = 1_000;
const REDRIVEN_AT_ONCE: u64 = 100;
const MAX_REDRIVES: usize = 200;
/// The number of waiting jobs that one step of a call cancels.
const DRAINED_AT_ONCE: u64 = 100;
/// Maximum number of waiting jobs that a call cancels.
pub const MAX_DRAINED: u64 = 10_000;
/// Maximum number of queues in a page.
const MAX_LISTED: usize = 100;

/// A page of jobs, and the cursor of the next page.
pub type Page = (Vec<Job>, Option<Cursor>);

/// The position in a list after a job: its score and short id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    score: CompactString,
    short: CompactString,
}

impl Cursor {
    /// Parses the output of [`fmt::Display`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (score, short) = text.split_once('.')?;
        let is_number = (1..=17).contains(&score.len()) && score.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && JobId::parse(&format!("q.{short}")).is_some()).then(|| Self {
            score: score.into(),
            short: short.into(),
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.score, self.short)
    }
}

impl Jobs {
    /// Returns the statistics of a queue. A queue that is not in use is empty.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn counts(&self, queue: &Id) -> Result<Counts, JobsError> {
        check::queue(queue)?;
        commands::counts(&self.target(queue)).await
    }

    /// Lists up to 100 jobs in a state, by their place in line, when they are due, when their leases expire, or when they are deleted. The
    /// page has fewer jobs if they are long, and a cursor if there may be more. A job that changes between two pages may be missing or
    /// listed twice.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn list(
        &self,
        queue: &Id,
        state: State,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, JobsError> {
        check::queue(queue)?;
        let after = cursor.map(|Cursor { score, short }| (score.as_str(), short.as_str()));
        let limit = limit.clamp(1, 100);
        let (found, are_more) = commands::list(&self.target(queue), state, after, limit).await?;
        let last = found.last().filter(|_| are_more);
        let next = last.map(|(job, score)| Cursor {
            score: score.clone(),
            short: job.id.short().into(),
        });
        Ok((found.into_iter().map(|(job, _)| job).collect(), next))
    }

    /// Pauses a queue: no job of it is leased. Leased jobs are not affected.
    ///
    /// # Errors
    /// [`JobsError::TooManyQueues`], [`JobsError::Store`].
    pub async fn pause(&self, queue: &Id) -> Result<(), JobsError> {
        self.register(queue).await?;
        commands::set_paused(&self.target(queue), true).await
    }

    /// Resumes a queue.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn resume(&self, queue: &Id) -> Result<(), JobsError> {
        check::queue(queue)?;
        commands::set_paused(&self.target(queue), false).await
    }

    /// Moves up to `limit` (at most 1,000) of the jobs that have been dead for longest back into their lines. Returns how many were moved, and
    /// how many are left. Jobs whose unique keys other jobs have stay dead and are skipped.
    ///
    /// # Errors
    /// [`JobsError::TooManyWaiting`]: no job is moved. [`JobsError::Store`]: some jobs may be moved.
    pub async fn redrive(&self, queue: &Id, limit: u64) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        let limit = limit.clamp(1, MAX_REDRIVEN);
        let (mut moved, mut stayed) = (0, 0);
        for _ in 0..MAX_REDRIVES {
            let piece =
                match commands::redrive(&self.target(queue), (limit - moved).min(REDRIVEN_AT_ONCE), stayed).await {
                    // Jobs that were moved before stay moved.
                    Err(JobsError::TooManyWaiting) if moved > 0 => break,
                    piece => piece?,
                };
            moved += piece.moved;
            stayed += piece.stayed;
            if moved >= limit || stayed >= piece.left {
                return Ok((moved, piece.left));
            }
        }
        let left = commands::counts(&self.target(queue)).await?.of(State::Dead);
        Ok((moved, left))
    }

    /// Deletes the dead jobs of a queue, up to a million. Returns how many were deleted, and how many are left.
    ///
    /// # Errors
    /// [`JobsError::Store`]: some jobs may be deleted.
    pub async fn clear_dead(&self, queue: &Id) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        let mut forgotten = (0, 0);
        for _ in 0..MAX_PIECES {
            let (count, left) = commands::clear(&self.target(queue), PIECE).await?;
            forgotten = (forgotten.0 + count, left);
            if left == 0 {
                break;
            }
        }
        Ok(forgotten)
    }

    /// Cancels up to `limit` (at most [`MAX_DRAINED`]) ready jobs, or delayed jobs. Returns how many were cancelled, and how many are left. Jobs
    /// that are added during the call may be cancelled too.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] for other states. [`JobsError::Store`]: some jobs may be cancelled.
    pub async fn drain(&self, queue: &Id, state: State, limit: u64) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        if !matches!(state, State::Ready | State::Delayed) {
            let fault = Fault::new("state", "must be ready or delayed");
            return Err(JobsError::Invalid(vec![fault]));
        }
        let limit = limit.clamp(1, MAX_DRAINED);
        let mut drained = (0, 0);
        loop {
            let most = (limit - drained.0).min(DRAINED_AT_ONCE);
            let (count, left) = commands::drain(&self.target(queue), state, most).await?;
            drained = (drained.0 + count, left);
            if count == 0 || left == 0 || drained.0 >= limit {
                return Ok(drained);
            }
        }
    }

    /// Returns up to `limit` events of a queue after an event (`0-0` for all events that are kept), fewer if they take more than `bytes` in an
    /// answer, and whether events in between are no longer kept. If there are none, it waits up to `wait`. `room` takes the memory for the
    /// events, and holds none during the wait.
    ///
    /// # Errors
    /// [`JobsError::NoRoom`], after the wait; [`JobsError::Store`].
    pub(super) async fn events(
        &self,
        queue: &Id,
        after: &str,
        limit: usize,
        bytes: usize,
        wait: Duration,
        mut room: Option<&mut Room>,
    ) -> Result<Events, JobsError> {
        check::queue(queue)?;
        let until = Instant::now() + wait;
        loop {
            let found = commands::events(self.link(), queue, after, limit, bytes, room.as_deref_mut()).await;
            let now = Instant::now();
            match found {
                Ok(Events { ref events, .. }) if events.is_empty() && now < until => {}
                Err(JobsError::NoRoom(_)) if now < until => {}
                found => return found,
            }
            tokio::select! {
                () = sleep_until(until.min(now + LOOK_EVERY)) => {}
                () = self.wakeups().closed() => return found,
            }
        }
    }

    /// Lists up to 100 queues in use by name, after a name, with their statistics. Returns also whether there are more.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn queues(&self, after: Option<&str>, limit: usize) -> Result<(Vec<(Id, Counts)>, bool), JobsError> {
        let names = commands::queues(self.link(), &self.queues_key(), self.settings().queues).await?;
        let mut names = names
            .into_iter()
            .filter(|name| after.is_none_or(|after| &**name > after));
        let mut queues = Vec::new();
        for name in names.by_ref().take(limit.clamp(1, MAX_LISTED)) {
            let counts = commands::counts(&self.target(&name)).await?;
            queues.push((name, counts));
        }
        Ok((queues, names.next().is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_parsed_as_it_is_written() {
        let cursor = Cursor::parse("8805000000000001.AbCdEfGhIjKl-").unwrap();
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for wrong in [
            "",
            ".",
            "1",
            "-1.AbCdEfGhIjKl-",
            "1.short",
            "1.AbCdEfGhIjKl*",
            "x.AbCdEfGhIjKl-",
        ] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}

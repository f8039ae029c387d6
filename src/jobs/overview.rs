//! Looking at queues, and acting on all of one.

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

/// How often a stream of events is looked at while there are none behind the one that was seen.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Dead jobs that one step of clearing forgets, and how many steps a call takes at most.
const PIECE: usize = 1_000;
const MOST_PIECES: usize = 10_000;
/// Dead jobs that one call puts back at most, how many at once, and how often.
const MOST_REDRIVEN: u64 = 1_000;
const REDRIVEN_AT_ONCE: u64 = 100;
const MOST_REDRIVES: usize = 200;
/// Waiting jobs that one step of draining cancels.
const DRAINED_AT_ONCE: u64 = 100;
/// Waiting jobs that a call cancels at most.
pub const MOST_DRAINED: u64 = 10_000;
/// Queues that are listed with how they are.
const MOST_LISTED: usize = 100;

/// Jobs of a listing, and where it goes on.
pub type Page = (Vec<Job>, Option<Cursor>);

/// Where a listing goes on: behind a job, by its score and what names it in its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    score: CompactString,
    short: CompactString,
}

impl Cursor {
    /// Reads what [`fmt::Display`] wrote.
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
    /// How a queue is; one that is not in use is an empty one.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn counts(&self, queue: &Id) -> Result<Counts, JobsError> {
        check::queue(queue)?;
        commands::counts(self.target(queue)).await
    }

    /// Up to 100 jobs in a state, in its order: that of the line, by when they are due, by when their leases end, by when they
    /// are forgotten. Fewer where they are long, and a cursor if there may be more. What changes meanwhile may be missed or seen
    /// twice.
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
        let behind = cursor.map(|Cursor { score, short }| (score.as_str(), short.as_str()));
        let limit = limit.clamp(1, 100);
        let (found, are_more) = commands::list(self.target(queue), state, behind, limit).await?;
        let last = found.last().filter(|_| are_more);
        let next = last.map(|(job, score)| Cursor {
            score: score.clone(),
            short: job.id.short().into(),
        });
        Ok((found.into_iter().map(|(job, _)| job).collect(), next))
    }

    /// Leases nothing of a queue any more. What is leased goes on.
    ///
    /// # Errors
    /// [`JobsError::TooManyQueues`], [`JobsError::Store`].
    pub async fn pause(&self, queue: &Id) -> Result<(), JobsError> {
        self.note(queue).await?;
        commands::hold(self.target(queue), true).await
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn resume(&self, queue: &Id) -> Result<(), JobsError> {
        check::queue(queue)?;
        commands::hold(self.target(queue), false).await
    }

    /// Puts up to so many (1,000 at most) of the jobs that have been dead for longest back into their lines; returns how many
    /// were, and how many are left. Those whose unique keys other jobs have stay dead, and are passed over.
    ///
    /// # Errors
    /// [`JobsError::TooManyWaiting`]: none is back. [`JobsError::Store`]: some may be back.
    pub async fn redrive(&self, queue: &Id, limit: u64) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        let limit = limit.clamp(1, MOST_REDRIVEN);
        let (mut moved, mut stayed) = (0, 0);
        for _ in 0..MOST_REDRIVES {
            let piece = match commands::redrive(self.target(queue), (limit - moved).min(REDRIVEN_AT_ONCE), stayed).await
            {
                // What was moved before stays so.
                Err(JobsError::TooManyWaiting) if moved > 0 => break,
                piece => piece?,
            };
            moved += piece.moved;
            stayed += piece.stayed;
            if moved >= limit || stayed >= piece.left {
                return Ok((moved, piece.left));
            }
        }
        let left = commands::counts(self.target(queue)).await?.of(State::Dead);
        Ok((moved, left))
    }

    /// Forgets the dead jobs of a queue, a million at most; returns how many, and how many are left.
    ///
    /// # Errors
    /// [`JobsError::Store`]: some may be forgotten.
    pub async fn clear_dead(&self, queue: &Id) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        let mut forgotten = (0, 0);
        for _ in 0..MOST_PIECES {
            let (count, left) = commands::clear(self.target(queue), PIECE).await?;
            forgotten = (forgotten.0 + count, left);
            if left == 0 {
                break;
            }
        }
        Ok(forgotten)
    }

    /// Cancels up to so many ([`MOST_DRAINED`] at most) of the jobs that wait: that are ready, or that are delayed. Returns how many were
    /// cancelled and how many wait still. What is added meanwhile may be cancelled too.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] for the other states. [`JobsError::Store`]: some may be cancelled.
    pub async fn drain(&self, queue: &Id, state: State, limit: u64) -> Result<(u64, u64), JobsError> {
        check::queue(queue)?;
        if !matches!(state, State::Ready | State::Delayed) {
            let fault = Fault::new("state", "must be ready or delayed");
            return Err(JobsError::Invalid(vec![fault]));
        }
        let limit = limit.clamp(1, MOST_DRAINED);
        let mut drained = (0, 0);
        loop {
            let most = (limit - drained.0).min(DRAINED_AT_ONCE);
            let (count, left) = commands::drain(self.target(queue), state, most).await?;
            drained = (drained.0 + count, left);
            if count == 0 || left == 0 || drained.0 >= limit {
                return Ok(drained);
            }
        }
    }

    /// Up to `limit` events of a queue behind one (`0-0` for all that are kept), fewer if they are more than so many bytes of an answer,
    /// and whether some in between are not kept any more; if there are none, waits for so long. `room` takes the memory for them, and
    /// holds none while this waits.
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

    /// The queues that are in use, by name, behind a name; with how each is. Up to 100, and whether there are more.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn queues(&self, behind: Option<&str>, limit: usize) -> Result<(Vec<(Id, Counts)>, bool), JobsError> {
        let names = commands::queues(self.link(), &self.queues_key(), self.settings().queues).await?;
        let mut names = names
            .into_iter()
            .filter(|name| behind.is_none_or(|behind| &**name > behind));
        let mut queues = Vec::new();
        for name in names.by_ref().take(limit.clamp(1, MOST_LISTED)) {
            let counts = commands::counts(self.target(&name)).await?;
            queues.push((name, counts));
        }
        Ok((queues, names.next().is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
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

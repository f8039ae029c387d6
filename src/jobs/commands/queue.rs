use super::target::{Target, not_understood, script};
use crate::ids::Id;
use crate::jobs::error::JobsError;
use crate::jobs::id::{JobId, SHORT};
use crate::jobs::limits::MAX_BATCH;
use crate::jobs::model::State;
use crate::jobs::occupancy::QueueSize;
use crate::jobs::record::Job;
use crate::jobs::stats::Counts;
use crate::runtime::Room;
use crate::store::{Link, Script};
use compact_str::CompactString;
use std::sync::LazyLock;

static COUNTS: LazyLock<Script> = script!("counts", "within");
static LIST: LazyLock<Script> = script!("list", "within");
static SET_PAUSED: LazyLock<Script> = script!("set_paused");
static REDRIVE: LazyLock<Script> = script!("redrive", "sizes", "record", "job", "held", "within", "revive");
static CLEAR: LazyLock<Script> = script!("clear", "sizes", "forget");
static DRAIN: LazyLock<Script> = script!("drain", "sizes", "record", "job", "forget", "within", "ends");
static SWEEP: LazyLock<Script> = script!(
    "sweep", "sizes", "record", "due", "forget", "held", "keys", "within", "ends", "tail", "promote", "attempt",
    "reclaim", "clock"
);

/// Maximum number of priorities that are searched for the job that has waited longest.
const HEADS: u32 = 200;

/// Returns the statistics of a queue.
pub(in crate::jobs) async fn counts(target: &Target) -> Result<Counts, JobsError> {
    let mut reply = target
        .run(&COUNTS, 1, 0, |call| {
            call.arg(HEADS);
        })
        .await?;
    let now_ms = reply.number()?;
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = reply.count()?;
    }
    let since = reply.number()?;
    let mut fields = Vec::with_capacity(reply.left() / 2);
    while reply.left() > 0 {
        fields.push((reply.text()?, reply.text()?));
    }
    Ok(Counts::read(now_ms, numbers, since, &fields))
}

/// Lists up to `most` jobs in a state, after a cursor: the score and the short id of the last job of the previous page. Returns each job with
/// its score, and whether there may be more.
pub(in crate::jobs) async fn list(
    target: &Target,
    state: State,
    after: Option<(&str, &str)>,
    most: usize,
) -> Result<(Vec<(Job, CompactString)>, bool), JobsError> {
    let (score, short) = after.unwrap_or_default();
    let mut reply = target
        .run(&LIST, 4, 64, |call| {
            call.arg(state.letter().to_string()).arg(score).arg(short).arg(most);
        })
        .await?;
    let are_more = reply.number()? == 1;
    let mut jobs = Vec::with_capacity(reply.left() / 4);
    while reply.left() > 0 {
        let id = JobId::of(&target.queue, &reply.text()?);
        let (score, spec, run) = (reply.text()?, reply.text()?, reply.text()?);
        let when = match state {
            State::Ready => 0,
            _ => score.parse().map_err(|_no_time| not_understood())?,
        };
        jobs.push((Job::read(id, &spec, &run, when)?, score.into()));
    }
    Ok((jobs, are_more))
}

/// Pauses or resumes a queue.
pub(in crate::jobs) async fn set_paused(target: &Target, paused: bool) -> Result<(), JobsError> {
    let done = target.change(&SET_PAUSED, 1, 0, |call| {
        call.arg(u8::from(paused));
    });
    done.await.map(drop)
}

/// The result of moving dead jobs back to their lines.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Redriven {
    pub moved: u64,
    /// The jobs that were read and stay dead.
    pub stayed: u64,
    /// The dead jobs that are left.
    pub left: u64,
}

/// Moves up to `most` dead jobs back into their lines, and skips the first `after`.
pub(in crate::jobs) async fn redrive(target: &Target, most: u64, after: u64) -> Result<Redriven, JobsError> {
    let mut reply = target
        .change(&REDRIVE, 2, 0, |call| {
            call.arg(most).arg(after);
        })
        .await?;
    Ok(Redriven {
        moved: reply.count()?,
        stayed: reply.count()?,
        left: reply.count()?,
    })
}

/// Deletes up to `most` dead jobs. Returns how many were deleted, and how many are left.
pub(in crate::jobs) async fn clear(target: &Target, most: usize) -> Result<(u64, u64), JobsError> {
    let mut reply = target
        .change(&CLEAR, 1, 0, |call| {
            call.arg(most);
        })
        .await?;
    Ok((reply.count()?, reply.count()?))
}

/// Cancels up to `most` ready or delayed jobs. Returns how many were cancelled, and how many are left.
pub(in crate::jobs) async fn drain(target: &Target, state: State, most: u64) -> Result<(u64, u64), JobsError> {
    let mut reply = target
        .change(&DRAIN, 2, 0, |call| {
            call.arg(state.letter().to_string()).arg(most);
        })
        .await?;
    Ok((reply.count()?, reply.count()?))
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Swept {
    /// There may be more to do.
    pub is_behind: bool,
    /// The queue has no job, key or schedule, and is not paused.
    pub is_empty: bool,
    /// A job is leased or delayed.
    pub is_active: bool,
    /// The size of the queue.
    pub size: QueueSize,
}

/// Does what is due in a queue, up to `most` of each kind. With `forget` an empty queue is deleted.
pub(in crate::jobs) async fn sweep(target: &Target, most: usize, forget: bool) -> Result<Swept, JobsError> {
    let mut reply = target
        .change(&SWEEP, 2, 0, |call| {
            call.arg(most).arg(u8::from(forget));
        })
        .await?;
    Ok(Swept {
        is_behind: reply.number()? > 0,
        is_empty: reply.number()? > 0,
        is_active: reply.number()? > 0,
        size: QueueSize {
            waiting: reply.count()?,
            bytes: reply.count()?,
        },
    })
}

/// An event of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id in the stream: Unix milliseconds by Redis's clock and a number, `MS-N`.
    pub id: String,
    /// The kind: `added`, `replaced`, `debounced`, `ready`, `leased`, `progress`, `completed`, `failed`, `continued`, `released`,
    /// `lost`, `dead`, `cancelled`, `revived`, `cleared`.
    pub kind: String,
    /// The jobs that it happened to.
    pub jobs: Vec<JobId>,
}

/// Events of a queue after an entry of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The oldest first.
    pub events: Vec<Event>,
    /// The entry is no longer kept, so events between it and these may be missing.
    pub gap: bool,
}

/// The number of entries that are read at once: each may name a thousand jobs.
const ENTRIES: usize = 16;

type Entries = Vec<(String, Vec<String>)>;

impl Event {
    /// Names of members, the place, the kind and the time; and quotes and a comma around an id.
    const AROUND: usize = 160;
    const AROUND_ID: usize = 3;

    /// Returns the maximum size of the event in an answer, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let size = |job: &JobId| job.as_str().len() + Self::AROUND_ID;
        Self::AROUND + self.jobs.iter().map(size).sum::<usize>()
    }

    /// Returns the maximum size of any event of a queue, bytes.
    fn largest(queue: &Id) -> usize {
        Self::AROUND + MAX_BATCH * (queue.len() + 1 + SHORT + Self::AROUND_ID)
    }
}

/// Returns up to `most` events of a queue after an entry, fewer if they take more than `most_bytes` in an answer. There is no gap after `0-0`,
/// which stands for all events that are kept. The memory for entries is taken before they are read; if too little is left, they are fewer.
///
/// # Errors
/// [`JobsError::NoRoom`] if there is none for the first.
pub(in crate::jobs) async fn events(
    link: &Link,
    queue: &Id,
    after: &str,
    most: usize,
    most_bytes: usize,
    mut room: Option<&mut Room>,
) -> Result<Events, JobsError> {
    let key = link.store().keys().queue_events(queue);
    let read = |(id, fields): (String, Vec<String>)| {
        let mut fields = fields.into_iter();
        let (kind, jobs) = (fields.next()?, fields.next()?);
        let jobs = jobs.split(' ').map(|short| JobId::of(queue, short)).collect();
        Some(Event { id, kind, jobs })
    };
    let (mut events, mut bytes, mut last, mut left) = (Vec::new(), 0, after.to_owned(), most);
    while left > 0 && bytes < most_bytes {
        let count = left.min(ENTRIES);
        if let Some(room) = &mut room
            && let Err(error) = room.try_resize(bytes + count * Event::largest(queue))
        {
            if events.is_empty() {
                return Err(error.into());
            }
            break;
        }
        let mut later = redis::cmd("XRANGE");
        later.arg(&key).arg(format!("({last}")).arg("+");
        later.arg("COUNT").arg(count);
        let entries: Entries = link.query(&later).await?;
        let are_all = entries.len() < count;
        left -= entries.len().min(left);
        if let Some((id, _)) = entries.last() {
            last.clone_from(id);
        }
        let found = entries.into_iter().filter_map(read);
        events.extend(found.inspect(|event| bytes += event.size()));
        if let Some(room) = &mut room {
            room.resize(bytes);
        }
        if are_all {
            break;
        }
    }
    let mut gap = false;
    if last != after && after != "0-0" {
        // Read afterwards: an entry that is trimmed in between causes a false gap, not a missed one.
        let mut earlier = redis::cmd("XRANGE");
        earlier.arg(&key).arg("-").arg(after).arg("COUNT").arg(1);
        gap = link.query::<Entries>(&earlier).await?.is_empty();
    }
    Ok(Events { events, gap })
}

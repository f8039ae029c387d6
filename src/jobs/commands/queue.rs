use super::{Target, not_understood, script};
use crate::ids::Id;
use crate::jobs::check::MAX_BATCH;
use crate::jobs::error::JobsError;
use crate::jobs::id::{JobId, SHORT};
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
static HOLD: LazyLock<Script> = script!("hold");
static REDRIVE: LazyLock<Script> = script!("redrive", "sizes", "record", "job", "held", "within", "revive");
static CLEAR: LazyLock<Script> = script!("clear", "sizes", "forget");
static DRAIN: LazyLock<Script> = script!("drain", "sizes", "record", "job", "forget", "within", "ends");
static SWEEP: LazyLock<Script> = script!(
    "sweep", "sizes", "record", "due", "forget", "held", "keys", "within", "ends", "tail", "promote", "attempt",
    "reclaim", "clock"
);

/// Heads of lines that are looked at for the job that waits longest.
const HEADS: u32 = 200;

/// How a queue is.
pub(in crate::jobs) async fn counts(target: Target<'_>) -> Result<Counts, JobsError> {
    let mut words = target
        .look(&COUNTS, 1, 0, |call| {
            call.arg(HEADS);
        })
        .await?;
    let now_ms = words.number()?;
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = words.count()?;
    }
    let since = words.number()?;
    let mut fields = Vec::with_capacity(words.left() / 2);
    while words.left() > 0 {
        fields.push((words.text()?, words.text()?));
    }
    Ok(Counts::read(now_ms, numbers, since, &fields))
}

/// Up to `most` jobs in a state, behind a cursor: the score and the short id of the last one that was seen. Returns them each
/// with its score, and whether there may be more.
pub(in crate::jobs) async fn list(
    target: Target<'_>,
    state: State,
    behind: Option<(&str, &str)>,
    most: usize,
) -> Result<(Vec<(Job, CompactString)>, bool), JobsError> {
    let (score, short) = behind.unwrap_or_default();
    let mut words = target
        .look(&LIST, 4, 64, |call| {
            call.arg(state.letter().to_string()).arg(score).arg(short).arg(most);
        })
        .await?;
    let are_more = words.number()? == 1;
    let mut jobs = Vec::with_capacity(words.left() / 4);
    while words.left() > 0 {
        let id = JobId::of(target.queue, &words.text()?);
        let (score, spec, run) = (words.text()?, words.text()?, words.text()?);
        let when = match state {
            State::Ready => 0,
            _ => score.parse().map_err(|_no_time| not_understood())?,
        };
        jobs.push((Job::read(id, &spec, &run, when)?, score.into()));
    }
    Ok((jobs, are_more))
}

/// Pauses a queue, or lets it go on.
pub(in crate::jobs) async fn hold(target: Target<'_>, paused: bool) -> Result<(), JobsError> {
    let held = target.change(&HOLD, 1, 0, |call| {
        call.arg(u8::from(paused));
    });
    held.await.map(drop)
}

/// What came of putting dead jobs back.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Redriven {
    pub moved: u64,
    /// Those that were looked at and stay dead.
    pub stayed: u64,
    /// How many are dead now.
    pub left: u64,
}

/// Puts up to so many dead jobs back into their lines, passing over the first so many.
pub(in crate::jobs) async fn redrive(target: Target<'_>, most: u64, behind: u64) -> Result<Redriven, JobsError> {
    let mut words = target
        .change(&REDRIVE, 2, 0, |call| {
            call.arg(most).arg(behind);
        })
        .await?;
    Ok(Redriven {
        moved: words.count()?,
        stayed: words.count()?,
        left: words.count()?,
    })
}

/// Forgets up to so many dead jobs; returns how many were, and how many are left.
pub(in crate::jobs) async fn clear(target: Target<'_>, most: usize) -> Result<(u64, u64), JobsError> {
    let mut words = target
        .change(&CLEAR, 1, 0, |call| {
            call.arg(most);
        })
        .await?;
    Ok((words.count()?, words.count()?))
}

/// Cancels up to so many ready or delayed jobs; returns how many were, and how many are left.
pub(in crate::jobs) async fn drain(target: Target<'_>, state: State, most: u64) -> Result<(u64, u64), JobsError> {
    let mut words = target
        .change(&DRAIN, 2, 0, |call| {
            call.arg(state.letter().to_string()).arg(most);
        })
        .await?;
    Ok((words.count()?, words.count()?))
}

/// What a sweep came upon.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Swept {
    /// There may be more to do.
    pub is_behind: bool,
    /// The queue has nothing: no job, key or schedule, nor a pause.
    pub is_empty: bool,
    /// Something is leased or delayed.
    pub is_active: bool,
    /// What the queue holds.
    pub size: QueueSize,
}

/// Does up to so much of each kind of what is due. With `forget` a queue that has nothing is forgotten.
pub(in crate::jobs) async fn sweep(target: Target<'_>, most: usize, forget: bool) -> Result<Swept, JobsError> {
    let mut words = target
        .change(&SWEEP, 2, 0, |call| {
            call.arg(most).arg(u8::from(forget));
        })
        .await?;
    Ok(Swept {
        is_behind: words.number()? > 0,
        is_empty: words.number()? > 0,
        is_active: words.number()? > 0,
        size: QueueSize {
            waiting: words.count()?,
            bytes: words.count()?,
        },
    })
}

/// Something that happened in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the stream: Unix milliseconds by Redis's clock and a number, `MS-N`.
    pub id: String,
    /// What: `added`, `replaced`, `debounced`, `ready`, `leased`, `progress`, `completed`, `failed`, `continued`, `released`,
    /// `lost`, `dead`, `cancelled`, `revived`, `cleared`.
    pub kind: String,
    /// To which jobs.
    pub jobs: Vec<JobId>,
}

/// Events of a queue behind an entry of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The oldest first.
    pub events: Vec<Event>,
    /// That entry is not kept any more, and others between it and these may not be either.
    pub gap: bool,
}

/// Entries of a stream that are read at once: each may name a thousand jobs.
const ENTRIES: usize = 16;

type Entries = Vec<(String, Vec<String>)>;

impl Event {
    /// Names of members, the place, the kind and the time; and quotes and a comma around an id.
    const AROUND: usize = 160;
    const AROUND_ID: usize = 3;

    /// The most bytes that it takes of an answer.
    #[must_use]
    pub fn size(&self) -> usize {
        let size = |job: &JobId| job.as_str().len() + Self::AROUND_ID;
        Self::AROUND + self.jobs.iter().map(size).sum::<usize>()
    }

    /// The most bytes that any of a queue takes.
    fn largest(queue: &Id) -> usize {
        Self::AROUND + MAX_BATCH * (queue.len() + 1 + SHORT + Self::AROUND_ID)
    }
}

/// Up to `most` entries of a queue's stream behind one, fewer if they are more than so many bytes of an answer. There is no gap behind `0-0`,
/// which stands for all that are kept. The memory for entries is taken before they are read; where too little is left, they are fewer.
///
/// # Errors
/// [`JobsError::NoRoom`] if there is none for the first.
pub(in crate::jobs) async fn events(
    link: &Link,
    queue: &Id,
    behind: &str,
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
    let (mut events, mut bytes, mut last, mut left) = (Vec::new(), 0, behind.to_owned(), most);
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
    if last != behind && behind != "0-0" {
        // Looked for afterwards: what is trimmed in between is a gap too many and not one too few.
        let mut earlier = redis::cmd("XRANGE");
        earlier.arg(&key).arg("-").arg(behind).arg("COUNT").arg(1);
        gap = link.query::<Entries>(&earlier).await?.is_empty();
    }
    Ok(Events { events, gap })
}

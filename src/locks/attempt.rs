use super::Locks;
use super::commands;
use super::model::Token;
use crate::ids::Id;
use crate::runtime::caught;
use std::mem;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// The first pause between two attempts to give something back to a Redis that does not take it; it doubles up to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One asking for a lock, from before it is sent until its answer is handed on. Dropped before that, because the client has
/// gone or the answer was lost, it gives back whatever it has come to: its place in the queue, an offer, a grant.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    locks: &'a Locks,
    name: &'a Id,
    /// Names it.
    pub id: String,
    /// How long something of it can be left in Redis after that has taken in what was sent.
    lasting: Duration,
    settled: bool,
}

impl<'a> Attempt<'a> {
    /// An attempt of which nothing is left when Redis has had it for `lasting`.
    pub(super) fn new(locks: &'a Locks, name: &'a Id, lasting: Duration) -> Self {
        Self {
            locks,
            name,
            id: locks.wakeups().attempt(),
            lasting,
            settled: false,
        }
    }

    /// There is nothing to give back.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let left = Left::Attempt(mem::take(&mut self.id));
            give_back(self.locks, self.name, left, self.lasting);
        }
    }
}

/// What nobody waits for any more and Redis may still have.
#[derive(Debug)]
pub(super) enum Left {
    /// All that an attempt has come to.
    Attempt(String),
    /// The grant with this token.
    Grant(Token),
}

/// Gives something back in the background, as soon as Redis takes it and until it makes no difference any more: until Redis
/// has had it for `lasting`. A Redis that stood still takes in what was sent when it goes on, however long that was; so after
/// a failure that time counts from when it is reached again. Without a runtime, as at the end of a process, or with very many
/// under way it is left to end by itself.
pub(super) fn give_back(locks: &Locks, name: &Id, left: Left, lasting: Duration) {
    let (Ok(runtime), Ok(permit)) = (Handle::try_current(), locks.wakeups().departures().try_acquire_owned()) else {
        return;
    };
    let (link, name) = (locks.link().clone(), name.clone());
    let giving_back = async move {
        let _permit = permit;
        let mut pause = FIRST_PAUSE;
        let mut moot = None;
        loop {
            let given = match &left {
                Left::Attempt(attempt) => commands::leave(&link, &name, attempt).await.map(drop),
                Left::Grant(token) => commands::release(&link, &name, token).await.map(drop),
            };
            if given.is_ok() {
                return;
            }
            link.connected().await;
            let moot = *moot.get_or_insert_with(|| Instant::now() + lasting);
            // Jitter keeps those who give back from knocking in step.
            sleep_until(moot.min(Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0)))).await;
            if Instant::now() >= moot {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    runtime.spawn(caught("locks.give_back", giving_back));
}

use super::Locks;
use super::commands;
use super::model::Token;
use crate::ids::Id;
use std::mem;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

/// Between two attempts to give something back to a Redis that refuses.
const PAUSE: Duration = Duration::from_millis(200);

/// One asking for a lock, from before it is sent until its answer is handed on. Dropped before that, because the client has
/// gone or the answer was lost, it gives back whatever it has come to: its place in the queue, an offer, a grant.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    locks: &'a Locks,
    name: &'a Id,
    /// Names it.
    pub id: String,
    /// When nothing of it can be left.
    moot: Instant,
    settled: bool,
}

impl<'a> Attempt<'a> {
    /// An attempt of which nothing is left after `lasting`.
    pub(super) fn new(locks: &'a Locks, name: &'a Id, lasting: Duration) -> Self {
        Self {
            locks,
            name,
            id: locks.wakeups().attempt(),
            moot: Instant::now() + lasting,
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
            give_back(self.locks, self.name, left, self.moot);
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

/// Gives something back in the background, as soon as Redis takes it and until it makes no difference any more. Without a
/// runtime, as at the end of a process, or with very many under way it is left to end by itself.
pub(super) fn give_back(locks: &Locks, name: &Id, left: Left, moot: Instant) {
    let (Ok(runtime), Ok(permit)) = (Handle::try_current(), locks.wakeups().departures().try_acquire_owned()) else {
        return;
    };
    let (link, name) = (locks.link().clone(), name.clone());
    let giving = async move {
        let _permit = permit;
        loop {
            link.connected().await;
            let given = match &left {
                Left::Attempt(attempt) => commands::leave(&link, &name, attempt).await.map(drop),
                Left::Grant(token) => commands::release(&link, &name, token).await.map(drop),
            };
            if given.is_ok() {
                return;
            }
            sleep(PAUSE).await;
        }
    };
    runtime.spawn(timeout_at(moot, giving));
}

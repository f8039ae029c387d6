use super::Locks;
use super::commands;
use super::model::{Grant, Token};
use crate::ids::Id;
use crate::runtime::{GiveBack, Undelivered};
use std::sync::Arc;
use std::time::Duration;

/// One attempt to acquire a lock, from before it is sent until its answer is delivered. If it is dropped before that, because the client
/// has disconnected or the reply was lost, it releases what it may have: a place in the queue, an offer or a grant.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The name of the attempt.
    pub id: String,
    give_back: GiveBack,
}

impl Attempt {
    /// Creates an attempt. What it obtains in Redis expires by itself after `lasting`.
    pub(super) fn new(locks: &Locks, name: &Id, lasting: Duration) -> Self {
        let id = locks.wakeups().attempt();
        let (locks, name, left) = (locks.clone(), name.clone(), Left::Attempt(id.clone()));
        let give_back = GiveBack::new(move || give_back(&locks, &name, left, lasting));
        Self { id, give_back }
    }

    /// Records that there is nothing to release.
    pub(super) fn settle(&mut self) {
        self.give_back.settle();
    }

    /// Records the grant that the attempt obtained.
    pub(super) fn granted(self, grant: Grant) -> Undelivered<Grant> {
        Undelivered::new(grant, self.give_back)
    }
}

/// What an abandoned attempt may still have in Redis.
#[derive(Debug)]
pub(super) enum Left {
    /// Everything that the attempt may have.
    Attempt(String),
    /// The grant with this token.
    Grant(Token),
}

/// Releases something in the background, and retries until it expires by itself, `lasting` after Redis stored it.
pub(super) fn give_back(locks: &Locks, name: &Id, left: Left, lasting: Duration) {
    let (name, left) = (name.clone(), Arc::new(left));
    locks.link().give_back("locks.give_back", lasting, move |link| {
        let (name, left) = (name.clone(), Arc::clone(&left));
        async move {
            match &*left {
                Left::Attempt(attempt) => commands::leave(&link, &name, attempt).await.map(drop),
                Left::Grant(token) => commands::release(&link, &name, token).await.map(drop),
            }
        }
    });
}

use super::commands;
use super::model::{Grant, Token};
use crate::ids::Id;
use crate::runtime::{GiveBack, Undelivered};
use crate::store::Link;
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
    /// Creates an attempt. What it obtains in Redis expires after `lasting`.
    pub(super) fn new(link: &Link, name: &Id, id: String, lasting: Duration) -> Self {
        let (link, name, left) = (link.clone(), name.clone(), Left::Attempt(id.clone()));
        let give_back = GiveBack::new(move || give_back(&link, &name, left, lasting));
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

/// Releases something in the background, and retries until it has expired, `lasting` after Redis stored it.
pub(super) fn give_back(link: &Link, name: &Id, left: Left, lasting: Duration) {
    let (name, left) = (name.clone(), Arc::new(left));
    link.give_back("locks.give_back", lasting, move |link| {
        let (name, left) = (name.clone(), Arc::clone(&left));
        async move {
            match &*left {
                Left::Attempt(attempt) => commands::leave(&link, &name, attempt).await.map(drop),
                Left::Grant(token) => commands::release(&link, &name, token).await.map(drop),
            }
        }
    });
}

//! A time limit that costs a busy connection nothing: the timer is reset only when it fires, not with every request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer, reused for every request of a connection.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Sets the time limit for the next [`Self::guard`], counted from now.
    pub(super) fn start(&mut self, timeout: Duration) {
        self.due = Some(Instant::now() + timeout);
    }

    /// Runs `work`; returns `None` if the time limit ends first.
    pub(super) async fn guard<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let Some(due) = self.due else {
            return Some(work.await);
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // Usually the timer is still set for an earlier request: it fires early, and is then set for this one. Only a
        // timer that would fire too late has to be moved at once.
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            while timer.as_mut().poll(context).is_ready() {
                if Instant::now() >= due {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(due);
            }
            Poll::Pending
        })
        .await
    }
}

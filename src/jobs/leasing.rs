//! Leases jobs, and waits for them if there are none.

use super::api::Jobs;
use super::check;
use super::commands::Taken;
use super::delivery;
use super::error::JobsError;
use super::model::{LeaseRequest, Leased};
use crate::ids::Id;
use crate::runtime::{Budget, GiveBack, Undelivered};
use crate::store::StoreError;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The interval at which the first waiting request of a line tries without a wake-up message.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// The shortest pause between two lease calls of a waiting request: due jobs are promoted in pieces.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The pause of a waiting request while no memory is left for its answer.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

impl Jobs {
    /// Leases jobs. If there are none it waits for them, and returns none if the wait times out or the process stops. If the future is
    /// dropped, no job is leased.
    ///
    /// # Errors
    /// [`JobsError::Invalid`]; [`JobsError::Store`], at once if Redis is unavailable.
    pub async fn lease(&self, queue: &Id, request: &LeaseRequest) -> Result<Vec<Leased>, JobsError> {
        self.offer(queue, request, None).await.map(|taken| taken.deliver().jobs)
    }

    /// Leases jobs for a client that may disconnect, and takes memory for them. No memory is held while it waits; a request that waits for
    /// jobs also waits for memory.
    ///
    /// # Errors
    /// As [`Self::lease`]; [`JobsError::NoRoom`]: nothing was leased.
    pub(super) async fn offer(
        &self,
        queue: &Id,
        request: &LeaseRequest,
        memory: Option<&Budget>,
    ) -> Result<Undelivered<Taken>, JobsError> {
        check::queue(queue)?;
        check::lease(request)?;
        if request.wait.is_zero() {
            return delivery::lease(self.target(queue), self.call_name(), request, memory).await;
        }
        self.wait(queue, request, memory, pending())
            .await
            .map(|(_, taken)| taken)
    }

    /// Leases jobs, and waits for them until `stop`. Returns when the lease call was made. If a call to Redis is in progress at `stop`, its
    /// answer is awaited, so that no leased job is dropped.
    pub(super) async fn lease_unless(
        &self,
        queue: &Id,
        request: &LeaseRequest,
        stop: impl Future<Output = ()>,
    ) -> Result<(Instant, Vec<Leased>), JobsError> {
        check::lease(request)?;
        let (since, taken) = self.wait(queue, request, None, stop).await?;
        Ok((since, taken.deliver().jobs))
    }

    pub(super) async fn wait(
        &self,
        queue: &Id,
        request: &LeaseRequest,
        memory: Option<&Budget>,
        stop: impl Future<Output = ()>,
    ) -> Result<(Instant, Undelivered<Taken>), JobsError> {
        let none = || (Instant::now(), Undelivered::new(Taken::default(), GiveBack::nothing()));
        let until = Instant::now() + request.wait;
        let wakeups = self.wakeups();
        let mut stop = pin!(async {
            tokio::select! {
                () = stop => {}
                () = wakeups.closed() => {}
            }
        });
        let waiting = async {
            let waiter = tokio::select! {
                biased;
                () = &mut stop => return Ok(none()),
                waiter = wakeups.register(queue, &request.kinds) => waiter,
            };
            let (mut ask_at, mut no_room) = (until, None);
            loop {
                if waiter.is_first() {
                    let since = Instant::now();
                    no_room = None;
                    let due = match delivery::lease(self.target(queue), self.call_name(), request, memory).await {
                        Ok(taken) if !taken.jobs.is_empty() => return Ok((since, taken)),
                        Ok(taken) => taken.due_in.unwrap_or(ASK_EVERY),
                        Err(JobsError::NoRoom(error)) => {
                            no_room = Some(error);
                            NO_ROOM_PAUSE
                        }
                        Err(error) => return Err(error),
                    };
                    ask_at = until.min(since + due.clamp(SHORTEST_PAUSE, ASK_EVERY));
                }
                let is_over = tokio::select! {
                    biased;
                    () = &mut stop => true,
                    () = waiter.called(ask_at) => Instant::now() >= until,
                };
                if is_over {
                    return no_room.map_or_else(|| Ok(none()), |error| Err(error.into()));
                }
                ask_at = until;
            }
        };
        tokio::select! {
            biased;
            leased = waiting => leased,
            // The first subscription is being made, or Redis does not answer.
            () = sleep_until(until + self.link().store().timeout()) => Err(StoreError::Unavailable.into()),
        }
    }
}

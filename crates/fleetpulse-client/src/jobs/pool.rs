use super::{Completion, End, Failure, LeaseRequest, LeasedJob, Settlement};
use crate::{Client, Error, ProblemType};
use std::fmt::{self, Debug, Formatter};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout, timeout_at};

const CONCURRENCY: u32 = 16;
const LEASE: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(10);
/// How long a call that leases jobs waits for them.
const WAIT_MS: u32 = 20_000;
/// The pause after a failed call, if the service does not name one, and the least time between calls that return no jobs.
const PAUSE: Duration = Duration::from_secs(1);
/// The service leases up to 1,000 jobs in a call.
const MAX_LEASED: u32 = 1_000;

type ErrorHandler = Arc<dyn Fn(&Error) + Send + Sync>;

/// Leases the jobs of a queue and runs them concurrently.
///
/// - A job is leased when it can start at once. Its lease is extended after each third of its duration.
/// - If a lease is lost, for example because the job was cancelled, the handler is dropped at an await.
/// - A handler that panics has failed.
/// - When the pool is stopped, it leases no more jobs. Handlers may run for the drain time. Then they are dropped, and their jobs are
///   released: they return to the queue, and the attempt does not count.
///
/// ```rust,no_run
/// use fleetpulse_client::jobs::{Completion, Failure, LeasedJob, WorkerPool};
/// use fleetpulse_client::{Client, Error};
/// use std::future::pending;
///
/// async fn send(job: LeasedJob) -> Result<Completion, Failure> {
///     let address: String = job.read().map_err(Failure::permanent)?;
///     println!("attempt {} to send a mail to {address}", job.attempt);
///     Ok(Completion::default())
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Error> {
///     let client = Client::new("http://127.0.0.1:8080")?;
///     let pool = WorkerPool::new(client, "mail").concurrency(4);
///     pool.run(send, pending()).await;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct WorkerPool {
    client: Client,
    queue: String,
    types: Vec<String>,
    concurrency: u32,
    lease: Duration,
    drain: Duration,
    on_error: ErrorHandler,
}

impl Debug for WorkerPool {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("queue", &self.queue)
            .field("types", &self.types)
            .field("concurrency", &self.concurrency)
            .field("lease", &self.lease)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

impl WorkerPool {
    /// Creates a pool for all types of jobs of a queue.
    pub fn new(client: Client, queue: &str) -> Self {
        Self {
            client,
            queue: queue.to_owned(),
            types: Vec::new(),
            concurrency: CONCURRENCY,
            lease: LEASE,
            drain: DRAIN,
            on_error: Arc::new(|_error| {}),
        }
    }

    /// Sets the types of jobs to lease, up to 64; by default all types.
    pub fn types(mut self, types: &[&str]) -> Self {
        self.types = types.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Sets how many handlers run concurrently, 1 to 1,000; by default 16.
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.concurrency = concurrency.clamp(1, MAX_LEASED);
        self
    }

    /// Sets the duration of a lease, 100 ms to 1 h; by default 30 s. It is also how long a job is delayed if its worker crashes.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_millis(100), Duration::from_hours(1));
        self
    }

    /// Sets how long handlers may run after the pool is stopped; by default 10 s.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Sets the handler of errors of calls, for example to log them. By default they are ignored: the pool retries, or the lease
    /// expires and the job runs again.
    pub fn on_error(mut self, on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Arc::new(on_error);
        self
    }

    /// Runs jobs until `stop` is ready, then drains. If this future is dropped, the handlers are dropped and their leases expire.
    pub async fn run<H, F>(self, handler: H, stop: impl Future<Output = ()>)
    where
        H: Fn(LeasedJob) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Completion, Failure>> + Send + 'static,
    {
        let mut stop = pin!(stop);
        let (cut_off, is_cut_off) = watch::channel(false);
        let places = Arc::new(Semaphore::new(self.concurrency as usize));
        let (pool, handler) = (Arc::new(self), Arc::new(handler));
        let mut attempts = JoinSet::new();
        while let Some(leased) = pool.next(&places, stop.as_mut()).await {
            for (job, place) in leased {
                let (pool, handler) = (Arc::clone(&pool), Arc::clone(&handler));
                let is_cut_off = is_cut_off.clone();
                attempts.spawn(async move {
                    pool.attempt(job, handler, is_cut_off).await;
                    drop(place);
                });
            }
            while attempts.try_join_next().is_some() {}
        }
        let all_ended = async { while attempts.join_next().await.is_some() {} };
        if timeout(pool.drain, all_ended).await.is_err() {
            cut_off.send_replace(true);
            while attempts.join_next().await.is_some() {}
        }
    }

    /// Leases jobs, as many as there are free places. Returns `None` when the pool is stopped.
    async fn next(
        &self,
        places: &Arc<Semaphore>,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Vec<(LeasedJob, OwnedSemaphorePermit)>> {
        let leased = async {
            loop {
                let asked_at = Instant::now();
                let pause = match self.lease_jobs(places).await {
                    Ok(leased) if !leased.is_empty() => return leased,
                    // An instance that stops answers at once.
                    Ok(_none) => PAUSE.saturating_sub(asked_at.elapsed()),
                    Err(error) => {
                        (self.on_error)(&error);
                        let retry_after = error.problem().and_then(|problem| problem.retry_after);
                        retry_after.unwrap_or(PAUSE)
                    }
                };
                sleep(pause).await;
            }
        };
        select! {
            // Jobs that have arrived are not dropped: that would cost them an attempt.
            biased;
            leased = leased => Some(leased),
            () = stop => None,
        }
    }

    async fn lease_jobs(&self, places: &Arc<Semaphore>) -> Result<Vec<(LeasedJob, OwnedSemaphorePermit)>, Error> {
        // The semaphore is never closed; if it were, no job could be run.
        let closed = |_closed| Error::Argument("the pool has no places".to_owned());
        let mut free = Arc::clone(places).acquire_owned().await.map_err(closed)?;
        while let Ok(place) = Arc::clone(places).try_acquire_owned() {
            free.merge(place);
        }
        let request = LeaseRequest {
            count: u32::try_from(free.num_permits()).ok(),
            lease_ms: Some(self.lease_ms()),
            wait_ms: Some(WAIT_MS),
            types: self.types.clone(),
        };
        let jobs = self.client.jobs().lease(&self.queue, &request).await?;
        // The service returns at most as many jobs as were requested.
        Ok(jobs.into_iter().map_while(|job| Some((job, free.split(1)?))).collect())
    }

    async fn attempt<H, F>(&self, job: LeasedJob, handler: Arc<H>, mut is_cut_off: watch::Receiver<bool>)
    where
        H: Fn(LeasedJob) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Completion, Failure>> + Send + 'static,
    {
        // A task of its own: a panic ends only this task, and the lease is extended while the handler computes.
        let mut task = JoinSet::new();
        let argument = job.clone();
        task.spawn(async move { handler(argument).await });
        let end = select! {
            // The result of a handler that has ended counts.
            biased;
            ended = task.join_next() => match ended {
                Some(Ok(Ok(completion))) => Ok(End::Complete(completion)),
                Some(Ok(Err(failure))) => Ok(End::Fail(failure)),
                Some(Err(error)) => Ok(End::Fail(Failure::new(panic_text(error)))),
                None => Ok(End::Release),
            },
            error = self.keep_lease(&job) => Err(error),
            _ = is_cut_off.wait_for(|is_cut_off| *is_cut_off) => Ok(End::Release),
        };
        // Another worker may get the job as soon as it is released, so the handler must have ended by then.
        task.shutdown().await;
        let settled = match end {
            Ok(end) => self.settle(&job, end).await,
            Err(lost) => Err(lost),
        };
        if let Err(error) = settled {
            (self.on_error)(&error);
        }
    }

    /// Extends a lease until that fails for good. Returns the cause.
    async fn keep_lease(&self, job: &LeasedJob) -> Error {
        let start = Instant::now();
        let period = self.lease / 3;
        let mut until = start + self.lease;
        let mut ticks = interval_at(start + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let asked_at = Instant::now();
            match timeout_at(until, self.client.jobs().extend(job, self.lease_ms())).await {
                Ok(Ok(_expires_at)) => until = asked_at + self.lease,
                Ok(Err(error)) if error.is(ProblemType::LeaseOver) || error.is(ProblemType::NotFound) => return error,
                Ok(Err(error)) => (self.on_error)(&error),
                Err(elapsed) => return Error::Timeout(elapsed.into()),
            }
        }
    }

    async fn settle(&self, job: &LeasedJob, end: End) -> Result<(), Error> {
        let jobs = self.client.jobs();
        match end {
            End::Complete(completion) => jobs.complete(job, &completion, None).await.map(drop),
            End::Fail(failure) => jobs.fail(job, &failure, None).await.map(drop),
            End::Release => {
                let settlement = Settlement::new(job, End::Release);
                jobs.settle(&self.queue, &[settlement], None).await.map(drop)
            }
        }
    }

    fn lease_ms(&self) -> u32 {
        u32::try_from(self.lease.as_millis()).unwrap_or(u32::MAX)
    }
}

/// Returns the message of a panic.
fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the handler was dropped".to_owned();
    };
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}

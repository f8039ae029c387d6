use super::failpoint::failpoint;
use super::panic::panic_text;
use super::phases::{Phase, Phases};
use crate::telemetry::{HealthRegistry, State};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use parking_lot::Mutex;
use prometheus::IntCounterVec;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// The pause before a task that panicked is restarted. It doubles with each panic in a row, up to the limit below.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A task that has not run for this long is not expected to recover: the process should be restarted.
pub const STUCK_AFTER: Duration = Duration::from_mins(1);

/// Resolves when tasks are to end.
pub type Stopping = BoxFuture<'static, ()>;

/// Owns the long-lived tasks of a process: names them, restarts them after a panic, and stops them.
///
/// A task runs on the thread that starts it, and is restarted there. It counts as recovered once it has run for as long as the pause
/// before its start; until then its component in the [`HealthRegistry`] is degraded. A panic drops the work in progress, so that the
/// same input cannot stop the task again: callers that wait for an answer see the other end of their channel dropped.
///
/// Clones refer to the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phases: Phases,
    health: Arc<HealthRegistry>,
    restarts: Option<IntCounterVec>,
    tasks: Mutex<Tasks>,
    /// Notified when a task has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    last: u64,
    // Keyed by number, because several workers run tasks of one name.
    running: BTreeMap<u64, Task>,
}

#[derive(Debug)]
struct Task {
    name: &'static str,
    /// The phase in which the task ends.
    ends: Phase,
    /// Aborts the task at its next await point; a task without this ends without being aborted.
    abort: Option<AbortHandle>,
    /// Since when the task does not run, because it panicked.
    down: Option<Instant>,
}

/// A task's entry in the supervisor. It is dropped together with the task, however that ends.
#[derive(Debug)]
struct Entry {
    supervisor: Supervisor,
    number: u64,
    name: &'static str,
    ends: Phase,
}

impl Supervisor {
    /// Creates a supervisor that reports its tasks to `health` and counts restarts by task.
    #[must_use]
    pub fn new(phases: Phases, health: Arc<HealthRegistry>, restarts: IntCounterVec) -> Self {
        Self(Arc::new(Inner {
            phases,
            health,
            restarts: Some(restarts),
            ..Inner::default()
        }))
    }

    /// Returns the phases of the service's stop.
    #[must_use]
    pub fn phases(&self) -> &Phases {
        &self.0.phases
    }

    /// Starts a task on the current runtime. When tasks are to stop, it is dropped at its current await point.
    pub fn spawn<T>(&self, name: &'static str, mut task: impl FnMut() -> T + Send + 'static)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (abort, registration) = AbortHandle::new_pair();
        let entry = self.register(name, Phase::StoppingTasks, Some(abort));
        let running = self.clone().run(entry, move |_| task());
        tokio::spawn(Abortable::new(running, registration));
    }

    /// Starts a task on the current thread, otherwise as [`Self::spawn`].
    pub fn spawn_local<T>(&self, name: &'static str, mut task: impl FnMut() -> T + 'static)
    where
        T: Future<Output = ()> + 'static,
    {
        let (abort, registration) = AbortHandle::new_pair();
        let entry = self.register(name, Phase::StoppingTasks, Some(abort));
        let running = self.clone().run(entry, move |_| task());
        tokio::task::spawn_local(Abortable::new(running, registration));
    }

    /// Starts a task on the given runtime, otherwise as [`Self::spawn`]. The last flush needs such tasks too: they are dropped when the
    /// service closes.
    pub fn spawn_on<T>(&self, runtime: &Handle, name: &'static str, mut task: impl FnMut() -> T + Send + 'static)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (abort, registration) = AbortHandle::new_pair();
        let entry = self.register(name, Phase::Closing, Some(abort));
        let running = self.clone().run(entry, move |_| task());
        runtime.spawn(Abortable::new(running, registration));
    }

    /// Starts a task on the current thread that returns from a phase on. On the thread, because jobs may start local tasks.
    pub fn spawn_draining<T>(&self, name: &'static str, ends: Phase, task: impl FnMut(Stopping) -> T + 'static)
    where
        T: Future<Output = ()> + 'static,
    {
        tokio::task::spawn_local(self.clone().run(self.register(name, ends, None), task));
    }

    /// Enters a phase, and ends the tasks that end in it.
    pub fn enter(&self, phase: Phase) {
        self.phases().enter(phase);
        let tasks = self.0.tasks.lock();
        let ending = tasks.running.values().filter(|task| task.ends <= phase);
        ending
            .filter_map(|task| task.abort.as_ref())
            .for_each(AbortHandle::abort);
    }

    /// Waits until a deadline for the end of all tasks that end in this phase or an earlier one, and logs the names of those that do
    /// not end.
    pub async fn ended(&self, phase: Phase, deadline: Instant) {
        let left = || -> Vec<_> {
            let tasks = self.0.tasks.lock();
            let left = tasks.running.values().filter(|task| task.ends <= phase);
            left.map(|task| task.name).collect()
        };
        let all = async {
            while !left().is_empty() {
                self.0.ended.notified().await;
            }
        };
        if timeout_at(deadline, all).await.is_err() {
            tracing::warn!(tasks = ?left(), "some tasks did not stop in time; they are aborted");
        }
    }

    /// Returns the name of a task that has not run for [`STUCK_AFTER`] at `now`, if there is one.
    #[must_use]
    pub fn stuck(&self, now: Instant) -> Option<&'static str> {
        let is_stuck = |since| now.saturating_duration_since(since) >= STUCK_AFTER;
        let tasks = self.0.tasks.lock();
        let stuck = tasks.running.values().find(|task| task.down.is_some_and(is_stuck));
        stuck.map(|task| task.name)
    }

    fn register(&self, name: &'static str, ends: Phase, abort: Option<AbortHandle>) -> Entry {
        let mut tasks = self.0.tasks.lock();
        tasks.last += 1;
        let number = tasks.last;
        let task = Task {
            name,
            ends,
            abort,
            down: None,
        };
        tasks.running.insert(number, task);
        self.show(&tasks, name);
        Entry {
            supervisor: self.clone(),
            number,
            name,
            ends,
        }
    }

    /// Reports the state of the tasks of one name to the health registry.
    fn show(&self, tasks: &Tasks, name: &'static str) {
        let mut of_name = tasks.running.values().filter(|task| task.name == name).peekable();
        if of_name.peek().is_none() {
            self.0.health.remove(name);
            return;
        }
        if of_name.any(|task| task.down.is_some()) {
            self.0.health.set(
                name,
                State::Degraded,
                Some("the task panicked and is restarted; see the log"),
            );
        } else {
            self.0.health.set(name, State::Ok, None);
        }
    }

    /// Runs a task until it returns; restarts it after each panic.
    async fn run<T: Future<Output = ()>>(self, entry: Entry, mut task: impl FnMut(Stopping) -> T) {
        let mut pause = FIRST_PAUSE;
        let mut is_down = false;
        loop {
            // The future is created inside, because that may panic as well.
            let running = async {
                failpoint(entry.name);
                task(self.stopping(entry.ends)).await;
            };
            let mut running = pin!(AssertUnwindSafe(running).catch_unwind());
            let ended = if is_down {
                tokio::select! {
                    ended = &mut running => ended,
                    () = sleep(pause) => {
                        (is_down, pause) = (false, FIRST_PAUSE);
                        entry.is_up();
                        running.await
                    }
                }
            } else {
                running.await
            };
            let Err(panic) = ended else { return };
            if is_down {
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            is_down = true;
            entry.is_down(panic_text(&*panic), pause);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping(entry.ends) => return,
            }
        }
    }

    fn stopping(&self, phase: Phase) -> Stopping {
        let phases = self.phases().clone();
        Box::pin(async move { phases.reached(phase).await })
    }
}

impl Entry {
    fn is_down(&self, panic: &str, pause: Duration) {
        let name = self.name;
        tracing::error!(task = name, panic, again_in = ?pause, "a task panicked; it is restarted");
        let inner = &self.supervisor.0;
        if let Some(restarts) = &inner.restarts {
            restarts.with_label_values(&[name]).inc();
        }
        self.change(|task| {
            task.down.get_or_insert_with(Instant::now);
        });
    }

    fn is_up(&self) {
        tracing::info!(task = self.name, "a task that panicked has recovered");
        self.change(|task| task.down = None);
    }

    fn change(&self, change: impl FnOnce(&mut Task)) {
        let mut tasks = self.supervisor.0.tasks.lock();
        if let Some(task) = tasks.running.get_mut(&self.number) {
            change(task);
        }
        self.supervisor.show(&tasks, self.name);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut tasks = self.supervisor.0.tasks.lock();
        tasks.running.remove(&self.number);
        self.supervisor.show(&tasks, self.name);
        drop(tasks);
        self.supervisor.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use tokio::runtime::Builder;

    /// Waits until a component of the health registry has a state.
    async fn becomes(supervisor: &Supervisor, name: &str, state: Option<State>) {
        while supervisor.0.health.state(name) != state {
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_is_down_until_it_has_run_for_a_while() {
        let supervisor = Supervisor::default();
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervisor.spawn("worker", move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(start >= 2, "the first two panic");
                pending::<()>().await;
            }
        });
        assert_eq!(supervisor.0.health.state("worker"), Some(State::Ok));
        becomes(&supervisor, "worker", Some(State::Degraded)).await;
        let now = Instant::now();
        assert_eq!(supervisor.stuck(now), None);
        assert_eq!(supervisor.stuck(now + STUCK_AFTER), Some("worker"));
        becomes(&supervisor, "worker", Some(State::Ok)).await;
        assert_eq!(
            (starts.load(Ordering::Relaxed), supervisor.stuck(now + STUCK_AFTER)),
            (3, None)
        );
        supervisor.enter(Phase::StoppingTasks);
        supervisor
            .ended(Phase::StoppingTasks, Instant::now() + STUCK_AFTER)
            .await;
        assert_eq!(supervisor.0.health.state("worker"), None);
    }

    #[tokio::test]
    async fn a_thread_that_ends_leaves_no_task_behind() {
        let supervisor = Supervisor::default();
        let of_thread = supervisor.clone();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async { of_thread.spawn("worker", pending) });
        });
        thread.join().unwrap();
        supervisor.spawn("other", pending);
        let names: Vec<_> = supervisor
            .0
            .tasks
            .lock()
            .running
            .values()
            .map(|task| task.name)
            .collect();
        assert_eq!(names, ["other"]);
        assert_eq!(supervisor.0.health.state("worker"), None);
    }

    #[actix_web::test]
    async fn a_task_that_drains_ends_by_itself_and_is_waited_for() {
        let supervisor = Supervisor::default();
        let drained = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&drained);
        supervisor.spawn_draining("pool", Phase::Finishing, move |stopping| {
            let counted = Arc::clone(&counted);
            async move {
                stopping.await;
                tokio::task::yield_now().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        supervisor.spawn("other", pending);
        supervisor.enter(Phase::Finishing);
        supervisor.ended(Phase::Finishing, Instant::now() + STUCK_AFTER).await;
        assert_eq!(drained.load(Ordering::Relaxed), 1);
        assert_eq!(supervisor.0.health.state("other"), Some(State::Ok));
    }
}

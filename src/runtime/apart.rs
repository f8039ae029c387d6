use super::Panicked;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What reads fewer bytes than this stays on its thread: it takes about a millisecond.
const LONG: usize = 128 * 1024;

/// Returns whether so many bytes are read on another thread.
#[must_use]
pub const fn takes_long(bytes: usize) -> bool {
    bytes > LONG
}

/// One for each core: more at once would only take time from the threads that serve requests.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, NonZeroUsize::get)));

/// Reads so many bytes: many on another thread, so that this thread's other tasks do not wait for it. As many calls as there are cores
/// run at once, the others wait in the order in which they came. How many wait is bounded by the memory for what they read.
///
/// # Errors
/// [`Panicked`] if reading it panicked.
pub async fn apart<T: Send + 'static>(bytes: usize, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
    if !takes_long(bytes) {
        return Ok(read());
    }
    // It is never closed.
    let place = PLACES.acquire().await.ok();
    let read = move || {
        // Kept to its end, also where the caller has gone.
        let _place = place;
        read()
    };
    spawn_blocking(read).await.map_err(|_panicked| Panicked)
}

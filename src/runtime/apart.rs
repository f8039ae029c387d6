use super::Panicked;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Fewer bytes than this are read on the current thread, which takes about a millisecond.
const LONG: usize = 128 * 1024;

/// Returns whether this many bytes are read on another thread.
#[must_use]
pub const fn takes_long(bytes: usize) -> bool {
    bytes > LONG
}

/// One permit for each core: more would only take time from the threads that serve requests.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, NonZeroUsize::get)));

/// Runs a function that reads `bytes`. If these are many, it runs on another thread, so that the other tasks of this thread do not wait.
/// As many calls run at once as there are cores; others wait in order of arrival. Their number is bounded by the memory for their data.
///
/// # Errors
/// [`Panicked`] if the function panicked.
pub async fn apart<T: Send + 'static>(bytes: usize, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
    if !takes_long(bytes) {
        return Ok(read());
    }
    // The semaphore is never closed.
    let place = PLACES.acquire().await.ok();
    let read = move || {
        // Held to the end, even if the caller was dropped.
        let _place = place;
        read()
    };
    spawn_blocking(read).await.map_err(|_panicked| Panicked)
}

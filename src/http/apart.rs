use super::Problem;
use tokio::task::spawn_blocking;

/// Bodies above this size are read on a thread of their own: about a millisecond.
const LONG: usize = 128 * 1024;

/// Reads a body: a large one on another thread, so that this thread's other requests do not wait for it. How many are read at once is
/// bounded by the memory for bodies.
///
/// # Errors
/// 503 if reading it panicked.
pub async fn apart<T: Send + 'static>(bytes: usize, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= LONG {
        return Ok(read());
    }
    spawn_blocking(read).await.map_err(|_panicked| Problem::interrupted())
}

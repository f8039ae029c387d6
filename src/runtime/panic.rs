use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// A task panicked, and the panic was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task panicked")]
pub struct Panicked;

/// Runs a short task to its end. A panic is logged with the task's name.
///
/// # Errors
/// [`Panicked`], so that callers that wait for the answer can be given an accurate one.
pub async fn caught<T>(name: &'static str, task: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(task).catch_unwind().await.map_err(|panic| {
        tracing::error!(task = name, panic = panic_text(&*panic), "a task panicked");
        Panicked
    })
}

/// Runs a call of several steps in a task of its own, so that it runs to its end even if its caller is dropped. The server drops a
/// handler when the client closes its connection.
///
/// # Errors
/// [`Panicked`] if it panicked, or ended with its runtime. It is unknown how far it came.
pub fn to_its_end<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, Panicked>> + Send {
    // Spawned here and not when first polled, so that the work, which can be large, is not a part of the future of the caller.
    let task = tokio::spawn(caught(name, work));
    async { task.await.unwrap_or(Err(Panicked)) }
}

/// Returns the message of a panic.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

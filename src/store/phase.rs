/// The state of a link, for its calls and for the health of its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first attempt to connect is in progress, and Redis is not known to be unavailable: calls wait for its end.
    Connecting,
    /// There is a connection.
    Up,
    /// The last attempt failed. Calls fail until an attempt succeeds.
    Down,
}

/// Why Redis gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// There is no connection to Redis.
    Disconnected,
    /// Redis did not answer in time, now or a moment ago. Other instances may still reach it and invalidate what is stored.
    Slow,
}

//! The query parameters of calls, for the `OpenAPI` document.

use super::super::State;
use utoipa::{IntoParams, ToSchema};

/// A page of the queues.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct QueuesParams {
    /// Queues of the page.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// A page of the schedules.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SchedulesParams {
    /// `next` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// A page of the jobs in a state.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsParams {
    /// The state.
    state: State,
    /// Jobs of the page.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u64>,
    /// `next` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// The state of a job that waits.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WaitingState {
    Ready,
    Delayed,
}

/// Which jobs are cancelled.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DrainParams {
    /// The state that they are in.
    #[param(inline)]
    state: WaitingState,
    /// The most that are cancelled.
    #[param(minimum = 1, maximum = 10000, default = 10000)]
    limit: Option<u64>,
}

/// A page of the events, or where the stream begins.
#[expect(dead_code, reason = "read by the derive only")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsParams {
    /// `next` of the page before; from the oldest on if not given.
    #[param(pattern = r"^[0-9]{1,19}-[0-9]{1,19}$", example = "1700000000000-0")]
    after: Option<String>,
    /// Events of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// How long to wait if there are none; ignored by a stream.
    #[param(minimum = 0, maximum = 60000, default = 0)]
    wait_ms: Option<u64>,
}

//! Supervision of tasks, and the phases of a stop.
//!
//! Every long-lived task runs under the one [`Supervisor`]: the task has a name, its panic is logged and counted, and it is restarted.
//! Short tasks run inside [`caught`]: their panic is logged, and callers that wait for their answer get an error.
//! [`Phases`] define the order in which the service stops. [`failpoint()`] lets tests of a debug build make a task panic.

mod apart;
mod budget;
mod connections;
mod descriptors;
mod failpoint;
mod panic;
mod phases;
mod supervisor;
mod tally;
mod turns;
mod undelivered;

pub use apart::{apart, takes_long};
pub use budget::{Budget, NoRoom, Room};
pub use connections::{Connections, OpenConnection};
pub use descriptors::Descriptors;
pub use failpoint::{failpoint, failpoint_of};
pub use panic::{Panicked, caught, panic_text, to_its_end};
pub use phases::{Phase, Phases, StopReason};
pub use supervisor::{STUCK_AFTER, Stopping, Supervisor};
pub use tally::{Claim, Count, Tally};
pub use turns::{NoTurn, Turn};
pub use undelivered::{GiveBack, Undelivered};

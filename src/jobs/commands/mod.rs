//! All Redis commands of the slice, each as a typed function; a file per subject. All keys of a call belong to one queue, and so are in
//! one slot.

mod one;
mod put;
mod queue;
mod registry;
mod schedule;
mod take;
mod target;

pub(super) use one::{cancel, extend, find, progress, retry};
pub(super) use put::add;
pub use queue::{Event, Events};
pub(super) use queue::{clear, counts, drain, events, list, redrive, set_paused, sweep};
pub(super) use registry::{queues, register, unregister};
pub(super) use schedule::{
    AllFound, Found, find_schedule, fire, mend_schedule, remove_schedule, schedules, schedules_behind, set_schedule,
};
pub(super) use take::{Taken, Taking, lease, leased_by, release, settle};
pub(super) use target::{Target, too_far};

//! Memory for leased jobs. It is taken before the lease call, so that no job is leased and then dropped for lack of memory. The script
//! leases as many jobs as fit, and the memory that they do not need is returned afterwards.

use super::model::{LeaseRequest, Leased};
use super::settings::JobSettings;
use crate::runtime::{Budget, NoRoom, Room};

/// Maximum size of the records that one call leases, except for a first record that is larger, bytes; `MOST_BYTES` in `lua/within.lua`.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Maximum size of a record in Redis besides the payload, bytes: numbers, type and percent-encoded unique key.
const HEAD: usize = 1_280;
/// Maximum size of a job in an answer besides its record in Redis, bytes: its id and the names of the members.
const OVERHEAD: usize = 512;

/// The memory for the jobs that a call may lease.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Maximum size of the records in Redis, bytes.
    pub bytes: usize,
    /// `None` if the memory is not counted.
    room: Option<Room>,
}

impl Allowance {
    /// Takes memory for a request: for all jobs, or a share if little is left, but at least for one job of the maximum size.
    ///
    /// # Errors
    /// [`NoRoom`] if less is left.
    pub fn take(memory: Option<&Budget>, request: &LeaseRequest, settings: &JobSettings) -> Result<Self, NoRoom> {
        let Some(memory) = memory else {
            return Ok(Self {
                bytes: MOST_BYTES,
                room: None,
            });
        };
        let one = HEAD + usize::try_from(settings.payload).unwrap_or(MOST_BYTES);
        let around = OVERHEAD.saturating_mul(request.count);
        let most = one.saturating_mul(request.count).min(MOST_BYTES);
        let room = memory.share(one + around, most + around)?;
        Ok(Self {
            bytes: room.bytes() - around,
            room: Some(room),
        })
    }

    /// Keeps the memory that these jobs need, and returns the rest.
    pub fn of(self, jobs: &[Leased]) -> Option<Room> {
        let mut room = self.room?;
        room.resize(jobs.iter().map(|job| OVERHEAD + job.payload.get().len()).sum());
        Some(room).filter(|room| room.bytes() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::IntGauge;

    fn budget(bytes: usize) -> Budget {
        Budget::new(bytes, IntGauge::new("used", "used").unwrap(), "answers")
    }

    fn take(memory: &Budget, count: usize) -> Result<Allowance, NoRoom> {
        Allowance::take(Some(memory), &LeaseRequest::of(count), &JobSettings::default())
    }

    #[test]
    fn leases_of_one_job_take_little() {
        let memory = budget(128 << 20);
        let held: Vec<_> = (0..64).map(|_| take(&memory, 1).unwrap()).collect();
        assert!(memory.left() > 123 << 20);
        assert!(held.iter().all(|one| one.bytes == 65_536 + HEAD));
    }

    #[test]
    fn many_large_leases_share_the_memory() {
        let memory = budget(128 << 20);
        let held: Vec<_> = (0..40).map(|_| take(&memory, 1_000).unwrap()).collect();
        assert_eq!(held[0].bytes, MOST_BYTES);
        assert!(held.iter().all(|one| one.bytes >= 65_536 + HEAD));
        assert!(take(&budget(500_000), 1_000).is_err());
    }

    #[test]
    fn memory_that_no_job_needs_is_released() {
        let memory = budget(128 << 20);
        assert!(take(&memory, 1_000).unwrap().of(&[]).is_none());
        assert_eq!(memory.left(), 128 << 20);
    }
}

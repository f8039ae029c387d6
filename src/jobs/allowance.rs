//! Memory for leased jobs. It is taken before Redis is asked, so that no job is leased and then lost for want of memory. The script
//! leases as many jobs as fit into it, and what they do not need is given back once they are there.

use super::model::{LeaseRequest, Leased};
use super::settings::JobSettings;
use crate::runtime::{Budget, NoRoom, Room};

/// Bytes of jobs as they are written in Redis that one call leases at most, but for the first; `MOST_BYTES` in `lua/within.lua`.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes that a job has in Redis besides its payload: numbers, its type and its unique key, percent-encoded.
const HEAD: usize = 1_280;
/// The most bytes that a job has in an answer besides what it has in Redis: its id and the names of the members.
const AROUND: usize = 512;

/// What a call may lease.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Bytes of the jobs as they are written in Redis.
    pub bytes: usize,
    /// None where nothing counts it.
    room: Option<Room>,
}

impl Allowance {
    /// Takes memory for what is asked for: all that it may be, or a share if little is left, and at least enough for one job of the
    /// largest size.
    ///
    /// # Errors
    /// [`NoRoom`] if that is not left.
    pub fn take(memory: Option<&Budget>, request: &LeaseRequest, settings: &JobSettings) -> Result<Self, NoRoom> {
        let Some(memory) = memory else {
            return Ok(Self {
                bytes: MOST_BYTES,
                room: None,
            });
        };
        let one = HEAD + usize::try_from(settings.payload).unwrap_or(MOST_BYTES);
        let around = AROUND.saturating_mul(request.count);
        let most = one.saturating_mul(request.count).min(MOST_BYTES);
        let room = memory.share(one + around, most + around)?;
        Ok(Self {
            bytes: room.bytes() - around,
            room: Some(room),
        })
    }

    /// What these jobs take of it; the rest is given back.
    pub fn of(self, jobs: &[Leased]) -> Option<Room> {
        let mut room = self.room?;
        room.resize(jobs.iter().map(|job| AROUND + job.payload.get().len()).sum());
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
    fn many_large_leases_share_what_there_is() {
        let memory = budget(128 << 20);
        let held: Vec<_> = (0..40).map(|_| take(&memory, 1_000).unwrap()).collect();
        assert_eq!(held[0].bytes, MOST_BYTES);
        assert!(held.iter().all(|one| one.bytes >= 65_536 + HEAD));
        assert!(take(&budget(500_000), 1_000).is_err());
    }

    #[test]
    fn what_no_job_needs_is_given_back() {
        let memory = budget(128 << 20);
        assert!(take(&memory, 1_000).unwrap().of(&[]).is_none());
        assert_eq!(memory.left(), 128 << 20);
    }
}

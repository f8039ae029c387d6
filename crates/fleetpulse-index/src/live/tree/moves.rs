/// The most moves that are remembered. Between two pieces of a search there are rarely more than a few dozen.
const REMEMBERED: usize = 4096;

/// The slots whose entries recently moved to another leaf. A search in pieces uses them to find entities that moved from a part that it
/// has not searched yet to one that it has.
#[derive(Debug)]
pub(in super::super) struct Moves {
    slots: Box<[u32]>,
    count: u64,
}

impl Moves {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![0; REMEMBERED].into(),
            count: 0,
        }
    }

    pub(super) fn add(&mut self, slot: u32) {
        let at = self.place(self.count);
        self.slots[at] = slot;
        self.count += 1;
    }

    /// Returns the number of moves so far.
    pub(in super::super) const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the slot of a move, by its number from 0 on; `None` if it is no longer remembered or has not happened yet.
    pub(in super::super) fn get(&self, number: u64) -> Option<u32> {
        let is_known = number < self.count && self.count - number <= self.slots.len() as u64;
        is_known.then(|| self.slots[self.place(number)])
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        size_of::<u32>() * self.slots.len()
    }

    #[expect(clippy::cast_possible_truncation, reason = "less than the number of slots")]
    const fn place(&self, number: u64) -> usize {
        (number % self.slots.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_moves_are_remembered() {
        let mut moves = Moves::new();
        assert_eq!((moves.count(), moves.get(0)), (0, None));
        for slot in 0..5_000 {
            moves.add(slot);
        }
        assert_eq!((moves.get(4_999), moves.get(904)), (Some(4_999), Some(904)));
        assert_eq!((moves.get(903), moves.get(5_000)), (None, None));
    }
}

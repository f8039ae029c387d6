use std::mem;
use std::ops::{Index, IndexMut};

/// Slots a chunk; a power of two, so that finding a slot is a shift and a mask.
const CHUNK: usize = 1024;

/// Numbered slots that never move.
///
/// Memory grows by a chunk at a time, so that taking a slot never copies what is there: under the index's lock nothing may
/// take time in proportion to the number of entities. Freed slots form a list through themselves for the same reason.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    /// The head of the list of freed slots, or [`END`].
    free: u32,
    taken: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Taken(T),
    /// Holds the next freed slot.
    Free(u32),
}

const END: u32 = u32::MAX;

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: END,
            taken: 0,
        }
    }

    /// The number of taken slots.
    pub(super) const fn len(&self) -> usize {
        self.taken
    }

    /// One more than the highest slot ever taken.
    pub(super) fn end(&self) -> u32 {
        let Some(last) = self.chunks.last() else { return 0 };
        number((self.chunks.len() - 1) * CHUNK + last.len())
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.taken += 1;
        if self.free != END {
            let at = self.free;
            let slot = self.slot_mut(at);
            let Slot::Free(next) = mem::replace(slot, Slot::Taken(value)) else {
                unreachable!("the free list runs through free slots only")
            };
            self.free = next;
            return at;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let last = &mut self.chunks[before / CHUNK];
        last.push(Slot::Taken(value));
        number(before + last.len() - 1)
    }

    /// Frees a taken slot.
    pub(super) fn remove(&mut self, at: u32) -> T {
        let next = self.free;
        let Slot::Taken(value) = mem::replace(self.slot_mut(at), Slot::Free(next)) else {
            unreachable!("a slot is freed once")
        };
        self.free = at;
        self.taken -= 1;
        value
    }

    /// Returns the content of a slot; `None` if it is free or was never taken.
    pub(super) fn get(&self, at: u32) -> Option<&T> {
        match self.chunks.get(at as usize / CHUNK)?.get(at as usize % CHUNK)? {
            Slot::Taken(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Slot<T>>() + self.chunks.capacity() * size_of::<Vec<Slot<T>>>()
    }

    fn slot_mut(&mut self, at: u32) -> &mut Slot<T> {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }
}

/// A slot number. Two thousand million of them would take hundreds of gigabytes; the top bit is the tree's.
#[expect(clippy::cast_possible_truncation, reason = "asserted where it is cheap to")]
fn number(at: usize) -> u32 {
    debug_assert!(at < 1 << 31, "slots have 31-bit numbers");
    at as u32
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, at: u32) -> &T {
        match &self.chunks[at as usize / CHUNK][at as usize % CHUNK] {
            Slot::Taken(value) => value,
            Slot::Free(_) => unreachable!("slot {at} is free"),
        }
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        match self.slot_mut(at) {
            Slot::Taken(value) => value,
            Slot::Free(_) => unreachable!("slot {at} is free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slots_are_taken_again_before_new_ones() {
        let mut slab = Slab::new();
        for i in 0..3000_u32 {
            assert_eq!(slab.insert(i), i);
        }
        assert_eq!((slab.remove(7), slab.remove(2999)), (7, 2999));
        assert_eq!((slab.get(7), slab.get(8), slab.get(5000)), (None, Some(&8), None));
        assert_eq!((slab.insert(1), slab.insert(2), slab.insert(3)), (2999, 7, 3000));
        assert_eq!((slab.len(), slab.end()), (3001, 3001));
    }
}

use std::cmp::Ordering;

/// Items that a search keeps and compares.
pub(super) trait Ranked {
    /// Compares two items by their place in the answer.
    fn rank(&self, other: &Self) -> Ordering;
    /// Returns whether both items are of one entity.
    fn is_same(&self, other: &Self) -> bool;
}

/// The first items of those that a search finds, in a buffer of twice the size.
#[derive(Debug)]
pub(super) struct Smallest<T> {
    keep: usize,
    items: Vec<T>,
    /// Whether the first `keep` items are sorted, and are the first of all so far.
    is_full: bool,
    /// Whether there were more.
    has_more: bool,
}

impl<T: Ranked> Smallest<T> {
    /// Creates an empty collection. `keep` is at least 1.
    pub(super) const fn new(keep: usize) -> Self {
        Self {
            keep,
            items: Vec::new(),
            is_full: false,
            has_more: false,
        }
    }

    /// Returns the bound: no item after it can be among the first.
    pub(super) fn bound(&self) -> Option<&T> {
        if self.is_full {
            self.items.get(self.keep - 1)
        } else {
            None
        }
    }

    /// Records that there are more items than are kept.
    pub(super) const fn set_has_more(&mut self) {
        self.has_more = true;
    }

    pub(super) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Adds an item. Returns whether the bound may have changed.
    pub(super) fn push(&mut self, item: T) -> bool {
        self.items.push(item);
        let is_time = self.items.len() >= self.keep.saturating_mul(2);
        if is_time {
            self.prune();
        }
        is_time
    }

    /// Returns the first items in order, and whether there were more.
    pub(super) fn finish(mut self) -> (Vec<T>, bool) {
        self.prune();
        (self.items, self.has_more)
    }

    fn prune(&mut self) {
        self.items.sort_unstable_by(Ranked::rank);
        self.items.dedup_by(|later, earlier| earlier.is_same(later));
        self.has_more |= self.items.len() > self.keep;
        self.items.truncate(self.keep);
        self.is_full = self.items.len() == self.keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Ranked for (u32, u32) {
        fn rank(&self, other: &Self) -> Ordering {
            self.cmp(other)
        }

        fn is_same(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    #[test]
    fn the_first_are_kept_each_once() {
        for keep in [1, 2, 7, 100, 1_000] {
            let mut smallest = Smallest::new(keep);
            for n in 0..5_000_u32 {
                smallest.push((n * 7_919 % 500, n % 3));
                assert!(smallest.items.len() < 2 * keep.max(1) + 1);
            }
            let (kept, has_more) = smallest.finish();
            let first: Vec<u32> = kept.iter().map(|(n, _)| *n).collect();
            assert_eq!(first, (0..500).take(keep).collect::<Vec<_>>());
            assert_eq!(has_more, keep < 500);
        }
    }
}

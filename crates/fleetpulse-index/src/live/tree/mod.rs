//! The octree over the grid: the places of all live entities, in leaves of neighbours.
//!
//! Invariants: a leaf is never empty and holds at most [`LEAF_MAX`] entries; an inner node counts the entries below it and
//! has more than [`JOIN_AT`] of them. So the tree's size depends only on its entries, not on where they were before.

mod moves;
mod reshape;

use super::grid::{GridPoint, PLACE_DEPTH, child_of, shared_depth};
use super::slab::Slab;
use moves::Moves;

/// A leaf splits above this. Of 12, 16, 20 and 32, measured at 100,000 and 1,000,000 entities, this one took the least
/// memory and was no slower for queries or updates.
pub(super) const LEAF_MAX: u32 = 32;

/// A node with this many entries or fewer becomes a leaf. It is well below [`LEAF_MAX`], so that a node at the limit does not split and
/// join over and over.
const JOIN_AT: u32 = 16;

/// A leaf's room grows and shrinks by this many entries: doubling would waste a quarter of all memory.
const ROOM_STEP: usize = 4;

/// The data of an entity that a query reads before the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) at: GridPoint,
    /// The record's slot.
    pub(super) slot: u32,
    pub(super) timestamp_ms: i64,
}

/// A node or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Branch(u32);

const LEAF_BIT: u32 = 1 << 31;

impl Branch {
    pub(super) const NONE: Self = Self(u32::MAX);

    const fn leaf(number: u32) -> Self {
        Self(number | LEAF_BIT)
    }

    pub(super) fn kind(self) -> Option<BranchKind> {
        match self {
            Self::NONE => None,
            Self(number) if number & LEAF_BIT != 0 => Some(BranchKind::Leaf(number ^ LEAF_BIT)),
            Self(number) => Some(BranchKind::Node(number)),
        }
    }
}

/// The target of a [`Branch`]: a number in the tree's nodes or leaves.
#[derive(Debug, Clone, Copy)]
pub(super) enum BranchKind {
    Node(u32),
    Leaf(u32),
}

/// Stands for no node, or no leaf.
pub(super) const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) children: [Branch; 8],
    parent: u32,
    count: u32,
    depth: u8,
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) entries: Vec<Entry>,
    parent: u32,
    depth: u8,
}

/// The tree. It has no access to the records: whenever an entry moves to another leaf, it calls `on_move(slot, leaf)`.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Slab<Node>,
    pub(super) leaves: Slab<Leaf>,
    root: Branch,
    /// The latest moves between leaves.
    pub(super) moves: Moves,
    len: usize,
    /// The number of entries for which the leaves have room.
    room: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: Slab::new(),
            leaves: Slab::new(),
            root: Branch::NONE,
            moves: Moves::new(),
            len: 0,
            room: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn root(&self) -> Branch {
        self.root
    }

    /// Adds an entry whose slot is not in the tree.
    pub(super) fn insert(&mut self, entry: Entry, on_move: &mut impl FnMut(u32, u32)) {
        self.len += 1;
        match self.root.kind() {
            None => self.root = self.new_leaf(entry, NOWHERE, 0, on_move),
            Some(_) => self.insert_at(self.root, entry, on_move),
        }
    }

    /// Removes the entry of `slot` from `leaf`.
    pub(super) fn remove(&mut self, leaf: u32, slot: u32, on_move: &mut impl FnMut(u32, u32)) {
        self.len -= 1;
        let parent = self.detach(leaf, slot);
        self.decrement_counts(parent, NOWHERE, on_move);
    }

    /// Moves an entry of `leaf`, in most cases within the leaf.
    pub(super) fn relocate(&mut self, leaf: u32, entry: Entry, on_move: &mut impl FnMut(u32, u32)) {
        let Leaf { entries, depth, .. } = &mut self.leaves[leaf];
        let Some(old) = entries.iter_mut().find(|old| old.slot == entry.slot) else {
            unreachable!("the leaf of a record has its entry")
        };
        let shared = shared_depth(old.at, entry.at);
        if shared >= (*depth).min(PLACE_DEPTH) {
            *old = entry;
            return;
        }
        self.moves.add(entry.slot);
        // Counts change only below the smallest node that contains both places.
        let parent = self.detach(leaf, entry.slot);
        let shared_node = self.ancestor(parent, shared);
        self.decrement_counts(parent, shared_node, on_move);
        self.insert_below(shared_node, entry, on_move);
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
            + self.leaves.memory_bytes()
            + self.moves.memory_bytes()
            + self.room * size_of::<Entry>()
    }

    /// Inserts into a branch, counting from there on.
    fn insert_at(&mut self, branch: Branch, entry: Entry, on_move: &mut impl FnMut(u32, u32)) {
        match branch.kind() {
            Some(BranchKind::Node(node)) => {
                self.nodes[node].count += 1;
                self.insert_below(node, entry, on_move);
            }
            Some(BranchKind::Leaf(leaf)) => self.insert_into_leaf(leaf, entry, on_move),
            None => unreachable!("a branch to insert at exists"),
        }
    }

    /// Inserts below a node that already counts the entry.
    fn insert_below(&mut self, mut node: u32, entry: Entry, on_move: &mut impl FnMut(u32, u32)) {
        loop {
            let Node { children, depth, .. } = &self.nodes[node];
            let (child, depth) = (child_of(entry.at, entry.slot, *depth), *depth);
            match children[child].kind() {
                None => {
                    let leaf = self.new_leaf(entry, node, depth + 1, on_move);
                    self.nodes[node].children[child] = leaf;
                    return;
                }
                Some(BranchKind::Leaf(leaf)) => return self.insert_into_leaf(leaf, entry, on_move),
                Some(BranchKind::Node(below)) => {
                    self.nodes[below].count += 1;
                    node = below;
                }
            }
        }
    }

    fn insert_into_leaf(&mut self, leaf: u32, entry: Entry, on_move: &mut impl FnMut(u32, u32)) {
        let Leaf { entries, .. } = &mut self.leaves[leaf];
        if entries.len() < LEAF_MAX as usize {
            if entries.len() == entries.capacity() {
                entries.reserve_exact(ROOM_STEP);
                self.room += ROOM_STEP;
            }
            entries.push(entry);
            on_move(entry.slot, leaf);
            return;
        }
        let node = self.split(leaf, on_move);
        self.nodes[node].count += 1;
        self.insert_below(node, entry, on_move);
    }

    fn new_leaf(&mut self, entry: Entry, parent: u32, depth: u8, on_move: &mut impl FnMut(u32, u32)) -> Branch {
        let mut entries = Vec::with_capacity(ROOM_STEP);
        self.room += ROOM_STEP;
        entries.push(entry);
        let leaf = self.leaves.insert(Leaf { entries, parent, depth });
        on_move(entry.slot, leaf);
        Branch::leaf(leaf)
    }

    /// Removes an entry from its leaf, and an empty leaf from its parent. Returns the parent.
    fn detach(&mut self, leaf: u32, slot: u32) -> u32 {
        let Leaf { entries, parent, .. } = &mut self.leaves[leaf];
        let parent = *parent;
        if let Some(position) = entries.iter().position(|entry| entry.slot == slot) {
            entries.swap_remove(position);
        }
        let room = entries.capacity();
        if entries.is_empty() {
            self.leaves.remove(leaf);
            self.replace(parent, Branch::leaf(leaf), Branch::NONE);
            self.room -= room;
        } else if room - entries.len() >= 2 * ROOM_STEP {
            entries.shrink_to(room - ROOM_STEP);
            self.room -= room - entries.capacity();
        }
        parent
    }

    /// The node at `depth` above or at `node`.
    fn ancestor(&self, mut node: u32, depth: u8) -> u32 {
        while self.nodes[node].depth > depth {
            node = self.nodes[node].parent;
        }
        node
    }

    /// Puts one branch in the place of another, in the parent or at the root.
    fn replace(&mut self, parent: u32, old: Branch, new: Branch) {
        if parent == NOWHERE {
            self.root = new;
        } else if let Some(child) = self.nodes[parent].children.iter_mut().find(|child| **child == old) {
            *child = new;
        }
    }
}

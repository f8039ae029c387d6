//! Splits full leaves, and joins small nodes.

use super::{Branch, BranchKind, Entry, JOIN_AT, LEAF_MAX, Leaf, NOWHERE, Node, ROOM_STEP, Tree};

impl Tree {
    /// Replaces a full leaf by a node with its entries.
    pub(super) fn split(&mut self, leaf: u32, on_move: &mut impl FnMut(u32, u32)) -> u32 {
        let Leaf { entries, parent, depth } = self.leaves.remove(leaf);
        self.room -= entries.capacity();
        let node = self.nodes.insert(Node {
            children: [Branch::NONE; 8],
            parent,
            count: LEAF_MAX,
            depth,
        });
        self.replace(parent, Branch::leaf(leaf), Branch(node));
        for entry in entries {
            self.insert_below(node, entry, on_move);
        }
        node
    }

    /// Decrements the counts from `node` up to, not including, `end`; then joins the topmost node that has become small.
    pub(super) fn decrement_counts(&mut self, mut node: u32, end: u32, on_move: &mut impl FnMut(u32, u32)) {
        let mut small = NOWHERE;
        while node != end {
            let Node { count, parent, .. } = &mut self.nodes[node];
            *count -= 1;
            if *count <= JOIN_AT {
                small = node;
            }
            node = *parent;
        }
        if small != NOWHERE {
            self.join(small, on_move);
        }
    }

    /// Replaces a node with few entries by a leaf.
    fn join(&mut self, node: u32, on_move: &mut impl FnMut(u32, u32)) {
        let Node {
            parent, depth, count, ..
        } = self.nodes[node];
        let mut entries = Vec::with_capacity((count as usize).next_multiple_of(ROOM_STEP));
        let room = entries.capacity();
        self.collect_entries(node, &mut entries);
        self.room += room;
        let leaf = self.leaves.insert(Leaf { entries, parent, depth });
        for entry in &self.leaves[leaf].entries {
            on_move(entry.slot, leaf);
        }
        self.replace(parent, Branch(node), Branch::leaf(leaf));
    }

    /// Moves everything below a node into `entries` and frees the node.
    fn collect_entries(&mut self, node: u32, entries: &mut Vec<Entry>) {
        for child in self.nodes.remove(node).children {
            match child.kind() {
                None => {}
                Some(BranchKind::Node(below)) => self.collect_entries(below, entries),
                Some(BranchKind::Leaf(leaf)) => {
                    let leaf = self.leaves.remove(leaf);
                    self.room -= leaf.entries.capacity();
                    entries.extend_from_slice(&leaf.entries);
                }
            }
        }
    }
}

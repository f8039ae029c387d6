//! A walk through the tree's leaves that can release the lock and continue later.

use super::grid::Cell;
use super::tree::{BranchKind, Entry, Tree};
use std::ops::ControlFlow;

/// The position of a walk: child numbers from the root. It names no nodes, because those may no longer exist when the walk
/// continues, while the order of the leaves stays the same.
///
/// An entry that does not move is visited at least once; twice if leaves are joined where the walk paused.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Leads to the last cell that is finished; empty at the start.
    path: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    node: u32,
    /// The next child to visit.
    next: u8,
    cell: Cell,
}

/// Whether a walk or search is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All leaves were visited, or the visitor stopped the walk.
    Done,
    /// The budget is used up.
    Paused,
}

impl Walk {
    /// Visits leaves until about `budget` entries and pruned cells are processed. `enter` returns whether a cell is of interest.
    pub(super) fn advance(
        &mut self,
        tree: &Tree,
        budget: usize,
        mut enter: impl FnMut(Cell) -> bool,
        mut visit: impl FnMut(&[Entry]) -> ControlFlow<()>,
    ) -> Progress {
        match tree.root().kind() {
            None => return Progress::Done,
            Some(BranchKind::Leaf(leaf)) => {
                // There is nothing after it, so it does not matter whether the visitor stops the walk.
                let _ = visit(&tree.leaves[leaf].entries);
                return Progress::Done;
            }
            Some(BranchKind::Node(root)) => self.seek(tree, root),
        }
        let mut spent = 0;
        while let Some(frame) = self.frames.last_mut() {
            let index = usize::from(frame.next);
            let Some(child) = tree.nodes[frame.node].children.get(index) else {
                self.frames.pop();
                continue;
            };
            frame.next += 1;
            let Some(child) = child.kind() else { continue };
            let cell = frame.cell.child(index);
            spent += 1;
            if enter(cell) {
                match child {
                    BranchKind::Node(node) => {
                        self.frames.push(Frame { node, next: 0, cell });
                        continue;
                    }
                    BranchKind::Leaf(leaf) => {
                        let entries = &tree.leaves[leaf].entries;
                        if visit(entries).is_break() {
                            return Progress::Done;
                        }
                        spent += entries.len();
                    }
                }
            }
            if spent >= budget {
                self.path.clear();
                self.path.extend(self.frames.iter().map(|frame| frame.next - 1));
                return Progress::Paused;
            }
        }
        Progress::Done
    }

    /// Sets the frames up to continue after the path, as far as the tree still has it.
    fn seek(&mut self, tree: &Tree, root: u32) {
        self.frames.clear();
        let (mut node, mut cell) = (root, Cell::ROOT);
        let mut path = self.path.iter().copied().peekable();
        while let Some(step) = path.next() {
            let child = tree.nodes[node].children[usize::from(step)].kind();
            match child {
                Some(BranchKind::Node(below)) if path.peek().is_some() => {
                    let next = step + 1;
                    self.frames.push(Frame { node, next, cell });
                    (node, cell) = (below, cell.child(usize::from(step)));
                }
                // The path continued below this leaf: it was joined since, and only a part of its entries was visited.
                Some(BranchKind::Leaf(_)) if path.peek().is_some() => {
                    self.frames.push(Frame { node, next: step, cell });
                    return;
                }
                _ => {
                    let next = step + 1;
                    self.frames.push(Frame { node, next, cell });
                    return;
                }
            }
        }
        self.frames.push(Frame { node, next: 0, cell });
    }
}

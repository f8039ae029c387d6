//! A walk through the tree's leaves that can lay the lock down and go on later.

use super::grid::Cell;
use super::tree::{BranchKind, Entry, Tree};
use std::ops::ControlFlow;

/// How far a walk has come. The place is kept as child numbers from the root, not as nodes: those may be gone by the time
/// the walk goes on, while the order of the leaves stays.
///
/// What does not move is visited at least once; twice, if leaves are joined just where the walk paused.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Leads to the last cell that is done with; empty at the start.
    path: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    node: u32,
    /// The child to look at next.
    next: u8,
    cell: Cell,
}

/// Whether there is more to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// All leaves were visited, or the visitor broke off.
    Done,
    /// The budget is used up.
    Paused,
}

impl Walk {
    /// Visits leaves until about `budget` entries and pruned cells are done with. `enter` says which cells matter.
    pub(super) fn go_on(
        &mut self,
        tree: &Tree,
        budget: usize,
        mut enter: impl FnMut(Cell) -> bool,
        mut visit: impl FnMut(&[Entry]) -> ControlFlow<()>,
    ) -> Pace {
        match tree.root().kind() {
            None => return Pace::Done,
            Some(BranchKind::Leaf(leaf)) => {
                // There is nothing after it, so it does not matter whether the visitor breaks off.
                let _ = visit(&tree.leaves[leaf].entries);
                return Pace::Done;
            }
            Some(BranchKind::Node(root)) => self.find_place(tree, root),
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
                            return Pace::Done;
                        }
                        spent += entries.len();
                    }
                }
            }
            if spent >= budget {
                self.path.clear();
                self.path.extend(self.frames.iter().map(|frame| frame.next - 1));
                return Pace::Paused;
            }
        }
        Pace::Done
    }

    /// Sets the frames up just after the path, as far as the tree still has it.
    fn find_place(&mut self, tree: &Tree, root: u32) {
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
                // The path went on below this leaf: it was joined since, and what it holds is only partly done with.
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

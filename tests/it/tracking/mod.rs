//! Positions in, the nearest out: a file per subject.

mod position;

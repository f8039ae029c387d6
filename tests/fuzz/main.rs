//! Fuzz targets: the parsers of what clients send, on mutations of a corpus and on random values.
//!
//! Each target runs for `FUZZ_SECONDS` (2 without it; `make fuzz` runs longer). A failure prints its seed and the smallest input that
//! still fails. `FUZZ_SEED=… cargo test --test fuzz -- TARGET` repeats it. The input then becomes a case of the target's `regressions`.

#![expect(clippy::unwrap_used, reason = "a target that cannot continue fails")]
#![expect(clippy::print_stdout, reason = "a target shows its seed and how far it came")]

mod campaign;
mod cron;
mod headers;
mod heads;
mod names;
mod positions;
mod queries;

//! fleetpulse: geo-tracking for a Mobility-as-a-Service platform. It ingests positions of drivers, vehicles and users, and answers
//! queries for the nearest ones.
//!
//! A **slice** is one feature in one folder, with its model, its Rust API, its Lua scripts, its HTTP handlers and its errors:
//! [`tracking`], [`inventory`], [`sessions`], [`limits`], [`locks`], [`jobs`], [`cache`], [`health`]. [`builtin_jobs`] is a slice on top
//! of others, which its first line names. [`response_cache`] is middleware on top of the cache, for programs that embed this crate.
//! Mechanics that slices share are in folders of their own: [`store`], [`http`], [`openapi`], [`outgoing`], [`settings`],
//! [`telemetry`], [`runtime`]; types and functions that they share, in [`ids`], [`kind`], [`clock`], [`zones`], [`json`] and [`once`].
//! [`wiring`] is how [`app`] runs a slice.
//!
//! Points, distances and boxes ([`geo`]) and the live index are a crate of their own, [`fleetpulse_index`].
//!
//! **Dependency rule.** A slice imports the shared folders, never another slice; [`fleetpulse_index`] imports nothing of ours. Only
//! [`app`] and [`cli`] see every slice.

pub mod app;
pub mod builtin_jobs;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod health;
pub mod http;
pub mod ids;
pub mod inventory;
pub mod jobs;
pub mod json;
pub mod kind;
pub mod limits;
pub mod locks;
pub mod once;
pub mod openapi;
pub mod outgoing;
pub mod response_cache;
pub mod runtime;
pub mod sessions;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod tracking;
pub mod wiring;
pub mod zones;

pub use fleetpulse_index::geo;

/// Compiles the Rust code of the pages, by `cargo test --doc`.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/guides/builtin-jobs.md")]
    mod builtin_jobs {}
    #[doc = include_str!("../docs/guides/cache.md")]
    mod cache {}
    #[doc = include_str!("../docs/guides/inventory.md")]
    mod inventory {}
    #[doc = include_str!("../docs/guides/jobs.md")]
    mod jobs {}
    #[doc = include_str!("../docs/guides/limits.md")]
    mod limits {}
    #[doc = include_str!("../docs/guides/locks.md")]
    mod locks {}
    #[doc = include_str!("../docs/guides/response-cache.md")]
    mod response_cache {}
    #[doc = include_str!("../docs/guides/sessions.md")]
    mod sessions {}
    #[doc = include_str!("../docs/guides/tracking.md")]
    mod tracking {}
}

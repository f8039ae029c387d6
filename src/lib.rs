//! fleetpulse: geo-tracking for a Mobility-as-a-Service platform. Positions of drivers, vehicles and users in, the
//! nearest out.
//!
//! A folder is a **slice**, named in the product's words, with its model, its store functions, its Lua, its HTTP handlers
//! and its errors: [`tracking`], [`inventory`], [`sessions`], [`limits`], [`locks`], [`jobs`], [`cache`], [`health`].
//! [`response_cache`] and [`builtin_jobs`] are slices on top of others, which their first lines name. Mechanics that slices share are in
//! folders of their own: [`store`], [`http`], [`outgoing`], [`settings`], [`telemetry`], [`runtime`], and the words that all of them
//! use in [`ids`], [`kind`], [`clock`] and [`zones`].
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
pub mod zones;

pub use fleetpulse_index::geo;

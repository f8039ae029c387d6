//! Integration tests with the real service and a real Redis; folders per slice, and by topic (`bounds`, `faults`, `bad_input`,
//! `responses`).

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod bad_input;
mod bounds;
mod cache;
mod circles;
mod cli;
mod client;
mod docs;
mod faults;
mod health;
mod http;
mod inventory;
mod jobs;
mod kept_as_sent;
mod limits;
mod locks;
mod lua;
mod names;
mod openapi;
mod outgoing;
mod pages;
mod repeats;
mod responses;
mod sessions;
mod store;
mod structure;
mod support;
mod tracking;

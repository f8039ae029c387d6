//! The HTTP response cache, as middleware of a small application whose handler the test provides; and the caching of the service's answers,
//! which does without it.

mod answers;
mod bad_input;
mod confirmations;
mod crowds;
mod freshness;
mod invalidation;
mod outages;
mod own_answers;
mod privacy;
mod regressions;
mod site;

use site::{Got, Site};

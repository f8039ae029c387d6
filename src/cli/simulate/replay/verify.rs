//! Checks that the positions in the service after a replay are the last ones of the recording.

use super::options::ReplayOptions;
use super::timeline::{Ledger, Newest};
use crate::cli::simulate::SimulateError;
use crate::cli::simulate::summary::Verified;
use crate::cli::simulate::target::Target;
use crate::clock;
use crate::ids::Id;
use fleetpulse_client::tracking::{Entity, Kind};
use fleetpulse_client::{Client, Error};
use std::time::Duration;
use tokio::task::JoinSet;

/// Coordinates further apart than this are different, degrees (a centimetre): more than the rounding of all conversions.
const TOLERANCE_DEG: f64 = 1e-7;
/// The most wrong ids that are reported.
const NAMED: usize = 5;

/// Reads the position of every entity of the ledger.
pub(super) async fn verify(
    options: &ReplayOptions,
    target: &Target,
    ledger: Ledger,
) -> Result<Verified, SimulateError> {
    let entities: Vec<_> = ledger.newest.into_iter().collect();
    let share = entities.len().div_ceil(options.connections.max(1) as usize).max(1);
    let mut lanes = JoinSet::new();
    for entities in entities.chunks(share) {
        let client = target.builder().build().map_err(|error| target.error(error))?;
        lanes.spawn(ask(client, target.kind, options.ttl, entities.to_vec()));
    }
    let mut total = Verified::default();
    while let Some(found) = lanes.join_next().await {
        let found = found
            .map_err(|_panicked| SimulateError::Lost)?
            .map_err(|error| target.error(error))?;
        total.right += found.right;
        total.wrong += found.wrong;
        total.expired += found.expired;
        total.wrong_ids.extend(found.wrong_ids);
    }
    total.wrong_ids.sort_unstable();
    total.wrong_ids.truncate(NAMED);
    Ok(total)
}

async fn ask(client: Client, kind: Kind, ttl: Duration, entities: Vec<(Id, Newest)>) -> Result<Verified, Error> {
    let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    let mut found = Verified::default();
    for (id, newest) in entities {
        match client.tracking(kind).position(id.as_str()).await {
            Ok(Some(entity)) if is_at(&entity, &newest) => found.right += 1,
            Ok(None) if clock::now_ms() - newest.sent_ms >= ttl_ms => found.expired += 1,
            Ok(_) | Err(Error::Problem(_) | Error::Decode(_)) => {
                found.wrong += 1;
                if found.wrong_ids.len() < NAMED {
                    found.wrong_ids.push(id.as_str().to_owned());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn is_at(entity: &Entity, newest: &Newest) -> bool {
    (entity.lat - newest.lat).abs() <= TOLERANCE_DEG && (entity.lon - newest.lon).abs() <= TOLERANCE_DEG
}

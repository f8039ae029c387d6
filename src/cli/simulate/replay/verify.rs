//! Checks that the positions in the service after a replay are the last ones of the recording.

use super::options::ReplayOptions;
use super::timeline::{Ledger, Newest};
use crate::cli::client::{Client, ClientError, Endpoint, Limits};
use crate::cli::encode;
use crate::cli::simulate::SimulateError;
use crate::cli::simulate::summary::Verified;
use crate::clock;
use crate::ids::Id;
use serde::Deserialize;
use tokio::task::JoinSet;

/// Coordinates further apart than this are different, degrees (a centimetre): more than the rounding of all conversions.
const TOLERANCE_DEG: f64 = 1e-7;
/// The most wrong ids that are reported.
const NAMED: usize = 5;

#[derive(Debug, Deserialize)]
struct Place {
    lat: f64,
    lon: f64,
}

/// Reads the position of every entity of the ledger.
pub(super) async fn verify(options: &ReplayOptions, ledger: Ledger) -> Result<Verified, SimulateError> {
    let unreachable = |source| SimulateError::Unreachable {
        url: options.url.clone(),
        source,
    };
    let endpoint = Endpoint::parse(&options.url).map_err(unreachable)?;
    let limits = Limits {
        timeout: options.timeout,
        ..Limits::default()
    };
    let entities: Vec<_> = ledger.newest.into_iter().collect();
    let share = entities.len().div_ceil(options.connections.max(1) as usize).max(1);
    let mut lanes = JoinSet::new();
    for entities in entities.chunks(share) {
        let client = Client::new(endpoint.clone(), limits);
        lanes.spawn(ask(client, options.clone(), entities.to_vec()));
    }
    let mut total = Verified::default();
    while let Some(found) = lanes.join_next().await {
        let found = found.map_err(|_panicked| SimulateError::Lost)?.map_err(unreachable)?;
        total.right += found.right;
        total.wrong += found.wrong;
        total.expired += found.expired;
        total.wrong_ids.extend(found.wrong_ids);
    }
    total.wrong_ids.sort_unstable();
    total.wrong_ids.truncate(NAMED);
    Ok(total)
}

async fn ask(mut client: Client, options: ReplayOptions, entities: Vec<(Id, Newest)>) -> Result<Verified, ClientError> {
    let ttl_ms = i64::try_from(options.ttl.as_millis()).unwrap_or(i64::MAX);
    let (mut found, mut request) = (Verified::default(), Vec::new());
    for (id, newest) in entities {
        encode::get(
            &mut request,
            client.endpoint(),
            &format!("/v1/{}/{id}/position", options.kind),
        );
        let response = client.send(&request).await?;
        let same = response.status == 200
            && serde_json::from_slice(response.body).is_ok_and(|Place { lat, lon }| {
                (lat - newest.lat).abs() <= TOLERANCE_DEG && (lon - newest.lon).abs() <= TOLERANCE_DEG
            });
        if same {
            found.right += 1;
        } else if response.status == 404 && clock::now_ms() - newest.sent_ms >= ttl_ms {
            found.expired += 1;
        } else {
            found.wrong += 1;
            if found.wrong_ids.len() < NAMED {
                found.wrong_ids.push(id.as_str().to_owned());
            }
        }
    }
    Ok(found)
}

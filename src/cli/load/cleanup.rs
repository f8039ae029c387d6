//! Removes the entities that a load has created.

use super::crowd::Visited;
use super::drive::Plan;
use super::error::LoadError;
use crate::cli::client::{Client, Endpoint};
use crate::tracking::Kind;
use std::io::Write;
use tokio::task::JoinSet;

/// The number of connections that remove entities.
const AT_ONCE: usize = 16;

/// After this many requests in a row without an answer the service counts as stopped.
const GIVE_UP_AFTER: u32 = 3;

/// Deletes the positions of the entities that connections have sent; returns how many could not be deleted.
pub(super) async fn remove(plan: &Plan, kind: Kind, made: Vec<Visited>) -> Result<u64, LoadError> {
    let made = Visited::each_once(made);
    let mut tasks = JoinSet::new();
    for nth in 0..AT_ONCE {
        let client = Client::new(plan.endpoint.clone(), plan.limits);
        let ids = made.clone().into_iter().flat_map(Visited::ids);
        tasks.spawn(remove_all(client, kind, ids.skip(nth).step_by(AT_ONCE)));
    }
    let mut left = 0;
    while let Some(done) = tasks.join_next().await {
        left += done.map_err(|_panicked| LoadError::Lost)?;
    }
    Ok(left)
}

async fn remove_all(mut client: Client, kind: Kind, mut ids: impl Iterator<Item = String>) -> u64 {
    let (endpoint, mut request) = (client.endpoint().clone(), Vec::new());
    let (mut left, mut unanswered) = (0, 0);
    while let Some(id) = ids.next() {
        compose(&mut request, &endpoint, kind, &id);
        if let Ok(answer) = client.send(&request).await {
            unanswered = 0;
            left += u64::from(!answer.is_success());
        } else {
            unanswered += 1;
            left += 1;
        }
        if unanswered == GIVE_UP_AFTER {
            return left + ids.map(|_id| 1).sum::<u64>();
        }
    }
    left
}

fn compose(request: &mut Vec<u8>, endpoint: &Endpoint, kind: Kind, id: &str) {
    request.clear();
    // Writing to a Vec cannot fail.
    let _ = write!(
        request,
        "DELETE {}/v1/{kind}/{id}/position HTTP/1.1\r\nHost: {}\r\n\r\n",
        endpoint.prefix(),
        endpoint.authority()
    );
}

//! Redis is killed under load and restarted.

use super::{NOTICE, SOON, becomes, stored_ms};
use crate::support::{Api, Redis, Scene, eventually, now_ms};
use futures_util::future::join_all;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

const SENDERS: usize = 4;
const DRIVERS_EACH: usize = 50;

/// The responses to the senders.
#[derive(Default)]
struct Tally {
    stored: Cell<usize>,
    buffered: Cell<usize>,
    found: Cell<usize>,
    /// The newest fix of each driver that was answered with 204 or 202.
    newest: RefCell<HashMap<String, i64>>,
    over: Cell<bool>,
}

/// Moves its drivers in circles, one fix after the other, until `stop`.
async fn send(api: Api, sender: usize, tally: Rc<Tally>) {
    for round in 0.. {
        let id = format!("d-{sender}-{}", round % DRIVERS_EACH);
        let at = now_ms();
        let fix = json!({"lat": 40.7484, "lon": -73.9857, "timestamp": at});
        let answer = api.post_fix(&id, fix).await;
        match answer.status {
            204 => tally.stored.set(tally.stored.get() + 1),
            202 => tally.buffered.set(tally.buffered.get() + 1),
            // Two fixes had the same millisecond, or a fix arrived twice: nothing new was acknowledged.
            200 => continue,
            _ => panic!("{answer:?}"),
        }
        tally.newest.borrow_mut().insert(id, at);
        if tally.over.get() {
            return;
        }
    }
}

/// Queries the nearest drivers all the time.
async fn ask(api: Api, tally: Rc<Tally>) {
    while !tally.over.get() {
        let answer = api.nearby("lat=40.7484&lon=-73.9857&limit=1000").await;
        let known = answer.ids().len();
        assert!(known >= tally.found.get(), "entities were lost from the answers");
        tally.found.set(known);
    }
}

#[actix_web::test]
async fn no_acknowledged_fix_is_lost() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = service.drivers();
    let tally = Rc::new(Tally::default());
    let mut load: Vec<_> = (0..SENDERS)
        .map(|sender| actix_web::rt::spawn(send(api.clone(), sender, Rc::clone(&tally))))
        .collect();
    load.push(actix_web::rt::spawn(ask(api.clone(), Rc::clone(&tally))));

    let reaches = async |what: &str, count: &Cell<usize>, more: usize| {
        let goal = count.get() + more;
        eventually(SOON, what, async || (count.get() >= goal).then_some(())).await;
    };
    reaches("fixes are stored", &tally.stored, 400).await;
    scene.redis.kill();
    reaches("fixes are buffered", &tally.buffered, 400).await;
    becomes(&api, "degraded").await;
    scene.redis.restart().await;
    becomes(&api, "ok").await;
    reaches("fixes are stored again", &tally.stored, 400).await;
    tally.over.set(true);
    for ended in join_all(load).await {
        ended.expect("no sender and no asker failed");
    }

    let newest = tally.newest.take();
    assert_eq!(newest.len(), SENDERS * DRIVERS_EACH);
    for (id, at) in newest {
        eventually(SOON, &format!("{id} is in Redis"), async || {
            (stored_ms(&scene, &id).await? >= at).then_some(())
        })
        .await;
    }
}

//! Calls that share a batch, and calls whose partition has many holds to expire first.

use super::books::Books;
use super::{Expected, apart, id, inventory, terms};
use crate::support::Scene;
use fleetpulse::inventory::{InventoryError, Name, State};
use fleetpulse::store::{Keys, StoreError};
use futures_util::future::{Either, join_all, select};
use redis::cmd;
use std::pin::pin;
use std::time::Duration;

/// Expired holds that are written directly to Redis: of an item with its BORN, this many after that many.
const OVERDUE: &str = "
    for n = ARGV[3] + 1, ARGV[3] + ARGV[4] do
      redis.call('HSET', KEYS[2], 'old-' .. n, 'h 1 2 0 * ' .. ARGV[2] .. ' 1000 * ' .. ARGV[1] .. ' 1')
      redis.call('ZADD', KEYS[3], 2, 'old-' .. n)
    end
    local item = redis.call('HGET', KEYS[1], ARGV[1])
    redis.call('HSET', KEYS[1], ARGV[1], (string.gsub(item, '^(%d+) %d+', '%1 ' .. ARGV[3] + ARGV[4])))";
const MANY: u64 = 30_000;
/// The number of holds that are written at once.
const PIECE: usize = 2_000;

#[actix_web::test]
async fn one_answer_that_cannot_be_parsed_does_not_affect_the_others() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    inventory.put(&id("seat"), 100, None, Expected::Any).await.unwrap();
    let minute = terms(&[("seat", 1)], Duration::from_mins(1));
    let mut holds = Vec::new();
    for _ in 0..20 {
        holds.push(inventory.reserve(&minute, &Name::New).await.unwrap().reservation.id);
    }
    let spoiled = holds[10].clone();
    let key = scene.keys().inventory_reservations(Keys::inventory_partition("seat"));
    let mut set = cmd("HSET");
    set.arg(&key).arg(spoiled.as_str()).arg("of another program");
    scene.redis.query::<()>(&set).await;
    for (hold, confirmed) in holds
        .iter()
        .zip(join_all(holds.iter().map(|hold| inventory.confirm(hold))).await)
    {
        if *hold == spoiled {
            let error = confirmed.unwrap_err();
            assert!(
                matches!(error, InventoryError::Store(StoreError::Answer(_))),
                "{error:?}"
            );
        } else {
            assert_eq!(confirmed.unwrap().state, State::Confirmed);
        }
    }
    let item = inventory.item(&id("seat")).await.unwrap();
    assert_eq!((item.held, item.confirmed), (1, 19));
}

#[actix_web::test]
async fn a_partition_with_very_many_due_holds_answers_correctly_and_delays_no_other() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), MANY, None, Expected::Any).await.unwrap();
    }
    let (keys, behind) = (scene.keys(), Keys::inventory_partition(&skus[0]));
    let item: String = scene
        .redis
        .query(cmd("HGET").arg(keys.inventory_items(behind)).arg(&skus[0]))
        .await;
    for made in (0..MANY).step_by(PIECE) {
        let mut overdue = cmd("EVAL");
        overdue.arg(OVERDUE).arg(3);
        overdue
            .arg(keys.inventory_items(behind))
            .arg(keys.inventory_reservations(behind))
            .arg(keys.inventory_due(behind));
        overdue.arg(&skus[0]).arg(item.split(' ').nth(5)).arg(made).arg(PIECE);
        scene.redis.query::<()>(&overdue).await;
    }
    Books::read(&scene).await.add_up();

    // All of it: it is available only after every hold has expired.
    let (most, one) = (
        terms(&[(&skus[0], MANY)], Duration::from_mins(1)),
        terms(&[(&skus[1], 1)], Duration::from_mins(1)),
    );
    let slow = pin!(inventory.reserve(&most, &Name::New));
    let quick = pin!(async {
        for _ in 0..20 {
            inventory.reserve(&one, &Name::New).await.unwrap();
        }
    });
    let Either::Right(((), slow)) = select(slow, quick).await else {
        panic!("the others waited for it");
    };
    slow.await.unwrap();
    assert_eq!(inventory.item(&id(&skus[0])).await.unwrap().available(), 0);
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!(books.states[&('e', false)] as u64, MANY);
    assert_eq!((books.items[&skus[0]].1, books.items[&skus[1]].1), (MANY, 20));
}

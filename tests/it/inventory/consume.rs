//! Concurrent consumption and return of goods in other partitions than their reservation.

use super::books::Books;
use super::{Expected, SOON, apart, at, id, inventory, terms};
use crate::support::{Proxy, Scene, eventually};
use fleetpulse::ids::Id;
use fleetpulse::inventory::{Goods, Inventory, InventoryError, Name, OnHand, Portion, Reservation};
use fleetpulse::store::Keys;
use rand::RngExt;
use redis::cmd;
use std::time::Duration;
use tokio::join;
use tokio::time::sleep;

const ON_HAND: u64 = 1_000;
const QUANTITY: u64 = 2;
/// A text that only the decision of a return contains.
const RETURN: &str = "\r\nc\r\n$0\r\n";

fn some(sku: &str) -> Goods {
    Goods {
        sku: id(sku),
        quantity: QUANTITY,
    }
}

/// Two items, each in a partition of its own.
async fn stocked(inventory: &Inventory) -> Vec<String> {
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), ON_HAND, None, Expected::Any).await.unwrap();
    }
    skus
}

/// A confirmed order, by a name of another partition than that of its items.
async fn confirmed(inventory: &Inventory, skus: &[String], number: usize) -> Id {
    let is_elsewhere = |name: &String| {
        let home = Keys::inventory_partition(name);
        skus.iter().all(|sku| Keys::inventory_partition(sku) != home)
    };
    let names = (0..).map(|n| format!("order-{number}-{n}"));
    let order = id(&names.into_iter().find(is_elsewhere).unwrap());
    let goods: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), QUANTITY)).collect();
    let terms = terms(&goods, Duration::from_mins(10));
    inventory.reserve(&terms, &Name::Id(order.clone())).await.unwrap();
    inventory.confirm(&order).await.unwrap();
    order
}

/// All of it, or the first item.
fn portions(skus: &[String]) -> [Option<Portion>; 2] {
    [None, Some(Portion::Goods(vec![some(&skus[0])]))]
}

async fn take_back(
    inventory: &Inventory,
    order: &Id,
    portion: Option<&Portion>,
) -> Result<Reservation, InventoryError> {
    inventory.take_back(order, portion, None).await.map(|(order, _)| order)
}

#[actix_web::test]
async fn the_first_of_a_consumption_and_a_return_wins() {
    let scene = Scene::new().await;
    let (direct, proxy) = (inventory(&scene).await, Proxy::to(&scene.redis.url()).await);
    let late = at(&proxy.url(), &scene).await;
    let skus = &stocked(&direct).await[..1];
    for (number, portion) in portions(skus).into_iter().enumerate() {
        let order = confirmed(&direct, skus, number).await;
        proxy.keep_back(RETURN);
        let consuming = async {
            proxy.keeps_something().await;
            let left = direct.consume(&order, &some(&skus[0])).await;
            proxy.let_go().await;
            left
        };
        let (returned, left) = join!(take_back(&late, &order, portion.as_ref()), consuming);
        left.unwrap();
        assert!(matches!(returned, Err(InventoryError::HasLeft)), "{returned:?}");

        let order = confirmed(&direct, skus, 10 + number).await;
        // In transit to the part.
        proxy.keep_back(&format!("{order}/"));
        let returning = async {
            proxy.keeps_something().await;
            let returned = take_back(&direct, &order, portion.as_ref()).await;
            proxy.let_go().await;
            returned
        };
        let goods = some(&skus[0]);
        let (left, returned) = join!(late.consume(&order, &goods), returning);
        left.unwrap();
        assert!(matches!(returned, Err(InventoryError::HasLeft)), "{returned:?}");
    }
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!(books.items[&skus[0]], (ON_HAND - 4 * QUANTITY, 0, 0));
}

#[actix_web::test]
async fn one_of_a_concurrent_return_and_consumption_wins() {
    let scene = Scene::new().await;
    let (one, other) = (inventory(&scene).await, inventory(&scene).await);
    let all = stocked(&one).await;
    let (mut left, mut returned) = (0, 0);
    for number in 0..120 {
        let skus = if number % 3 == 0 { &all[..] } else { &all[..1] };
        let portion = portions(skus)[usize::from(number % 3 != 1)].clone();
        let order = confirmed(&one, skus, number).await;
        let goods = some(&skus[0]);
        // A return reads the parts before it is decided: either call may be first.
        let consuming = async {
            sleep(Duration::from_micros(rand::rng().random_range(0..3_000))).await;
            one.consume(&order, &goods).await
        };
        let (leaves, returns) = join!(consuming, take_back(&other, &order, portion.as_ref()));
        match (leaves, returns) {
            (Ok(_), Err(InventoryError::HasLeft)) => left += 1,
            (Err(InventoryError::NotItsGoods | InventoryError::WrongState { .. }), Ok(_)) => returned += 1,
            both => panic!("{both:?}"),
        }
    }
    assert!(left > 0 && returned > 0, "{left} {returned}");
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!(books.items[&all[0]], (ON_HAND - QUANTITY * left, 0, 0));
    assert_eq!(books.items[&all[1]], (ON_HAND, 0, 40 * QUANTITY));
}

#[actix_web::test]
async fn goods_that_cannot_be_consumed_can_be_returned() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = stocked(&inventory).await;
    let order = confirmed(&inventory, &skus, 0).await;
    let counted = OnHand {
        quantity: QUANTITY - 1,
        may_be_oversold: true,
    };
    inventory
        .put(&id(&skus[0]), counted, None, Expected::Any)
        .await
        .unwrap();
    let refused = inventory.consume(&order, &some(&skus[0])).await;
    assert!(
        matches!(refused, Err(InventoryError::Insufficient { .. })),
        "{refused:?}"
    );
    let [_, portion] = portions(&skus);
    let returned = take_back(&inventory, &order, portion.as_ref()).await.unwrap();
    assert_eq!(returned.goods, [some(&skus[1])]);
    let refused = inventory.consume(&order, &some(&skus[0])).await;
    assert!(matches!(refused, Err(InventoryError::NotItsGoods)), "{refused:?}");
    assert_eq!(inventory.item(&id(&skus[0])).await.unwrap().confirmed, 0);
    // The rest is consumed once, and cannot be returned then.
    for _ in 0..2 {
        let item = inventory.consume(&order, &some(&skus[1])).await.unwrap();
        assert_eq!((item.quantity, item.confirmed), (ON_HAND - QUANTITY, 0));
    }
    let refused = take_back(&inventory, &order, None).await;
    assert!(matches!(refused, Err(InventoryError::HasLeft)), "{refused:?}");
}

#[actix_web::test]
async fn goods_are_consumed_even_if_the_caller_crashes_after_the_decision() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = stocked(&inventory).await;
    let order = confirmed(&inventory, &skus, 0).await;
    let home = Keys::inventory_partition(&order);
    let key = scene.keys().inventory_reservations(home);
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg(order.as_str())).await;
    let mut words: Vec<&str> = record.split(' ').collect();
    words[5] = "1,0";
    let mut decided = cmd("HSET");
    decided.arg(&key).arg(order.as_str()).arg(words.join(" "));
    scene.redis.query::<()>(&decided).await;
    let mut listed = cmd("ZADD");
    listed
        .arg(scene.keys().inventory_parted(home))
        .arg(1)
        .arg(order.as_str());
    scene.redis.query::<()>(&listed).await;
    let _service = scene.start().await;
    eventually(SOON, "they leave", async || {
        let books = Books::read(&scene).await;
        (books.items[&skus[0]] == (ON_HAND - QUANTITY, 0, 0)).then_some(())
    })
    .await;
    // It is not swept any more.
    eventually(SOON, "it is done with", async || {
        let waits: usize = scene
            .redis
            .query(cmd("ZCARD").arg(scene.keys().inventory_parted(home)))
            .await;
        (waits == 0).then_some(())
    })
    .await;
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!(books.items[&skus[1]], (ON_HAND, 0, QUANTITY));
}

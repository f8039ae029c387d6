use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;
use fleetpulse_client::inventory::{
    Adjustment, ItemQuantity, ItemReservation, NewReservation, Part, ReservationState, Stock,
};

#[actix_web::test]
async fn an_item_is_held_confirmed_and_taken_from_the_stock() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let inventory = client.inventory();

    let seats = inventory.put_item("seat", &Stock::new(10)).await.unwrap();
    assert_eq!(seats.available, 10);
    let outdated = Stock {
        version: Some(seats.version + 1),
        ..Stock::new(9)
    };
    let refused = inventory.put_item("seat", &outdated).await;
    assert_eq!(problem(refused), (409, ProblemType::VersionConflict));

    let wanted = ItemReservation {
        owner: Some("rider/7".to_owned()),
        ..ItemReservation::new(4, 60)
    };
    let held = inventory.reserve_item("seat", &wanted).await.unwrap();
    assert_eq!(held.state, ReservationState::Held);
    assert_eq!(held.items, [ItemQuantity::new("seat", 4)]);
    let too_many = inventory.reserve_item("seat", &ItemReservation::new(7, 60)).await;
    let too_many = too_many.unwrap_err();
    assert!(too_many.is(ProblemType::InsufficientStock), "{too_many}");
    assert_eq!(too_many.problem().unwrap().members["available"], 6);

    let holds = inventory.holds("rider/7", None).await.unwrap();
    assert_eq!(holds.reservations, std::slice::from_ref(&held));
    let extended = inventory.extend(&held.id, 120).await.unwrap();
    assert!(extended.expires_at > held.expires_at);
    inventory.release(&held.id, Some(&Part::Quantity(1))).await.unwrap();
    let confirmed = inventory.confirm(&held.id).await.unwrap();
    assert_eq!(confirmed.state, ReservationState::Confirmed);
    assert_eq!(confirmed.items[0].quantity, 3);
    let removed = Adjustment {
        reservation: Some(held.id.clone()),
        ..Adjustment::new(-3)
    };
    assert_eq!(inventory.adjust_item("seat", &removed).await.unwrap().quantity, 7);
}

#[actix_web::test]
async fn several_items_are_reserved_and_returned() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let inventory = client.inventory();
    inventory.put_item("seat", &Stock::new(7)).await.unwrap();
    inventory.put_item("bike", &Stock::new(3)).await.unwrap();

    let both = NewReservation {
        items: vec![ItemQuantity::new("seat", 1), ItemQuantity::new("bike", 1)],
        ttl_s: 60,
        ..NewReservation::default()
    };
    let both = inventory.reserve(&both).await.unwrap();
    inventory.confirm(&both.id).await.unwrap();
    let part = Part::Items(vec![ItemQuantity::new("bike", 1)]);
    inventory.return_confirmed(&both.id, Some(&part)).await.unwrap();
    let returned = inventory.return_confirmed(&both.id, None).await.unwrap();
    assert_eq!(returned.state, ReservationState::Returned);
    assert_eq!(inventory.reservation(&both.id).await.unwrap(), Some(returned));

    let (mut available, mut cursor) = (Vec::new(), None);
    loop {
        let page = inventory.items(Some(1), cursor.as_deref()).await.unwrap();
        available.extend(page.items.into_iter().map(|item| (item.sku, item.available)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    available.sort_unstable();
    assert_eq!(available, [("bike".to_owned(), 3), ("seat".to_owned(), 7)]);
    inventory.delete_item("bike").await.unwrap();
    assert_eq!(inventory.item("bike").await.unwrap(), None);
}

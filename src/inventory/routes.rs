use super::handlers;
use crate::http::{Route, routes};

/// Returns the routes of stock and reservations.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET             "/v1/inventory"                    "inventory"    Inventory handlers::list_items;
        GET             "/v1/inventory/{sku}"              "item"         Inventory handlers::get_item;
        PUT             "/v1/inventory/{sku}"              "item"         Inventory handlers::put_item;
        DELETE          "/v1/inventory/{sku}"              "item"         Inventory handlers::delete_item;
        POST            "/v1/inventory/{sku}/adjust"       "adjust"       Inventory handlers::adjust_item;
        POST            "/v1/inventory/{sku}/reservations" "reserve"      Inventory handlers::reserve_item;
        POST            "/v1/reservations"                 "reservations" Inventory handlers::reserve;
        GET             "/v1/reservations"                 "reservations" Inventory handlers::list_owned;
        DELETE          "/v1/reservations"                 "reservations" Inventory handlers::release_owned;
        GET             "/v1/reservations/{id}"            "reservation"  Inventory handlers::get_reservation;
        POST idempotent "/v1/reservations/{id}/confirm"    "confirm"      Inventory handlers::confirm;
        POST            "/v1/reservations/{id}/release"    "release"      Inventory handlers::release;
        POST            "/v1/reservations/{id}/return"     "return"       Inventory handlers::take_back;
        POST idempotent "/v1/reservations/{id}/extend"     "extend"       Inventory handlers::extend;
    }
}

//! Bodies and query strings, parsed into the types of the slice.

use super::super::model::{Goods, MAX_GOODS, MAX_QUANTITY, MAX_TTL, OnHand, Portion, Terms};
use super::super::{Cursor, OwnedCursor};
use super::MAX_BODY;
use crate::http::{AppData, FieldError, Fields, FromBody, Problem, QueryParameters, QueryString};
use crate::ids::{ExternalId, Id};
use bytes::Bytes;
use std::time::Duration;

/// Entries of a page if the request has no `limit`.
const DEFAULT_LIMIT: usize = 100;
/// The largest page.
const MAX_LIMIT: usize = 500;
/// The largest quantity, of the type that [`Fields::integer`] reads.
const MOST: i64 = MAX_QUANTITY.cast_signed();

/// A new quantity of an item.
pub struct NewQuantity {
    pub(super) on_hand: OnHand,
    /// The expected version; 0 if the item must not exist.
    pub(super) version: Option<i64>,
    pub(super) group: Option<Id>,
}

impl FromBody for NewQuantity {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let quantity = fields.required("quantity", |fields, name| fields.integer(name, 0..=MOST));
        let version = fields.integer("version", 0..=MOST);
        let group = fields.id("group");
        let may_be_oversold = fields.boolean("allow_oversold").unwrap_or(false);
        fields.finish(quantity.map(|quantity| Self {
            on_hand: OnHand {
                quantity: quantity.unsigned_abs(),
                may_be_oversold,
            },
            version,
            group,
        }))
    }
}

/// A change of the quantity of an item.
pub struct Adjustment {
    pub(super) delta: i64,
    /// The expected version.
    pub(super) version: Option<i64>,
    /// The confirmed reservation whose goods are removed.
    pub(super) reservation: Option<Id>,
}

impl FromBody for Adjustment {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let delta = fields.required("delta", |fields, name| {
            let delta = fields.integer(name, -MOST..=MOST)?;
            if delta == 0 {
                fields.refuse(name, "must not be 0");
                return None;
            }
            Some(delta)
        });
        let version = fields.integer("version", 1..=MOST);
        let reservation = fields.id("reservation");
        if reservation.is_some() && delta.is_some_and(|delta| delta > 0) {
            fields.refuse(
                "delta",
                "must be negative: the goods of a reservation can only be removed",
            );
        }
        fields.finish(delta.map(|delta| Self {
            delta,
            version,
            reservation,
        }))
    }
}

/// The members that both kinds of reservation have in common.
pub struct Hold {
    ttl: Duration,
    owner: Option<ExternalId>,
    id: Option<Id>,
}

impl Hold {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let ttl = ttl(fields);
        let owner = fields.external_id("owner");
        let id = fields.id("id");
        ttl.map(|ttl| Self { ttl, owner, id })
    }

    /// Returns the terms of a hold of these goods, and its id if the client chose one.
    pub(super) fn of(self, goods: Vec<Goods>) -> (Terms, Option<Id>) {
        let Self { ttl, owner, id } = self;
        (Terms { ttl, owner, goods }, id)
    }
}

/// A reservation of the item that the path names.
pub struct NewItemReservation {
    pub(super) quantity: u64,
    pub(super) hold: Hold,
}

impl FromBody for NewItemReservation {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let quantity = quantity(&mut fields);
        let hold = Hold::read(&mut fields);
        fields.finish(quantity.zip(hold).map(|(quantity, hold)| Self { quantity, hold }))
    }
}

/// A reservation of several items.
pub struct NewReservation {
    pub(super) goods: Vec<Goods>,
    pub(super) hold: Hold,
}

impl FromBody for NewReservation {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let goods = fields.required("items", goods);
        let hold = Hold::read(&mut fields);
        fields.finish(goods.zip(hold).map(|(goods, hold)| Self { goods, hold }))
    }
}

/// The portion of a reservation that a call is about; `None` for the whole reservation.
pub struct Selection(pub(super) Option<Portion>);

impl FromBody for Selection {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse_optional(body)?;
        let quantity = fields.integer("quantity", 1..=MOST);
        let goods = goods(&mut fields, "items");
        if quantity.is_some() && goods.is_some() {
            fields.refuse("items", "is not allowed together with quantity");
        }
        let quantity = quantity.map(|quantity| Portion::Quantity(quantity.unsigned_abs()));
        fields.finish(Some(Self(quantity.or(goods.map(Portion::Goods)))))
    }
}

/// The time for which a hold is extended, from now on.
pub struct Extension(pub(super) Duration);

impl FromBody for Extension {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let ttl = ttl(&mut fields);
        fields.finish(ttl.map(Self))
    }
}

/// Reads a list of items and quantities that names no item twice.
fn goods(fields: &mut Fields<'_>, name: &'static str) -> Option<Vec<Goods>> {
    let goods = fields.each(name, 1..=MAX_GOODS, |item| {
        let sku = item.required("sku", Fields::id);
        let quantity = quantity(item);
        Some(Goods {
            sku: sku?,
            quantity: quantity?,
        })
    });
    for (index, one) in goods.iter().flatten().enumerate() {
        if goods.iter().flatten().take(index).any(|other| other.sku == one.sku) {
            fields.refuse(name, format!("has {} twice", one.sku));
            break;
        }
    }
    goods
}

fn quantity(fields: &mut Fields<'_>) -> Option<u64> {
    let quantity = fields.required("quantity", |fields, name| fields.integer(name, 1..=MOST));
    quantity.map(i64::unsigned_abs)
}

fn ttl(fields: &mut Fields<'_>) -> Option<Duration> {
    let range = 1..=MAX_TTL.as_secs().cast_signed();
    let ttl_s = fields.required("ttl_s", |fields, name| fields.integer(name, range));
    ttl_s.map(|ttl_s| Duration::from_secs(ttl_s.unsigned_abs()))
}

/// A page of all items.
pub struct ItemsPage {
    pub(super) limit: usize,
    pub(super) cursor: Option<Cursor>,
}

impl QueryParameters for ItemsPage {
    const KNOWN: &'static [&'static str] = &["limit", "cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let limit = limit(query, &mut errors);
        let cursor = cursor(query, Cursor::parse, &mut errors);
        if errors.is_empty() {
            Ok(Self { limit, cursor })
        } else {
            Err(Problem::validation_failed(errors))
        }
    }
}

/// A page of the holds of an owner.
pub struct HoldsPage {
    pub(super) owner: ExternalId,
    pub(super) limit: usize,
    pub(super) cursor: Option<OwnedCursor>,
}

impl QueryParameters for HoldsPage {
    const KNOWN: &'static [&'static str] = &["owner", "limit", "cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let owner = match query.text("owner").map(ExternalId::parse) {
            Some(Ok(owner)) => Some(owner),
            Some(Err(error)) => {
                errors.push(FieldError::parameter("owner", error.to_string()));
                None
            }
            None => {
                errors.push(FieldError::parameter("owner", "is missing"));
                None
            }
        };
        let limit = limit(query, &mut errors);
        let cursor = cursor(query, OwnedCursor::parse, &mut errors);
        match owner {
            Some(owner) if errors.is_empty() => Ok(Self { owner, limit, cursor }),
            _ => Err(Problem::validation_failed(errors)),
        }
    }
}

fn limit(query: &QueryString<'_>, errors: &mut Vec<FieldError>) -> usize {
    let limit = query.number::<usize>("limit").unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::parameter("limit", format!("must be 1 to {MAX_LIMIT}")));
    }
    limit
}

fn cursor<C>(
    query: &QueryString<'_>,
    parse: impl FnOnce(&str) -> Option<C>,
    errors: &mut Vec<FieldError>,
) -> Option<C> {
    let text = query.text("cursor")?;
    let cursor = parse(text);
    if cursor.is_none() {
        errors.push(FieldError::parameter("cursor", "must be `next` of an earlier page"));
    }
    cursor
}

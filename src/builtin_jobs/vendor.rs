use super::notify::{ATTEMPTS, BACKOFF, Message, Notifier, webhook};
use super::payload::{non_empty_text, read};
use super::settings::WORK_QUEUE;
use crate::http::Fields;
use crate::ids::ExternalId;
use crate::jobs::worker::{Context, Job, JobFailure, Outcome};
use crate::jobs::{Backoff, Fault};
use serde_json::json;
use serde_json::value::to_raw_value;
use std::marker::PhantomData;

/// A list of a user to which items are added.
pub trait List: Send + Sync + 'static {
    /// The name of the type of jobs.
    const NAME: &'static str;
    /// The title of the notification.
    const TITLE: &'static str;
    /// The list that the item was added to, as in the notification.
    const PLACE: &'static str;
}

/// A cart.
#[derive(Debug)]
pub enum Cart {}

impl List for Cart {
    const NAME: &'static str = "vendor_cart_add";
    const TITLE: &'static str = "Added to a cart";
    const PLACE: &'static str = "into a cart";
}

/// A wish list.
#[derive(Debug)]
pub enum WishList {}

impl List for WishList {
    const NAME: &'static str = "vendor_wishlist_add";
    const TITLE: &'static str = "Added to a wish list";
    const PLACE: &'static str = "onto a wish list";
}

/// `vendor_cart_add`: notifies a webhook that a user added an item of a vendor to a cart.
pub type VendorCartAdd = VendorAdd<Cart>;
/// `vendor_wishlist_add`: notifies a webhook that a user added an item of a vendor to a wish list.
pub type VendorWishlistAdd = VendorAdd<WishList>;

/// Notifies a webhook that a user added an item of a vendor to a list.
#[derive(Debug)]
pub struct VendorAdd<L> {
    vendor: ExternalId,
    user: ExternalId,
    item: ExternalId,
    name: String,
    quantity: i64,
    webhook: Option<String>,
    list: PhantomData<L>,
}

impl<L: List> Job for VendorAdd<L> {
    const NAME: &'static str = L::NAME;
    const QUEUE: &'static str = WORK_QUEUE;
    const MAX_ATTEMPTS: u32 = ATTEMPTS;
    const BACKOFF: Backoff = BACKOFF;
    type State = Notifier;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |fields| {
            let mut id = |name| fields.required(name, Fields::external_id);
            let (vendor_id, user_id, item_id) = (id("vendor_id"), id("user_id"), id("item_id"));
            let item_name = non_empty_text(fields, "item_name", 200);
            let quantity = fields.integer("quantity", 1..=1_000_000).unwrap_or(1);
            let webhook = webhook(fields);
            Some(Self {
                vendor: vendor_id?,
                user: user_id?,
                item: item_id?,
                name: item_name?,
                quantity,
                webhook,
                list: PhantomData,
            })
        })
    }

    async fn run(self, context: Context<Notifier>) -> Result<Outcome, JobFailure> {
        let Self { quantity, name, .. } = &self;
        let message = Message {
            id: context.id().as_str(),
            at_ms: context.created_ms(),
            kind: L::NAME,
            title: L::TITLE,
            body: &format!("{quantity} × {name} was put {}.", L::PLACE),
            data: &to_raw_value(&json!({
                "vendor_id": self.vendor,
                "user_id": self.user,
                "item_id": self.item,
                "item_name": name,
                "quantity": quantity,
            }))?,
        };
        context.notify(&context, self.webhook.as_deref(), &message).await?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named() {
        let faults = VendorCartAdd::parse(r#"{"vendor_id":"a\nb","item_id":"i","quantity":0}"#).unwrap_err();
        let members: Vec<_> = faults.iter().map(|fault| fault.member.as_str()).collect();
        assert_eq!(members, ["vendor_id", "user_id", "item_name", "quantity"]);
    }
}

//! The calls of a sequence.

use proptest::prelude::*;
use std::collections::BTreeMap;

/// A call; items and reservations are numbers.
#[derive(Debug, Clone)]
pub enum Call {
    /// `expected`: none, the current version, or another one.
    Put {
        sku: usize,
        quantity: u64,
        expected: u8,
    },
    Adjust {
        sku: usize,
        delta: i64,
    },
    Remove {
        sku: usize,
    },
    /// With an `id` of the client or of the service; it expires at once if `short`.
    Reserve {
        goods: BTreeMap<usize, u64>,
        id: Option<u8>,
        short: bool,
    },
    Confirm {
        which: usize,
    },
    Release {
        which: usize,
    },
    Return {
        which: usize,
    },
    /// Releases a portion of a hold, or returns a portion of a confirmed reservation.
    GiveSome {
        which: usize,
        sku: usize,
        quantity: u64,
    },
    Extend {
        which: usize,
    },
    Consume {
        which: usize,
        sku: usize,
    },
    Look {
        sku: usize,
    },
}

pub fn call() -> impl Strategy<Value = Call> {
    let (sku, which) = (0..4_usize, 0..12_usize);
    prop_oneof![
        2 => (sku.clone(), 0..9_u64, 0..4_u8).prop_map(|(sku, quantity, expected)| Call::Put { sku, quantity, expected }),
        1 => (sku.clone(), prop_oneof![-4..0_i64, 1..5_i64]).prop_map(|(sku, delta)| Call::Adjust { sku, delta }),
        1 => sku.clone().prop_map(|sku| Call::Remove { sku }),
        6 => (prop::collection::btree_map(sku.clone(), 1..4_u64, 1..4), prop::option::of(0..6_u8), prop::bool::weighted(0.25))
            .prop_map(|(goods, id, short)| Call::Reserve { goods, id, short }),
        3 => which.clone().prop_map(|which| Call::Confirm { which }),
        2 => which.clone().prop_map(|which| Call::Release { which }),
        1 => which.clone().prop_map(|which| Call::Return { which }),
        2 => (which.clone(), sku.clone(), 1..4_u64).prop_map(|(which, sku, quantity)| Call::GiveSome { which, sku, quantity }),
        1 => which.clone().prop_map(|which| Call::Extend { which }),
        2 => (which, sku.clone()).prop_map(|(which, sku)| Call::Consume { which, sku }),
        1 => sku.prop_map(|sku| Call::Look { sku }),
    ]
}

//! How often merchants may make us ask an institution: whoever polls without end is told to slow down, and the institution
//! is spared.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Order;
use crate::db::columns::{MerchantId, OrderId};

/// Questions about one order in a minute.
const OF_ORDER: u32 = 60;
/// Questions about all orders of one merchant in a minute.
const OF_MERCHANT: u32 = 3_000;
/// A minute in microseconds.
const MINUTE: i64 = 60 * 1_000_000;

/// Counts what merchants had asked in the present minute, in this process. Clones share it.
#[derive(Clone, Default)]
pub struct Asking(Arc<Mutex<Counted>>);

/// Questions that were put in the present minute. What was refused leaves nothing: of one merchant no more orders are
/// held than it may put questions.
#[derive(Default)]
struct Counted {
    minute: i64,
    orders: HashMap<OrderId, u32>,
    merchants: HashMap<MerchantId, u32>,
}

impl Asking {
    /// Whether a question about this order may be put to the institution at `now`, in unix microseconds; one that may is
    /// counted.
    pub fn may(&self, order: &Order, now: i64) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.div_euclid(MINUTE);
        if counted.minute != minute {
            *counted = Counted { minute, ..Counted::default() };
        }
        let of_order = counted.orders.get(&order.id).copied().unwrap_or_default();
        let of_merchant = counted.merchants.get(&order.sub_merchant_id).copied().unwrap_or_default();
        if of_order >= OF_ORDER || of_merchant >= OF_MERCHANT {
            return false;
        }
        counted.orders.insert(order.id, of_order.saturating_add(1));
        counted.merchants.insert(order.sub_merchant_id, of_merchant.saturating_add(1));
        true
    }
}

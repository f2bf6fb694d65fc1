//! Payments that pay no order, in words.
use crate::orders::{Apart, ApartEnd};
use crate::web::words::Words;

/// Why a payment pays no order, and who does what.
#[must_use]
pub fn why_apart(w: &Words, why: Apart) -> (&'static str, &'static str) {
    let said = w.exceptions;
    match why {
        Apart::Unknown => (said.apart_unknown, said.apart_unknown_todo),
        Apart::Second => (said.apart_second, said.apart_refund_todo),
        Apart::Platform => (said.apart_platform, said.apart_ours_todo),
        Apart::Merchant => (said.apart_merchant, said.apart_ours_todo),
        Apart::Product => (said.apart_product, said.apart_institution_todo),
        Apart::Currency => (said.apart_currency, said.apart_refund_todo),
        Apart::Amount => (said.apart_amount, said.apart_amount_todo),
        Apart::Promotions => (said.apart_promotions, said.apart_institution_todo),
        Apart::Time => (said.apart_time, said.apart_institution_todo),
    }
}

/// How a payment that was kept apart came to its end.
#[must_use]
pub fn how_ended(w: &Words, how: ApartEnd) -> &'static str {
    let said = w.exceptions;
    match how {
        ApartEnd::Entered => said.end_entered,
        ApartEnd::Refunded => said.end_refunded,
        ApartEnd::Belongs => said.end_belongs,
        ApartEnd::Other => said.end_other,
    }
}

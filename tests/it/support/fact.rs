//! A payment as an institution states it, to be given to the intake without a message.
use mingfen::channels::{RawKind, RawMessage, Statement, Sums};
use mingfen::db::columns::InstitutionId;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::money::Fen;
use mingfen::orders::PaymentFact;

/// All of `total` paid by native code at noon of 2026-07-01; its message is `body`.
pub fn paid_in_full(
    (institution_id, channel): (InstitutionId, ChannelName),
    order_no: &str,
    inst_order_no: &str,
    merchant_no: &str,
    total: Fen,
    body: &str,
) -> PaymentFact {
    PaymentFact {
        institution_id,
        channel,
        said: Statement {
            order_no: order_no.to_owned(),
            inst_order_no: inst_order_no.to_owned(),
            merchant_no: Some(merchant_no.to_owned()),
            names_us: true,
            product: Some(Product::NATIVE),
            sums: Sums::plain(total),
            paid: total,
            paid_at: Instant::parse("2026-07-01T12:00:00+08:00").unwrap(),
            is_refunded: false,
            particulars: "{}".to_owned(),
        },
        raw: RawMessage {
            kind: RawKind::Notification,
            received_at: 1,
            headers: String::new(),
            body: body.as_bytes().to_vec(),
        },
    }
}

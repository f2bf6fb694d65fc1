//! What is asked of a channel and what it says, in nobody's language.
use thiserror::Error;

use crate::kernel::calendar::Instant;
use crate::kernel::channel::Product;
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::money::Fen;
use crate::kernel::text_enum;

/// The currency of everything that is split.
pub const CNY: &str = "CNY";

/// An order as a channel is asked to take it.
#[derive(Debug, Clone, Copy)]
pub struct Payable<'a> {
    /// Our number, which the institution knows as the caller's; the same at every retry.
    pub order_no: &'a str,
    /// The institution's number of the merchant that is paid.
    pub merchant_no: &'a str,
    /// How it is to be paid.
    pub product: &'a Product,
    /// In fen, above zero.
    pub amount: Fen,
    /// What the payer reads.
    pub description: &'a str,
    /// Declared with the order; comes back in the institution's bill.
    pub tags: &'a Tags,
    /// Declared with the order; comes back in the institution's bill.
    pub parties: &'a Parties,
    /// What of the merchant's request goes on as it came, in the form of the language that the channel speaks, too.
    pub carried: Option<&'a str>,
    /// Until when it may be paid.
    pub expires: Option<Instant>,
}

/// What a channel says to an order that it does not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placing {
    /// It takes payments for it: the payer's wallet is called up with this, a code_url, prepay_id or h5_url.
    Payable(String),
    /// It refuses us, not the order: our key, number or rights there are to be put right, then the order goes on.
    Barred {
        /// The institution's code.
        code: String,
        /// Its sentence.
        words: String,
    },
}

/// What a channel says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queried {
    /// Paid: a statement like that of a notification.
    Paid(Box<Notice>),
    /// It has the order, not paid.
    NotPaid,
    /// It takes no payment for it any more; its words.
    Closed(String),
    /// It does not have the order.
    Absent,
}

/// A channel takes no payment for an order any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing;

/// A payment, as the institution states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Our number.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// The institution's number of the merchant that was paid, where the channel says it.
    pub merchant_no: Option<String>,
    /// Whether it names our own numbers there as those that took the payment.
    pub names_us: bool,
    /// How it was paid, where the channel says it.
    pub product: Option<Product>,
    /// What was ordered and what the payer paid of it.
    pub sums: Sums,
    /// What the merchant is owed of it, in fen: all but what nobody pays.
    pub paid: Fen,
    /// When it was paid.
    pub paid_at: Instant,
    /// Whether some or all of it was given back to its payer since.
    pub is_refunded: bool,
    /// What else is said of payer and promotions, in the channel's own form: told on as it stands.
    pub particulars: String,
}

/// The sums that an institution states of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Three letters; amounts are in its hundredth part.
    pub currency: String,
    /// What was ordered.
    pub total: Fen,
    /// What the payer paid, where it is said.
    pub payer_total: Option<Fen>,
    /// What promotions paid or took off; none where one of them cannot be understood.
    pub promotions: Option<Fen>,
}

impl Sums {
    /// All of it paid by the payer, in the only currency that is taken.
    pub fn plain(total: Fen) -> Self {
        let (currency, promotions) = (CNY.to_owned(), Some(Fen::ZERO));
        Self { currency, total, payer_total: Some(total), promotions }
    }
}

text_enum! {
    /// Where a raw message came from.
    pub enum RawKind {
        /// The institution told us.
        Notification = "NOTIFICATION",
        /// The institution answered our query.
        QueryAnswer = "QUERY_ANSWER",
    }
}

/// A signed message as it arrived, its signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it came from.
    pub kind: RawKind,
    /// Unix microseconds.
    pub received_at: i64,
    /// The headers that its signature needs, one `name: value` a line.
    pub headers: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// A verified message that states a payment, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it states.
    pub statement: Statement,
    /// The message.
    pub raw: RawMessage,
}

/// Why a message is no notice. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoticeFault {
    /// Its signature is missing, malformed, or not the institution's now.
    #[error("{0}")]
    Forged(&'static str),
    /// Signed by the institution, but it states no payment.
    #[error("{0}")]
    Unusable(&'static str),
}

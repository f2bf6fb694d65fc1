//! What is told about an order: typed, with the other side's own words as evidence. Sentences are made when it is shown.
use crate::channels::Why;
use crate::channels::http::SendFault;
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::kernel::text_enum;

text_enum! {
    /// The kinds of events; the first four are states.
    pub enum EventKind {
        /// Stored, not yet sent.
        Created = "CREATED",
        /// The institution takes payments for it.
        Paying = "PAYING",
        /// Sent, answer not known.
        Unknown = "UNKNOWN",
        /// It will not be paid any more.
        Closed = "CLOSED",
        /// The institution was asked.
        Queried = "QUERIED",
        /// Paid, but another amount than asked for.
        AmountDiffers = "AMOUNT_DIFFERS",
        /// Paid although it had been closed.
        LatePayment = "LATE_PAYMENT",
    }
}

text_enum! {
    /// Why an event came about.
    pub enum EventReason {
        /// No whole answer came in time.
        NoAnswer = "NO_ANSWER",
        /// The institution's server failed; the code is its HTTP status.
        ServerFailed = "SERVER_FAILED",
        /// An answer came that is not provably the institution's, or not the documented one.
        NotBelieved = "NOT_BELIEVED",
        /// Nothing was sent: the address is not allowed, or the request cannot be signed or written.
        NotSent = "NOT_SENT",
        /// The institution could not be asked where the order stands.
        NotAsked = "NOT_ASKED",
        /// The institution asks to slow down.
        Busy = "BUSY",
        /// The institution refuses the platform, not the order; with its code and words.
        Barred = "BARRED",
        /// The institution refuses the order; with its code and words.
        Refused = "REFUSED",
        /// Sent once more and refused, which may be about the number; with its code and words.
        SentAgainRefused = "SENT_AGAIN_REFUSED",
        /// The institution says that it is closed; with its words.
        ClosedThere = "CLOSED_THERE",
        /// The institution never had it.
        Absent = "ABSENT",
        /// Its time is over, and it is not paid.
        Expired = "EXPIRED",
        /// Its merchant closed it.
        ByMerchant = "BY_MERCHANT",
        /// The institution's answer says that it is paid.
        Paid = "PAID",
        /// The amount is what was paid.
        PaidOtherAmount = "PAID_OTHER_AMOUNT",
        /// The payment came after it was closed.
        AfterClose = "AFTER_CLOSE",
        /// What was paid for it did not pay it, and people put that right elsewhere.
        ApartEnded = "APART_ENDED",
        /// Told in words alone, before reasons were kept.
        Other = "OTHER",
    }
}

/// A reason with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Why.
    pub reason: EventReason,
    /// The other side's code.
    pub code: Option<String>,
    /// The other side's words, as it wrote them.
    pub words: Option<String>,
    /// In fen.
    pub amount: Option<Fen>,
}

impl Cause {
    /// A reason that says all.
    pub const fn of(reason: EventReason) -> Self {
        Self { reason, code: None, words: None, amount: None }
    }

    /// A reason with the other side's code and words.
    pub const fn told(reason: EventReason, code: String, words: String) -> Self {
        Self { reason, code: Some(code), words: Some(words), amount: None }
    }

    /// Closed by the institution, in its words.
    pub const fn closed_there(words: String) -> Self {
        Self { reason: EventReason::ClosedThere, code: None, words: Some(words), amount: None }
    }

    /// Paid, but this amount.
    pub const fn paid(amount: Fen) -> Self {
        Self { reason: EventReason::PaidOtherAmount, code: None, words: None, amount: Some(amount) }
    }
}

impl From<Why> for Cause {
    fn from(why: Why) -> Self {
        let reason = match &why {
            Why::Send(SendFault::Timeout | SendFault::Connection) => EventReason::NoAnswer,
            Why::Send(SendFault::TooLarge | SendFault::Disk(_))
            | Why::Unsigned(_)
            | Why::Unbelievable(_)
            | Why::NotSigned(_)
            | Why::Shape
            | Why::BillHash => EventReason::NotBelieved,
            Why::Send(SendFault::Address(_)) | Why::Key(_) | Why::Unwritable(_) => EventReason::NotSent,
            Why::Server(_) => EventReason::ServerFailed,
        };
        let code = match why {
            Why::Server(status) => Some(status.to_string()),
            Why::Send(_)
            | Why::Unsigned(_)
            | Why::Unbelievable(_)
            | Why::NotSigned(_)
            | Why::Shape
            | Why::BillHash
            | Why::Key(_)
            | Why::Unwritable(_) => None,
        };
        Self { reason, code, words: None, amount: None }
    }
}

/// What is told about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Stored, not yet sent.
    Created,
    /// The institution took it: the payer's wallet is called up with this, a code_url, prepay_id or h5_url.
    Paying(String),
    /// Sent, answer not known.
    Unknown(Cause),
    /// It will not be paid any more.
    Closed(Cause),
    /// The institution was asked and answered this.
    Queried(Cause),
    /// Paid, but another amount than asked for.
    AmountDiffers(Cause),
    /// Paid although it had been closed.
    LatePayment(Cause),
}

impl Event {
    /// The kind that is stored.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Created => EventKind::Created,
            Self::Paying(_) => EventKind::Paying,
            Self::Unknown(_) => EventKind::Unknown,
            Self::Closed(_) => EventKind::Closed,
            Self::Queried(_) => EventKind::Queried,
            Self::AmountDiffers(_) => EventKind::AmountDiffers,
            Self::LatePayment(_) => EventKind::LatePayment,
        }
    }

    /// The state that this event is, if it is one.
    pub const fn state(&self) -> Option<OrderState> {
        match self {
            Self::Created => Some(OrderState::Created),
            Self::Paying(_) => Some(OrderState::Paying),
            Self::Unknown(_) => Some(OrderState::Unknown),
            Self::Closed(_) => Some(OrderState::Closed),
            Self::Queried(_) | Self::AmountDiffers(_) | Self::LatePayment(_) => None,
        }
    }

    /// Why it came about; the first two need no reason.
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Created | Self::Paying(_) => None,
            Self::Unknown(cause)
            | Self::Closed(cause)
            | Self::Queried(cause)
            | Self::AmountDiffers(cause)
            | Self::LatePayment(cause) => Some(cause),
        }
    }

    /// What the payer's wallet is called up with, where this event tells it.
    pub fn prepay(&self) -> Option<&str> {
        match self {
            Self::Paying(prepay) => Some(prepay),
            Self::Created
            | Self::Unknown(_)
            | Self::Closed(_)
            | Self::Queried(_)
            | Self::AmountDiffers(_)
            | Self::LatePayment(_) => None,
        }
    }

    /// Reads an event as it is stored.
    pub(super) fn read(kind: EventKind, cause: Option<Cause>, prepay: Option<String>) -> Result<Self, Error> {
        let because = |cause: Option<Cause>| {
            cause.ok_or_else(|| Error::Internal(format!("an order's event {kind} without a reason")))
        };
        match kind {
            EventKind::Created => Ok(Self::Created),
            EventKind::Paying => prepay
                .map(Self::Paying)
                .ok_or_else(|| Error::Internal("an order is to be paid by nothing".to_owned())),
            EventKind::Unknown => because(cause).map(Self::Unknown),
            EventKind::Closed => because(cause).map(Self::Closed),
            EventKind::Queried => because(cause).map(Self::Queried),
            EventKind::AmountDiffers => because(cause).map(Self::AmountDiffers),
            EventKind::LatePayment => because(cause).map(Self::LatePayment),
        }
    }
}

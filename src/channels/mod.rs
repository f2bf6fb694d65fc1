//! OUT to institutions: what the platform asks of them over the network. Nothing here touches the database.
//!
//! Everything that is peculiar to a language ends here: orders, bills and checks know [`Channel`] and what it takes and
//! gives ([`Payable`], [`Placing`], [`Queried`], [`Closing`], [`Notice`], [`ReadBill`]). One more language is one more
//! variant of [`Channel`].
pub mod address;
pub mod alipay;
mod answer;
mod bill;
mod document;
pub mod http;
mod said;
pub mod wechat;

use std::fs::File;
use std::io::BufRead;

pub use answer::{Answer, Why};
pub use bill::{Billed, ReadBill};
pub use document::{Vouched, document_kind, read_document};
pub use said::{
    CNY, Closing, Notice, NoticeFault, Payable, Placing, Queried, RawKind, RawMessage, Statement, Sums,
};

use self::http::Guarded;
use crate::clock::Clock;
use crate::error::Error;
use crate::exchange::DocumentKind;
use crate::institutions::{ChannelKeys, ChannelProfile, Institution};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::protocol::alipay::bill as alipay_bill;
use crate::protocol::wechat::notification::ApiV3Key;

/// An institution's channel, ready to be spoken with; one variant a language. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Channel {
    /// WeChat Pay APIv3, partner mode.
    Wechat(wechat::Channel),
    /// Alipay's gateway.do.
    Alipay(alipay::Channel),
}

impl Channel {
    /// The channel of an institution that reaches us at `public_url`.
    pub fn open(
        institution: Institution,
        profile: ChannelProfile,
        keys: ChannelKeys,
        http: &Guarded,
        clock: &Clock,
        public_url: &str,
    ) -> Result<Self, Error> {
        match profile.name {
            ChannelName::Wechat => {
                wechat::Channel::open(institution, profile, keys, http, clock, public_url).map(Self::Wechat)
            }
            ChannelName::Alipay => {
                alipay::Channel::open(institution, profile, keys, http, clock, public_url).map(Self::Alipay)
            }
        }
    }

    /// Whose it is.
    pub fn institution(&self) -> &Institution {
        match self {
            Self::Wechat(channel) => &channel.institution,
            Self::Alipay(channel) => &channel.institution,
        }
    }

    /// Whose wallet pays.
    pub const fn name(&self) -> ChannelName {
        match self {
            Self::Wechat(_) => ChannelName::Wechat,
            Self::Alipay(_) => ChannelName::Alipay,
        }
    }

    /// Asks it to take an order; its number stays the same at every retry.
    pub async fn place(&self, order: &Payable<'_>) -> Answer<Placing> {
        match self {
            Self::Wechat(channel) => channel.place(order).await,
            Self::Alipay(channel) => channel.place(order).await,
        }
    }

    /// Asks where an order stands, by our number and the institution's number of the merchant.
    pub async fn query(&self, order_no: &str, merchant_no: &str) -> Answer<Queried> {
        match self {
            Self::Wechat(channel) => channel.query(order_no, merchant_no).await,
            Self::Alipay(channel) => channel.query(order_no).await,
        }
    }

    /// Closes an order that is not paid.
    pub async fn close(&self, order_no: &str, merchant_no: &str) -> Answer<Closing> {
        match self {
            Self::Wechat(channel) => channel.close(order_no, merchant_no).await,
            Self::Alipay(channel) => channel.close(order_no).await,
        }
    }

    /// Fetches its own bill of a day into a file; what is in the file otherwise counts for nothing.
    pub async fn fetch_bill(&self, day: BusinessDay, file: File) -> Answer<Billed> {
        match self {
            Self::Wechat(channel) => channel.client.trade_bill(day, file).await,
            Self::Alipay(channel) => channel.fetch_bill(day, file).await,
        }
    }

    /// The kind under which its own bill is recorded; also begins the file's name.
    pub const fn bill_kind(&self) -> DocumentKind {
        document_kind(self.name())
    }

    /// How the name ends under which its own bill is kept.
    pub const fn bill_end(&self) -> &'static str {
        match self {
            Self::Wechat(_) => ".csv",
            Self::Alipay(_) => ".zip",
        }
    }

    /// Whether these can be the first bytes of its own bill: an error page or an empty body cannot.
    pub fn may_be_bill(&self, begins: &[u8]) -> bool {
        match self {
            Self::Wechat(_) => wechat::may_be_bill(begins),
            Self::Alipay(_) => alipay_bill::may_begin(begins),
        }
    }

    /// Reads its own bill. `merchant` finds our merchant by the institution's number; the order of an unknown one has
    /// the empty merchant, which is nobody's.
    pub fn read_bill<'a>(
        &self,
        source: impl BufRead + 'a,
        merchant: &'a dyn Fn(&str) -> Option<String>,
    ) -> Result<Box<dyn ReadBill + 'a>, String> {
        match self {
            Self::Wechat(_) => wechat::read_bill(source, merchant),
            Self::Alipay(_) => {
                Err("it names neither merchants nor tags: the institution's own bill is needed".to_owned())
            }
        }
    }

    /// Verifies and opens a notification as it arrived.
    pub fn notice<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
    ) -> Result<Notice, NoticeFault> {
        match self {
            Self::Wechat(channel) => channel.notice(header, body),
            Self::Alipay(channel) => channel.notice(body),
        }
    }
}

/// What a message states that was verified and kept before; none when it states no payment. It is sealed as it came, so
/// `keys` are all that ever opened this channel's messages.
pub fn reopen(channel: &ChannelProfile, keys: &[ApiV3Key], kind: RawKind, body: &[u8]) -> Option<Statement> {
    match channel.name {
        ChannelName::Wechat => wechat::reopen(channel, keys, kind, body),
        ChannelName::Alipay => alipay::reopen(channel, kind, body),
    }
}

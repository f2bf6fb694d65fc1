//! Paying an order: what the payer's bank would do.
use serde::{Deserialize, Serialize};

use super::store::{self, Coupon, NewPayment, Trade};
use super::{alipay, notify};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::kernel::rate::Ppm;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::shapes::TradeState;
use crate::sandbox::store::Tx;
use crate::sandbox::{Sandbox, SandboxError};

/// What a prepay_id begins with.
pub(super) const PREPAY_ID: &str = "wx";

/// A payment to make: the order by what the payer's wallet is called up with, or by its number.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Pay {
    /// What the payer scanned, or the address that was opened.
    #[serde(default, alias = "h5_url", alias = "qr_code")]
    pub code_url: Option<String>,
    /// By what another application called the wallet up.
    #[serde(default)]
    pub prepay_id: Option<String>,
    /// By what Alipay's wallet was called up: its number of the order.
    #[serde(default)]
    pub trade_no: Option<String>,
    /// The number that the platform sent.
    #[serde(default)]
    pub out_trade_no: Option<String>,
    /// Another amount than the order's, fen: a channel that errs.
    #[serde(default)]
    pub amount: Option<i64>,
    /// Fen of it that a coupon pays, and its funder to the merchant.
    #[serde(default)]
    pub coupon_cash: i64,
    /// Fen of it that a coupon, or the merchant's own discount, takes off: paid by nobody.
    #[serde(default, alias = "discount")]
    pub coupon_nocash: i64,
    /// Another currency than CNY in what is stated: a channel that errs. Alipay's messages name none.
    #[serde(default)]
    pub currency: Option<String>,
    /// Another moment than now, not after it: a payment that is known late.
    #[serde(default)]
    pub paid_at: Option<String>,
    /// Pay although the order is closed: a payment that crossed the close.
    #[serde(default)]
    pub although_closed: bool,
    /// Whether the platform is notified.
    #[serde(default = "yes")]
    pub notify: bool,
}

const fn yes() -> bool {
    true
}

/// A payment that was made.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct Paid {
    pub out_trade_no: String,
    pub transaction_id: String,
    pub paid: i64,
    pub fee: i64,
    pub paid_at: String,
}

/// Unix seconds as the kernel has them.
pub(in crate::sandbox) fn instant(seconds: i64) -> Instant {
    Instant::new(seconds)
}

impl Sandbox {
    /// Pays an order; paying it again gives the payment that was made.
    pub(in crate::sandbox) async fn pay(&self, pay: Pay) -> Result<Paid, SandboxError> {
        let sandbox = self.clone();
        self.0.store.run(move |tx| make(&sandbox, tx, &pay)).await
    }
}

fn make(sandbox: &Sandbox, tx: &mut Tx<'_>, pay: &Pay) -> Result<Paid, SandboxError> {
    let number = number(tx, pay)?;
    let (trade, payment) =
        store::trade(tx, &number)?.ok_or_else(|| SandboxError::NotFound("no such order".to_owned()))?;
    let now = sandbox.now();
    if payment.is_none() {
        let at = moment(pay, now)?;
        if super::state(&trade, None, at.get()) != TradeState::NotPay && !pay.although_closed {
            return Err(SandboxError::Refused("the order is closed or expired; place another".to_owned()));
        }
        write(sandbox, tx, pay, &trade, at)?;
        if pay.notify && is_told(&trade)? {
            notify::enqueue(tx, &number, now)?;
        }
    }
    let made = store::trade(tx, &number)?.and_then(|(_, payment)| payment);
    let made = made.ok_or_else(|| SandboxError::Internal("the payment vanished".to_owned()))?;
    Ok(Paid {
        out_trade_no: made.out_trade_no,
        transaction_id: made.transaction_id,
        paid: made.paid,
        fee: made.fee,
        paid_at: instant(made.paid_at).to_cst(),
    })
}

/// Whether its order says where the platform is to be told.
fn is_told(trade: &Trade) -> Result<bool, SandboxError> {
    match trade.wallet()? {
        ChannelName::Wechat => Ok(true),
        ChannelName::Alipay => Ok(alipay::Placed::of(trade)?.notify_url.is_some()),
    }
}

fn number(tx: &mut Tx<'_>, pay: &Pay) -> Result<String, SandboxError> {
    let found = match (&pay.out_trade_no, &pay.code_url, &pay.prepay_id, &pay.trade_no) {
        (Some(number), None, None, None) => return Ok(number.clone()),
        (None, Some(url), None, None) => {
            store::number_of_code(tx, url.rsplit('/').next().unwrap_or_default())
        }
        (None, None, Some(id), None) => {
            store::number_of_code(tx, id.strip_prefix(PREPAY_ID).unwrap_or_default())
        }
        (None, None, None, Some(trade_no)) => store::number_of_trade_no(tx, trade_no),
        _ => {
            let one = "give one of code_url, qr_code, prepay_id, trade_no, out_trade_no";
            return Err(SandboxError::Refused(one.to_owned()));
        }
    };
    found?.ok_or_else(|| SandboxError::NotFound("no such order to pay".to_owned()))
}

fn moment(pay: &Pay, now: Instant) -> Result<Instant, SandboxError> {
    let Some(text) = &pay.paid_at else { return Ok(now) };
    Instant::parse(text)
        .filter(|at| *at <= now)
        .ok_or_else(|| SandboxError::Refused("paid_at must be a moment that has been".to_owned()))
}

fn write(
    sandbox: &Sandbox,
    tx: &mut Tx<'_>,
    pay: &Pay,
    trade: &Trade,
    at: Instant,
) -> Result<(), SandboxError> {
    let nobodys = Fen::new(pay.coupon_nocash);
    let paid = Fen::new(pay.amount.unwrap_or(trade.total)).checked_sub(nobodys).unwrap_or(Fen::ZERO);
    if pay.coupon_cash < 0 || pay.coupon_nocash < 0 || pay.coupon_cash > paid.get() {
        return Err(SandboxError::Refused("coupons pay a part of the amount".to_owned()));
    }
    if paid <= Fen::ZERO || paid > Fen::MAX {
        return Err(SandboxError::Refused("amount must be 1 to 10^12 fen".to_owned()));
    }
    let rate = contract_rate(sandbox, &trade.merchant, (&trade.channel, &trade.product))?;
    let fee = rate.half_up_of(paid).ok_or_else(|| SandboxError::Internal("fee overflows".to_owned()))?;
    let day = at.business_day();
    let currency = pay.currency.clone().unwrap_or_else(|| CNY.to_owned());
    if currency != CNY && trade.wallet()? == ChannelName::Alipay {
        return Err(SandboxError::Refused("Alipay's messages name no currency".to_owned()));
    }
    if (pay.coupon_cash, pay.coupon_nocash, currency.as_str()) != (0, 0, CNY) {
        let (cash, nocash) = (pay.coupon_cash, pay.coupon_nocash);
        let out_trade_no = trade.out_trade_no.clone();
        store::insert_coupon(tx, &Coupon { out_trade_no, cash, nocash, currency })?;
    }
    // Never reused, not the platform's to choose; 28 digits as the channels' are, of which no two begin alike.
    let transaction_id = match trade.wallet()? {
        ChannelName::Wechat => format!("4200002026{day}{:010}", store::next_payment(tx)?),
        ChannelName::Alipay => alipay::order::scanned(tx, trade, at)?,
    };
    store::insert_payment(
        tx,
        &NewPayment {
            out_trade_no: &trade.out_trade_no,
            transaction_id: &transaction_id,
            paid_at: at.get(),
            day: day.to_i32(),
            paid: paid.get(),
            fee: fee.get(),
            rate_ppm: i32::try_from(rate.get()).unwrap_or(0),
        },
    )
}

/// What the merchant's contract takes of a payment.
pub(super) fn contract_rate(
    sandbox: &Sandbox,
    merchant: &str,
    (channel, product): (&str, &str),
) -> Result<Ppm, SandboxError> {
    let rate = sandbox.bundle().and_then(|bundle| bundle.fee_rate(merchant, channel, product));
    rate.ok_or_else(|| {
        SandboxError::Refused(format!("merchant {merchant} has no contract for {channel}/{product}"))
    })
}

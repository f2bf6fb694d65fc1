//! Paying an order: what the payer's bank would do.
use serde::{Deserialize, Serialize};

use super::store::{self, Coupon, NewPayment, Trade};
use super::{CHANNEL, notify};
use crate::kernel::calendar::Instant;
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
    #[serde(default, alias = "h5_url")]
    pub code_url: Option<String>,
    /// By what another application called the wallet up.
    #[serde(default)]
    pub prepay_id: Option<String>,
    /// The number that the platform sent.
    #[serde(default)]
    pub out_trade_no: Option<String>,
    /// Another amount than the order's, fen: a channel that errs.
    #[serde(default)]
    pub amount: Option<i64>,
    /// Fen of it that a coupon pays, and its funder to the merchant.
    #[serde(default)]
    pub coupon_cash: i64,
    /// Fen of it that a coupon takes off, paid by nobody.
    #[serde(default)]
    pub coupon_nocash: i64,
    /// Another currency than CNY in what is stated: a channel that errs.
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
        if pay.notify {
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

fn number(tx: &mut Tx<'_>, pay: &Pay) -> Result<String, SandboxError> {
    let code = match (&pay.out_trade_no, &pay.code_url, &pay.prepay_id) {
        (Some(number), None, None) => return Ok(number.clone()),
        (None, Some(url), None) => url.rsplit('/').next().unwrap_or_default(),
        (None, None, Some(id)) => id.strip_prefix(PREPAY_ID).unwrap_or_default(),
        _ => return Err(SandboxError::Refused("give one of code_url, prepay_id, out_trade_no".to_owned())),
    };
    store::number_of_code(tx, code)?.ok_or_else(|| SandboxError::NotFound("no such order to pay".to_owned()))
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
    let rate = contract_rate(sandbox, &trade.merchant, &trade.product)?;
    let fee = rate.half_up_of(paid).ok_or_else(|| SandboxError::Internal("fee overflows".to_owned()))?;
    let day = at.business_day();
    let currency = pay.currency.clone().unwrap_or_else(|| CNY.to_owned());
    if (pay.coupon_cash, pay.coupon_nocash, currency.as_str()) != (0, 0, CNY) {
        let (cash, nocash) = (pay.coupon_cash, pay.coupon_nocash);
        let out_trade_no = trade.out_trade_no.clone();
        store::insert_coupon(tx, &Coupon { out_trade_no, cash, nocash, currency })?;
    }
    // Never reused, not the platform's to choose; 28 digits as the channel's are.
    let transaction_id = format!("4200002026{day}{:010}", store::next_payment(tx)?);
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
pub(super) fn contract_rate(sandbox: &Sandbox, merchant: &str, product: &str) -> Result<Ppm, SandboxError> {
    let rate = sandbox.bundle().and_then(|bundle| bundle.fee_rate(merchant, CHANNEL, product));
    rate.ok_or_else(|| {
        SandboxError::Refused(format!("merchant {merchant} has no contract for {CHANNEL}/{product}"))
    })
}

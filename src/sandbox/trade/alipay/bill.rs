//! The day's 业务明细 (`channels.md` 2.5), and where it can be fetched.
use std::io::Cursor;

use serde_json::Value;

use super::{Placed, Verified, fault, refused};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::protocol::alipay::answer::{Answer, Head};
use crate::protocol::alipay::answers::BillAt;
use crate::protocol::alipay::bill::{Row, RowKind, write};
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::shapes::BillAsked;
use crate::protocol::crypto::{base64, from_base64};
use crate::sandbox::gateway::BILL_PATH;
use crate::sandbox::store::Tx;
use crate::sandbox::trade::store::{self, Payment, Trade};
use crate::sandbox::trade::{bills, pay};
use crate::sandbox::{Sandbox, SandboxError};

/// How long a download address holds, seconds.
const DOWNLOAD_SECONDS: i64 = 30;
/// What stands behind a seller's number in the number of its account.
const ACCOUNT: &str = "0156";

/// Answers `alipay.data.dataservice.bill.downloadurl.query`.
pub(in crate::sandbox) fn offer(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<Answer<Value>, SandboxError> {
    let asked = BillAsked::read(&call.request.biz_content).map_err(fault)?;
    if asked.smid.is_some() {
        return Err(refused(SubCode::InvalidParameter, "smid: only bills of all merchants are made here"));
    }
    bills::close_day(call.sandbox, tx, asked.day)
        .map_err(|_| refused(SubCode::InvalidParameter, "bill_date: the bill is made the next day"))?;
    let (_, payments) = bills::first_told(tx, ChannelName::Alipay, asked.day)?;
    if payments.is_empty() {
        // That the day was closed stays.
        return Ok(Answer { head: Head::refused(SubCode::BillNotExist, ""), given: None });
    }
    let (sandbox, made) = (call.sandbox, call.sandbox.now().get());
    // The download is not signed by who asks, so the address is what nobody else can know.
    let signature = base64(&sandbox.0.identity.alipay_key.sign_sha256(&signed(asked.day, made))?);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("day", &asked.day.to_string())
        .append_pair("made", &made.to_string())
        .append_pair("sign", &signature)
        .finish();
    let bill_download_url = format!("{}{BILL_PATH}?{query}", sandbox.0.settings.public_url);
    Ok(Answer::success(serde_json::to_value(BillAt { bill_download_url })?))
}

fn signed(day: BusinessDay, made: i64) -> Vec<u8> {
    format!("bill {day} {made}").into_bytes()
}

/// The bill behind an address's query, while that holds.
pub(in crate::sandbox) fn download(
    sandbox: &Sandbox,
    tx: &mut Tx<'_>,
    query: &str,
) -> Result<Vec<u8>, SandboxError> {
    let gone = || SandboxError::NotFound("the address is wrong, or older than half a minute".to_owned());
    let value = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let day = BusinessDay::parse(&value("day")).ok_or_else(gone)?;
    let made: i64 = value("made").parse().map_err(|_| gone())?;
    let signature = from_base64(&value("sign")).ok_or_else(gone)?;
    let key = sandbox.0.identity.alipay_key.public_key()?;
    let age = sandbox.now().get().checked_sub(made).ok_or_else(gone)?;
    if !key.verify(&signed(day, made), &signature) || !(0..=DOWNLOAD_SECONDS).contains(&age) {
        return Err(gone());
    }
    let (made, payments) = bills::first_told(tx, ChannelName::Alipay, day)?;
    zip(sandbox, tx, day, (made, &payments))
}

fn zip(
    sandbox: &Sandbox,
    tx: &mut Tx<'_>,
    day: BusinessDay,
    (made, payments): (Instant, &[(Trade, Payment)]),
) -> Result<Vec<u8>, SandboxError> {
    let seller = sandbox.platform(ChannelName::Alipay).map(|platform| platform.registration.sp_mchid.clone());
    let account = format!("{}{ACCOUNT}", seller.unwrap_or_default());
    let discounts = store::paid_by_nobody(tx)?;
    let mut rows = Vec::with_capacity(payments.len());
    for (trade, payment) in payments {
        rows.push(row(trade, payment, discounts.get(&trade.out_trade_no).copied().unwrap_or_default())?);
    }
    Ok(write(Cursor::new(Vec::new()), &account, day, made, rows)?.into_inner())
}

fn row(trade: &Trade, payment: &Payment, discount: i64) -> Result<Row, SandboxError> {
    Ok(Row {
        kind: RowKind::Trade,
        trade_no: payment.transaction_id.clone(),
        out_trade_no: trade.out_trade_no.clone(),
        subject: Placed::of(trade)?.order.subject,
        created_at: pay::instant(trade.created_at),
        finished_at: pay::instant(payment.paid_at),
        total: Fen::new(payment.paid.saturating_add(discount)),
        receipt: Fen::new(payment.paid),
        discount: Fen::new(discount),
        out_request_no: None,
        fee: Fen::new(payment.fee),
    })
}

//! The institution's own bills of a business day: BIL of both channels (`files.md`) and WeChat's trade bill
//! (`channels.md` 1.8), from the same payments, and never changed once told.
use super::store::{self, Bill, Payment, Trade};
use super::{BANK, OPENID, pay};
use crate::kernel::bill::{BillOrder, BillRow};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::channel::ChannelName;
use crate::kernel::file::bil::{BilHeader, BilWriter};
use crate::kernel::file::{FileKind, FileName, MAX_ORDERS, field};
use crate::kernel::money::Fen;
use crate::kernel::split::OrderFacts;
use crate::protocol::crypto::sha1_hex;
use crate::protocol::wechat::bill::{Entry, Settled, Writer};
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::order::OrderRequest;
use crate::protocol::wechat::shapes::{Payer, TradeBillAnswer};
use crate::sandbox::store::Tx;
use crate::sandbox::v3::{Answer, DOWNLOAD_PATH, Verified};
use crate::sandbox::{Sandbox, SandboxError};

/// How long a download address holds, seconds.
const DOWNLOAD_SECONDS: i64 = 300;

/// Bills what is not billed yet of a day that is over. The first time even a day without payments gets its bill.
pub(in crate::sandbox) fn close_day(
    sandbox: &Sandbox,
    tx: &mut Tx<'_>,
    day: BusinessDay,
) -> Result<(), SandboxError> {
    let now = sandbox.now();
    if day >= now.business_day() {
        return Err(SandboxError::Refused(format!("{day} is not over; its bill comes the next day")));
    }
    let mut seq = i32::try_from(store::bills_of(tx, day.to_i32())?.len()).unwrap_or(i32::MAX);
    loop {
        let next = seq.saturating_add(1);
        let told = store::assign_bill(tx, day.to_i32(), next, i64::from(MAX_ORDERS))?;
        if told == 0 && seq > 0 {
            return Ok(());
        }
        seq = next;
        let name = name(sandbox, day, seq)?.to_string();
        store::insert_bill(tx, &Bill { day: day.to_i32(), seq, name, created_at: now.get() })?;
    }
}

fn name(sandbox: &Sandbox, day: BusinessDay, seq: i32) -> Result<FileName, SandboxError> {
    let settings = &sandbox.0.settings;
    let seq = u16::try_from(seq).ok().filter(|seq| *seq <= 9999);
    Ok(FileName {
        kind: FileKind::Bil,
        inst: settings.institution.clone(),
        plat: settings.platform.clone(),
        day,
        seq: seq.ok_or_else(|| SandboxError::Refused("the day has 9999 bills".to_owned()))?,
    })
}

/// The bytes of a BIL: the same whenever they are made.
pub(in crate::sandbox) fn bil(
    sandbox: &Sandbox,
    tx: &mut Tx<'_>,
    bill: &Bill,
) -> Result<Vec<u8>, SandboxError> {
    let unwritable =
        |error: &dyn std::fmt::Display| SandboxError::Internal(format!("{}: {error}", bill.name));
    let day = BusinessDay::from_i32(bill.day).ok_or_else(|| unwritable(&"not a day"))?;
    let mut orders = Vec::new();
    for (trade, payment) in store::payments_of(tx, bill.day)? {
        if payment.bill_seq == Some(bill.seq) {
            orders.push(order(&trade, &payment)?);
        }
    }
    let header = BilHeader {
        name: name(sandbox, day, bill.seq)?,
        orders: u32::try_from(orders.len()).unwrap_or(u32::MAX),
        refunds: 0,
        total_paid: Fen::sum(orders.iter().map(|order| order.facts.paid))
            .ok_or_else(|| unwritable(&"the total overflows"))?,
        created_at: pay::instant(bill.created_at),
    };
    let mut writer = BilWriter::new(Vec::new(), header).map_err(|error| unwritable(&error))?;
    for order in orders {
        writer.row(&BillRow::Order(order)).map_err(|error| unwritable(&error))?;
    }
    Ok(writer.finish().map_err(|error| unwritable(&error))?.0)
}

fn order(trade: &Trade, payment: &Payment) -> Result<BillOrder, SandboxError> {
    let broken = || SandboxError::Internal(format!("order {} cannot be billed", trade.out_trade_no));
    Ok(BillOrder {
        facts: OrderFacts {
            inst_order_no: payment.transaction_id.clone(),
            merchant: trade.merchant.clone(),
            channel: trade.channel.clone(),
            product: trade.product.clone(),
            tags: field::tags(&trade.tags).ok_or_else(broken)?,
            parties: field::parties(&trade.parties).ok_or_else(broken)?,
            paid_at: pay::instant(payment.paid_at),
            paid: Fen::new(payment.paid),
            fee: Fen::new(payment.fee),
            subsidy: Fen::ZERO,
        },
        order_no: trade.out_trade_no.clone(),
    })
}

/// Answers `GET /v3/bill/tradebill`: where the bill is, and its hash.
pub(in crate::sandbox) fn offer(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<Answer, SandboxError> {
    if call.parameter("bill_type").is_some_and(|kind| kind != "ALL") {
        return Err(SandboxError::parameter("bill_type", "only ALL is made here"));
    }
    let date = call.parameter("bill_date").unwrap_or_default();
    let day = BusinessDay::parse(&date.replace('-', ""))
        .filter(|_| date.len() == 10)
        .ok_or_else(|| SandboxError::parameter("bill_date", "yyyy-MM-dd"))?;
    close_day(call.sandbox, tx, day)
        .map_err(|_| SandboxError::wechat(WechatCode::InvalidRequest, "账单生成中,请于次日获取"))?;
    let Some(bytes) = trade_bill(tx, day)? else {
        return Ok(Answer::Refused(SandboxError::wechat(WechatCode::NoStatementExist, "账单文件不存在")));
    };
    let (base, made) = (&call.sandbox.0.settings.public_url, call.sandbox.now().get());
    Answer::json(&TradeBillAnswer {
        hash_type: Some("SHA1".to_owned()),
        hash_value: Some(sha1_hex(&bytes)),
        download_url: format!("{base}{DOWNLOAD_PATH}?token={day}-{made}"),
    })
}

/// Answers the download.
pub(in crate::sandbox) fn download(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<Answer, SandboxError> {
    let token = call.parameter("token").unwrap_or_default();
    let day = token.split_once('-').and_then(|(day, made)| {
        let age = call.sandbox.now().get().checked_sub(made.parse().ok()?)?;
        BusinessDay::parse(day).filter(|_| (0..=DOWNLOAD_SECONDS).contains(&age))
    });
    let bytes = match day {
        Some(day) => trade_bill(tx, day)?,
        None => None,
    };
    match bytes {
        Some(bytes) => Ok(Answer::File(bytes)),
        None => Err(SandboxError::wechat(WechatCode::ResourceNotExists, "下载地址已失效,请重新获取")),
    }
}

/// What a channel's own bill of a day tells, and when it was made: what had been paid when the day was first billed. It is
/// never updated later.
pub(super) fn first_told(
    tx: &mut Tx<'_>,
    channel: ChannelName,
    day: BusinessDay,
) -> Result<(Instant, Vec<(Trade, Payment)>), SandboxError> {
    let bills = store::bills_of(tx, day.to_i32())?;
    let first = bills.first().map(|bill| bill.created_at);
    let told: Vec<i32> =
        bills.iter().filter(|bill| Some(bill.created_at) == first).map(|bill| bill.seq).collect();
    let mut payments = store::payments_of(tx, day.to_i32())?;
    payments.retain(|(trade, payment)| {
        trade.channel == channel.as_str() && payment.bill_seq.is_some_and(|seq| told.contains(&seq))
    });
    Ok((pay::instant(first.unwrap_or_default()), payments))
}

/// The day's trade bill; none where nothing was paid by WeChat.
fn trade_bill(tx: &mut Tx<'_>, day: BusinessDay) -> Result<Option<Vec<u8>>, SandboxError> {
    let (_, payments) = first_told(tx, ChannelName::Wechat, day)?;
    if payments.is_empty() {
        return Ok(None);
    }
    let nobodys = store::paid_by_nobody(tx)?;
    let mut writer = Writer::new(Vec::new())?;
    for (trade, payment) in &payments {
        let nobodys = nobodys.get(&trade.out_trade_no).copied().unwrap_or_default();
        write(&mut writer, trade, payment, nobodys)?;
    }
    Ok(Some(writer.finish()?))
}

fn write(
    writer: &mut Writer<Vec<u8>>,
    trade: &Trade,
    payment: &Payment,
    nobodys: i64,
) -> Result<(), SandboxError> {
    let ordered = Fen::new(payment.paid).checked_add(Fen::new(nobodys));
    let ordered = ordered.ok_or_else(|| SandboxError::Internal("an amount overflows".to_owned()))?;
    let request: OrderRequest = serde_json::from_str(&trade.body)?;
    // A ppm is the ten thousandth part of a per cent.
    let rate = format!("{}.{:04}%", payment.rate_ppm / 10_000, payment.rate_ppm % 10_000);
    writer.write(&Entry {
        at: pay::instant(payment.paid_at),
        appid: &request.sp_appid,
        mchid: &request.sp_mchid,
        sub_mchid: &request.sub_mchid,
        inst_order_no: &payment.transaction_id,
        order_no: &trade.out_trade_no,
        openid: request.payer.as_ref().and_then(openid).unwrap_or(OPENID),
        trade_type: &trade.trade_type().unwrap_or_default(),
        bank: BANK,
        description: &request.description,
        attach: request.attach.as_deref().unwrap_or_default(),
        fee: Fen::new(payment.fee),
        rate: &rate,
        settled: Settled::Paid { paid: Fen::new(payment.paid), ordered },
    })?;
    Ok(())
}

fn openid(payer: &Payer) -> Option<&str> {
    payer.sp_openid.as_deref().or(payer.sub_openid.as_deref())
}

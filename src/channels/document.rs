//! A channel's own document of a day beside the institution's bill: what it vouches for, payment by payment.
use std::fs::File;
use std::io::BufReader;

use super::wechat;
use crate::error::{Code, Error};
use crate::exchange::DocumentKind;
use crate::kernel::bill::BillRow;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::protocol::alipay::bill::{Archive, BillFault, RowKind};

/// A payment as a channel's own document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The institution's number.
    pub inst_order_no: String,
    /// The number that was given to the channel: ours, where the payment came through the platform.
    pub order_no: String,
    /// 应结订单金额 or 商家实收, fen.
    pub paid: Fen,
    /// 手续费 or 服务费, fen.
    pub fee: Fen,
}

/// What is done with each payment of a document.
pub type Take<'a> = &'a mut dyn FnMut(Vouched) -> Result<(), Error>;

/// The kind under which a channel's own document is recorded.
#[must_use]
pub const fn document_kind(channel: ChannelName) -> DocumentKind {
    match channel {
        ChannelName::Wechat => DocumentKind::Wxbill,
        ChannelName::Alipay => DocumentKind::Alibill,
    }
}

/// Hands over every payment of a channel's own document, in its order and in bounded memory. What was handed over counts
/// for nothing where this ends with an error; a document with a fault, or of another day, is [`Code::BillUnusable`].
pub fn read_document(
    channel: ChannelName,
    day: BusinessDay,
    file: File,
    take: Take<'_>,
) -> Result<(), Error> {
    let source = BufReader::with_capacity(1 << 17, file);
    match channel {
        ChannelName::Wechat => read_wechat(day, source, take),
        ChannelName::Alipay => read_alipay(day, source, take),
    }
}

fn read_wechat(day: BusinessDay, source: BufReader<File>, take: Take<'_>) -> Result<(), Error> {
    let broken = |why: String| unusable(ChannelName::Wechat, day, &why);
    let mut rows = wechat::read_bill(source, &|_| None).map_err(broken)?;
    while let Some(row) = rows.next_row().map_err(broken)? {
        let BillRow::Order(order) = row else { continue };
        if order.facts.paid_at.business_day() != day {
            return Err(broken(format!("{} was paid on another day", order.facts.inst_order_no)));
        }
        let (paid, fee) = (order.facts.paid, order.facts.fee);
        let (inst_order_no, order_no) = (order.facts.inst_order_no, order.order_no);
        take(Vouched { inst_order_no, order_no, paid, fee })?;
    }
    Ok(())
}

fn read_alipay(day: BusinessDay, source: BufReader<File>, take: Take<'_>) -> Result<(), Error> {
    let broken = |fault: BillFault| unusable(ChannelName::Alipay, day, &fault.to_string());
    let mut archive = Archive::open(source).map_err(broken)?;
    let rows = archive.rows().map_err(broken)?;
    if rows.day() != day {
        return Err(unusable(ChannelName::Alipay, day, &format!("it is of {}", rows.day())));
    }
    for row in rows {
        let row = row.map_err(broken)?;
        match row.kind {
            RowKind::Trade => {
                let (inst_order_no, order_no) = (row.trade_no, row.out_trade_no);
                take(Vouched { inst_order_no, order_no, paid: row.receipt, fee: row.fee })?;
            }
            RowKind::Refund => {}
        }
    }
    Ok(())
}

fn unusable(channel: ChannelName, day: BusinessDay, why: &str) -> Error {
    Error::refused(Code::BillUnusable, format!("{channel}'s own document of {day}: {why}"))
}

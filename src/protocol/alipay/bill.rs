//! The trade bill of a day, 业务明细 (`channels.md` 2.5): a zip of two CSVs in GBK.
//!
//! Lines that begin with `#` frame the rows: account and day before them, sums behind them. A bill that is not so, or whose
//! sums do not fit its rows, is unusable: there is no reading "as far as it goes".
use std::io::{self, BufRead, Read};
use thiserror::Error;

mod archive;
mod csv;
mod writer;

use self::csv::Split;
use super::charset::Charset;
use super::{fields, time};
use mingfen_kernel::calendar::{BusinessDay, Instant};
use mingfen_kernel::money::Fen;
use mingfen_kernel::{text, text_enum};

pub use archive::{Archive, MAX_ENTRIES, MAX_PACKED, MAX_UNPACKED, may_begin};
pub use writer::write;

/// Header of the rows.
pub const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,\
对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,\
券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";
/// Longest row or line read, in bytes.
pub const MAX_LINE: usize = 8192;
/// The most lines read.
pub const MAX_LINES: u64 = 10_000_000;

const COLUMN_COUNT: usize = 25;
/// 商品名称: the one column whose text others write, and which may hold what separates columns.
const NAME: usize = 3;
const TITLE: &str = "#支付宝业务明细查询";
const ACCOUNT: &str = "#账号：[";
const PERIOD: &str = "#起始日期：[";
const BEGIN: &str = "业务明细列表";
const END: &str = "业务明细列表结束";

text_enum! {
    /// 业务类型 of a row.
    pub enum RowKind {
        /// A payment.
        Trade = "交易",
        /// A refund, one row for each request number.
        Refund = "退款",
    }
}

/// Why a bill is unusable; `line` counts from 1.
#[derive(Debug, Error)]
pub enum BillFault {
    /// The bytes could not be read, or the archive is damaged.
    #[error("the bill could not be read: {0}")]
    Io(#[from] io::Error),
    /// Not the documented archive.
    #[error("{0}")]
    Archive(&'static str),
    /// The text is not of the documented form.
    #[error("line {line}: {why}")]
    Form {
        /// Where.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A column's value is out of bounds.
    #[error("line {line}: {column}: {why}")]
    Value {
        /// Where.
        line: u64,
        /// The column's heading.
        column: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

/// A payment or a refund. Amounts are fen and not negative, whatever sign they are written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which of the two.
    pub kind: RowKind,
    /// 支付宝交易号: of a refund, that of the payment.
    pub trade_no: String,
    /// 商户订单号: our order_no, or another's of a payment that did not come through the platform.
    pub out_trade_no: String,
    /// 商品名称, as it may be shown.
    pub subject: String,
    /// 创建时间.
    pub created_at: Instant,
    /// 完成时间.
    pub finished_at: Instant,
    /// 订单金额: what was ordered, or is refunded.
    pub total: Fen,
    /// 商家实收: what of it the merchant gets, or gives back.
    pub receipt: Fen,
    /// 商家优惠: the merchant's own discount in it.
    pub discount: Fen,
    /// 退款批次号/请求号: our number of the refund.
    pub out_request_no: Option<String>,
    /// 服务费: charged, or given back.
    pub fee: Fen,
}

/// Number of rows and sums of 商家实收 and 商家优惠, as the last lines state them of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    rows: i64,
    receipt: Fen,
    discount: Fen,
}

impl Totals {
    fn add(&mut self, row: &Row) -> Option<()> {
        self.rows = self.rows.checked_add(1)?;
        self.receipt = self.receipt.checked_add(row.receipt)?;
        self.discount = self.discount.checked_add(row.discount)?;
        Some(())
    }

    /// The line that states them; those of refunds are written negative.
    fn line(self, kind: RowKind) -> String {
        let back = |fen: Fen| fen.checked_neg().unwrap_or_default().yuan();
        match kind {
            RowKind::Trade => format!(
                "#交易合计：{}笔，商家实收共{}元，商家优惠共{}元",
                self.rows,
                self.receipt.yuan(),
                self.discount.yuan()
            ),
            RowKind::Refund => format!(
                "#退款合计：{}笔，商家实收退款共{}元，商家优惠退款共{}元",
                self.rows,
                back(self.receipt),
                back(self.discount)
            ),
        }
    }
}

/// Reads rows in bounded memory: an iterator that ends after the sums have been found to fit, or after the first fault.
/// Rows count for nothing before it has ended without one.
pub struct Reader<R> {
    source: R,
    line: u64,
    trades: Totals,
    refunds: Totals,
    account: String,
    day: BusinessDay,
    done: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads what stands before the rows.
    pub fn new(source: R) -> Result<Self, BillFault> {
        let (trades, refunds) = (Totals::default(), Totals::default());
        let (account, day) = (String::new(), Instant::new(0).business_day());
        let mut reader = Self { source, line: 0, trades, refunds, account, day, done: false };
        if reader.need()? != TITLE {
            return Err(reader.form("not the title of a bill"));
        }
        let account = reader.need()?;
        let account = account.strip_prefix(ACCOUNT).and_then(|rest| rest.strip_suffix(']'));
        let account = account.filter(|account| text::is_inst_order_no(account));
        reader.account = account.map(str::to_owned).ok_or_else(|| reader.form("no account"))?;
        reader.day = period(&reader.need()?).ok_or_else(|| reader.form("not the period of one day"))?;
        if !is_frame(&reader.need()?, BEGIN) || reader.need()? != COLUMNS {
            return Err(reader.form("not the header of a trade bill"));
        }
        Ok(reader)
    }

    /// Whose bill it is.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Of which day it is.
    #[must_use]
    pub const fn day(&self) -> BusinessDay {
        self.day
    }

    fn next_row(&mut self) -> Result<Option<Row>, BillFault> {
        let mut text = self.need()?;
        if is_frame(&text, END) {
            self.sums()?;
            return Ok(None);
        }
        let first = self.line;
        let values = loop {
            match csv::split(&text) {
                Split::Whole(values) => break values,
                Split::Short => return Err(self.form("fewer values than columns")),
                // A name in quotes may hold a line's end.
                Split::Open => text = format!("{text}\n{}", self.need()?),
            }
            if text.len() > MAX_LINE {
                return Err(self.form("too long"));
            }
        };
        let row = Line { number: first, values }.row()?;
        let totals = match row.kind {
            RowKind::Trade => &mut self.trades,
            RowKind::Refund => &mut self.refunds,
        };
        totals.add(&row).ok_or_else(|| form(first, "sums overflow"))?;
        Ok(Some(row))
    }

    /// The sums, and nothing that could be a row behind them.
    fn sums(&mut self) -> Result<(), BillFault> {
        if self.need()? != self.trades.line(RowKind::Trade)
            || self.need()? != self.refunds.line(RowKind::Refund)
        {
            return Err(self.form("the sums do not fit the rows"));
        }
        while let Some(text) = self.next_line()? {
            if !text.is_empty() && !text.starts_with('#') {
                return Err(self.form("text after the sums"));
            }
        }
        Ok(())
    }

    fn need(&mut self) -> Result<String, BillFault> {
        self.next_line()?.ok_or_else(|| form(self.line.saturating_add(1), "cut short"))
    }

    /// A line without its end and the blanks before it.
    fn next_line(&mut self) -> Result<Option<String>, BillFault> {
        let (mut buffer, limit) = (Vec::new(), u64::try_from(MAX_LINE).unwrap_or(u64::MAX));
        if (&mut self.source).take(limit).read_until(b'\n', &mut buffer)? == 0 {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        if (buffer.len() >= MAX_LINE && !buffer.ends_with(b"\n")) || self.line > MAX_LINES {
            return Err(self.form("too long"));
        }
        let text = Charset::Gbk.decode(&buffer).ok_or_else(|| self.form("not GBK"))?;
        Ok(Some(text.trim_end_matches(['\n', '\r', '\t', ' ']).to_owned()))
    }

    fn form(&self, why: &'static str) -> BillFault {
        form(self.line, why)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Row, BillFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.next_row();
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

fn form(line: u64, why: &'static str) -> BillFault {
    BillFault::Form { line, why }
}

/// `#---…` around a word.
fn is_frame(text: &str, word: &str) -> bool {
    text.strip_prefix('#').is_some_and(|rest| rest.trim_matches('-') == word)
}

/// `#起始日期：[2026年01月01日 00:00:00]   终止日期：[2026年01月02日 00:00:00]`: exactly one day.
fn period(text: &str) -> Option<BusinessDay> {
    let (from, rest) = text.strip_prefix(PERIOD)?.split_once(']')?;
    let until = rest.trim_start().strip_prefix("终止日期：[")?.strip_suffix(']')?;
    let at = |text: &str| time(&text.replace(['年', '月'], "-").replacen('日', "", 1));
    let day = at(from)?.business_day();
    (at(from)? == day.start() && at(until)? == day.next().start()).then_some(day)
}

/// A row, split.
struct Line {
    number: u64,
    values: Box<[String; COLUMN_COUNT]>,
}

impl Line {
    fn row(&self) -> Result<Row, BillFault> {
        let [trade_no, out_trade_no, kind, subject, created, finished, ..] = &*self.values;
        let [.., total, receipt, _, _, _, discount, _, _, _, _, out_request_no, fee, _, _] = &*self.values;
        let kind = RowKind::parse(kind).ok_or_else(|| self.fault("业务类型", "neither 交易 nor 退款"))?;
        if !text::is_inst_order_no(trade_no) {
            return Err(self.fault("支付宝交易号", "not 1 to 64 characters of 0-9 A-Z a-z _ -"));
        }
        let out_request_no = Some(out_request_no).filter(|text| !text.is_empty());
        if kind == RowKind::Refund && out_request_no.is_none() {
            return Err(self.fault("退款批次号/请求号", "missing"));
        }
        let row = Row {
            kind,
            trade_no: trade_no.clone(),
            out_trade_no: text::cleaned(out_trade_no),
            subject: text::cleaned(subject),
            created_at: self.time("创建时间", created)?,
            finished_at: self.time("完成时间", finished)?,
            total: self.amount("订单金额（元）", total, kind == RowKind::Refund)?,
            receipt: self.amount("商家实收（元）", receipt, kind == RowKind::Refund)?,
            discount: self.amount("商家优惠（元）", discount, kind == RowKind::Refund)?,
            out_request_no: out_request_no.map(|text| text::cleaned(text)),
            // A fee is what the merchant loses, so it has the other sign.
            fee: self.amount("服务费（元）", fee, kind == RowKind::Trade)?,
        };
        if row.receipt > row.total || row.total == Fen::ZERO {
            return Err(self.fault("商家实收（元）", "more than the order, or the order is of nothing"));
        }
        if row.fee > row.receipt {
            return Err(self.fault("服务费（元）", "more than 商家实收"));
        }
        Ok(row)
    }

    fn time(&self, column: &'static str, value: &str) -> Result<Instant, BillFault> {
        time(value).ok_or_else(|| self.fault(column, "not yyyy-MM-dd HH:mm:ss"))
    }

    /// Yuan of the sign that the row's kind has.
    fn amount(&self, column: &'static str, value: &str, negative: bool) -> Result<Fen, BillFault> {
        let digits = match value.strip_prefix('-') {
            Some(digits) => Some(digits).filter(|_| negative),
            None => Some(value),
        };
        let fen = digits.and_then(fields::yuan).filter(|fen| fen.is_fact_range());
        let fen = fen.filter(|fen| !negative || *fen == Fen::ZERO || value.starts_with('-'));
        fen.ok_or_else(|| self.fault(column, "not an amount in whole fen, of the row's sign"))
    }

    fn fault(&self, column: &'static str, why: &'static str) -> BillFault {
        BillFault::Value { line: self.number, column, why }
    }
}

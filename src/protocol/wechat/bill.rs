//! The trade bill of a day, type ALL (`channels.md` 1.8, `files.md`).
//!
//! UTF-8 with a byte order mark or without, gzipped or plain, lines end with CR LF; a header line of 27 columns or of the
//! 24 that there were before, detail lines whose every value begins with a backtick, a summary header, one summary line.
//! A bill that is not so, or whose summary does not fit its rows, is unusable: there is no reading "as far as it goes".
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

mod writer;

use super::attach;
use super::{CNY, product_of};
use mingfen_kernel::bill::{BillOrder, BillRefund, BillRow};
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::channel::ChannelName;
use mingfen_kernel::money::Fen;
use mingfen_kernel::split::OrderFacts;
use mingfen_kernel::text;

pub use writer::{Entry, Settled, Writer};

/// First bytes of the file, where it has them.
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// First bytes of a gzipped one.
const GZIP: &[u8] = b"\x1F\x8B";
/// The first column's heading, with which a bill without byte order mark begins.
const FIRST_COLUMN: &str = "交易时间";
/// Header of the detail lines.
pub const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,\
订单金额,申请退款金额,费率备注";
/// Header of the summary line.
pub const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
/// Longest line read, in bytes.
pub const MAX_LINE: usize = 4096;
/// The most detail lines read.
pub const MAX_ROWS: u64 = 10_000_000;

const COLUMN_COUNT: usize = 27;
/// Columns at the end that old bills do not have: 订单金额, 申请退款金额, 费率备注.
const LATER: [&str; 3] = ["0.00", "0.00", ""];
/// Of them, those that the summary adds up.
const LATER_SUMS: usize = 2;
/// Thousandths of a fen in a fen: fees are written in yuan with five decimals.
const MILLI: i64 = 1000;

/// Why a bill is unusable; `line` counts from 1.
#[derive(Debug, Error)]
pub enum BillFault {
    /// The bytes could not be read.
    #[error("the bill could not be read: {0}")]
    Io(#[from] io::Error),
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

/// Sums of the columns that the summary states, in thousandths of a fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    rows: i64,
    /// 应结订单, 退款, 充值券退款, 手续费, 订单, 申请退款.
    sums: [i64; 6],
}

impl Totals {
    fn add(&mut self, amounts: [i64; 6]) -> Option<()> {
        self.rows = self.rows.checked_add(1)?;
        for (sum, amount) in self.sums.iter_mut().zip(amounts) {
            *sum = sum.checked_add(amount)?;
        }
        Some(())
    }
}

/// Reads a bill line by line in bounded memory: an iterator of rows that ends after the summary has been found to
/// fit, or after the first fault. Rows count for nothing before it has ended without one.
pub struct Reader<'a, R> {
    source: R,
    merchant: &'a dyn Fn(&str) -> Option<String>,
    buffer: Vec<u8>,
    line: u64,
    totals: Totals,
    /// Whether it has the 24 columns that there were before.
    is_old: bool,
    /// 订单金额 of the payment read last.
    ordered: Option<Fen>,
    done: bool,
}

/// Whether these can be the first bytes of a bill, gzipped or plain: an error page, an empty body or another encoding
/// cannot.
#[must_use]
pub fn may_begin(bytes: &[u8]) -> bool {
    let begins = |with: &[u8]| bytes.starts_with(with);
    begins(BOM) || begins(GZIP) || begins(FIRST_COLUMN.as_bytes())
}

/// The plain text of a bill that may be gzipped.
pub fn unpacked<'a>(mut source: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    if !source.fill_buf()?.starts_with(GZIP) {
        return Ok(Box::new(source));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(source))))
}

/// A header without its last columns.
fn without(columns: &str, last: usize) -> &str {
    columns.rsplitn(last.saturating_add(1), ',').last().unwrap_or_default()
}

impl<'a, R: BufRead> Reader<'a, R> {
    /// Reads byte order mark and header of the [`unpacked`] text. `merchant` finds our merchant by 特约商户号, the institution's number in the
    /// bundle; an order of an unknown one has the empty merchant, which is nobody's.
    pub fn new(source: R, merchant: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, BillFault> {
        let (buffer, totals) = (Vec::new(), Totals::default());
        let mut reader =
            Self { source, merchant, buffer, line: 0, totals, is_old: false, ordered: None, done: false };
        let header = reader.next_line()?.unwrap_or_default();
        let header = header.strip_prefix('\u{feff}').unwrap_or(&header);
        reader.is_old = header == without(COLUMNS, LATER.len());
        if header != COLUMNS && !reader.is_old {
            return Err(form(1, "not the header of a trade bill of type ALL"));
        }
        Ok(reader)
    }

    /// 订单金额 of the payment read last: what was ordered, of which `paid` is what is settled. A bill of 24 columns does not
    /// say it.
    pub fn ordered(&self) -> Option<Fen> {
        self.ordered
    }

    fn next_row(&mut self) -> Result<Option<BillRow>, BillFault> {
        let text = self.next_line()?.ok_or_else(|| form(self.line + 1, "cut short: no summary"))?;
        if text == if self.is_old { without(SUMMARY, LATER_SUMS) } else { SUMMARY } {
            self.summary()?;
            return Ok(None);
        }
        let line = Line::split(self.line, &text, self.is_old)?;
        let amounts = line.amounts()?;
        let [_, _, _, _, ordered, _] = amounts;
        self.ordered = (!self.is_old).then_some(Fen::new(ordered / MILLI));
        self.totals.add(amounts).ok_or_else(|| form(self.line, "sums overflow"))?;
        if self.line > MAX_ROWS {
            return Err(form(self.line, "too many lines"));
        }
        line.row(self.merchant).map(Some)
    }

    fn summary(&mut self) -> Result<(), BillFault> {
        let text = self.next_line()?.ok_or_else(|| form(self.line + 1, "cut short: no summary"))?;
        let values = values(&text).ok_or_else(|| form(self.line, "a value without backtick"))?;
        let stated: Option<Vec<i64>> = values.iter().map(|v| milli_fen(v)).collect();
        // The count is no amount, but written as one in some bills (`20.0`).
        let rows = self.totals.rows.checked_mul(100 * MILLI).unwrap_or(i64::MAX);
        let mut computed = vec![rows];
        computed.extend(self.totals.sums);
        if self.is_old {
            computed.truncate(computed.len().saturating_sub(LATER_SUMS));
        }
        if stated.as_deref() != Some(&computed) {
            return Err(form(self.line, "the summary does not fit the rows"));
        }
        if self.next_line()?.is_some() {
            return Err(form(self.line, "text after the summary"));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<Option<String>, BillFault> {
        self.buffer.clear();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = (&mut self.source).take(limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let ended = self.buffer.strip_suffix(b"\r\n");
        let bytes = ended.ok_or_else(|| form(self.line, "too long, or does not end with CR LF"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| form(self.line, "not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(form(self.line, "a control character"));
        }
        Ok(Some(text.to_owned()))
    }
}

impl<R: BufRead> Iterator for Reader<'_, R> {
    type Item = Result<BillRow, BillFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.next_row();
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

/// A detail line, split.
struct Line<'a> {
    number: u64,
    values: [&'a str; COLUMN_COUNT],
}

impl<'a> Line<'a> {
    fn split(number: u64, text: &'a str, is_old: bool) -> Result<Self, BillFault> {
        let mut values = values(text).ok_or_else(|| form(number, "a value without backtick"))?;
        if is_old {
            values.extend(LATER);
        }
        let values = values.try_into().map_err(|_| form(number, "another number of values than columns"))?;
        Ok(Self { number, values })
    }

    fn amounts(&self) -> Result<[i64; 6], BillFault> {
        let [.., settled, _, _, _, refund, coupon, _, _, _, _, fee, _, total, applied, _] = self.values;
        let fen = |column, value| {
            milli_fen(value)
                .filter(|milli| milli % MILLI == 0)
                .ok_or_else(|| self.fault(column, "not an amount in whole fen"))
        };
        Ok([
            fen("应结订单金额", settled)?,
            fen("退款金额", refund)?,
            fen("充值券退款金额", coupon)?,
            milli_fen(fee).ok_or_else(|| self.fault("手续费", "not an amount"))?,
            fen("订单金额", total)?,
            fen("申请退款金额", applied)?,
        ])
    }

    fn row(&self, merchant: &dyn Fn(&str) -> Option<String>) -> Result<BillRow, BillFault> {
        let [_, _, _, _, _, _, _, _, _, state, _, currency, ..] = self.values;
        if currency != CNY {
            return Err(self.fault("货币种类", "not CNY"));
        }
        match state {
            "SUCCESS" => self.order(merchant).map(BillRow::Order),
            "REFUND" | "REVOKED" => self.refund().map(BillRow::Refund),
            _ => Err(self.fault("交易状态", "not SUCCESS, REFUND or REVOKED")),
        }
    }

    fn order(&self, merchant: &dyn Fn(&str) -> Option<String>) -> Result<BillOrder, BillFault> {
        let [_, _, _, inst_merchant_no, _, inst_order_no, order_no, _, kind, ..] = self.values;
        let [.., data, _, _, _, _, _] = self.values;
        let [settled, _, _, fee, _, _] = self.amounts()?;
        let (paid, fee) = (Fen::new(settled / MILLI), self.half_up(fee)?);
        if paid <= Fen::ZERO || paid > Fen::MAX {
            return Err(self.fault("应结订单金额", "not 0.01 to 10000000000.00"));
        }
        if fee > paid {
            return Err(self.fault("手续费", "more than was paid"));
        }
        // A row without our form is a payment that did not come through the platform: it must not keep everybody else's
        // day.
        let (declared, order_no) = match attach::cut(data) {
            Ok((declared, _)) if text::is_order_no(order_no) => (declared, order_no),
            Ok(_) => return Err(self.fault("商户订单号", "not a number of the platform")),
            Err(_) => (attach::Declared::default(), text::NO_ORDER_NO),
        };
        let facts = OrderFacts {
            inst_order_no: self.number("微信订单号", inst_order_no)?,
            merchant: merchant(inst_merchant_no).unwrap_or_default(),
            channel: ChannelName::Wechat.to_string(),
            product: product_of(kind).ok_or_else(|| self.fault("交易类型", "not a trade type"))?.to_string(),
            tags: declared.tags,
            parties: declared.parties,
            paid_at: self.time()?,
            paid,
            fee,
            subsidy: Fen::ZERO,
        };
        Ok(BillOrder { facts, order_no: order_no.to_owned() })
    }

    fn refund(&self) -> Result<BillRefund, BillFault> {
        let [_, _, _, _, _, inst_order_no, _, _, _, _, _, _, _, _, inst_refund_no, refund_no, ..] =
            self.values;
        let [_, refund, _, fee, _, _] = self.amounts()?;
        let amount = Fen::new(refund / MILLI);
        if amount <= Fen::ZERO || amount > Fen::MAX {
            return Err(self.fault("退款金额", "not 0.01 to 10000000000.00"));
        }
        Ok(BillRefund {
            inst_refund_no: self.number("微信退款单号", inst_refund_no)?,
            refund_no: self.refund_no(refund_no)?,
            inst_order_no: self.number("微信订单号", inst_order_no)?,
            order_day: None,
            refunded_at: self.time()?,
            amount,
            // A refund's fee is what comes back, written negative.
            fee_back: self.half_up(-fee)?,
        })
    }

    /// Our number of a refund; none of a refund of a payment that did not come through the platform.
    fn refund_no(&self, refund_no: &str) -> Result<String, BillFault> {
        let [.., data, _, _, _, _, _] = self.values;
        match attach::cut(data) {
            Ok(_) => self.number("商户退款单号", refund_no),
            Err(_) => Ok(text::NO_ORDER_NO.to_owned()),
        }
    }

    fn number(&self, column: &'static str, value: &str) -> Result<String, BillFault> {
        if text::is_inst_order_no(value) {
            Ok(value.to_owned())
        } else {
            Err(self.fault(column, "not 1 to 64 characters of 0-9 A-Z a-z _ -"))
        }
    }

    fn half_up(&self, fee: i64) -> Result<Fen, BillFault> {
        match fee {
            0.. => Ok(Fen::new(fee.saturating_add(MILLI / 2) / MILLI)),
            ..0 => Err(self.fault("手续费", "of the wrong sign")),
        }
    }

    /// `2022-03-21 13:51:31`, Beijing.
    fn time(&self) -> Result<Instant, BillFault> {
        let [time, ..] = self.values;
        time.split_once(' ')
            .and_then(|(day, clock)| Instant::parse_cst(&format!("{day}T{clock}+08:00")))
            .ok_or_else(|| self.fault("交易时间", "not yyyy-MM-dd HH:mm:ss"))
    }

    fn fault(&self, column: &'static str, why: &'static str) -> BillFault {
        BillFault::Value { line: self.number, column, why }
    }
}

fn form(line: u64, why: &'static str) -> BillFault {
    BillFault::Form { line, why }
}

/// Splits at `` ,` ``: a value may hold a comma but never a backtick.
fn values(text: &str) -> Option<Vec<&str>> {
    let values: Vec<&str> = text.strip_prefix('`')?.split(",`").collect();
    (!values.iter().any(|v| v.contains('`'))).then_some(values)
}

/// Yuan with up to five decimals, in thousandths of a fen.
fn milli_fen(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |t: &str| !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit());
    if !numeric(whole) || !numeric(part) || part.len() > 5 || whole.len() > 13 {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let part: i64 = format!("{part:0<5}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100 * MILLI)?.checked_add(part)?.checked_mul(sign)
}

//! Writes a trade bill as Alipay does: for the sandbox, for tenants' own bills, and to prove the reader.
use std::io::{self, Seek, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::csv::written;
use super::{ACCOUNT, BEGIN, COLUMNS, END, PERIOD, Row, RowKind, TITLE, Totals};
use crate::alipay::charset::Charset;
use crate::alipay::write_time;
use mingfen_kernel::calendar::{BusinessDay, Instant};
use mingfen_kernel::money::Fen;

/// Header of the other entry's one row, 合计.
const SUMMARY_COLUMNS: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,\
商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";

/// Writes the whole archive of a day's rows and hands the target back. The same rows give the same bytes.
pub fn write<W: Write + Seek>(
    target: W,
    account: &str,
    day: BusinessDay,
    exported_at: Instant,
    rows: impl IntoIterator<Item = Row>,
) -> io::Result<W> {
    let name = format!("{account}_{}_业务明细", day.date().to_string().replace('-', ""));
    let mut zip = ZipWriter::new(target);
    zip.start_file(format!("{name}.csv"), SimpleFileOptions::default())?;
    put(&mut zip, TITLE)?;
    head(&mut zip, account, day)?;
    put(&mut zip, &frame(BEGIN, 41, 40))?;
    put(&mut zip, COLUMNS)?;
    let mut sums = Sums::default();
    for row in rows {
        sums.add(&row).ok_or_else(|| io::Error::other("sums overflow"))?;
        put(&mut zip, &line(&row))?;
    }
    put(&mut zip, &frame(END, 41, 36))?;
    put(&mut zip, &sums.trades.line(RowKind::Trade))?;
    put(&mut zip, &sums.refunds.line(RowKind::Refund))?;
    put(&mut zip, &format!("#导出时间：[{}]", chinese(exported_at)))?;
    zip.start_file(format!("{name}(汇总).csv"), SimpleFileOptions::default())?;
    summary(&mut zip, account, day, exported_at, &sums)?;
    Ok(zip.finish()?)
}

#[derive(Default)]
struct Sums {
    trades: Totals,
    refunds: Totals,
    /// Of payments less refunds, fen.
    total: Fen,
    fee: Fen,
}

impl Sums {
    fn add(&mut self, row: &Row) -> Option<()> {
        let signed = |fen: Fen| if row.kind == RowKind::Refund { fen.checked_neg() } else { Some(fen) };
        self.total = self.total.checked_add(signed(row.total)?)?;
        self.fee = self.fee.checked_sub(signed(row.fee)?)?;
        match row.kind {
            RowKind::Trade => self.trades.add(row),
            RowKind::Refund => self.refunds.add(row),
        }
    }
}

fn summary(
    zip: &mut impl Write,
    account: &str,
    day: BusinessDay,
    exported_at: Instant,
    sums: &Sums,
) -> io::Result<()> {
    let less = |one: Fen, other: Fen| one.checked_sub(other).ok_or_else(|| io::Error::other("sums overflow"));
    let receipt = less(sums.trades.receipt, sums.refunds.receipt)?;
    let discount = less(sums.trades.discount, sums.refunds.discount)?;
    let net = receipt.checked_add(sums.fee).ok_or_else(|| io::Error::other("sums overflow"))?;
    put(zip, "#支付宝业务汇总查询")?;
    head(zip, account, day)?;
    put(zip, &frame("业务汇总列表", 41, 40))?;
    put(zip, SUMMARY_COLUMNS)?;
    let values = [
        "合计".to_owned(),
        String::new(),
        sums.trades.rows.to_string(),
        sums.refunds.rows.to_string(),
        sums.total.yuan(),
        receipt.yuan(),
        Fen::ZERO.yuan(),
        discount.yuan(),
        Fen::ZERO.yuan(),
        sums.fee.yuan(),
        Fen::ZERO.yuan(),
        net.yuan(),
    ];
    put(zip, &values.join(","))?;
    put(zip, &frame("业务汇总列表结束", 40, 37))?;
    put(zip, &format!("#导出时间：[{}]", chinese(exported_at)))
}

fn head(zip: &mut impl Write, account: &str, day: BusinessDay) -> io::Result<()> {
    put(zip, &format!("{ACCOUNT}{account}]"))?;
    put(zip, &format!("{PERIOD}{}]   终止日期：[{}]", chinese(day.start()), chinese(day.next().start())))
}

fn line(row: &Row) -> String {
    let back = row.kind == RowKind::Refund;
    let signed = |fen: Fen, negative: bool| {
        let signed = if negative { fen.checked_neg().unwrap_or(fen) } else { fen };
        signed.yuan()
    };
    let zero = Fen::ZERO.yuan();
    let values = [
        written(&row.trade_no),
        written(&row.out_trade_no),
        row.kind.as_str().to_owned(),
        written(&row.subject),
        write_time(row.created_at),
        write_time(row.finished_at),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        signed(row.total, back),
        signed(row.receipt, back),
        zero.clone(),
        zero.clone(),
        zero.clone(),
        signed(row.discount, back),
        zero.clone(),
        String::new(),
        zero.clone(),
        zero.clone(),
        row.out_request_no.as_deref().map(written).unwrap_or_default(),
        signed(row.fee, !back),
        zero,
        String::new(),
    ];
    values.join(",")
}

fn put(zip: &mut impl Write, text: &str) -> io::Result<()> {
    zip.write_all(&Charset::Gbk.encode(text))?;
    zip.write_all(b"\r\n")
}

fn frame(word: &str, before: usize, behind: usize) -> String {
    format!("#{}{word}{}", "-".repeat(before), "-".repeat(behind))
}

/// `2026年01月01日 08:00:00`.
fn chinese(at: Instant) -> String {
    let time = write_time(at);
    let (day, clock) = time.split_once(' ').unwrap_or((&time, ""));
    format!("{}日 {clock}", day.replacen('-', "年", 1).replacen('-', "月", 1))
}

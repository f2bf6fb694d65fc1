//! Writes a trade bill as an institution does: for the sandbox, and to prove the reader.
use std::io::{self, Write};

use super::{BOM, COLUMNS, MILLI, SUMMARY, Totals};
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::money::Fen;

/// One detail line to write. Texts must not hold a backtick or a control character; [`Writer::write`] refuses them.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// 交易时间: of the payment, or of the refund.
    pub at: Instant,
    /// 公众账号ID: the platform merchant's sp_appid.
    pub appid: &'a str,
    /// 商户号: the platform merchant's sp_mchid.
    pub mchid: &'a str,
    /// 特约商户号: the institution's number of the sub-merchant.
    pub sub_mchid: &'a str,
    /// 微信订单号.
    pub inst_order_no: &'a str,
    /// 商户订单号: the platform's order_no.
    pub order_no: &'a str,
    /// 用户标识.
    pub openid: &'a str,
    /// 交易类型, `NATIVE`.
    pub trade_type: &'a str,
    /// 付款银行.
    pub bank: &'a str,
    /// 商品名称.
    pub description: &'a str,
    /// 商户数据包: `attach` as the institution received it.
    pub attach: &'a str,
    /// 手续费 in fen, not negative; written negative on a refund.
    pub fee: Fen,
    /// 费率, `0.38%`.
    pub rate: &'a str,
    /// What happened.
    pub settled: Settled<'a>,
}

/// What happened to the money of an entry.
#[derive(Debug, Clone, Copy)]
pub enum Settled<'a> {
    /// 交易状态 SUCCESS.
    Paid {
        /// 应结订单金额, fen.
        paid: Fen,
        /// 订单金额, fen: more than that where nobody pays a part.
        ordered: Fen,
    },
    /// 交易状态 REFUND.
    Refunded {
        /// 微信退款单号.
        inst_refund_no: &'a str,
        /// 商户退款单号.
        refund_no: &'a str,
        /// 退款金额 and 申请退款金额, fen.
        refund: Fen,
    },
}

/// Writes a bill; the summary is written by [`Writer::finish`].
pub struct Writer<W> {
    target: W,
    totals: Totals,
}

impl<W: Write> Writer<W> {
    /// Writes byte order mark and header.
    pub fn new(mut target: W) -> io::Result<Self> {
        target.write_all(BOM)?;
        write!(target, "{COLUMNS}\r\n")?;
        Ok(Self { target, totals: Totals::default() })
    }

    /// Writes a detail line.
    pub fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let time = entry.at.to_cst().replace('T', " ").replace("+08:00", "");
        let (state, (paid, ordered), inst_refund_no, refund_no, refund, back) = match entry.settled {
            Settled::Paid { paid, ordered } => ("SUCCESS", (paid, ordered), "0", "0", Fen::ZERO, false),
            Settled::Refunded { inst_refund_no, refund_no, refund } => {
                ("REFUND", (Fen::ZERO, Fen::ZERO), inst_refund_no, refund_no, refund, true)
            }
        };
        let fee = if back { entry.fee.checked_neg() } else { Some(entry.fee) };
        let fee = fee.ok_or_else(|| io::Error::other("fee overflows"))?;
        let (method, done) = if back { ("ORIGINAL", "SUCCESS") } else { ("", "") };
        let (paid_yuan, ordered_yuan, refund_yuan) = (paid.yuan(), ordered.yuan(), refund.yuan());
        let fee_yuan = format!("{}000", fee.yuan());
        let values = [
            time.as_str(),
            entry.appid,
            entry.mchid,
            entry.sub_mchid,
            "",
            entry.inst_order_no,
            entry.order_no,
            entry.openid,
            entry.trade_type,
            state,
            entry.bank,
            "CNY",
            &paid_yuan,
            "0.00",
            inst_refund_no,
            refund_no,
            &refund_yuan,
            "0.00",
            method,
            done,
            entry.description,
            entry.attach,
            &fee_yuan,
            entry.rate,
            &ordered_yuan,
            &refund_yuan,
            "",
        ];
        if values.iter().any(|v| v.chars().any(|c| c == '`' || c.is_control())) {
            return Err(io::Error::other("a value holds a backtick or a control character"));
        }
        let milli = |amount: Fen| amount.get().checked_mul(MILLI);
        let (paid, ordered) = (milli(paid), milli(ordered));
        let (refund, fee) = (milli(refund), milli(fee));
        paid.zip(ordered)
            .zip(refund.zip(fee))
            .and_then(|((paid, ordered), (refund, fee))| {
                self.totals.add([paid, refund, 0, fee, ordered, refund])
            })
            .ok_or_else(|| io::Error::other("sums overflow"))?;
        write!(self.target, "`{}\r\n", values.join(",`"))
    }

    /// Writes the summary and hands the target back.
    pub fn finish(mut self) -> io::Result<W> {
        let [settled, refund, coupon, fee, total, applied] =
            self.totals.sums.map(|milli| Fen::new(milli / MILLI).yuan());
        write!(
            self.target,
            "{SUMMARY}\r\n`{},`{settled},`{refund},`{coupon},`{fee}000,`{total},`{applied}\r\n",
            self.totals.rows
        )?;
        self.target.flush()?;
        Ok(self.target)
    }
}

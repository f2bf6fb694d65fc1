//! The day that is verified, written with the product's own writers.
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::signature_of;
use crate::bench::world::{self, INSTITUTION, PLATFORM};
use crate::kernel::approvals::Bundle;
use crate::kernel::bill::{BillOrder, BillRow};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::bil::{BilHeader, BilWriter};
use crate::kernel::file::{FileKind, FileName, MAX_ORDERS};
use crate::kernel::money::Fen;
use crate::kernel::proposal::{Proposal, SplDraft, propose, write_spl};
use crate::kernel::rate::Ppm;
use crate::kernel::split::OrderFacts;
use crate::protocol::crypto::{PrivateKey, base64};
use crate::protocol::wechat::attach::Declared;
use crate::protocol::wechat::bill::{Entry, Settled, Writer};

const MERCHANTS: u64 = 10_000;
const DAY_SECONDS: u64 = 24 * 3600;

/// Its files, and what they add up to.
pub struct Day {
    pub dir: PathBuf,
    pub spl: Vec<PathBuf>,
    pub bills: Vec<PathBuf>,
    pub bundle: PathBuf,
    pub platform_key: PathBuf,
    pub institution_key: PathBuf,
    pub orders: u64,
    pub lines: u64,
    pub paid: Fen,
    pub pool: Fen,
    platform: PrivateKey,
    approvals: Bundle,
    /// What the last SPL is made of.
    last: Option<(SplDraft, Vec<(BillOrder, Proposal)>)>,
}

impl Day {
    /// Writes a day of so many orders; with WeChat's own bill, in no order, where one is wanted.
    pub fn write(dir: &Path, orders: u64, wechat: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(dir)?;
        let merchants = usize::try_from(MERCHANTS)?;
        let text = world::bundle(merchants)?;
        let approvals = Bundle::parse(text.as_bytes()).map_err(|found| anyhow::anyhow!("{found:?}"))?;
        let mut day = Self {
            dir: dir.to_owned(),
            spl: Vec::new(),
            bills: Vec::new(),
            bundle: dir.join(format!("APR_{INSTITUTION}_{PLATFORM}_20260101_0001.json")),
            platform_key: dir.join("platform.pub.pem"),
            institution_key: dir.join("institution.pub.pem"),
            orders,
            lines: 0,
            paid: Fen::ZERO,
            pool: Fen::ZERO,
            platform: PrivateKey::generate()?,
            approvals,
            last: None,
        };
        let institution = PrivateKey::generate()?;
        fs::write(&day.platform_key, day.platform.public_key()?.to_pem()?)?;
        fs::write(&day.institution_key, institution.public_key()?.to_pem()?)?;
        fs::write(&day.bundle, &text)?;
        sign(&institution, &day.bundle, &Digest::of(text.as_bytes()))?;
        let most = u64::from(MAX_ORDERS);
        let mut prev = Digest::ZERO;
        for file in 0..orders.div_ceil(most) {
            let numbers = file * most..orders.min((file + 1) * most);
            let orders: Vec<BillOrder> = numbers.map(|n| day.order(n)).collect::<anyhow::Result<_>>()?;
            let seq = u16::try_from(file + 1)?;
            if !wechat {
                day.bil(&institution, seq, &orders)?;
            }
            prev = day.cut(seq, prev, orders)?;
        }
        if wechat {
            day.wechat_bill(&institution)?;
        }
        Ok(day)
    }

    /// Everything that `verify` must read.
    pub fn inputs(&self) -> Vec<&PathBuf> {
        self.spl.iter().chain(&self.bills).chain([&self.bundle]).collect()
    }

    /// The `n`th payment of the day.
    fn order(&self, n: u64) -> anyhow::Result<BillOrder> {
        let paid = Fen::new(i64::try_from(500 + n * 7919 % 100_000)?);
        let merchant = world::merchant(usize::try_from(n * 31 % MERCHANTS)?);
        let second = i64::try_from(n * DAY_SECONDS / self.orders)?;
        let tag = |every: u64, tag: &str| n.is_multiple_of(every).then(|| tag.to_owned());
        let facts = OrderFacts {
            inst_order_no: format!("42000018{n:020}"),
            merchant,
            channel: "wechat".to_owned(),
            product: "native".to_owned(),
            tags: tag(3, "member").into_iter().chain(tag(5, "vip")).collect(),
            parties: BTreeMap::new(),
            paid_at: business_day()?.start().plus(second),
            paid,
            fee: Ppm::new(3800).and_then(|rate| rate.half_up_of(paid)).unwrap_or_default(),
            subsidy: Fen::ZERO,
        };
        Ok(BillOrder { facts, order_no: format!("BN{n:026}") })
    }

    fn bil(&mut self, key: &PrivateKey, seq: u16, orders: &[BillOrder]) -> anyhow::Result<()> {
        let header = BilHeader {
            name: name(FileKind::Bil, seq)?,
            orders: u32::try_from(orders.len())?,
            refunds: 0,
            total_paid: Fen::sum(orders.iter().map(|o| o.facts.paid)).context("a total beyond 64 bits")?,
            created_at: business_day()?.next().start().plus(3600),
        };
        let path = self.dir.join(header.name.to_string());
        let mut writer = BilWriter::new(BufWriter::new(File::create(&path)?), header)?;
        for order in orders {
            writer.row(&BillRow::Order(order.clone()))?;
        }
        let (mut out, digest) = writer.finish()?;
        out.flush()?;
        sign(key, &path, &digest)?;
        self.bills.push(path);
        Ok(())
    }

    /// WeChat's bill of the whole day, its rows as mixed up as they can be.
    fn wechat_bill(&mut self, key: &PrivateKey) -> anyhow::Result<()> {
        let path = self.dir.join("wechat-trade.csv");
        let mut writer = Writer::new(BufWriter::new(File::create(&path)?))?;
        // A step without a common divisor meets every number once.
        let step = [7_368_787, 15_485_863].into_iter().find(|step| !self.orders.is_multiple_of(*step));
        for n in 0..self.orders {
            let BillOrder { facts, order_no } = self.order(n * step.unwrap_or(1) % self.orders)?;
            let attach = Declared { tags: facts.tags, parties: facts.parties }.prefix();
            let merchant = self.approvals.merchants.get(&facts.merchant).context("a merchant")?;
            writer.write(&Entry {
                at: facts.paid_at,
                appid: "wx1900000001",
                mchid: "1900000001",
                sub_mchid: &merchant.inst_merchant_no,
                inst_order_no: &facts.inst_order_no,
                order_no: &order_no,
                openid: "o1",
                trade_type: "NATIVE",
                bank: "OTHERS",
                description: "tea",
                attach: &attach,
                fee: facts.fee,
                rate: "0.38%",
                settled: Settled::Paid { paid: facts.paid, ordered: facts.paid },
            })?;
        }
        writer.finish()?.flush()?;
        let mut hashed = crate::kernel::digest::Hashed::new(std::io::BufReader::new(File::open(&path)?));
        std::io::copy(&mut hashed, &mut std::io::sink())?;
        sign(key, &path, &hashed.finish()?)?;
        self.bills.push(path);
        Ok(())
    }

    /// The SPL of these orders; its digest.
    fn cut(&mut self, seq: u16, prev: Digest, orders: Vec<BillOrder>) -> anyhow::Result<Digest> {
        let rows: Vec<(BillOrder, Proposal)> = orders
            .into_iter()
            .map(|order| propose(&self.approvals, &order).map(|proposal| (order, proposal)))
            .collect::<Result<_, _>>()?;
        let draft = SplDraft {
            name: name(FileKind::Spl, seq)?,
            created_at: business_day()?.next().start().plus(7200),
            approvals: self.approvals.digest(),
            prev,
        };
        for (order, proposal) in &rows {
            let sum = |sum: Fen, more| sum.checked_add(more).context("a total beyond 64 bits");
            self.paid = sum(self.paid, order.facts.paid)?;
            self.pool = sum(self.pool, order.facts.pool())?;
            self.lines += u64::try_from(proposal.paid_lines().count())?;
        }
        let path = self.dir.join(draft.name.to_string());
        let digest = self.spl(&path, &draft, &rows)?;
        self.spl.push(path);
        self.last = Some((draft, rows));
        Ok(digest)
    }

    fn spl(&self, path: &Path, draft: &SplDraft, rows: &[(BillOrder, Proposal)]) -> anyhow::Result<Digest> {
        let rows = rows.iter().map(|(order, proposal)| (order, proposal));
        let (mut out, _, digest) = write_spl(BufWriter::new(File::create(path)?), draft, rows)?;
        out.flush()?;
        sign(&self.platform, path, &digest)?;
        Ok(digest)
    }

    /// The last SPL once more, signed by the platform, with one fen moved.
    pub fn with_a_fen_moved(&self) -> anyhow::Result<PathBuf> {
        let (draft, mut rows) = self.last.clone().context("a day without orders")?;
        let (_, proposal) = rows.last_mut().context("a file without orders")?;
        if let Proposal::Split { split, .. } = proposal
            && let [_, agent, .., merchant] = split.lines.as_mut_slice()
        {
            agent.amount = Fen::new(agent.amount.get() + 1);
            merchant.amount = Fen::new(merchant.amount.get() - 1);
        }
        let dir = self.dir.join("changed");
        fs::create_dir_all(&dir)?;
        let path = dir.join(draft.name.to_string());
        self.spl(&path, &draft, &rows)?;
        Ok(path)
    }
}

fn business_day() -> anyhow::Result<BusinessDay> {
    BusinessDay::parse("20260602").context("a business day")
}

fn name(kind: FileKind, seq: u16) -> anyhow::Result<FileName> {
    let (inst, plat) = (INSTITUTION.to_owned(), PLATFORM.to_owned());
    Ok(FileName { kind, inst, plat, day: business_day()?, seq })
}

fn sign(key: &PrivateKey, path: &Path, digest: &Digest) -> anyhow::Result<()> {
    Ok(fs::write(signature_of(path), base64(&key.sign_digest(digest)?))?)
}

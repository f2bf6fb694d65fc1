//! The second thread of a cut: proposes every order's split and writes it down, as text and as rows.
use std::sync::mpsc::{Receiver, SyncSender};

use super::pipeline::{Plan, Untold};
use super::row_store::{NewRow, Rows};
use crate::clock;
use crate::db::Backend;
use crate::error::{Code, Error};
use crate::exchange::{broken_record, row_number};
use crate::kernel::bill::BillOrder;
use crate::kernel::file::field;
use crate::kernel::file::spl::{SplBody, SplLine, SplOrder, SplRecord, SplUnsplit, push_share};
use crate::kernel::money::Fen;
use crate::kernel::proposal::{Draft, Reason, propose_draft};
use crate::kernel::rule::RuleVersion;
use crate::kernel::split::PlainLine;

/// What is known of a file when its last order is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub orders: u32,
    pub lines: u32,
    /// The O among the orders.
    pub split: u32,
    /// Σ lines.
    pub total: Fen,
    pub sums: Sums,
    /// Whether the run has more orders to tell.
    pub more: bool,
}

/// What the orders of a file add up to, O and X alike; fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub paid: Fen,
    pub fee: Fen,
    pub subsidy: Fen,
    /// The pools of the X among them.
    pub unsplit: Fen,
}

impl Sums {
    fn add(&mut self, order: &BillOrder, draft: &Draft<'_>) -> Option<()> {
        let facts = &order.facts;
        self.paid = self.paid.checked_add(facts.paid)?;
        self.fee = self.fee.checked_add(facts.fee)?;
        self.subsidy = self.subsidy.checked_add(facts.subsidy)?;
        if matches!(draft, Draft::Unsplit(_)) {
            self.unsplit = self.unsplit.checked_add(facts.pool())?;
        }
        Some(())
    }

    /// What the lines must add up to.
    pub(super) fn split(&self) -> Option<Fen> {
        self.paid.checked_add(self.subsidy)?.checked_sub(self.fee)?.checked_sub(self.unsplit)
    }
}

/// Some orders of one file; the last batch of a file says how it ends.
pub(super) struct Batch {
    pub rows: Rows,
    pub text: Vec<u8>,
    pub end: Option<End>,
}

impl Batch {
    fn new(backend: &Backend) -> Self {
        Self { rows: Rows::new(backend), text: Vec::new(), end: None }
    }

    /// Forgets what was in it and keeps the memory.
    fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
        self.end = None;
    }
}

/// Makes batches of pages until there are no more. It ends early when nobody takes them: the writer has failed then.
pub(super) fn run(
    plan: &Plan,
    backend: &Backend,
    pages: Receiver<Result<Untold, Error>>,
    out: &SyncSender<Result<Batch, Error>>,
    used: &Receiver<Batch>,
) {
    let mut proposer = Proposer::new(plan, backend, used);
    for page in pages {
        let mut ready = Vec::new();
        let outcome = page.and_then(|page| proposer.propose(page, &mut ready));
        let sent = ready.into_iter().all(|batch| out.send(Ok(batch)).is_ok());
        if let Err(error) = outcome {
            let _ = out.send(Err(error));
            return;
        }
        if !sent {
            return;
        }
    }
    if let Some(last) = proposer.last() {
        let _ = out.send(Ok(last));
    }
}

struct Proposer<'a> {
    plan: &'a Plan,
    backend: &'a Backend,
    body: SplBody,
    sums: Sums,
    /// O of the file so far.
    split_orders: u32,
    batch: Batch,
    used: &'a Receiver<Batch>,
    files: u32,
    tags: String,
    parties: String,
    merchant: String,
    shares: Vec<u8>,
}

impl<'a> Proposer<'a> {
    fn new(plan: &'a Plan, backend: &'a Backend, used: &'a Receiver<Batch>) -> Self {
        Self {
            plan,
            backend,
            body: SplBody::new(),
            sums: Sums::default(),
            split_orders: 0,
            batch: Batch::new(backend),
            used,
            files: 0,
            tags: String::new(),
            parties: String::new(),
            merchant: String::new(),
            shares: Vec::new(),
        }
    }

    /// The batch so far; the next one is made in memory that the writer is done with.
    fn take_batch(&mut self) -> Batch {
        let mut next = self.used.try_recv().unwrap_or_else(|_| Batch::new(self.backend));
        next.clear();
        std::mem::replace(&mut self.batch, next)
    }

    fn propose(&mut self, page: Untold, ready: &mut Vec<Batch>) -> Result<(), Error> {
        for order in &page.orders {
            let number = &order.facts.inst_order_no;
            let draft = propose_draft(&self.plan.bundle, order).map_err(|fact| {
                let detail = format!("{number}: {fact} is out of bounds");
                Error::refused(Code::BillUnusable, detail)
            })?;
            if matches!(draft, Draft::Unsplit(_)) && page.waiting.contains(number) {
                continue;
            }
            if self.body.orders() >= self.plan.most {
                let whole = self.end(true);
                ready.push(whole);
            }
            self.order(order, &draft)?;
        }
        if self.body.orders() > 0 {
            let so_far = self.take_batch();
            ready.push(so_far);
        }
        Ok(())
    }

    /// The end of the last file; a day without orders publishes a file with none.
    fn last(mut self) -> Option<Batch> {
        let empty_day = self.files == 0 && self.plan.live.is_empty();
        (self.body.orders() > 0 || empty_day).then(|| self.end(false))
    }

    fn end(&mut self, more: bool) -> Batch {
        let body = std::mem::take(&mut self.body);
        let (orders, lines, total) = (body.orders(), body.lines(), body.total());
        let sums = std::mem::take(&mut self.sums);
        self.files = self.files.saturating_add(1);
        let mut batch = self.take_batch();
        let split = std::mem::take(&mut self.split_orders);
        batch.end = Some(End { orders, lines, split, total, sums, more });
        batch
    }

    fn order(&mut self, order: &BillOrder, draft: &Draft<'_>) -> Result<(), Error> {
        let n = self.body.orders().saturating_add(1);
        let too_much = || Error::Internal("the amounts of a file are beyond 64 bits".into());
        self.sums.add(order, draft).ok_or_else(too_much)?;
        let facts = &order.facts;
        let (reason, rule_id) = match draft {
            Draft::Unsplit(reason) => {
                self.unsplit(n, order, *reason)?;
                (Some(*reason), None)
            }
            Draft::Split { rule, lines } => {
                self.split(n, order, rule, lines)?;
                self.split_orders = self.split_orders.saturating_add(1);
                let kept = self.plan.rules.get(&rule.digest()).copied();
                let kept = kept.ok_or_else(|| Error::Internal(format!("rule {} is not kept", rule.rule)))?;
                (None, Some(kept))
            }
        };
        let bill = &self.plan.bill;
        self.batch.rows.push(&NewRow {
            business_date: bill.business_date,
            institution_id: bill.institution_id,
            n: row_number(n)?,
            bill_id: bill.id,
            paid_at: clock::micros(facts.paid_at),
            inst_order_no: &facts.inst_order_no,
            reason,
            rule_id,
            lines: str::from_utf8(&self.shares).map_err(Error::internal)?,
        });
        self.shares.clear();
        Ok(())
    }

    fn unsplit(&mut self, n: u32, order: &BillOrder, reason: Reason) -> Result<(), Error> {
        let BillOrder { order_no, facts, .. } = order;
        let (inst_order_no, paid_at, paid) = (&facts.inst_order_no, facts.paid_at, facts.paid);
        let told = SplUnsplit { n, order_no, inst_order_no, paid_at, paid, reason };
        self.body.record(&mut self.batch.text, &SplRecord::Unsplit(told)).map_err(broken_record)
    }

    fn split(
        &mut self,
        n: u32,
        order: &BillOrder,
        rule: &RuleVersion,
        lines: &[PlainLine<'_>],
    ) -> Result<(), Error> {
        let paid = || lines.iter().filter(|line| line.amount > Fen::ZERO);
        let facts = &order.facts;
        self.tags.clear();
        self.parties.clear();
        self.merchant.clear();
        field::push_tags(&mut self.tags, &facts.tags);
        field::push_parties(&mut self.parties, &facts.parties);
        self.merchant.push_str("merchant:");
        self.merchant.push_str(&facts.merchant);
        let told = SplOrder {
            n,
            order_no: &order.order_no,
            inst_order_no: &facts.inst_order_no,
            merchant: &facts.merchant,
            channel: &facts.channel,
            product: &facts.product,
            tags: &self.tags,
            parties: &self.parties,
            paid_at: facts.paid_at,
            paid: facts.paid,
            fee: facts.fee,
            subsidy: facts.subsidy,
            rule: &rule.rule,
            version: rule.version,
            lines: u32::try_from(paid().count()).unwrap_or(u32::MAX),
        };
        self.body.record(&mut self.batch.text, &SplRecord::Order(told)).map_err(broken_record)?;
        for line in paid() {
            let receiver = line.receiver.key().unwrap_or(&self.merchant);
            let line = SplLine { n, path: line.path, role: line.role, receiver, amount: line.amount };
            self.body.record(&mut self.batch.text, &SplRecord::Line(line)).map_err(broken_record)?;
            if !self.shares.is_empty() {
                self.shares.push(b'\n');
            }
            push_share(&mut self.shares, &line);
        }
        Ok(())
    }
}

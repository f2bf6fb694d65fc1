//! The second thread of a cut: proposes every order's split and writes it down, as text and as rows.
use std::sync::mpsc::{Receiver, SyncSender};

use super::pipeline::{Page, Plan};
use super::row_store::{NewLine, NewOrder, Rows};
use crate::clock;
use crate::db::Backend;
use crate::error::{Code, Error};
use crate::institutions::exchange::{broken_record, row_number};
use crate::kernel::bill::BillOrder;
use crate::kernel::file::field;
use crate::kernel::file::spl::{SplBody, SplLine, SplOrder, SplRecord, SplUnsplit};
use crate::kernel::money::Fen;
use crate::kernel::proposal::{Proposal, propose};
use crate::kernel::split::Line;

/// What is known of a file when its last order is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub orders: u32,
    pub lines: u32,
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
    fn add(&mut self, order: &BillOrder, proposal: &Proposal) -> Option<()> {
        let facts = &order.facts;
        self.paid = self.paid.checked_add(facts.paid)?;
        self.fee = self.fee.checked_add(facts.fee)?;
        self.subsidy = self.subsidy.checked_add(facts.subsidy)?;
        if matches!(proposal, Proposal::Unsplit(_)) {
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
    pages: Receiver<Result<Page, Error>>,
    out: &SyncSender<Result<Batch, Error>>,
    used: &Receiver<Batch>,
) {
    let mut proposer = Proposer::new(plan, backend, used);
    for page in pages {
        let mut ready = Vec::new();
        let outcome = page.and_then(|page| proposer.page(page, &mut ready));
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
    batch: Batch,
    used: &'a Receiver<Batch>,
    files: u32,
    tags: String,
    parties: String,
}

impl<'a> Proposer<'a> {
    fn new(plan: &'a Plan, backend: &'a Backend, used: &'a Receiver<Batch>) -> Self {
        Self {
            plan,
            backend,
            body: SplBody::new(),
            sums: Sums::default(),
            batch: Batch::new(backend),
            used,
            files: 0,
            tags: String::new(),
            parties: String::new(),
        }
    }

    /// The batch so far; the next one is made in memory that the writer is done with.
    fn take_batch(&mut self) -> Batch {
        let mut next = self.used.try_recv().unwrap_or_else(|_| Batch::new(self.backend));
        next.clear();
        std::mem::replace(&mut self.batch, next)
    }

    fn page(&mut self, page: Page, ready: &mut Vec<Batch>) -> Result<(), Error> {
        for order in page.orders {
            let number = &order.facts.inst_order_no;
            let proposal = propose(&self.plan.bundle, &order.facts).map_err(|fact| {
                let detail = format!("{number}: {fact} is out of bounds");
                Error::refused(Code::BillUnusable, detail)
            })?;
            if matches!(proposal, Proposal::Unsplit(_)) && page.waiting.contains(number) {
                continue;
            }
            if self.body.orders() >= self.plan.most {
                let whole = self.end(true);
                ready.push(whole);
            }
            self.order(&order, &proposal)?;
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
        batch.end = Some(End { orders, lines, total, sums, more });
        batch
    }

    fn order(&mut self, order: &BillOrder, proposal: &Proposal) -> Result<(), Error> {
        let lines = u32::try_from(proposal.paid_lines().count()).unwrap_or(u32::MAX);
        let n = self.body.orders().saturating_add(1);
        let too_much = || Error::Internal("the amounts of a file are beyond 64 bits".into());
        self.sums.add(order, proposal).ok_or_else(too_much)?;
        let facts = &order.facts;
        let (order_no, inst_order_no) = (order.order_no.as_str(), facts.inst_order_no.as_str());
        let (paid_at, paid) = (facts.paid_at, facts.paid);
        let (record, reason, rule_id) = match proposal {
            Proposal::Unsplit(reason) => {
                let unsplit = SplUnsplit { n, order_no, inst_order_no, paid_at, paid, reason: *reason };
                (SplRecord::Unsplit(unsplit), Some(reason.as_str()), None)
            }
            Proposal::Split { rule, .. } => {
                self.tags.clear();
                self.parties.clear();
                field::push_tags(&mut self.tags, &facts.tags);
                field::push_parties(&mut self.parties, &facts.parties);
                let told = SplOrder {
                    n,
                    order_no,
                    inst_order_no,
                    merchant: &facts.merchant,
                    channel: &facts.channel,
                    product: &facts.product,
                    tags: &self.tags,
                    parties: &self.parties,
                    paid_at,
                    paid,
                    fee: facts.fee,
                    subsidy: facts.subsidy,
                    rule: &rule.rule,
                    version: rule.version,
                    lines,
                };
                let kept = self.plan.rules.get(&rule.digest()).copied();
                let kept = kept.ok_or_else(|| Error::Internal(format!("rule {} is not kept", rule.rule)))?;
                (SplRecord::Order(told), None, Some(kept))
            }
        };
        self.body.record(&mut self.batch.text, &record).map_err(broken_record)?;
        let bill = &self.plan.bill;
        self.batch.rows.order(&NewOrder {
            business_date: bill.business_date,
            institution_id: bill.institution_id,
            n: row_number(n)?,
            bill_id: bill.id,
            paid_at: clock::micros(paid_at),
            inst_order_no,
            paid: paid.get(),
            fee: facts.fee.get(),
            subsidy: facts.subsidy.get(),
            reason,
            rule_id,
            lines: row_number(lines)?,
        });
        for (idx, line) in proposal.paid_lines().enumerate() {
            self.line(n, idx, line)?;
        }
        Ok(())
    }

    fn line(&mut self, n: u32, idx: usize, line: &Line) -> Result<(), Error> {
        let Line { path, role, receiver, amount } = line;
        let record = SplRecord::Line(SplLine { n, path, role, receiver, amount: *amount });
        self.body.record(&mut self.batch.text, &record).map_err(broken_record)?;
        self.batch.rows.line(&NewLine {
            business_date: self.plan.bill.business_date,
            institution_id: self.plan.bill.institution_id,
            n: row_number(n)?,
            idx: row_number(idx)?,
            path,
            role,
            receiver,
            amount: amount.get(),
        });
        Ok(())
    }
}

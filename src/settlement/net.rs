//! Adding up what a settlement takes in, receiver by receiver.
use std::collections::{BTreeMap, BTreeSet};

use super::store::{self, Input, Requeue, SettlementLine};
use super::{KIND, gate, stl};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::exchange::{self, Answer, ExchangedFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::file::FileName;
use crate::kernel::file::stl::StlSums;
use crate::kernel::money::Fen;
use crate::kernel::netting::{Net, Terms, is_empty, net};
use crate::{rules, splits};

/// A receiver's sums and how many orders they come from.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    sums: StlSums,
    orders: i64,
}

/// What a settlement takes in, and what each receiver has in it.
pub(super) struct Gathered {
    /// I lines without the STL's key, each with its file's kind and key.
    listed: Vec<(String, i64, Input)>,
    positions: BTreeMap<String, Position>,
    days: BTreeSet<i32>,
}

/// Takes in every SPL up to the day that was accepted and every final result that requeues, as far as no valid
/// settlement before listed them, and what the settlement before carried.
pub(super) fn gather(tx: &mut Tx<'_>, institution: i64, day: BusinessDay) -> Result<Gathered, Error> {
    let before = gate::valid(tx, institution)?;
    let ids: Vec<i64> = before.iter().map(|stl| stl.id).collect();
    let listed = store::listed(tx, &ids)?;
    let (listed_now, positions, days) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let mut gathered = Gathered { listed: listed_now, positions, days };
    for file in gate::unsettled(tx, institution, day)? {
        if exchange::answer(tx, file.id)? == Answer::Accepted {
            gathered.take_split(tx, &file)?;
        }
    }
    gathered.take_requeued(tx, institution, &ids, &listed)?;
    if let Some(last) = before.last() {
        for line in store::lines(tx, last.id)?.into_iter().filter(|line| line.kind == "C") {
            let position = gathered.positions.entry(line.receiver).or_default();
            position.sums.carried_in = Fen::new(line.amount);
        }
    }
    Ok(gathered)
}

impl Gathered {
    fn take_split(&mut self, tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<(), Error> {
        for total in splits::receiver_totals(tx, file)? {
            let position = self.positions.entry(total.receiver).or_default();
            add(&mut position.sums.splits, total.total.get())?;
            position.orders = position.orders.checked_add(total.orders).ok_or_else(overflow)?;
        }
        self.days.insert(file.business_date);
        let (name, sha256) = (file.name.clone(), file.sha256.clone());
        let input = Input { file_id: 0, name, sha256, total: file.total };
        self.listed.push((file.kind.clone(), file.id, input));
        Ok(())
    }

    /// The whole amount of a line that failed or bounced goes back to its receiver; a void settlement's lines were
    /// never paid out, so its results requeue nothing.
    fn take_requeued(
        &mut self,
        tx: &mut Tx<'_>,
        institution: i64,
        settlements: &[i64],
        listed: &[String],
    ) -> Result<(), Error> {
        for requeue in store::requeues(tx, institution)? {
            if listed.contains(&requeue.name) || !settlements.contains(&requeue.stl_id) {
                continue;
            }
            let line = store::line(tx, requeue.stl_id, requeue.n)?;
            let position = self.positions.entry(line.receiver).or_default();
            add(&mut position.sums.requeued, line.amount)?;
            match self.listed.last_mut().filter(|(_, id, _)| *id == requeue.file_id) {
                Some((_, _, input)) => {
                    input.total = input.total.checked_add(line.amount).ok_or_else(overflow)?
                }
                None => {
                    let Requeue { file_id, name, sha256, .. } = requeue;
                    let input = Input { file_id: 0, name, sha256, total: line.amount };
                    self.listed.push(("RET".to_owned(), file_id, input));
                }
            }
        }
        Ok(())
    }

    /// Business days of the split files, yyyymmdd.
    pub fn days(&self) -> impl Iterator<Item = i32> + '_ {
        self.days.iter().copied()
    }

    /// What the split files give each receiver, in fen.
    pub fn splits(&self) -> BTreeMap<String, Fen> {
        self.positions.iter().map(|(receiver, position)| (receiver.clone(), position.sums.splits)).collect()
    }

    /// The I lines in the order of the file.
    pub fn inputs(&self) -> Vec<Input> {
        store::in_order(self.listed.clone())
    }

    /// One S or C line a receiver, by receiver.
    pub fn lines(&self, bundle: &Bundle, name: &FileName, at: Instant) -> Result<Vec<SettlementLine>, Error> {
        let (mut settled, mut carried) = (0_u32, 0_u32);
        let mut lines = Vec::with_capacity(self.positions.len());
        for (receiver, position) in self.positions.iter().filter(|(_, p)| !is_empty(&p.sums)) {
            let terms = bundle.settle_terms(receiver).ok_or_else(|| {
                Error::refused(Code::ReceiverUnknown, format!("{receiver} has money to come"))
            })?;
            let amount = position.sums.net().ok_or_else(overflow)?;
            let conditions = Terms {
                min_settle: terms.min_settle,
                cycle: terms.cycle,
                held: bundle.is_held(receiver, at),
            };
            let net = net(&position.sums, &conditions, name.day, &bundle.calendar).ok_or_else(overflow)?;
            let mut line = line_of(receiver, position, amount);
            match net {
                Net::Settle(date) => {
                    settled = settled.saturating_add(1);
                    line.n = exchange::row_number(settled)?;
                    line.inst_receiver_no = Some(terms.inst_receiver_no.to_owned());
                    line.role = Some(terms.role.to_owned());
                    line.settle_date = Some(date.to_i32());
                    line.settlement_id = Some(stl::settlement_id(&line, name)?);
                }
                Net::Carry(reason) => {
                    carried = carried.saturating_add(1);
                    line.n = exchange::row_number(carried)?;
                    line.kind = "C".to_owned();
                    line.reason = Some(reason.as_str().to_owned());
                }
            }
            lines.push(line);
        }
        Ok(lines)
    }
}

fn line_of(receiver: &str, position: &Position, amount: Fen) -> SettlementLine {
    let StlSums { splits, returns, debts, carried_in, requeued } = position.sums;
    SettlementLine {
        file_id: 0,
        n: 0,
        kind: "S".to_owned(),
        settlement_id: None,
        receiver: receiver.to_owned(),
        inst_receiver_no: None,
        role: None,
        splits: splits.get(),
        returns: returns.get(),
        debts: debts.get(),
        carried_in: carried_in.get(),
        requeued: requeued.get(),
        amount: amount.get(),
        order_count: position.orders,
        settle_date: None,
        reason: None,
    }
}

fn add(sum: &mut Fen, fen: i64) -> Result<(), Error> {
    *sum = sum.checked_add(Fen::new(fen)).ok_or_else(overflow)?;
    Ok(())
}

fn overflow() -> Error {
    Error::Internal("a receiver's sum is beyond 64 bits".into())
}

/// The newest bundle at a file's time.
pub(super) fn bundle_at(tx: &mut Tx<'_>, institution: i64, at: Instant) -> Result<Bundle, Error> {
    let bundle = rules::bundle_at(tx, InstitutionId::new(institution), at)?;
    bundle.ok_or_else(|| Error::refused(Code::NoBundle, format!("no {KIND} can be made")))
}

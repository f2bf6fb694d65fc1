//! Adding up what a settlement takes in, receiver by receiver.
use std::collections::{BTreeMap, BTreeSet};

use super::store::{self, Input, LineKind, SettlementLine};
use super::{KIND, stl};
use crate::db::Tx;
use crate::db::columns::{FileId, InstitutionId};
use crate::error::{Code, Error};
use crate::exchange::{self, DocumentKind, ExchangedFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::file::FileName;
use crate::kernel::file::stl::StlSums;
use crate::kernel::money::Fen;
use crate::kernel::netting::{Net, Terms, is_empty, net};
use crate::{rules, splits};

/// Of rows whose settlement has no key yet.
const UNWRITTEN: FileId = FileId::new(0);

/// A receiver's sums and how many orders they come from.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    sums: StlSums,
    orders: i64,
}

/// What a settlement takes in, and what each receiver has in it.
pub(super) struct Gathered {
    /// I lines without the STL's key, each with its file's kind and key.
    listed: Vec<(DocumentKind, FileId, Input)>,
    /// Every file that it is made over, the void ones too.
    over: Vec<FileId>,
    /// Settlements whose results it lists.
    requeued: BTreeSet<FileId>,
    positions: BTreeMap<String, Position>,
    days: BTreeSet<BusinessDay>,
}

/// Takes in every SPL up to the day that was accepted and every final result that requeues, as far as no valid
/// settlement before listed them, and what the settlement before carried.
pub(super) fn gather(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Gathered, Error> {
    let mut gathered = Gathered {
        listed: Vec::new(),
        over: Vec::new(),
        requeued: BTreeSet::new(),
        positions: BTreeMap::new(),
        days: BTreeSet::new(),
    };
    for (file, standing) in exchange::unsettled(tx, institution, day)? {
        gathered.over.push(file.id);
        if standing.state.is_taken() {
            gathered.take_split(tx, &file)?;
        }
    }
    gathered.take_requeued(tx, institution)?;
    if let Some((last, _)) = exchange::last_valid(tx, institution, KIND)? {
        for line in store::carried(tx, last.id)? {
            let position = gathered.positions.entry(line.receiver).or_default();
            position.sums.carried_in = line.amount;
        }
    }
    Ok(gathered)
}

impl Gathered {
    fn take_split(&mut self, tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<(), Error> {
        for total in splits::receiver_totals(tx, file)? {
            let position = self.positions.entry(total.receiver).or_default();
            add(&mut position.sums.splits, total.total)?;
            position.orders = position.orders.checked_add(total.orders).ok_or_else(overflow)?;
        }
        self.days.insert(file.business_date);
        let (name, sha256) = (file.name.clone(), file.sha256);
        let input = Input { file_id: UNWRITTEN, name, sha256, total: file.total };
        self.listed.push((file.kind, file.id, input));
        Ok(())
    }

    /// The whole amount of a line that failed or bounced goes back to its receiver; a void settlement's lines were
    /// never paid out, so its results requeue nothing.
    fn take_requeued(&mut self, tx: &mut Tx<'_>, institution: InstitutionId) -> Result<(), Error> {
        let requeued = exchange::requeued(tx, institution)?;
        let keys: Vec<(FileId, i32)> = requeued.iter().map(|one| (one.stl, one.n)).collect();
        let lines = store::settled_lines(tx, &keys)?;
        for one in requeued {
            let line = lines.get(&(one.stl, one.n)).ok_or(Error::NotFound)?;
            let position = self.positions.entry(line.receiver.clone()).or_default();
            add(&mut position.sums.requeued, line.amount)?;
            self.requeued.insert(one.stl);
            match self.listed.last_mut().filter(|(_, id, _)| *id == one.ret) {
                Some((_, _, input)) => add(&mut input.total, line.amount)?,
                None => {
                    let input =
                        Input { file_id: UNWRITTEN, name: one.name, sha256: one.sha256, total: line.amount };
                    self.listed.push((DocumentKind::Ret, one.ret, input));
                }
            }
        }
        Ok(())
    }

    /// Every split file that the settlement is made over, and the settlements whose results it lists.
    pub fn over(&self) -> (&[FileId], Vec<FileId>) {
        (&self.over, self.requeued.iter().copied().collect())
    }

    /// Business days of the split files.
    pub fn days(&self) -> impl Iterator<Item = BusinessDay> + '_ {
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
                    line.settle_date = Some(date);
                    line.settlement_id = Some(stl::settlement_id(&line, name)?);
                }
                Net::Carry(reason) => {
                    carried = carried.saturating_add(1);
                    line.n = exchange::row_number(carried)?;
                    line.kind = LineKind::Carried;
                    line.reason = Some(reason);
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
        file_id: UNWRITTEN,
        n: 0,
        kind: LineKind::Settled,
        settlement_id: None,
        receiver: receiver.to_owned(),
        inst_receiver_no: None,
        role: None,
        splits,
        returns,
        debts,
        carried_in,
        requeued,
        amount,
        order_count: position.orders,
        settle_date: None,
        reason: None,
    }
}

fn add(sum: &mut Fen, fen: Fen) -> Result<(), Error> {
    *sum = sum.checked_add(fen).ok_or_else(overflow)?;
    Ok(())
}

fn overflow() -> Error {
    Error::Internal("a receiver's sum is beyond 64 bits".into())
}

/// The newest bundle at a file's time.
pub(super) fn bundle_at(tx: &mut Tx<'_>, institution: InstitutionId, at: Instant) -> Result<Bundle, Error> {
    let bundle = rules::bundle_at(tx, institution, at)?;
    bundle.ok_or_else(|| Error::refused(Code::NoBundle, format!("no {KIND} can be made")))
}

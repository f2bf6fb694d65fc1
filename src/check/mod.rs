//! Every invariant of database, files and chains: what `mingfen check` and `restore` ask, and the bench after its work.
mod files;
mod store;
mod stuck;

pub use stuck::stuck;

use crate::app::App;
use crate::channels;
use crate::clock::micros;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, Desk, Folder};
use crate::institutions::{self, ChannelProfile, EvidenceKeys, PlatformKeys};
use crate::kernel::digest::Digest;
use crate::ledger;
use crate::orders::Stated;
use crate::splits;

/// Rows that are looked at in one query.
const BATCH: i64 = 500;

/// Everything that is broken, in words. Blocks.
pub fn breaks(app: &App) -> Result<Vec<String>, Error> {
    app.db.read_blocking(|tx| {
        let ours = PlatformKeys::read(tx, &app.master_key, app.clock.now())?;
        let platform = institutions::file_keys(tx)?;
        let mut breaks = store::unprotected(tx)?;
        breaks.extend(store::contradictions(tx)?);
        breaks.extend(exchange::standing_breaks(tx)?);
        breaks.extend(splits::unsplit_breaks(tx)?);
        breaks.extend(raw_evidence(tx)?);
        breaks.extend(ledger::chain_breaks(tx)?);
        for institution in institutions::all(tx)? {
            let id = institution.id;
            let keys = institutions::evidence_keys(tx, &app.master_key, id)?;
            let channels = institutions::channels(tx, id)?;
            breaks.extend(institutions::documents_break(&institution, &channels));
            breaks.extend(payments(tx, id, &channels, &keys)?);
            breaks.extend(ledger::breaks(tx, id)?);
            breaks.extend(ledger::snapshot_breaks(tx, id)?);
            for (sha256, body) in store::bundles(tx, institution.id)? {
                if Digest::of(&body).to_string() != sha256 {
                    breaks.push(format!("the bundle {sha256} has other bytes"));
                }
            }
            let folder = Folder::new(&app.config.data_dir, &institution.code);
            let desk = Desk { institution, folder, key: ours.files.private_key.clone() };
            breaks.extend(files::breaks(tx, &desk, &platform)?);
        }
        Ok(breaks)
    })
}

/// What was made anew of what only follows from the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Standings of files.
    pub standings: usize,
    /// Unsplit orders that were listed wrongly or not, the first few that were found.
    pub unsplit: usize,
    /// Sums of custody days.
    pub ledger_days: usize,
}

/// Makes the derived tables anew from the record, each where it is not what the record says. Everything else that is
/// broken stays as it is: it is evidence. Blocks; on PostgreSQL nobody changes these tables meanwhile.
pub fn repair_derived(app: &App) -> Result<Repaired, Error> {
    app.db.write_blocking(|tx| {
        // In this order: what stands unsplit depends on which files are void.
        let standings = exchange::repair_standing(tx)?;
        let unsplit = splits::repair_unsplit(tx)?;
        Ok(Repaired { standings, unsplit, ledger_days: ledger::repair_days(tx)? })
    })
}

/// Every kept message has the bytes of its digest.
fn raw_evidence(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let (mut date, mut sha256) = (0, String::new());
    loop {
        let batch = store::raw_messages(tx, (date, &sha256), BATCH)?;
        let Some(last) = batch.last() else { return Ok(breaks) };
        (date, sha256) = (last.business_date, last.sha256.clone());
        let changed = batch.iter().filter(|raw| Digest::of(&raw.body).to_string() != raw.sha256);
        breaks.extend(changed.map(|raw| format!("the raw message {} has other bytes", raw.sha256)));
    }
}

/// Every payment is what its signed message says, and pays its order.
fn payments(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    channels: &[ChannelProfile],
    keys: &EvidenceKeys,
) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let mut after = 0;
    loop {
        let batch = store::payments(tx, institution, after, BATCH)?;
        let Some(last) = batch.last() else { return Ok(breaks) };
        after = last.order_id;
        let wrong = batch.iter().filter(|payment| !is_proven(payment, institution, channels, keys));
        breaks.extend(wrong.map(|p| format!("the payment {} is not what its message says", p.inst_order_no)));
    }
}

fn is_proven(
    payment: &store::Proven,
    institution: InstitutionId,
    channels: &[ChannelProfile],
    keys: &EvidenceKeys,
) -> bool {
    let keys = keys.get(&payment.channel).map_or(&[][..], Vec::as_slice);
    let channel = channels.iter().find(|channel| channel.name == payment.channel);
    let stated = channel.and_then(|it| channels::reopen(it, keys, payment.kind, &payment.body));
    stated.is_some_and(|stated| {
        stated.order_no == payment.order_no
            && stated.inst_order_no == payment.inst_order_no
            && micros(stated.paid_at) == payment.paid_at
            && match payment.total {
                // An older version took what was paid for what was ordered, and any amount.
                None => stated.sums.total == payment.paid,
                Some(total) => {
                    stated.sums.total == total
                        && stated.paid == payment.paid
                        && stated.sums.payer_total == payment.payer_total
                        && Some(&stated.particulars) == payment.particulars.as_ref()
                        && payment
                            .awaits(institution)
                            .paid_by(&Stated::of((institution, payment.channel), &stated))
                            .is_ok()
                }
            }
    })
}

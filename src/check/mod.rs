//! Every invariant of database, files and chains: what `mingfen check` and `restore` ask, and the bench after its work.
mod files;
mod store;

use crate::app::App;
use crate::clock::micros;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{Desk, Folder};
use crate::institutions::{self, PlatformKeys};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::ledger;
use crate::protocol::wechat::notification::{self, ApiV3Key};
use crate::protocol::wechat::shapes::OrderView;
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
        breaks.extend(splits::unsplit_breaks(tx)?);
        breaks.extend(raw_evidence(tx)?);
        breaks.extend(ledger::chain_breaks(tx)?);
        for institution in institutions::all(tx)? {
            let id = InstitutionId::new(institution.id);
            let keys = institutions::evidence_keys(tx, &app.master_key, id)?;
            breaks.extend(payments(tx, institution.id, &keys)?);
            breaks.extend(ledger::breaks(tx, institution.id)?);
            breaks.extend(ledger::snapshot_breaks(tx, institution.id)?);
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

/// Every payment is what its signed message says.
fn payments(tx: &mut Tx<'_>, institution: i64, keys: &[ApiV3Key]) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let mut after = 0;
    loop {
        let batch = store::payments(tx, institution, after, BATCH)?;
        let Some(last) = batch.last() else { return Ok(breaks) };
        after = last.order_id;
        let wrong = batch.iter().filter(|payment| !is_proven(payment, keys));
        breaks.extend(wrong.map(|p| format!("the payment {} is not what its message says", p.inst_order_no)));
    }
}

fn is_proven(payment: &store::Proven, keys: &[ApiV3Key]) -> bool {
    let plain = if payment.kind == "NOTIFICATION" {
        let opened = keys.iter().find_map(|key| notification::open(key, &payment.body).ok());
        opened.map(|(_, plain)| plain)
    } else {
        Some(payment.body.clone())
    };
    let Some(view) = plain.and_then(|plain| serde_json::from_slice::<OrderView>(&plain).ok()) else {
        return false;
    };
    let paid_at = view.success_time.as_deref().and_then(Instant::parse).map(micros);
    view.out_trade_no == payment.order_no
        && view.transaction_id.as_deref() == Some(payment.inst_order_no.as_str())
        && view.amount.map(|amount| amount.total) == Some(Fen::new(payment.paid))
        && paid_at == Some(payment.paid_at)
}

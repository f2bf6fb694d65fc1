//! What an institution has approved: its signed bundles, the newest of which is in force.
mod store;

pub use store::{BundleRow, by_digest, newest, newest_key};

use crate::clock::micros;
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::exchange::{self, DocumentKind, ExchangedFile, Imported, Incoming, NewFile};
use crate::institutions::{Institution, Purpose};
use crate::kernel::approvals::{Bundle, check_successor};
use crate::kernel::file::FileKind;

/// Takes an approvals bundle in. Refused: another key, a malformed one, one that is older than the bundle in force
/// or that changes what an earlier one approved.
pub fn import(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Imported<(ExchangedFile, Bundle)>, Error> {
    let name = exchange::own_name(institution, incoming, FileKind::Apr)?;
    let key = (Purpose::Approvals, now);
    let Some(digest) = exchange::admit(tx, institution, incoming, key)? else { return Ok(Imported::Again) };
    let bundle = parse_bundle(&incoming.name, incoming.bytes())?;
    if bundle.institution != institution.code || bundle.platform != institution.platform_code {
        let detail =
            format!("E_INST: {} speaks of {} and {}", incoming.name, bundle.institution, bundle.platform);
        return Err(Error::refused(Code::FileParty, detail));
    }
    // The first bundle's day is where the chain of days begins.
    let day = bundle.issued_at.business_day();
    if name.day != day {
        let detail = format!("E_FORMAT: {} was issued on {day}, which its name does not say", incoming.name);
        return Err(Error::refused(Code::FileFormat, detail));
    }
    let issued_at = micros(bundle.issued_at);
    if let Some(in_force) = newest(tx, institution.id, i64::MAX)? {
        if issued_at <= in_force.issued_at {
            let detail = format!("{} was not issued after the bundle in force", incoming.name);
            return Err(Error::refused(Code::BundleOlder, detail));
        }
        succeeds(&in_force, &bundle, &incoming.name)?;
    }
    let new = NewFile {
        kind: DocumentKind::Apr,
        orders: count(bundle.rules.len()),
        created_at: issued_at,
        ..exchange::incoming_file(institution, incoming, &name, &digest, now)
    };
    let file = exchange::record(tx, &new)?;
    store::add_bundle(tx, &file, issued_at, incoming.bytes())?;
    Ok(Imported::New((file, bundle)))
}

fn succeeds(in_force: &BundleRow, newer: &Bundle, name: &str) -> Result<(), Error> {
    let older = parse_bundle("the bundle in force", &in_force.body)?;
    let findings = check_successor(&older, newer);
    match findings.first() {
        None => Ok(()),
        Some(finding) => Err(Error::refused(
            Code::BundleContradicts,
            format!("{name} changes the past at {}: {}", finding.path, finding.why),
        )),
    }
}

/// Reads a bundle; `name` is told when it is malformed.
pub fn parse_bundle(name: &str, bytes: &[u8]) -> Result<Bundle, Error> {
    Bundle::parse(bytes).map_err(|findings| {
        let told: Vec<String> = findings.iter().take(5).map(|f| format!("{}: {}", f.path, f.why)).collect();
        Error::refused(Code::FileFormat, format!("E_FORMAT: {name}: {}", told.join("; ")))
    })
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

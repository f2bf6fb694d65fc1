//! `day settle`.
use super::gate::settled;
use super::net::{bundle_at, gather};
use super::{KIND, books, gate, stl, store};
use crate::clock::{Clock, micros};
use crate::db::columns::InstitutionId;
use crate::db::{Db, Tx};
use crate::error::{Code, Error};
use crate::exchange::{self, Desk, Direction, ExchangedFile, NewFile};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::kernel::file::stl::StlHeader;
use crate::kernel::file::{FileKind, FileName};
use crate::splits;

/// What a settlement run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleReport {
    /// The day's settlement.
    pub file: ExchangedFile,
    /// Whether this run made it; otherwise it was published again, the same bytes.
    pub made: bool,
}

/// Settles a business day, once its gate is open. A day that is settled is published again, the same bytes; a void
/// settlement is made anew under the next `seq`.
pub async fn settle(db: &Db, clock: &Clock, desk: &Desk, day: BusinessDay) -> Result<SettleReport, Error> {
    let (here, at, now) = (desk.clone(), clock.instant(), clock.now());
    let institution = desk.institution.id;
    let (file, made) = db
        .write(move |tx| {
            exchange::lock_chain(tx, institution)?;
            match settled(tx, institution, day)? {
                Some(file) => Ok((file, false)),
                None => Ok((make(tx, &here, day, at, now)?, true)),
            }
        })
        .await?;
    let (here, published) = (desk.clone(), file.clone());
    db.read(move |tx| here.publish(&published, |out| stl::write_recorded(tx, &published, out))).await?;
    Ok(SettleReport { file, made })
}

/// Publishes every file of the day whose `.ok` is missing, the same bytes: a crash left it recorded only.
pub fn publish_again(tx: &mut Tx<'_>, desk: &Desk, day: BusinessDay) -> Result<(), Error> {
    let institution = desk.institution.id;
    let settlements = exchange::of_day(tx, institution, KIND, day)?;
    for file in splits::recorded(tx, institution, day)?.into_iter().chain(settlements) {
        if exchange::is_published(&desk.folder.out(day), &file.name) {
            continue;
        }
        desk.publish(&file, |out| {
            if file.kind == KIND {
                stl::write_recorded(tx, &file, out)
            } else {
                splits::recompute(tx, &file, out)
            }
        })?;
    }
    Ok(())
}

fn make(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    at: Instant,
    now: i64,
) -> Result<ExchangedFile, Error> {
    let (of, institution) = (&desk.institution, desk.institution.id);
    may_settle(tx, institution, day)?;
    let bundle = bundle_at(tx, institution, at)?;
    let made = exchange::of_day(tx, institution, KIND, day)?.len();
    let name = FileName {
        kind: FileKind::Stl,
        inst: of.code.clone(),
        plat: of.platform_code.clone(),
        day,
        seq: u16::try_from(made.saturating_add(1))
            .map_err(|_| Error::Internal("too many settlements of a day".into()))?,
    };
    let gathered = gather(tx, institution, day)?;
    let (mut inputs, mut lines) = (gathered.inputs(), gathered.lines(&bundle, &name, at)?);
    let prev = exchange::last(tx, institution, KIND)?.map_or(Digest::ZERO, |last| last.sha256);
    let header = stl::header(name, at, bundle.digest(), prev, &lines)?;
    let out = exchange::stage(&desk.folder.out(day), &header.name.to_string())?;
    let (digest, size) = stl::write(out, &header, &inputs, &lines)?;
    let new = new_file(institution, &header, digest, size, now);
    let file = exchange::record_ours(tx, None, &new, i64::from(header.settled), true)?;
    for input in &mut inputs {
        input.file_id = file.id;
    }
    for line in &mut lines {
        line.file_id = file.id;
    }
    store::add_inputs(tx, &inputs)?;
    store::add_lines(tx, &lines)?;
    let (over, requeued) = gathered.over();
    exchange::settled(tx, &file, over, &requeued)?;
    books::made(tx, &file, &gathered, &lines, now)?;
    Ok(file)
}

fn may_settle(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<(), Error> {
    if let Some((last, _)) = exchange::last_valid(tx, institution, KIND)?
        && last.business_date > day
    {
        return Err(Error::refused(Code::SettledLater, format!("{} stands after {day}", last.name)));
    }
    let missing = gate::gate(tx, institution, day)?;
    if missing.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Err(Error::refused(Code::GateClosed, format!("{day}: {}", told.join("; "))))
}

fn new_file(institution: InstitutionId, header: &StlHeader, digest: Digest, size: i64, now: i64) -> NewFile {
    NewFile {
        institution_id: institution,
        direction: Direction::Out,
        kind: KIND,
        name: header.name.to_string(),
        business_date: header.name.day,
        seq: i32::from(header.name.seq),
        sha256: digest,
        size,
        orders: i64::from(header.settled),
        lines: i64::from(header.carried),
        total: header.total,
        previous_sha256: Some(header.prev),
        approvals_sha256: Some(header.approvals),
        created_at: micros(header.created_at),
        recorded_at: now,
    }
}

//! Queries of what a file is judged by: its results and their lines, its run, and what settlements list.
use std::collections::BTreeMap;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;

use super::store::Standing;
use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId, ResultId};
use crate::db::schema::{
    day_cut, exchanged_file, file_result, file_standing, result_line, settlement_input, split_order,
};
use crate::error::Error;
use crate::exchange::{AnswerStage, Direction, DocumentKind};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::state::FileState;

/// What there is to judge a file by.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub file_id: FileId,
    pub institution_id: InstitutionId,
    pub kind: DocumentKind,
    pub name: String,
    pub business_date: BusinessDay,
    pub expected: i64,
    pub run_complete: bool,
    /// The codes of its FIRST results with their files, in order of import.
    pub firsts: Vec<(RetCode, FileId)>,
    /// How many FINAL results came.
    pub finals: usize,
    /// When the newest result was taken in.
    pub last_at: Option<i64>,
}

/// What the FINAL results of a file said of each line, oldest first.
pub(super) fn said(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<(i32, RetStatus)>, Error> {
    Ok(result_line::table
        .inner_join(file_result::table)
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .order((result_line::n.asc(), file_result::seq.asc()))
        .select((result_line::n, result_line::status))
        .load(tx.conn())?)
}

type Answered = (FileId, AnswerStage, RetCode, FileId, i64);

fn take_results(evidence: &mut Evidence, results: impl IntoIterator<Item = Answered>) {
    for (_, stage, code, ret, at) in results {
        match stage {
            AnswerStage::First => evidence.firsts.push((code, ret)),
            AnswerStage::Final => evidence.finals = evidence.finals.saturating_add(1),
        }
        evidence.last_at = evidence.last_at.max(Some(at));
    }
}

type FileFacts = (FileId, InstitutionId, DocumentKind, String, BusinessDay, i64);

fn bare(
    (file_id, institution_id, kind, name, business_date, orders): FileFacts,
    run_complete: bool,
) -> Evidence {
    let (firsts, finals, last_at) = (Vec::new(), 0, None);
    Evidence {
        file_id,
        institution_id,
        kind,
        name,
        business_date,
        expected: orders,
        run_complete,
        firsts,
        finals,
        last_at,
    }
}

macro_rules! facts {
    () => {
        exchanged_file::table.select((
            exchanged_file::id,
            exchanged_file::institution_id,
            exchanged_file::kind,
            exchanged_file::name,
            exchanged_file::business_date,
            exchanged_file::orders,
        ))
    };
}

macro_rules! results {
    () => {
        file_result::table.order(file_result::id.asc()).select((
            file_result::file_id,
            file_result::stage,
            file_result::code,
            file_result::ret_file_id,
            file_result::imported_at,
        ))
    };
}

/// The evidence of one file; how many lines it has to be answered is known.
pub(super) fn evidence(
    tx: &mut Tx<'_>,
    file: FileId,
    expected: i64,
    run_complete: bool,
) -> Result<Evidence, Error> {
    let facts: FileFacts = facts!().filter(exchanged_file::id.eq(file)).first(tx.conn())?;
    let mut evidence = Evidence { expected, ..bare(facts, run_complete) };
    let results: Vec<Answered> = results!().filter(file_result::file_id.eq(file)).load(tx.conn())?;
    take_results(&mut evidence, results);
    Ok(evidence)
}

/// The evidence of every file of ours, by file.
pub(super) fn all_evidence(tx: &mut Tx<'_>) -> Result<Vec<Evidence>, Error> {
    let facts: Vec<FileFacts> = facts!()
        .filter(exchanged_file::direction.eq(As(Direction::Out)))
        .order(exchanged_file::id.asc())
        .load(tx.conn())?;
    let mut all: BTreeMap<FileId, Evidence> =
        facts.into_iter().map(|facts| (facts.0, bare(facts, true))).collect();
    let split: Vec<(FileId, i64)> = split_order::table
        .filter(split_order::reason.is_null())
        .group_by(split_order::file_id)
        .select((split_order::file_id, count_star()))
        .load(tx.conn())?;
    let split: BTreeMap<FileId, i64> = split.into_iter().collect();
    for evidence in all.values_mut().filter(|one| one.kind != DocumentKind::Stl) {
        evidence.expected = split.get(&evidence.file_id).copied().unwrap_or(0);
    }
    for file in unfinished(tx)? {
        if let Some(evidence) = all.get_mut(&file) {
            evidence.run_complete = false;
        }
    }
    let results: Vec<Answered> = results!().load(tx.conn())?;
    for result in results {
        if let Some(evidence) = all.get_mut(&result.0) {
            take_results(evidence, [result]);
        }
    }
    Ok(all.into_values().collect())
}

/// Split files that no cut of their day with or after them ended.
fn unfinished(tx: &mut Tx<'_>) -> Result<Vec<FileId>, Error> {
    let ended = day_cut::table
        .filter(day_cut::institution_id.eq(exchanged_file::institution_id))
        .filter(day_cut::business_date.eq(exchanged_file::business_date))
        .filter(day_cut::seq.ge(exchanged_file::seq))
        .filter(day_cut::more.eq(As(false)));
    Ok(exchanged_file::table
        .filter(exchanged_file::kind.eq(As(DocumentKind::Spl)))
        .filter(not(exists(ended)))
        .select(exchanged_file::id)
        .load(tx.conn())?)
}

/// Everything that settlements list: the settlement, whose it is, and the listed name.
pub(super) fn all_inputs(tx: &mut Tx<'_>) -> Result<Vec<(FileId, InstitutionId, String)>, Error> {
    Ok(settlement_input::table
        .inner_join(exchanged_file::table)
        .select((settlement_input::file_id, exchanged_file::institution_id, settlement_input::name))
        .load(tx.conn())?)
}

/// A result with a line that failed or bounced.
macro_rules! requeueing {
    () => {
        exists(
            result_line::table
                .filter(result_line::file_result_id.eq(file_result::id))
                .filter(result_line::status.eq_any([As(RetStatus::Failed), As(RetStatus::Bounced)])),
        )
    };
}

/// Every result that requeues: the settlement that it answers, whose it is, and its name.
pub(super) fn all_requeueing(tx: &mut Tx<'_>) -> Result<Vec<(FileId, InstitutionId, String)>, Error> {
    Ok(file_result::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::ret_file_id)))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .filter(requeueing!())
        .select((file_result::file_id, exchanged_file::institution_id, exchanged_file::name))
        .load(tx.conn())?)
}

/// A settlement that counts lists the file of this name: `listed!(institution)`, inside a query over `exchanged_file`.
macro_rules! listed {
    ($institution:expr) => {
        exists(
            settlement_input::table
                .inner_join(file_standing::table.on(file_standing::file_id.eq(settlement_input::file_id)))
                .filter(settlement_input::name.eq(exchanged_file::name))
                .filter(file_standing::institution_id.eq($institution))
                .filter(file_standing::state.ne(As(FileState::Rejected))),
        )
    };
}

/// The results of settlements of an institution that requeue and that none lists.
macro_rules! requeues {
    ($stls:expr, $institution:expr) => {
        file_result::table
            .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::ret_file_id)))
            .filter(file_result::file_id.eq_any($stls))
            .filter(file_result::stage.eq(As(AnswerStage::Final)))
            .filter(requeueing!())
            .filter(not(listed!($institution)))
    };
}

/// How many results of a settlement requeue and are listed by none; none of another file.
pub(super) fn requeues(tx: &mut Tx<'_>, of: &Standing) -> Result<Option<i64>, Error> {
    if of.kind != DocumentKind::Stl {
        return Ok(None);
    }
    let count: i64 = requeues!([of.file_id], of.institution_id).count().get_result(tx.conn())?;
    Ok(Some(count).filter(|count| *count > 0))
}

/// A line that a result requeues and that no settlement lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeued {
    /// The RET.
    pub ret: FileId,
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// The settlement that it answers.
    pub stl: FileId,
    /// The line that failed or bounced.
    pub n: i32,
}

/// Every line that a result requeues and that no settlement lists, in order of import.
pub fn requeued(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<Requeued>, Error> {
    let open: Vec<FileId> = file_standing::table
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::requeues.is_not_null())
        .select(file_standing::file_id)
        .load(tx.conn())?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    type Found = (ResultId, FileId, String, Digest, FileId);
    let results: Vec<Found> = requeues!(open, institution)
        .order(file_result::id.asc())
        .select((
            file_result::id,
            exchanged_file::id,
            exchanged_file::name,
            exchanged_file::sha256,
            file_result::file_id,
        ))
        .load(tx.conn())?;
    let keys: Vec<ResultId> = results.iter().map(|(result, ..)| *result).collect();
    let failed: Vec<(ResultId, i32)> = result_line::table
        .filter(result_line::file_result_id.eq_any(keys))
        .filter(result_line::status.eq_any([As(RetStatus::Failed), As(RetStatus::Bounced)]))
        .order((result_line::file_result_id.asc(), result_line::n.asc()))
        .select((result_line::file_result_id, result_line::n))
        .load(tx.conn())?;
    let results: BTreeMap<ResultId, Found> = results.into_iter().map(|found| (found.0, found)).collect();
    let line = |(result, n): (ResultId, i32)| {
        let (_, ret, name, sha256, stl) = results.get(&result)?;
        Some(Requeued { ret: *ret, name: name.clone(), sha256: *sha256, stl: *stl, n })
    };
    Ok(failed.into_iter().filter_map(line).collect())
}

//! What a receiver waits for and what it got last, over all settlement files and not only those shown.
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, file_result, file_standing, result_line, settlement_line};
use crate::error::Error;
use crate::exchange::{AnswerStage, DocumentKind};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::money::Fen;
use crate::settlement::LineKind;

/// A settlement line that a final result answered with one of these words.
macro_rules! answered {
    ($words:expr) => {
        exists(
            result_line::table
                .inner_join(file_result::table)
                .filter(file_result::file_id.eq(settlement_line::file_id))
                .filter(result_line::n.eq(settlement_line::n))
                .filter(file_result::stage.eq(As(AnswerStage::Final)))
                .filter(result_line::status.eq_any($words.map(As))),
        )
    };
}

/// Amounts on their way to `receiver`: sent, and neither credited, failed nor bounced. Only settlements that the
/// institution has not answered to their end have such lines; a void file pays nothing.
pub(super) fn waiting(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    receiver: &str,
) -> Result<Vec<Fen>, Error> {
    let open: Vec<FileId> = file_standing::table
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::answered_at.is_null())
        .filter(file_standing::kind.eq(As(DocumentKind::Stl)))
        .select(file_standing::file_id)
        .load(tx.conn())?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let ended = [RetStatus::Success, RetStatus::Failed, RetStatus::Bounced];
    Ok(settlement_line::table
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::file_id.eq_any(open))
        .filter(settlement_line::kind.eq(As(LineKind::Settled)))
        .filter(diesel::dsl::not(answered!(ended)))
        .select(settlement_line::amount)
        .load(tx.conn())?)
}

/// The newest line that was credited and did not bounce: its amount and its day.
pub(super) fn last_credit(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    receiver: &str,
) -> Result<Option<(Fen, Option<BusinessDay>)>, Error> {
    Ok(settlement_line::table
        .inner_join(exchanged_file::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::kind.eq(As(LineKind::Settled)))
        .filter(answered!([RetStatus::Success]))
        .filter(diesel::dsl::not(answered!([RetStatus::Bounced])))
        .order(settlement_line::file_id.desc())
        .select((settlement_line::amount, settlement_line::settle_date))
        .first(tx.conn())
        .optional()?)
}

//! What a receiver waits for and what it got last, over all settlement files and not only those shown.
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::{exchanged_file, file_result, result_line, settlement_line};
use crate::error::Error;
use crate::exchange::{self, Answer};

/// A settlement line that a final result answered with one of these words.
macro_rules! answered {
    ($words:expr) => {
        exists(
            result_line::table
                .inner_join(file_result::table)
                .filter(file_result::file_id.eq(settlement_line::file_id))
                .filter(result_line::n.eq(settlement_line::n))
                .filter(file_result::stage.eq("FINAL"))
                .filter(result_line::status.eq_any($words)),
        )
    };
}

/// Amounts, in fen, on their way to `receiver`: sent, and neither credited, failed nor bounced. A void file pays
/// nothing.
pub(super) fn waiting(tx: &mut Tx<'_>, institution: i64, receiver: &str) -> Result<Vec<i64>, Error> {
    let lines: Vec<(i64, i64)> = settlement_line::table
        .inner_join(exchanged_file::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::kind.eq("S"))
        .filter(diesel::dsl::not(answered!(["S", "F", "B"])))
        .select((settlement_line::file_id, settlement_line::amount))
        .load(tx.conn())?;
    let mut amounts = Vec::new();
    for (file, amount) in lines {
        if !matches!(exchange::answer(tx, file)?, Answer::Void(_)) {
            amounts.push(amount);
        }
    }
    Ok(amounts)
}

/// The newest line that was credited and did not bounce: its amount in fen and its day, yyyymmdd.
pub(super) fn last_credit(
    tx: &mut Tx<'_>,
    institution: i64,
    receiver: &str,
) -> Result<Option<(i64, Option<i32>)>, Error> {
    Ok(settlement_line::table
        .inner_join(exchanged_file::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::kind.eq("S"))
        .filter(answered!(["S"]))
        .filter(diesel::dsl::not(answered!(["B"])))
        .order(settlement_line::file_id.desc())
        .select((settlement_line::amount, settlement_line::settle_date))
        .first(tx.conn())
        .optional()?)
}

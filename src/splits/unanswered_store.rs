//! Orders of a file that the institution has still to answer.
use std::collections::HashSet;

use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::As;
use crate::db::schema::{file_result, result_line, split_order};
use crate::error::Error;
use crate::exchange::{AnswerStage, ExchangedFile};

/// Orders that are looked at in one query.
const PAGE: i64 = 2000;

/// The first O of a file of which no FINAL speaks, by place.
pub fn unanswered(tx: &mut Tx<'_>, file: &ExchangedFile, limit: i64) -> Result<Vec<i32>, Error> {
    let (mut found, mut after) = (Vec::new(), 0);
    let limit = usize::try_from(limit).unwrap_or(0);
    // Page by page: results answer in order, mostly, and a join would read the whole file.
    loop {
        let page: Vec<i32> = split_order::table
            .filter(split_order::business_date.eq(As(file.business_date)))
            .filter(split_order::institution_id.eq(file.institution_id))
            .filter(split_order::file_id.eq(file.id))
            .filter(split_order::reason.is_null())
            .filter(split_order::n.gt(after))
            .order(split_order::n.asc())
            .limit(PAGE)
            .select(split_order::n)
            .load(tx.conn())?;
        let Some(last) = page.last() else { return Ok(found) };
        let said: HashSet<i32> = result_line::table
            .inner_join(file_result::table)
            .filter(file_result::file_id.eq(file.id))
            .filter(file_result::stage.eq(As(AnswerStage::Final)))
            .filter(result_line::n.gt(after))
            .filter(result_line::n.le(last))
            .select(result_line::n)
            .load(tx.conn())?
            .into_iter()
            .collect();
        after = *last;
        found.extend(page.into_iter().filter(|n| !said.contains(n)));
        if found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

//! Orders whose merchant was told in vain.
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::As;
use crate::db::schema::{outbox, pay_order, sub_merchant};
use crate::error::Error;
use crate::outbox::Subject;
use crate::people::Scope;

/// How far back merchants that could not be told are shown, in microseconds: seven days.
const REACH: i64 = 7 * 86_400 * 1_000_000;

/// An order whose merchant was told in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Our number.
    pub order_no: String,
    /// The merchant's number.
    pub merchant: String,
    /// How often the notification was sent.
    pub attempts: i32,
    /// Why the last delivery failed.
    pub last_error: String,
    /// When it is sent next, unix microseconds; none when it was given up.
    pub next_at: Option<i64>,
}

type Row = (String, String, i32, Option<String>, i64, Option<i64>);

/// What failed and was not taken since, of the last seven days.
macro_rules! failing {
    ($select:expr, $scope:expr, $now:expr, $limit:expr) => {{
        let query = outbox::table
            .inner_join(pay_order::table.on(pay_order::id.eq(outbox::subject_id)))
            .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
            .filter(outbox::subject.eq(As(Subject::OrderPaid)))
            .filter(outbox::done_at.is_null())
            .filter(outbox::last_error.is_not_null())
            .filter(outbox::created_at.ge($now.saturating_sub(REACH)))
            .order((outbox::created_at.desc(), outbox::id.desc()))
            .limit($limit)
            .select($select)
            .into_boxed();
        match $scope {
            Scope::Platform => query,
            Scope::Institution(id) => query.filter(pay_order::institution_id.eq(*id)),
            Scope::Merchant(id) => query.filter(pay_order::sub_merchant_id.eq(*id)),
        }
    }};
}

/// How many orders of the last seven days there are whose merchant was told in vain so far, counted up to `most`.
pub fn untold_count(tx: &mut Tx<'_>, scope: &Scope, now: i64, most: i64) -> Result<i64, Error> {
    let some: Vec<i32> = failing!(outbox::attempts, scope, now, most).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// The newest of them, at most `limit`.
pub fn untold(tx: &mut Tx<'_>, scope: &Scope, now: i64, limit: i64) -> Result<Vec<Untold>, Error> {
    let columns = (
        pay_order::order_no,
        sub_merchant::merchant,
        outbox::attempts,
        outbox::last_error,
        outbox::next_at,
        outbox::given_up_at,
    );
    let rows: Vec<Row> = failing!(columns, scope, now, limit).load(tx.conn())?;
    let of = |(order_no, merchant, attempts, last_error, next_at, given_up_at): Row| Untold {
        order_no,
        merchant,
        attempts,
        last_error: last_error.unwrap_or_default(),
        next_at: given_up_at.is_none().then_some(next_at),
    };
    Ok(rows.into_iter().map(of).collect())
}

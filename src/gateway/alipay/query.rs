//! `alipay.trade.query`: where an order stands.
use serde_json::Value;

use super::admitted::Admitted;
use super::fault::Fault;
use super::place::given;
use crate::app::App;
use crate::channels::Channel;
use crate::error::Error;
use crate::notices::alipay::trade;
use crate::orders::{self, Order, Standing};

/// Asks the institution first when the order is not settled in our record.
pub async fn query(app: &App, admitted: &Admitted) -> Result<Value, Fault> {
    let mut known = found(admitted)?;
    if !known.is_settled() {
        let channel = carrier(app, &known.order).await?;
        let outside =
            orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        known = orders::refresh(&outside, known).await?.ok_or_else(Fault::system)?;
    }
    given(&trade(&known))
}

/// The order that a request names.
pub(super) fn found(admitted: &Admitted) -> Result<Standing, Fault> {
    Ok(admitted.found.clone().ok_or(Error::NotFound)?)
}

/// The channel that carries an order, where its merchant may ask it now.
pub(super) async fn carrier(app: &App, order: &Order) -> Result<Channel, Fault> {
    if !app.asking.may(order, app.clock.now()) {
        return Err(Fault::busy());
    }
    Ok(app.channel(order.institution_id, order.channel).await?)
}

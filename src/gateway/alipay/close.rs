//! `alipay.trade.close` and `.cancel`: an order that is not to be paid any more.
use serde_json::Value;

use super::admitted::Admitted;
use super::fault::Fault;
use super::place::given;
use super::query::{carrier, found};
use crate::app::App;
use crate::notices::alipay::trade;
use crate::orders::{self, Closed, Standing};
use crate::protocol::alipay::answers::{CancelAction, Cancelled, Numbers};
use crate::protocol::alipay::errors::SubCode;

/// `retry_flag` of a cancel that is done.
const DONE: &str = "N";

/// Closes an unpaid order; doing it again is fine.
pub async fn close(app: &App, admitted: &Admitted) -> Result<Value, Fault> {
    let known = found(admitted)?;
    let numbers = numbers(&known);
    closed(app, admitted, known, "该订单已支付，不能关闭").await?;
    given(&numbers)
}

/// Undoes an order of which nothing is paid: closes it. What is not there is undone, as the language has it.
pub async fn cancel(app: &App, admitted: &Admitted) -> Result<Value, Fault> {
    let cancelled = |numbers, action: Option<CancelAction>| Cancelled {
        numbers,
        retry_flag: DONE.to_owned(),
        action: action.map(|action| action.as_str().to_owned()),
    };
    let Ok(known) = found(admitted) else {
        return given(&cancelled(Numbers { out_trade_no: None, trade_no: None }, None));
    };
    let numbers = numbers(&known);
    closed(app, admitted, known, "该订单已支付，撤销须退款，退款将在后续版本提供").await?;
    given(&cancelled(numbers, Some(CancelAction::Close)))
}

fn numbers(known: &Standing) -> Numbers {
    let trade = trade(known);
    Numbers { out_trade_no: Some(trade.out_trade_no), trade_no: trade.trade_no }
}

/// Closes it; `paid` says what is in the way of that when it is paid.
async fn closed(app: &App, admitted: &Admitted, known: Standing, paid: &str) -> Result<(), Fault> {
    let paid = || Fault::new(SubCode::TradeHasSuccess, paid);
    if known.is_settled() {
        return if known.payment.is_some() { Err(paid()) } else { Ok(()) };
    }
    let channel = carrier(app, &known.order).await?;
    let outside = orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    match orders::close(&outside, known, Some(admitted.nonce.clone())).await? {
        Closed::Done => Ok(()),
        Closed::Paid => Err(paid()),
        Closed::Apart => {
            Err(Fault::new(SubCode::TradeStatusError, "机构收到的付款与该订单不符，平台正在核对，暂不能关闭"))
        }
        Closed::Busy => Err(Fault::busy()),
        Closed::Unknown => Err(Fault::system()),
    }
}

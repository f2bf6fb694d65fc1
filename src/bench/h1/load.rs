//! Notifications as the institution signs them.
use super::super::http::made;
use super::super::world::{ANSWER_SERIAL, CHANNEL_SP_MCHID, INSTITUTION, World, inst_merchant_no};
use super::store;
use crate::kernel::money::Fen;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::notification::{self, Event, TRANSACTION_SUCCESS};
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, TradeState};
use crate::protocol::wechat::sign::Stamp;

/// Whole HTTP requests for the payments of the orders that [`store::place`] placed, signed on all cores.
pub(in crate::bench) fn signed(
    world: &World,
    prefix: &str,
    count: usize,
    merchants: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    made(count, |n| request(world, prefix, n, merchants))
}

fn request(world: &World, prefix: &str, n: usize, merchants: usize) -> anyhow::Result<Vec<u8>> {
    let now = world.app.clock.instant();
    let view = OrderView {
        sp_appid: "wx1800000001".to_owned(),
        sp_mchid: CHANNEL_SP_MCHID.to_owned(),
        sub_appid: None,
        sub_mchid: inst_merchant_no(n % merchants),
        out_trade_no: store::order_no(prefix, n),
        transaction_id: Some(format!("42{prefix}{n:020}")),
        trade_type: Some("NATIVE".to_owned()),
        trade_state: TradeState::Success,
        trade_state_desc: "支付成功".to_owned(),
        bank_type: Some("OTHERS".to_owned()),
        attach: Some(";;".to_owned()),
        success_time: Some(now.to_cst()),
        payer: None,
        promotion_detail: None,
        amount: Some(OrderAmount {
            total: Fen::new(store::AMOUNT),
            payer_total: Some(Fen::new(store::AMOUNT)),
            currency: Some(CNY.to_owned()),
            payer_currency: Some(CNY.to_owned()),
        }),
    };
    let plain = serde_json::to_vec(&view)?;
    let event = Event {
        id: &format!("EV-{prefix}-{n}"),
        create_time: now,
        event_type: TRANSACTION_SUCCESS,
        summary: "支付成功",
        original_type: "transaction",
        plain: &plain,
    };
    let body = notification::seal(&world.apiv3_key, &event)?;
    let stamp = Stamp::sign(ANSWER_SERIAL, &world.key, now, &body)?;
    let mut head = format!(
        "POST /notify/{INSTITUTION}/wechat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in stamp.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(&body);
    Ok(request)
}

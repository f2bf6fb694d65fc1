//! Requests as a merchant's system signs them.
use serde_json::json;

use super::super::h1::store::order_no;
use super::super::http::made;
use super::super::world::{CALLER_SERIAL, SP_APPID, SP_MCHID, World, merchant};
use crate::protocol::wechat::order::Prepaid;
use crate::protocol::wechat::shapes;
use crate::protocol::wechat::sign::{Authorization, Signer};

/// Native orders, spread over the first merchants.
pub(super) fn placements(
    world: &World,
    prefix: &str,
    count: usize,
    merchants: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    made(count, |n| {
        let body = json!({
            "sp_appid": SP_APPID, "sp_mchid": SP_MCHID, "sub_mchid": merchant(n % merchants),
            "description": "压测商品", "out_trade_no": format!("H0{prefix}{n:012}"),
            "notify_url": "https://merchant.example/notify", "attach": "own",
            "goods_tag": "mingfen:food;agent=agent:A1", "amount": {"total": 12_345, "currency": "CNY"},
        });
        request(world, "POST", &Prepaid::Native.path(), &serde_json::to_vec(&body)?)
    })
}

/// Queries of the orders that H1's `prefix` has paid.
pub(super) fn queries(
    world: &World,
    prefix: &str,
    count: usize,
    merchants: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    made(count, |n| {
        let target = format!(
            "{}?sp_mchid={SP_MCHID}&sub_mchid={}",
            shapes::order_path(&order_no(prefix, n)),
            merchant(n % merchants)
        );
        request(world, "GET", &target, b"")
    })
}

fn request(world: &World, method: &str, target: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let signer =
        Signer { mchid: SP_MCHID.to_owned(), serial: CALLER_SERIAL.to_owned(), key: world.key.clone() };
    let signed = Authorization::sign(&signer, world.app.clock.instant(), method, target, body)?;
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {signed}\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    Ok(request)
}

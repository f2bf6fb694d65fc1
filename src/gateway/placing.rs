//! What is asked of an order in every language before it is placed, and why one is closed, for its merchant.
use std::sync::Arc;

use url::{Host, Url};

use crate::app::App;
use crate::channels::address;
use crate::error::Error;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::Instant;
use crate::kernel::channel::{ChannelName, Product};
use crate::merchants::{Known, SubMerchant};
use crate::orders::{Cause, EventReason};
use crate::rules;

/// The bundle of the merchant's institution; it is read only where no request has read it yet.
pub async fn approved(app: &App, known: &Known) -> Result<Option<Arc<Bundle>>, Error> {
    let (Some(merchant), Some(sha256)) = (&known.merchant, known.approvals) else { return Ok(None) };
    if let Some(bundle) = rules::read_before(sha256) {
        return Ok(Some(bundle));
    }
    let institution = merchant.institution_id;
    app.db.read(move |tx| rules::shared_bundle(tx, institution, sha256)).await.map(Some)
}

/// Whether the institution's approvals in force let the merchant trade, and be paid in this way; the error says why not.
pub fn may_trade(
    approved: Option<&Bundle>,
    merchant: &SubMerchant,
    (channel, product): (ChannelName, &Product),
    now: Instant,
) -> Result<(), &'static str> {
    let none = "该特约商户未获机构批准或已暂停交易，请联系机构";
    let bundle = approved.ok_or(none)?;
    match bundle.merchant_at(&merchant.merchant, now) {
        Some(approved) if approved.inst_merchant_no == merchant.inst_merchant_no => {}
        Some(_) | None => return Err(none),
    }
    match bundle.fee_rate(&merchant.merchant, channel.as_str(), product.as_str()) {
        Some(_) => Ok(()),
        None => Err("机构未批准该特约商户使用这种支付方式，请联系机构"),
    }
}

/// Whether a merchant may be told there. Where the configuration allows no private addresses: https, and no address that
/// is one. What a name stands for is looked up when it is called, each time.
pub fn may_be_told(app: &App, url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    if app.config.allow_private_addresses {
        return matches!(url.scheme(), "http" | "https") && url.has_host();
    }
    if url.scheme() != "https" {
        return false;
    }
    match url.host() {
        Some(Host::Ipv4(address)) => address::is_public(address.into()),
        Some(Host::Ipv6(address)) => address::is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Why an order is closed, for its merchant.
pub fn closed(cause: &Cause) -> String {
    let sentence = match cause.reason {
        EventReason::Refused | EventReason::SentAgainRefused | EventReason::Barred => "机构拒绝了该订单",
        EventReason::ClosedThere => "机构已关闭该订单",
        EventReason::Absent => "机构没有该订单",
        EventReason::Expired => "订单已过期",
        EventReason::ByMerchant => "商户已关闭该订单",
        EventReason::ApartEnded => "收到的付款与订单不符，已另行处理",
        EventReason::NoAnswer
        | EventReason::ServerFailed
        | EventReason::NotBelieved
        | EventReason::NotSent
        | EventReason::NotAsked
        | EventReason::Busy
        | EventReason::Paid
        | EventReason::PaidOtherAmount
        | EventReason::AfterClose
        | EventReason::Other => "订单已关闭",
    };
    let theirs: Vec<&str> = [&cause.code, &cause.words].into_iter().flatten().map(String::as_str).collect();
    if theirs.is_empty() { sentence.to_owned() } else { format!("{sentence}：{}", theirs.join(" ")) }
}

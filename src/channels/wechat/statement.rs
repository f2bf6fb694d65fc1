//! What an order view states of a payment, in nobody's language (`channels.md` 3, "Coupons").
use crate::channels::{CNY, Statement, Sums};
use crate::institutions::ChannelProfile;
use crate::kernel::money::Fen;
use crate::kernel::text;
use crate::protocol::wechat::product_of;
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, Particulars, Promotion, TradeState, rfc3339};

/// Paid to the merchant by whoever funds it.
const CASH: &str = "CASH";
/// Paid by nobody.
const NOCASH: &str = "NOCASH";

/// The payment that a verified view states; none when it lacks what a payment must have. Whether it pays an order is not
/// asked here.
pub(super) fn statement(view: OrderView, profile: &ChannelProfile) -> Option<Statement> {
    let is_refunded = view.trade_state == TradeState::Refund;
    let amount = view.amount.filter(|amount| amount.total > Fen::ZERO && amount.total <= Fen::MAX)?;
    let promotions = view.promotion_detail.as_deref().unwrap_or_default();
    let particulars = Particulars {
        bank_type: view.bank_type,
        payer: view.payer,
        promotion_detail: view.promotion_detail.clone(),
    };
    Some(Statement {
        // A number of ours has nothing hidden; any other is only shown.
        order_no: text::cleaned(&view.out_trade_no).chars().take(64).collect(),
        inst_order_no: view.transaction_id.filter(|no| text::is_inst_order_no(no))?,
        merchant_no: Some(view.sub_mchid),
        names_us: view.sp_mchid == profile.sp_mchid && view.sp_appid == profile.sp_appid,
        product: Some(product_of(&view.trade_type?)?),
        paid: settled(amount.total, promotions),
        sums: sums(amount, promotions),
        paid_at: rfc3339(&view.success_time?)?,
        is_refunded,
        particulars: serde_json::to_string(&particulars).ok()?,
    })
}

fn sums(amount: OrderAmount, promotions: &[Promotion]) -> Sums {
    let are_understood = promotions
        .iter()
        .all(|one| one.amount >= Fen::ZERO && matches!(one.kind.as_deref(), Some(CASH | NOCASH)));
    let together = Fen::sum(promotions.iter().map(|one| one.amount)).filter(|_| are_understood);
    let named = [amount.currency, amount.payer_currency];
    let foreign = named.into_iter().flatten().find(|currency| currency != CNY);
    Sums {
        currency: foreign.map_or_else(|| CNY.to_owned(), |currency| shortened(&currency)),
        total: amount.total,
        payer_total: amount.payer_total,
        promotions: together,
    }
}

/// 应结订单金额: all but what nobody pays; zero where that cannot be.
fn settled(total: Fen, promotions: &[Promotion]) -> Fen {
    let nobodys = promotions.iter().filter(|one| one.kind.as_deref() == Some(NOCASH));
    let nobodys = Fen::sum(nobodys.map(|one| one.amount));
    let settled = nobodys.and_then(|nobodys| total.checked_sub(nobodys));
    settled.filter(|fen| *fen >= Fen::ZERO && *fen <= total).unwrap_or(Fen::ZERO)
}

/// A currency as it is kept: letters only, no more than three.
fn shortened(currency: &str) -> String {
    currency.chars().filter(char::is_ascii_alphanumeric).take(3).collect()
}

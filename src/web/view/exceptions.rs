//! Orders that were not split, and where a bill differs from our record: the reason and what to do about it.
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::reconciliation::{DifferenceKind, Found};
use crate::splits::Unsplit;
use crate::web::format::{Day, Ident, When, Yuan};
use crate::web::lang::Lang;

/// An order told as X.
pub struct UnsplitRow {
    /// Our number.
    pub order_no: Ident,
    /// Whether we know the order ourselves.
    pub known: bool,
    /// When it was paid.
    pub at: When,
    /// The code in the file.
    pub reason: &'static str,
    /// What it means.
    pub why: &'static str,
    /// What to do.
    pub todo: &'static str,
    /// The split file.
    pub file: String,
    /// What was paid.
    pub paid: Yuan,
}

/// A difference between the bill and our record.
pub struct DifferenceRow {
    /// In a word.
    pub kind: &'static str,
    /// In a sentence.
    pub why: &'static str,
    /// What to do.
    pub todo: &'static str,
    /// Our number, as far as known.
    pub order_no: Ident,
    /// Whether we know the order ourselves.
    pub known: bool,
    /// The institution's number.
    pub inst_order_no: Ident,
    /// The business day.
    pub day: Day,
    /// What we have.
    pub ours: String,
    /// What the bill has.
    pub theirs: String,
}

/// What a reason of an X line means, and what to do (`files.md`, "The day").
#[must_use]
pub fn reason(lang: Lang, code: Reason) -> (&'static str, &'static str) {
    match code {
        Reason::Merchant => lang.pick(
            ("商户未知，或支付时未被机构启用。", "请机构核对批准文件中的商户与启用时间，再由机构作出决定。"),
            ("The merchant is unknown or was not active when paid.", "Ask the institution to check the merchant's window in its approvals, then to decide."),
        ),
        Reason::NoRule => lang.pick(
            ("支付时没有适用的已批准规则。", "提交覆盖该商户的规则版本，请机构批准后对这笔订单作出决定。"),
            ("No approved rule applied when it was paid.", "Propose a version that covers the merchant; once approved, the institution decides this order."),
        ),
        Reason::Overflow => lang.pick(
            ("某一份额超过 10^12 分。", "检查规则中的固定额与比例，改出新版本。"),
            ("A share exceeds 10^12 fen.", "Check fixed amounts and rates of the rule and make a new version."),
        ),
        Reason::OverLimit => lang.pick(
            ("各方分出合计超过规则的上限。", "检查小额订单上的固定额；可改为按顺序截断，或请机构决定适用版本。"),
            ("The shares together exceed the rule's limit.", "Check fixed amounts on small orders; cut in order instead, or let the institution decide."),
        ),
        Reason::Receiver => lang.pick(
            ("某接收方未知、未启用、未绑定该商户或角色不符。", "请机构在批准文件中补齐接收方，再作出决定。"),
            ("A receiver is unknown, inactive, not bound to the merchant or of another role.", "Ask the institution to approve the receiver, then to decide."),
        ),
        Reason::OverCap => lang.pick(
            ("平台或各方所得超过机构或商户协议的上限。", "降低规则比例，改出新版本请机构批准。"),
            ("The platform's or all shares exceed the institution's or the merchant's cap.", "Lower the rates in a new version and have it approved."),
        ),
    }
}

/// A row of the table.
#[must_use]
pub fn unsplit_row(lang: Lang, found: &Unsplit) -> UnsplitRow {
    let (why, todo) = reason(lang, found.reason);
    UnsplitRow {
        order_no: Ident(found.order_no.clone()),
        known: found.known,
        at: When(found.paid_at),
        reason: found.reason.as_str(),
        why,
        todo,
        file: found.file.clone(),
        paid: Yuan(found.paid),
    }
}

/// A row of the table.
#[must_use]
pub fn difference_row(lang: Lang, found: &Found) -> DifferenceRow {
    let (kind, why, todo) = match found.difference.kind {
        DifferenceKind::Long => lang.pick(
            ("长款", "机构账单有，平台没有", "按机构账单分账；核对通知为何未到。"),
            ("Long", "in the bill, not with us", "Split as the bill says; find out why we were not told."),
        ),
        DifferenceKind::Short => lang.pick(
            ("短款", "平台有，机构账单没有", "未分账；向机构查询，次日账单可能补入。"),
            ("Short", "with us, not in the bill", "Not split; ask the institution, a later bill may add it."),
        ),
        DifferenceKind::Amount => lang.pick(
            ("金额不符", "两边都有，金额不同", "按机构账单金额分账；请机构说明差额。"),
            (
                "Amount",
                "both have it, with other amounts",
                "Split by the bill's amount; ask the institution why.",
            ),
        ),
        DifferenceKind::Facts => lang.pick(
            ("要素不符", "金额相同，其他要素不同", "按机构账单分账；核对商户、标签与参与方。"),
            (
                "Facts",
                "same amount, other facts",
                "Split as the bill says; check merchant, tags and parties.",
            ),
        ),
    };
    DifferenceRow {
        kind,
        why,
        todo,
        order_no: Ident(found.difference.order_no.clone()),
        known: found.difference.kind != DifferenceKind::Long,
        inst_order_no: Ident(found.difference.inst_order_no.clone()),
        day: Day(found.business_date.to_i32()),
        ours: side(found.difference.ours.as_deref()),
        theirs: side(found.difference.theirs.as_deref()),
    }
}

/// What one side has: `paid=` stands for an amount, everything else is told as it is.
fn side(said: Option<&str>) -> String {
    let Some(said) = said else { return "—".to_owned() };
    let fen = said.strip_prefix("paid=").and_then(|fen| fen.parse().ok());
    fen.map_or_else(|| said.to_owned(), |fen| Yuan(Fen::new(fen)).to_string())
}

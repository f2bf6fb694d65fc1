//! What the split could not decide, and where a bill differs from our record.
super::texts! {
    meta: "不猜、不丢：分不了的订单写进文件，对不上的留给人处理", "Never guessed, never dropped: what cannot be split is told in the file, what does not match waits for a person";
    unsplit: "未能分账的订单", "Orders not split";
    unsplit_hint: "已作为 X 行写入当日分账文件", "Told as X lines in the day's split file";
    no_unsplit: "没有未能分账的订单", "Every order was split";
    no_unsplit_next: "切日后，规则不适用、超限或接收方未批准的订单会列在这里。", "After a day cut, orders without rule, over a limit or with an unapproved receiver are listed here.";
    differences: "账单差异", "Bill differences";
    differences_hint: "机构账单与平台记录逐单比对", "The institution's bill against our own record";
    no_differences: "没有账单差异", "No bill differences";
    no_differences_next: "切日时逐单比对；长款、短款和金额不符会列在这里。", "Each day cut compares every order; long, short and unequal ones are listed here.";
    numbers: "单号", "Numbers";
    ours: "平台记录", "Ours";
    theirs: "机构账单", "The bill";
    merchant_why: "商户未知，或支付时未被机构启用。", "The merchant is unknown or was not active when paid.";
    merchant_todo: "请机构核对批准文件中的商户与启用时间，再由机构作出决定。", "Ask the institution to check the merchant's window in its approvals, then to decide.";
    no_rule_why: "支付时没有适用的已批准规则。", "No approved rule applied when it was paid.";
    no_rule_todo: "提交覆盖该商户的规则版本，请机构批准后对这笔订单作出决定。", "Propose a version that covers the merchant; once approved, the institution decides this order.";
    overflow_why: "某一份额超过 10^12 分。", "A share exceeds 10^12 fen.";
    overflow_todo: "检查规则中的固定额与比例，改出新版本。", "Check fixed amounts and rates of the rule and make a new version.";
    over_limit_why: "各方分出合计超过规则的上限。", "The shares together exceed the rule's limit.";
    over_limit_todo: "检查小额订单上的固定额；可改为按顺序截断，或请机构决定适用版本。", "Check fixed amounts on small orders; cut in order instead, or let the institution decide.";
    receiver_why: "某接收方未知、未启用、未绑定该商户或角色不符。", "A receiver is unknown, inactive, not bound to the merchant or of another role.";
    receiver_todo: "请机构在批准文件中补齐接收方，再作出决定。", "Ask the institution to approve the receiver, then to decide.";
    cap_why: "平台或各方所得超过机构或商户协议的上限。", "The platform's or all shares exceed the institution's or the merchant's cap.";
    cap_todo: "降低规则比例，改出新版本请机构批准。", "Lower the rates in a new version and have it approved.";
    long: "长款", "Long";
    long_why: "机构账单有，平台没有", "in the bill, not with us";
    long_todo: "按机构账单分账；核对通知为何未到。", "Split as the bill says; find out why we were not told.";
    short: "短款", "Short";
    short_why: "平台有，机构账单没有", "with us, not in the bill";
    short_todo: "未分账；向机构查询，次日账单可能补入。", "Not split; ask the institution, a later bill may add it.";
    amount: "金额不符", "Amount";
    amount_why: "两边都有，金额不同", "both have it, with other amounts";
    amount_todo: "按机构账单金额分账；请机构说明差额。", "Split by the bill's amount; ask the institution why.";
    facts: "要素不符", "Facts";
    facts_why: "金额相同，其他要素不同", "same amount, other facts";
    facts_todo: "按机构账单分账；核对商户、标签与参与方。", "Split as the bill says; check merchant, tags and parties.";
}

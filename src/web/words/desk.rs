//! The first pages of the platform and of a merchant.
super::texts! {
    paid_today: "今日实付", "Paid today";
    exceptions_open: "未能分账的订单、账单差异与对不上的付款", "Unsplit orders, bill differences, payments of no order";
    unknown_orders: "结果未知订单", "Orders of unknown state";
    unknown_note: "机构未答复，系统在查询", "The institution has not answered; we keep asking";
    files_waiting: "待机构答复的文件", "Files awaiting an answer";
    files_waiting_note: "已签名发布，等机构验证或执行", "Signed and published";
    next_deadline: "下一截止", "Next deadline";
    last_day: "最近切日", "Latest day cut";
    last_day_hint: "每一步都有签名文件为证", "A signed file proves each step";
    no_day: "还没有切过日", "No day has been cut yet";
    no_day_next: "渠道账单次日 10:00 后可取，取到后自动切日并发布分账文件。", "The channel's bill is ready the next day after 10:00; then the day is cut and its file published.";
    step_bill: "取账单匹配", "Bill matched";
    step_split: "逐单分账", "Orders split";
    step_publish: "签名发布", "Signed, published";
    step_verify: "机构验证", "Institution verified";
    step_settle: "结算指令", "Settlement file";
    step_execute: "机构执行", "Institution executed";
    funds_path: "资金路径", "Path of the money";
    path_payer: "付款人（微信支付）", "Payer (WeChat Pay)";
    path_clearing: "清算：网联", "cleared by NetsUnion";
    path_custody: "持证机构 · 存管户", "Licensed institution · custody account";
    path_by_instruction: "机构核验指令后入账", "credited after its own verification";
    path_receivers: "商户与分账接收方", "Merchants and receivers";
    path_platform: "平台：只算账、签发指令，无资金账户", "Platform: computes and signs, has no account";
    waiting_settlement: "待入账", "To be credited";
    waiting_settlement_note: "指令已发，由机构入账", "Instructed; the institution credits";
    last_settlement: "最近已入账", "Last credited";
    merchant_exceptions_note: "未能分账，平台在处理", "Not split; the platform is on it";
    when_money: "什么时候入账", "When the money arrives";
    when_money_hint: "T 日交易，按周期由机构入账", "Orders of day T are credited by the institution";
}

//! What a merchant is credited.
super::texts! {
    day: "业务日 (T)", "Business day (T)";
    meta: "状态只随机构签名的结果改变；入账由机构执行", "States change only by the institution's signed results; the institution credits";
    lines: "结算行", "Settlement lines";
    sum: "应入账 = 分账 − 退回 − 欠款 + 结转 + 重发", "due = splits − returns − debts + carried + requeued";
    number: "结算号", "Number";
    order_count: "笔数", "Orders";
    splits: "分账", "Splits";
    returns: "退回", "Returns";
    carried: "结转与重发", "Carried, requeued";
    due: "应入账", "Due";
    settle_date: "入账日", "Credit date";
    no_settlements: "还没有结算行", "No settlement lines yet";
    no_settlements_next: "分账文件经机构验证并执行后，次日生成结算行。", "Lines appear the day after the institution has verified and executed the split file.";
    settle_sent: "已发指令", "Instructed";
    settle_void: "指令作废", "Void";
    settle_success: "已入账", "Credited";
    settle_failed: "入账失败", "Failed";
    settle_pending: "处理中", "Pending";
    settle_bounced: "退票", "Bounced";
    settle_carried: "结转下次", "Carried over";
}

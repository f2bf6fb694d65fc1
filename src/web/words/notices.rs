//! What merchants' systems are told, and whether they took it.
super::texts! {
    title: "商户通知", "Notification of the merchant";
    taken: "商户已接收", "Taken by the merchant";
    on_its_way: "发送中", "On its way";
    failing: "商户未接收", "Not taken so far";
    given_up: "已放弃", "Given up";
    to: "通知地址", "Address";
    attempts: "已发送次数", "Times sent";
    last_error: "最近一次失败原因", "Last failure";
    next: "下次发送", "Next";
    never_again: "不再自动发送", "Not by itself any more";
    send_again: "立即重发", "Send it again now";
    send_again_note: "通知编号与内容不变；商户系统应能重复接收。", "Its id and content stay the same; the merchant's system must take it twice.";
    none: "还没有通知", "No notification yet";
    none_next: "订单支付成功后，平台会自动通知商户系统。", "Once the order is paid, the merchant's system is told by itself.";
    untold: "通知未达", "Merchants not told";
    untold_note: "近 7 天，商户系统未接收", "Last 7 days, not taken by their systems";
    untold_hint: "最近的几笔；打开订单可立即重发", "The newest; open the order to send again";
    no_untold: "没有未送达的通知", "Every notification was taken";
    no_untold_next: "近 7 天内商户系统都已接收，或正在首次发送。", "In the last 7 days every one was taken, or is on its way for the first time.";
}

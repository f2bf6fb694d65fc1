//! The list of orders.
super::texts! {
    meta: "按下单时间从新到旧；筛选条件都在网址里，可收藏、可分享", "Newest first; the filters are in the address, to keep or share";
    list: "订单列表", "List of orders";
    filter: "筛选订单", "Filter orders";
    from_day: "起始日", "From day";
    to_day: "截止日", "To day";
    totals_hint: "筛选结果合计", "Totals of what the filter finds";
    no_hit: "没有符合条件的订单", "No order fits the filter";
    no_hit_next: "换个日期或单号，或去掉筛选。", "Try other days or numbers, or clear the filters.";
    no_orders: "还没有订单", "No orders yet";
    no_orders_next: "商户系统用微信支付或支付宝 SDK 把地址换成本平台即可下单，订单会出现在这里。", "A merchant's WeChat Pay or Alipay SDK with its base URL pointing here places orders; they appear here.";
    page_size: "每页 50 笔", "50 a page";
    no_hit_yet: "这一段里没有符合条件的订单", "No order fits in this stretch";
    no_hit_yet_next: "状态由订单的记录得出，每次看 2,000 笔；可以接着往前找，或加上日期。", "States follow from events, 2,000 orders are looked at each time: search on, or choose days.";
    goes_on: "每次看 2,000 笔，前面还有", "2,000 orders looked at, there are older ones";
    go_on: "接着往前找", "Search on";
    any_state: "全部状态", "Any state";
    state_created: "已受理", "Accepted";
    state_paying: "待支付", "Awaiting payment";
    state_unknown: "结果未知", "Unknown";
    state_paid: "已支付", "Paid";
    state_closed: "已关闭", "Closed";
    wechat: "微信支付", "WeChat Pay";
    alipay: "支付宝", "Alipay";
    native: "扫码", "scanned code";
    jsapi: "钱包内", "in the wallet";
    app: "应用", "app";
    h5: "网页", "web page";
    codepay: "付款码", "shown code";
    range_today: "今天", "Today";
    range_yesterday: "昨天", "Yesterday";
    range_week: "近 7 天", "7 days";
    range_all: "不限日期", "Any day";
}

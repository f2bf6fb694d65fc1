//! The names of the pages, in headings and in the navigation.
super::texts! {
    desk: "工作台", "Desk";
    orders: "订单", "Orders";
    order: "订单", "Order";
    rules: "分账规则", "Split rules";
    exceptions: "例外", "Exceptions";
    files: "文件", "Files";
    tasks: "任务", "Tasks";
    settlements: "结算明细", "Settlements";
    inbox: "收件箱", "Inbox";
}

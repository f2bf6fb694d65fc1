//! What stands around every page: the frame, its navigation, the consoles and roles.
super::texts! {
    product: "明分", "Mingfen";
    slogan: "每一分都说得清", "every fen explained";
    no_funds: "平台只算账、发指令，不收、不存、不付资金", "The platform computes and instructs. It never receives, holds or pays money.";
    skip: "跳到主要内容", "Skip to main content";
    menu: "菜单", "Menu";
    nav_main: "主导航", "Main navigation";
    nav_mobile: "主导航（移动端）", "Main navigation (mobile)";
    toolbar: "工具栏", "Toolbar";
    crumbs: "面包屑", "Breadcrumb";
    sidebar: "侧栏", "Sidebar";
    search_orders: "查订单", "Find an order";
    search_hint: "订单号 / 商户单号 / 机构单号", "Any order number";
    waiting: "待办", "waiting";
    console_admin: "平台运营后台", "Platform console";
    console_merchant: "商户后台", "Merchant console";
    console_institution: "持证机构工作区", "Institution workspace";
    role_admin: "平台管理员", "Administrator";
    role_checker: "平台复核", "Checker";
    role_merchant: "商户", "Merchant";
    role_inst_maker: "机构经办", "Institution maker";
    role_inst_checker: "机构复核", "Institution checker";
    group_trade: "交易与分账", "Orders and splits";
    group_settle: "结算与对账", "Settlement";
    logout: "退出", "Log out";
    language: "中文", "EN";
}

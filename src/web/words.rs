//! The catalogue of fixed texts: a field for each, so that neither language can lack one (`ux.md`, section 7).
//! Texts about data, with numbers in them, stand as sentences beside the view that says them.

const fn is_english(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        // Chinese characters start with E4 to E9 in UTF-8; punctuation and arrows lie below.
        if *first >= 0xE4 && *first <= 0xE9 {
            return false;
        }
        rest = tail;
    }
    !bytes.is_empty()
}

macro_rules! catalogue {
    ($($key:ident: $zh:literal, $en:literal;)*) => {
        /// Every fixed text of the site in one language, by its place or meaning.
        #[allow(missing_docs)]
        #[derive(Debug)]
        pub struct Words { $(pub $key: &'static str,)* }
        /// Simplified Chinese.
        pub static ZH: Words = Words { $($key: $zh,)* };
        /// English.
        pub static EN: Words = Words { $($key: $en,)* };
        $(const _: () = assert!(!$zh.is_empty() && is_english($en), stringify!($key));)*
    };
}

catalogue! {
    product: "明分", "Mingfen";
    slogan: "每一分都说得清", "every fen explained";
    no_funds: "平台只算账、发指令，不收、不存、不付资金", "The platform computes and instructs. It never receives, holds or pays money.";
    skip: "跳到主要内容", "Skip to main content";
    menu: "菜单", "Menu";
    nav_main: "主导航", "Main navigation";
    nav_mobile: "主导航（移动端）", "Main navigation (mobile)";
    toolbar: "工具栏", "Toolbar";
    crumbs: "面包屑", "Breadcrumb";
    table: "（表）", "(table)";
    sidebar: "侧栏", "Sidebar";
    paging: "分页", "Paging";
    colon: "：", ": ";
    search_orders: "查订单", "Find an order";
    search_hint: "订单号 / 商户单号 / 机构单号", "Any order number";
    waiting: "待办", "waiting";
    now: "现在", "Now";
    done: "已完成", "done";
    all: "全部", "all";
    total: "合计", "Total";
    show_all: "查看全部", "Show all";
    what_to_do: "怎么办", "What to do";

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

    login: "登录", "Log in";
    logout: "退出", "Log out";
    login_name: "登录名", "Login name";
    password: "密码", "Password";
    login_help: "账号由平台管理员开通；30 分钟不操作会自动退出。", "An administrator opens accounts; after 30 idle minutes you are logged out.";

    refused: "没有办成", "Refused";
    forged: "表单已失效", "This form is not valid any more";
    forged_why: "提交的表单不是从本站当前会话发出的，没有做任何改动。", "The form did not come from this site in your current session. Nothing was changed.";
    forged_next: "回到页面重新填写并提交。", "Go back to the page, fill it in and send it again.";
    form_why: "提交的内容不完整或格式不对，没有做任何改动。", "What was sent is incomplete or malformed. Nothing was changed.";
    form_next: "回到页面检查各项后重新提交。", "Go back, check the fields and send again.";
    missing: "没有这个页面", "No such page";
    missing_why: "地址不对，或者您没有查看它的权限。", "The address is wrong, or you may not see what is there.";
    missing_next: "从工作台或列表进入；需要权限请联系管理员。", "Start from the desk or a list; ask an administrator for rights.";
    failed: "系统出错了", "Something failed here";
    failed_why: "这次请求没有完成，没有做任何改动。", "The request was not finished. Nothing was changed.";
    failed_next: "稍后再试；仍不行请把请求号告诉管理员。", "Try again later; if it persists, tell an administrator the request number.";
    back_home: "回到首页", "Back to the start";
    request_no: "请求号", "Request";

    desk: "工作台", "Desk";
    business_day: "业务日", "Business day";
    paid_today: "今日实付", "Paid today";
    exceptions_open: "未能分账的订单与账单差异", "Unsplit orders and bill differences";
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

    orders: "订单", "Orders";
    order: "订单", "Order";
    orders_meta: "按下单时间从新到旧；筛选条件都在网址里，可收藏、可分享", "Newest first; the filters are in the address, to keep or share";
    order_list: "订单列表", "List of orders";
    filter_orders: "筛选订单", "Filter orders";
    filter: "筛选", "Filter";
    from_day: "起始日", "From day";
    to_day: "截止日", "To day";
    any_number: "任一单号", "Any number";
    merchant_no: "商户号", "Merchant number";
    remove_filter: "去掉筛选", "Remove filter";
    clear_filters: "去掉筛选", "Clear filters";
    totals_hint: "筛选结果合计", "Totals of what the filter finds";
    no_hit: "没有符合条件的订单", "No order fits the filter";
    no_hit_next: "换个日期或单号，或去掉筛选。", "Try other days or numbers, or clear the filters.";
    no_orders: "还没有订单", "No orders yet";
    no_orders_next: "商户系统用微信支付 SDK 把地址换成本平台即可下单，订单会出现在这里。", "A merchant's WeChat Pay SDK with its base URL pointing here places orders; they appear here.";
    page_size: "每页 50 笔", "50 a page";
    no_hit_yet: "这一段里没有符合条件的订单", "No order fits in this stretch";
    no_hit_yet_next: "状态由订单的记录得出，每次看 2,000 笔；可以接着往前找，或加上日期。", "States follow from events, 2,000 orders are looked at each time: search on, or choose days.";
    goes_on: "每次看 2,000 笔，前面还有", "2,000 orders looked at, there are older ones";
    go_on: "接着往前找", "Search on";
    older_events: "更早的记录不在此列出", "Older events are not listed";
    first_page: "回到第一页", "First page";
    next_page: "下一页", "Next page";
    last_page: "没有更多了", "No more";
    order_no: "订单号", "Order number";
    other_numbers: "其他单号", "Other numbers";
    out_trade_no: "商户单号", "Merchant's number";
    inst_order_no: "机构单号", "Institution's number";
    merchant: "商户", "Merchant";
    merchants: "商户", "Merchants";
    institution: "持证机构", "Institution";
    placed_at: "下单时间", "Placed at";
    paid_at: "支付时间", "Paid at";
    amount: "金额", "Amount";
    state: "状态", "State";
    any_state: "全部状态", "Any state";
    state_created: "已受理", "Accepted";
    state_paying: "待支付", "Awaiting payment";
    state_unknown: "结果未知", "Unknown";
    state_paid: "已支付", "Paid";
    state_closed: "已关闭", "Closed";
    range_today: "今天", "Today";
    range_yesterday: "昨天", "Yesterday";
    range_week: "近 7 天", "7 days";
    range_all: "不限日期", "Any day";

    paid: "实付", "Paid";
    subsidy: "补贴", "Subsidy";
    subsidy_note: "机构确认的营销资金", "Marketing money confirmed by the institution";
    fee: "渠道手续费", "Channel fee";
    fee_of_bill: "以机构账单为准", "As the institution's bill says";
    pool: "可分金额", "Splittable";
    pool_note: "实付 + 补贴 − 手续费", "Paid + subsidy − fee";
    merchant_gets: "商户应得", "Merchant gets";
    not_paid: "尚未支付", "Not paid yet";
    flow_title: "每一分钱的去向", "Where each fen goes";
    flow_from: "付款人实付", "Paid by the payer";
    flow_to: "机构清算入账对象", "Credited by the institution";
    flow_rest: "其余各方合计", "All the others";
    eq_says: "勾稽：各方之和等于订单金额。", "The parts add up to the whole.";
    balanced: "差额 0 分", "difference 0 fen";
    lines: "分账明细", "Lines";
    receiver: "接收方", "Receiver";
    how_computed: "怎么算的", "How it is computed";
    gets: "分得", "Gets";
    split_final: "已入分账文件", "In the split file";
    split_preview: "预览", "Preview";
    unsplit_tag: "未能分账", "Not split";
    fee_bill_how: "账单列示的手续费，四舍五入到分", "As stated by the bill, rounded half up to the fen";
    no_split: "还没有分账结果", "No split yet";
    no_split_unpaid: "支付成功后，这里按生效的规则显示预览；切日后显示写入文件的结果。", "Once it is paid, a preview by the rule in force stands here; after the day is cut, what went into the file.";
    no_split_exception: "这笔订单没有分账，原因和办法见上方。", "This order was not split; reason and remedy stand above.";
    no_split_rule: "没有适用的规则可作预览；以切日结果为准。", "No rule applies for a preview; the day cut decides.";
    refunds: "退款", "Refunds";
    no_refunds: "这笔订单没有退款。", "This order has no refunds.";
    facts: "关键事实", "Key facts";
    channel: "渠道与产品", "Channel, product";
    tags: "标签", "Tags";
    parties: "参与方", "Parties";
    description: "商品描述", "Description";
    none: "无", "none";
    timeline: "经过", "Timeline";
    evidence: "凭证", "Evidence";

    rules: "分账规则", "Split rules";
    rules_meta: "此刻生效、由持证机构签名批准的版本", "Versions in force now, approved and signed by the institution";
    rules_note: "规则只产生分账提案；机构用自己批准的版本重算全部订单，差一分都会被发现。", "Rules only make proposals. The institution recomputes every order by the versions it approved; one fen off is found.";
    in_force: "生效中", "In force";
    approved_by: "批准", "Approved by";
    merchant_rest: "商户（余额归属）", "Merchant (what remains)";
    merchant_rest_how: "扣完手续费与以上各项后的全部剩余金额，含取整尾差", "All that remains after the fee and the shares above, odd fen included";
    window: "生效期", "Window";
    open_end: "长期", "open";
    digest: "指纹 SHA-256", "SHA-256";
    scope_merchants: "商户", "Merchants";
    scope_channels: "渠道", "Channels";
    scope_products: "产品", "Products";
    scope_tags: "标签", "Tags";
    priority: "优先级", "Priority";
    max_ratio: "分出上限", "Most that may be shared out";
    fee_bearer: "手续费承担方", "Fee borne by";
    when_short: "超出上限时", "When over the limit";
    short_reject: "整单不分账，转人工", "the order is not split, people decide";
    short_in_order: "按顺序截断", "cut in order";
    cond_amount: "订单金额", "order amount";
    only_when: "仅当：", "Only when: ";
    no_rules: "还没有生效的规则", "No rule in force";
    no_rules_next: "机构上传签名的批准文件（APR）后，规则在这里列出。", "Rules are listed once the institution uploads its signed approvals (APR).";

    exceptions: "例外", "Exceptions";
    exceptions_meta: "不猜、不丢：分不了的订单写进文件，对不上的留给人处理", "Never guessed, never dropped: what cannot be split is told in the file, what does not match waits for a person";
    unsplit: "未能分账的订单", "Orders not split";
    unsplit_hint: "已作为 X 行写入当日分账文件", "Told as X lines in the day's split file";
    no_unsplit: "没有未能分账的订单", "Every order was split";
    no_unsplit_next: "切日后，规则不适用、超限或接收方未批准的订单会列在这里。", "After a day cut, orders without rule, over a limit or with an unapproved receiver are listed here.";
    reason: "原因", "Reason";
    file: "文件", "File";
    differences: "账单差异", "Bill differences";
    differences_hint: "机构账单与平台记录逐单比对", "The institution's bill against our own record";
    no_differences: "没有账单差异", "No bill differences";
    no_differences_next: "切日时逐单比对；长款、短款和金额不符会列在这里。", "Each day cut compares every order; long, short and unequal ones are listed here.";
    kind: "类型", "Kind";
    numbers: "单号", "Numbers";
    ours: "平台记录", "Ours";
    theirs: "机构账单", "The bill";

    files: "文件", "Files";
    files_meta: "发布后不再改变；每个文件带签名，并与上一个文件成链", "Never changed once published; each is signed and chained to the one before";
    file_list: "往来文件", "Files exchanged";
    chain_hint: "上一个文件的指纹写在本文件里，缺一个、换一个都会被发现", "Each names the digest of the one before: a missing or swapped file is found";
    filter_files: "筛选文件", "Filter files";
    no_files: "还没有文件", "No files yet";
    no_files_next: "切日后发布分账文件（SPL），机构答复后发布结算文件（STL）。", "A day cut publishes the split file (SPL); after the institution's answer follows the settlement file (STL).";
    download: "下载", "Download";
    signature: "签名 .sig", "Signature";
    chain_prev: "上一个文件", "Previous file";
    chain_first: "（链首）", "(first of the chain)";
    bundle: "批准文件指纹", "Approvals";
    first_result: "受理结果", "First result";
    final_result: "执行结果", "Final result";
    waiting_first: "待机构验证", "Awaiting verification";
    waiting_final: "待机构执行", "Awaiting execution";
    accepted: "验证通过", "Verified";
    executed: "已执行", "Executed";
    received: "已收到", "Received";

    waiting_settlement: "待入账", "To be credited";
    waiting_settlement_note: "指令已发，由机构入账", "Instructed; the institution credits";
    last_settlement: "最近已入账", "Last credited";
    merchant_exceptions_note: "未能分账，平台在处理", "Not split; the platform is on it";
    when_money: "什么时候入账", "When the money arrives";
    when_money_hint: "T 日交易，按周期由机构入账", "Orders of day T are credited by the institution";
    settlements: "结算明细", "Settlements";
    settlements_meta: "状态只随机构签名的结果改变；入账由机构执行", "States change only by the institution's signed results; the institution credits";
    settlement_lines: "结算行", "Settlement lines";
    settlement_sum: "应入账 = 分账 − 退回 − 欠款 + 结转 + 重发", "due = splits − returns − debts + carried + requeued";
    settlement_no: "结算号", "Number";
    order_count: "笔数", "Orders";
    splits: "分账", "Splits";
    returns: "退回", "Returns";
    carried: "结转与重发", "Carried, requeued";
    due: "应入账", "Due";
    settle_date: "入账日", "Credit date";
    no_settlements: "还没有结算行", "No settlement lines yet";
    no_settlements_next: "分账文件经机构验证并执行后，次日生成结算行。", "Lines appear the day after the institution has verified and executed the split file.";
    settle_sent: "已发指令", "Instructed";
    settle_success: "已入账", "Credited";
    settle_failed: "入账失败", "Failed";
    settle_pending: "处理中", "Pending";
    settle_bounced: "退票", "Bounced";
    settle_carried: "结转下次", "Carried over";

    inbox: "收件箱", "Inbox";
    inbox_meta: "取文件、自己重算、签名答复", "Fetch, recompute by yourself, answer with your signature";
    inbox_note: "平台的文件只是提案：清分与入账由贵机构核验后执行。没有贵机构签名的结果，任何状态都不会变成已入账。", "The platform's files are proposals. You verify, clear and settle; without a result signed by you nothing ever counts as credited.";
    waiting_files: "待处理文件", "Files waiting for you";
    waiting_files_hint: "下载文件与签名，验证后上传结果", "Download file and signature, verify, upload the result";
    no_waiting: "没有待处理的文件", "Nothing waits for you";
    no_waiting_next: "平台切日后，新的分账文件会出现在这里。", "After the next day cut the new split file appears here.";
    answered_files: "已答复文件", "Answered files";
    answered_hint: "结果以贵机构签名的回盘为准", "As your signed results say";
    no_answered: "还没有答复过文件", "Nothing answered yet";
    no_answered_next: "上传回盘后在这里查看验证与执行结果。", "Upload a result; verification and execution are shown here.";
    upload: "上传回盘或批准文件", "Upload results or approvals";
    upload_file: "文件（.ret 或 APR_….json）", "File (.ret or APR_….json)";
    upload_file_help: "文件名须与规范一致，内容上传后不再改变。", "Its name must follow the format; it never changes once uploaded.";
    upload_sig: "签名（.sig）", "Signature (.sig)";
    upload_sig_help: "用贵机构文件私钥对整个文件的 RSA-SHA256 签名，base64。", "RSA-SHA256 over the whole file by your file key, base64.";
    upload_do: "验签并导入", "Check and import";
    upload_result_done: "回盘已验签并导入。", "The result was checked and imported.";
    upload_bundle_done: "批准文件已验签并导入，新的规则按其时间生效。", "The approvals were checked and imported; their rules count from their times on.";
    upload_bill_done: "账单已验签并导入。", "The bill was checked and imported.";
    upload_again: "同一文件此前已导入，没有做任何改动。", "This very file was imported before. Nothing was changed.";
    verify_yourself: "自己验证", "Verify by yourself";
    verify_yourself_why: "用贵机构自己的账单与批准文件重算全天；退出码 0 表示每一分都说得清。", "Recompute the day from your own bill and approvals; exit status 0 means every fen is explained.";
    bundle_in_force: "生效的批准文件", "Approvals in force";
    issued_at: "签发时间", "Issued at";
    no_bundle: "还没有批准文件", "No approvals yet";
    no_bundle_next: "上传签名的批准文件（APR），商户与规则才会生效。", "Upload signed approvals (APR); merchants and rules count only then.";
    tasks: "任务", "Tasks";
    tasks_meta: "耗时的工作看得见、停得下；自动作业迟到或出错会说明", "Long work can be watched and stopped; jobs say when they are late or fail";
    task_list: "任务列表", "Work";
    task_list_hint: "最近的在前；取消后不会留下半个结果", "Newest first; what is cancelled leaves nothing half done";
    no_tasks: "还没有任务", "No work yet";
    no_tasks_next: "切日开始后会显示在这里。", "A cut stands here once it has begun.";
    task_what: "工作", "Work and subject";
    task_progress: "进度", "Progress";
    task_asked: "发起", "Asked";
    task_ended: "结束", "Ended";
    task_result: "结果", "Result";
    task_cancel: "取消", "Cancel";
    task_cut: "切日", "Day cut";
    task_queued: "排队中", "Queued";
    task_running: "进行中", "Running";
    task_stopping: "正在停止", "Stopping";
    task_done: "已完成", "Done";
    task_failed: "失败", "Failed";
    task_cancelled: "已取消", "Cancelled";
    task_phase_begun: "开始", "Begun";
    task_phase_bill: "取账单并核对", "Fetching and matching the bill";
    task_phase_splitting: "计算并保存分账", "Splitting and storing";
    task_phase_keys: "建立索引", "Making keys";
    task_phase_publishing: "发布文件", "Publishing";
    job_list: "自动作业", "Jobs";
    job_list_hint: "空闲的作业每分钟记录一次", "An idle job notes its runs once a minute";
    job_what: "作业", "Job";
    job_often: "频率", "How often";
    job_last: "上次运行", "Last run";
    job_runs: "次数", "Runs";
    job_done: "处理数", "Done";
    job_last_error: "上次错误", "Last error";
    job_once: "启动后一次", "once after a start";
    job_by_each: "每个进程", "in each process";
    job_by_one: "同时只有一个进程", "one process at a time";
    job_never: "尚未运行", "Has not run";
    job_in_time: "准时", "In time";
    job_failed: "上次失败", "Last run failed";
}

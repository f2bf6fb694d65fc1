//! Rules in force.
super::texts! {
    meta: "此刻生效、由持证机构签名批准的版本", "Versions in force now, approved and signed by the institution";
    note: "规则只产生分账提案；机构用自己批准的版本重算全部订单，差一分都会被发现。", "Rules only make proposals. The institution recomputes every order by the versions it approved; one fen off is found.";
    in_force: "生效中", "In force";
    approved_by: "批准", "Approved by";
    merchant_rest: "商户（余额归属）", "Merchant (what remains)";
    merchant_rest_how: "扣完手续费与以上各项后的全部剩余金额，含取整尾差", "All that remains after the fee and the shares above, odd fen included";
    window: "生效期", "Window";
    open_end: "长期", "open";
    channels: "渠道", "Channels";
    products: "产品", "Products";
    priority: "优先级", "Priority";
    max_ratio: "分出上限", "Most that may be shared out";
    fee_bearer: "手续费承担方", "Fee borne by";
    when_short: "超出上限时", "When over the limit";
    short_reject: "整单不分账，转人工", "the order is not split, people decide";
    short_in_order: "按顺序截断", "cut in order";
    only_when: "仅当：", "Only when: ";
    no_rules: "还没有生效的规则", "No rule in force";
    no_rules_next: "机构上传签名的批准文件（APR）后，规则在这里列出。", "Rules are listed once the institution uploads its signed approvals (APR).";
}

//! Names of things, one name for one thing (`domain.md`, glossary): labels of columns and facts.
super::texts! {
    business_day: "业务日", "Business day";
    any_number: "任一单号", "Any number";
    merchant_no: "商户号", "Merchant number";
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
    paid: "实付", "Paid";
    subsidy: "补贴", "Subsidy";
    fee: "渠道手续费", "Channel fee";
    receiver: "接收方", "Receiver";
    channel: "渠道与产品", "Channel, product";
    tags: "标签", "Tags";
    parties: "参与方", "Parties";
    description: "商品描述", "Description";
    digest: "指纹 SHA-256", "SHA-256";
    reason: "原因", "Reason";
    file: "文件", "File";
    kind: "类型", "Kind";
}

//! What the demo shows: its merchants, receivers and rules, and the order that comes at each place of a day.
use serde_json::{Value, json};

/// Code of the sandbox institution.
pub const INSTITUTION: &str = "SANDBOX";
/// Code of the demo platform at the institution.
pub const PLATFORM: &str = "DEMO";
/// The platform merchant's number in both protocols.
pub const SP_MCHID: &str = "1900000001";
/// Its application.
pub const SP_APPID: &str = "wx1900000001demo";

/// A sub-merchant of the demo.
pub struct Shop {
    /// Our number, `sub_mchid` in the gateway.
    pub merchant: &'static str,
    /// The institution's number.
    pub inst_merchant_no: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it sells.
    pub goods: &'static [&'static str],
    cycle: &'static str,
    min_settle: i64,
}

/// The sub-merchants; the last one has no rule.
pub const SHOPS: [Shop; 5] = [
    Shop {
        merchant: "M1001",
        inst_merchant_no: "SB20010001",
        name: "云栖茶舍",
        goods: &["明前龙井 50g", "桂花乌龙一壶", "茶点双人份"],
        cycle: "D1",
        min_settle: 1,
    },
    Shop {
        merchant: "M1002",
        inst_merchant_no: "SB20010002",
        name: "老城面馆",
        goods: &["雪菜肉丝面", "红油抄手", "加一份浇头"],
        cycle: "D1",
        min_settle: 1,
    },
    Shop {
        merchant: "M1003",
        inst_merchant_no: "SB20010003",
        name: "晨光书店",
        goods: &["《海错图笔记》", "文具套装", "绘本三册"],
        cycle: "T1",
        min_settle: 1,
    },
    Shop {
        merchant: "M1004",
        inst_merchant_no: "SB20010004",
        name: "城南生鲜超市",
        goods: &["时令水果篮", "散养土鸡", "一周菜蔬"],
        cycle: "D1",
        min_settle: 100,
    },
    Shop {
        merchant: "M1005",
        inst_merchant_no: "SB20010005",
        name: "拾光咖啡",
        goods: &["手冲耶加雪菲", "燕麦拿铁"],
        cycle: "D1",
        min_settle: 1,
    },
];

/// A receiver other than a merchant.
pub struct Party {
    /// Receiver key.
    pub receiver: &'static str,
    /// The role under which it is registered.
    pub role: &'static str,
    /// Its name.
    pub name: &'static str,
    inst_receiver_no: &'static str,
    min_settle: i64,
}

/// The receivers. `funder:F2` collects until 500 yuan are together.
pub const PARTIES: [Party; 9] = [
    party("platform", "platform", "明分演示平台", "SB90000001", 1),
    party("agent:A1", "agent", "江南渠道服务部", "SB30000001", 1),
    party("agent:A2", "subagent", "西湖片区推广", "SB30000002", 1),
    party("agent:A7", "agent", "校园推广员·林悦", "SB30000007", 1),
    party("store:G1", "store", "晨光书店·文三路店", "SB40000001", 1),
    party("store:G2", "store", "晨光书店·大学城店", "SB40000002", 1),
    party("supplier:S9", "supplier", "绿野农产合作社", "SB50000009", 1),
    party("funder:F1", "funder", "惠民营销基金", "SB60000001", 1),
    party("funder:F2", "funder", "品牌联合促销户", "SB60000002", 50_000),
];

const fn party(
    receiver: &'static str,
    role: &'static str,
    name: &'static str,
    inst_receiver_no: &'static str,
    min_settle: i64,
) -> Party {
    Party { receiver, role, name, inst_receiver_no, min_settle }
}

/// One order of the day.
pub struct Sale {
    /// The merchant's own number, the same whenever the demo is asked for this place of this day.
    pub out_trade_no: String,
    /// Sub-merchant.
    pub merchant: &'static str,
    /// Goods.
    pub description: &'static str,
    /// Fen.
    pub total: i64,
    /// Tags and parties as they stand in `goods_tag` behind `mingfen:`; empty = none.
    pub goods_tag: &'static str,
}

/// The `index`th order (from 0) of `day` (`yyyyMMdd`).
pub fn sale(day: &str, index: usize) -> Sale {
    let draw = mix(day, index);
    let [tea, noodles, books, fresh, coffee] = &SHOPS;
    let (shop, total, goods_tag) = match index % 60 {
        7 => (coffee, 1_800 + draw % 2_400, ""),
        19 => (noodles, 100 + draw % 200, ""),
        31 => (books, 3_000 + draw % 5_000, ";agent=agent:A404"),
        other => match other % 6 {
            0 | 4 => (noodles, 1_200 + draw % 3_600, ""),
            1 => (tea, 3_000 + draw % 26_000, if draw % 3 == 0 { "PROMO" } else { "" }),
            2 => (books, 900 + draw % 12_000, referral(draw)),
            3 => (fresh, 800 + draw % 90_000, ""),
            _ => (tea, 2_600 + draw % 8_000, if draw % 4 == 0 { "PROMO,VIP" } else { "" }),
        },
    };
    let goods = usize::try_from(draw).unwrap_or(0) % shop.goods.len();
    Sale {
        out_trade_no: format!("D{day}N{index:06}"),
        merchant: shop.merchant,
        description: shop.goods.get(goods).copied().unwrap_or(shop.name),
        total,
        goods_tag,
    }
}

fn referral(draw: i64) -> &'static str {
    match draw % 5 {
        0 => ";agent=agent:A7,store=store:G1",
        1 => ";agent=agent:A7,store=store:G2",
        2 => ";store=store:G1",
        3 => "CAMPUS;agent=agent:A7,store=store:G2",
        _ => "",
    }
}

/// A number of no meaning that is the same for the same place: SplitMix64 over day and index.
fn mix(day: &str, index: usize) -> i64 {
    let seed = day.bytes().fold(0_u64, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b)));
    let index = u64::try_from(index).unwrap_or(0);
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    i64::try_from((z ^ (z >> 31)) >> 2).unwrap_or(0)
}

/// What the platform asks the institution to approve, in the form of a bundle's lists; everything is in force
/// from `from` (`yyyy-MM-ddTHH:mm:ss+08:00`).
pub fn proposal(from: &str) -> Value {
    let merchants: Vec<Value> = SHOPS
        .iter()
        .map(|shop| {
            json!({"merchant": shop.merchant, "inst_merchant_no": shop.inst_merchant_no,
                "agreement_no": format!("XY-{}", shop.merchant), "active": [[from, null]],
                "fees": {"wechat/native": 3800, "wechat/jsapi": 3800, "wechat/app": 3800, "wechat/h5": 3800,
                    "alipay/native": 3800, "alipay/jsapi": 3800},
                "max_ratio_ppm": 300_000, "min_settle": shop.min_settle, "cycle": shop.cycle})
        })
        .collect();
    let receivers: Vec<Value> = PARTIES
        .iter()
        .map(|party| {
            json!({"receiver": party.receiver, "inst_receiver_no": party.inst_receiver_no, "role": party.role,
                "merchants": ["*"], "active": [[from, null]], "min_settle": party.min_settle, "cycle": "D1"})
        })
        .collect();
    json!({"platform_cap_ppm": 100_000, "merchants": merchants, "receivers": receivers, "rules": rules(from)})
}

/// The rule versions: nested agents; a promotion by tag whose cost funders share; receivers named by the order;
/// tiers that are cut in order.
fn rules(from: &str) -> Vec<Value> {
    vec![
        rule(
            "market-standard",
            from,
            json!({"merchants": ["M1001", "M1002"], "channels": ["*"], "products": ["*"], "tags": ["*"]}),
            json!({"priority": 0, "fee_bearer": "merchant", "when_short": "reject", "refund": "pro_rata"}),
            json!([
                {"to": "platform", "role": "platform", "base": "gross", "rate_ppm": 6000, "min": 1, "max": 5000,
                 "shares": [{"to": "agent:A1", "role": "agent", "rate_ppm": 300_000,
                   "shares": [{"to": "agent:A2", "role": "subagent", "rate_ppm": 400_000}]}]},
                {"to": "supplier:S9", "role": "supplier", "fixed": 120}]),
        ),
        rule(
            "tea-promotion",
            from,
            json!({"merchants": ["M1001"], "channels": ["*"], "products": ["*"], "tags": ["PROMO"]}),
            json!({"priority": 20, "fee_bearer": "platform", "when_short": "reject", "refund": "merchant_first"}),
            json!([
                {"to": "platform", "role": "platform", "rate_ppm": 8000, "min": 20},
                {"divide": [{"to": "funder:F1", "weight": 60}, {"to": "funder:F2", "weight": 40}],
                 "role": "funder", "base": "net", "rate_ppm": 50_000}]),
        ),
        rule(
            "bookstore-referral",
            from,
            json!({"merchants": ["M1003"], "channels": ["*"], "products": ["*"], "tags": ["*"]}),
            json!({"priority": 0, "fee_bearer": "merchant", "when_short": "in_order", "refund": "pro_rata"}),
            json!([
                {"to": "platform", "role": "platform", "rate_ppm": 5000, "min": 1},
                {"to": "$agent", "role": "agent", "rate_ppm": 50_000, "max": 600,
                 "when": {"gross_at_least": 2000}},
                {"to": "$store", "role": "store", "rate_ppm": 80_000, "fixed": 50}]),
        ),
        rule(
            "fresh-tiers",
            from,
            json!({"merchants": ["M1004"], "channels": ["wechat"], "products": ["*"], "tags": ["*"]}),
            json!({"priority": 0, "fee_bearer": "merchant", "when_short": "in_order", "refund": "pro_rata"}),
            json!([
                {"to": "platform", "role": "platform",
                 "tiers": [{"from": 0, "fixed": 20}, {"from": 5000, "rate_ppm": 4000},
                   {"from": 50_000, "rate_ppm": 3000, "fixed": 50}],
                 "shares": [{"to": "agent:A1", "role": "agent", "rate_ppm": 200_000}]},
                {"to": "supplier:S9", "role": "supplier", "base": "net", "rate_ppm": 220_000, "fixed": 100},
                {"divide": [{"to": "funder:F1", "weight": 1}, {"to": "funder:F2", "weight": 2}],
                 "role": "funder", "rate_ppm": 10_000}]),
        ),
    ]
}

fn rule(name: &str, from: &str, scope: Value, terms: Value, shares: Value) -> Value {
    let mut rule = json!({"rule": name, "version": 1, "institution": INSTITUTION, "effective_from": from,
        "effective_to": null, "scope": scope, "max_ratio_ppm": 300_000, "shares": shares});
    if let (Some(rule), Value::Object(terms)) = (rule.as_object_mut(), terms) {
        rule.extend(terms);
    }
    rule
}

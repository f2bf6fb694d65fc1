//! What of WeChat's products a merchant's system can sell: each is placed in its own way, paid by what it answered, and
//! told, billed and read as what it is; by a platform for its merchants, and by a merchant for itself.
use mingfen::check::breaks;
use mingfen::kernel::channel::Product;
use mingfen::merchants::credentials::AnswerMode;
use mingfen::notices;
use mingfen::protocol::wechat::notification::{self, ApiV3Key};
use mingfen::protocol::wechat::sign::Signer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bundle;
use crate::support::pair::Pair;
use crate::support::receiver::Receiver;
use crate::support::shop::{self, Answered, Shop};

const PARTNER: &str = "/v3/pay/partner/transactions";
const DIRECT: &str = "/v3/pay/transactions";

/// What is done to a good order.
type Change = fn(&mut Value);

/// The products, by which key each is answered, and as what it is paid.
const PRODUCTS: [(&str, &str, &str); 4] = [
    ("native", "code_url", "NATIVE"),
    ("jsapi", "prepay_id", "JSAPI"),
    ("app", "prepay_id", "APP"),
    ("h5", "h5_url", "MWEB"),
];

/// What `check` finds, but for the bundle that the pair's first institution signed.
fn broken(pair: &Pair) -> Vec<String> {
    let mut all = breaks(&pair.shop.app).unwrap();
    all.retain(|one| !one.starts_with("APR_"));
    all
}

async fn post(shop: &Shop, target: &str, body: &Value) -> Answered {
    shop.call(Method::POST, target, body.to_string().as_bytes()).await
}

/// What a product needs beside what every order says.
fn of_product(order: &Value, product: &str) -> Value {
    let mut order = order.clone();
    match product {
        "jsapi" => order["payer"] = json!({"sp_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}),
        "h5" => {
            order["scene_info"] = json!({"payer_client_ip": "14.23.150.211", "h5_info": {"type": "Wap"}});
        }
        _ => {}
    }
    order
}

/// The same order as a merchant asks for itself.
fn of_direct(order: &Value) -> Value {
    let mut order = order.clone();
    let object = order.as_object_mut().unwrap();
    for (partner, direct) in [("sp_appid", "appid"), ("sp_mchid", "mchid")] {
        let value = object.remove(partner).unwrap();
        object.insert(direct.to_owned(), value);
    }
    object.remove("sub_mchid");
    if let Some(payer) = object.get_mut("payer") {
        *payer = json!({"openid": payer["sp_openid"]});
    }
    order
}

#[actix_web::test]
async fn every_product_is_placed_paid_by_what_was_answered_and_read_as_what_it_is() {
    let pair = Pair::open().await;
    for (product, key, trade_type) in PRODUCTS {
        let number = format!("ORDER-{product}");
        let order = of_product(&pair.shop.order(&number), product);
        let target = format!("{PARTNER}/{product}");
        let placed = post(&pair.shop, &target, &order).await;
        assert_eq!(placed.status, 200, "{product}: {}", placed.json());
        pair.shop.assert_signed(&placed);
        let prepay = placed.json()[key].as_str().unwrap_or_default().to_owned();
        assert!(!prepay.is_empty() && placed.json().as_object().unwrap().len() == 1, "{product}");
        assert_eq!(post(&pair.shop, &target, &order).await.json(), placed.json(), "asked again");
        pair.sandbox.post("pay", json!({key: prepay})).await;
        assert_eq!(pair.sandbox.deliver().await["done"], 1, "{product}");
        let payment = pair.payment(&number).await;
        assert_eq!(payment.product, Product::parse(product).unwrap());
        let seen = pair.shop.query(&number).await.json();
        assert_eq!((&seen["trade_state"], &seen["trade_type"]), (&json!("SUCCESS"), &json!(trade_type)));
        if product == "jsapi" {
            assert_eq!(seen["payer"], order["payer"], "who was to pay has paid");
        }
    }
    assert_eq!(broken(&pair), Vec::<String>::new());
}

#[actix_web::test]
async fn each_product_says_what_it_lacks_and_nothing_is_stored() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    let order = pair.shop.order("ORDER-1");
    let with = |product: &str, change: fn(&mut Value)| {
        let mut order = of_product(&order, product);
        change(&mut order);
        (format!("{PARTNER}/{product}"), order)
    };
    let cases = [
        (with("jsapi", |o| drop(o.as_object_mut().unwrap().remove("payer"))), "/payer/sp_openid"),
        (with("jsapi", |o| o["payer"] = json!({"sp_openid": "with space"})), "/payer/sp_openid"),
        (with("jsapi", |o| o["payer"] = json!({"sp_openid": "a".repeat(129)})), "/payer/sp_openid"),
        (with("jsapi", |o| o["payer"] = json!({"sp_openid": "a", "sub_openid": "b"})), "/payer"),
        (with("jsapi", |o| o["payer"] = json!({"sub_openid": "b"})), "/sub_appid"),
        (
            with("h5", |o| drop(o.as_object_mut().unwrap().remove("scene_info"))),
            "/scene_info/payer_client_ip",
        ),
        (with("h5", |o| o["scene_info"] = json!({"payer_client_ip": "1.1.1.1"})), "/scene_info/h5_info/type"),
        (with("app", |o| o["amount"]["total"] = json!(0)), "/amount/total"),
    ];
    for ((target, order), field) in cases {
        let answer = post(&pair.shop, &target, &order).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{field}");
        assert_eq!(answer.json()["detail"]["field"], field);
    }
    let unknown = post(&pair.shop, &format!("{PARTNER}/facepay"), &order).await;
    assert_eq!(unknown.refusal(), (404, "RESOURCE_NOT_EXISTS".to_owned()));
    assert_eq!(pair.facts().await, before);
}

#[actix_web::test]
async fn a_number_stands_for_one_product_and_one_that_the_institution_did_not_approve_is_refused() {
    let pair = Pair::open().await;
    let order = pair.shop.order("ORDER-1");
    assert_eq!(post(&pair.shop, &format!("{PARTNER}/native"), &order).await.status, 200);
    let other = post(&pair.shop, &format!("{PARTNER}/app"), &order).await;
    assert_eq!(other.refusal(), (400, "OUT_TRADE_NO_USED".to_owned()));

    let shop = Shop::open().await;
    shop::sub_merchant(&shop.app, shop.institution_id, "M1010", shop.tenant_id, "190010");
    let merchants = [
        ("M1001", "190001", Value::Null),
        ("M2001", "190002", Value::Null),
        ("M1009", "190009", json!("2026-01-01T00:00:01+08:00")),
        ("M1010", "190010", Value::Null),
    ];
    let contracts = |merchant: &str| match merchant {
        "M1010" => json!({"wechat/app": 3800}),
        _ => bundle::every_product(),
    };
    let named = ("APR_SANDBOX_DEMO_20260102_0001.json", "2026-01-02T00:00:00+08:00");
    bundle::issue_with(&shop.app, &shop.institution, shop.institution_id, named, &merchants, &contracts);
    let mut order = shop.order("ORDER-2");
    order["sub_mchid"] = json!("M1010");
    let refused = post(&shop, &format!("{PARTNER}/native"), &order).await;
    assert_eq!(refused.refusal(), (403, "NO_AUTH".to_owned()));
    assert_eq!(shop.rows().await["pay_order"], 0);
}

/// The shop as the other tenant, which has one merchant alone.
async fn alone(pair: &mut Pair) -> Receiver {
    let merchant = json!({"merchant": "M2001", "inst_merchant_no": "190002"});
    pair.sandbox.post("proposals", json!({"merchants": [merchant]})).await;
    let signer = Signer {
        mchid: "1900000002".to_owned(),
        serial: "1775B6A45ACD588826D15E583A95F5DD00AABBCC".to_owned(),
        key: shop::other_key(),
    };
    let tenant = shop::tenant(&pair.shop.app, "1900000002");
    let key = ApiV3Key::generate().unwrap();
    shop::credential(&pair.shop.app, tenant, &signer, &key, AnswerMode::Certificate);
    (pair.shop.signer, pair.shop.tenant_id, pair.shop.apiv3_key) = (signer, tenant, key);
    pair.shop.sub_mchid = "M2001".to_owned();
    Receiver::start(204)
}

#[actix_web::test]
async fn a_merchant_that_sells_for_itself_speaks_without_the_platforms_words() {
    let mut pair = Pair::open().await;
    let receiver = alone(&mut pair).await;
    for (product, key, _) in PRODUCTS {
        let number = format!("ORDER-{product}");
        let mut order = of_direct(&of_product(&pair.shop.order(&number), product));
        order["notify_url"] = json!(receiver.url);
        let placed = post(&pair.shop, &format!("{DIRECT}/{product}"), &order).await;
        assert_eq!(placed.status, 200, "{product}: {}", placed.json());
        pair.sandbox.post("pay", json!({key: placed.json()[key]})).await;
        assert_eq!(pair.sandbox.deliver().await["done"], 1, "{product}");
        let target = format!("{DIRECT}/out-trade-no/{number}?mchid=1900000002");
        let seen = pair.shop.call(Method::GET, &target, b"").await;
        pair.shop.assert_signed(&seen);
        let seen = seen.json();
        assert_eq!((&seen["mchid"], &seen["trade_state"]), (&json!("1900000002"), &json!("SUCCESS")));
        for foreign in ["sp_mchid", "sp_appid", "sub_mchid"] {
            assert!(seen.get(foreign).is_none(), "{foreign}");
        }
        let by_id = format!("{DIRECT}/id/{}?mchid=1900000002", seen["transaction_id"].as_str().unwrap());
        assert_eq!(pair.shop.call(Method::GET, &by_id, b"").await.json(), seen);
        assert_eq!(notices::deliver(&pair.shop.app).await.unwrap(), 1);
        let arrived = receiver.take().pop().unwrap();
        let (_, plain) = notification::open(&pair.shop.apiv3_key, &arrived.body).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap(), seen, "told as it is read");
    }
    let order = of_direct(&pair.shop.order("ORDER-2"));
    assert_eq!(post(&pair.shop, &format!("{DIRECT}/native"), &order).await.status, 200);
    let close = format!("{DIRECT}/out-trade-no/ORDER-2/close");
    assert_eq!(post(&pair.shop, &close, &json!({"mchid": "1900000002"})).await.status, 204);
    assert_eq!(pair.shop.state("ORDER-2").await, "CLOSED");
    assert_eq!(broken(&pair), Vec::<String>::new());
}

#[actix_web::test]
async fn what_is_wrong_is_named_in_the_words_of_who_asks() {
    let mut pair = Pair::open().await;
    let native = format!("{DIRECT}/native");
    // A tenant of several merchants cannot leave out for whom it asks.
    let order = of_direct(&pair.shop.order("ORDER-1"));
    assert_eq!(post(&pair.shop, &native, &order).await.refusal(), (403, "NO_AUTH".to_owned()));
    let _receiver = alone(&mut pair).await;
    let order = of_direct(&of_product(&pair.shop.order("ORDER-1"), "jsapi"));

    let cases: [(&str, &str, Change); 5] = [
        ("native", "/appid", |o| drop(o.as_object_mut().unwrap().remove("appid"))),
        ("native", "/mchid", |o| o["mchid"] = json!(17)),
        ("native", "/appid", |o| o["appid"] = json!("wx with space")),
        ("jsapi", "/payer/openid", |o| o["payer"] = json!({"sp_openid": "a"})),
        ("jsapi", "/payer/openid", |o| o["payer"]["openid"] = json!("")),
    ];
    for (product, field, change) in cases {
        let mut order = order.clone();
        change(&mut order);
        let answer = post(&pair.shop, &format!("{DIRECT}/{product}"), &order).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{field}");
        assert_eq!(answer.json()["detail"]["field"], field);
        assert!(answer.json()["message"].as_str().unwrap().starts_with(&field[1..].replace('/', ".")));
    }
    for (name, value, code) in
        [("mchid", "1900000001", "NO_AUTH"), ("appid", "wx0000000000000009", "APPID_MCHID_NOT_MATCH")]
    {
        let mut order = order.clone();
        order[name] = json!(value);
        assert_eq!(post(&pair.shop, &native, &order).await.refusal().1, code);
    }
    assert_eq!(pair.shop.rows().await["pay_order"], 0);
}

//! A merchant's systems speak both languages, its payers use both wallets, the institution has a channel of each: the day
//! is cut from the institution's bill and comes to its end.
use mingfen::check::breaks;
use mingfen::cli::demo::{close, scenery};
use mingfen::institutions::{self, Documents};
use mingfen::kernel::channel::ChannelName;
use mingfen::kernel::state::OrderState;
use mingfen::merchants::founding::{ChannelPart, Founding, KeyPart};
use mingfen::merchants::{applications, tenants};
use mingfen::orders;
use mingfen::people::Actor;
use mingfen::protocol::alipay::Method;
use mingfen::protocol::alipay::answer::{AnswerKey, Said, open};
use mingfen::protocol::alipay::answers::{Precreated, Trade, TradeStatus};
use mingfen::protocol::alipay::notification;
use mingfen::protocol::alipay::request::{Signer, sign};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::alipay::Ear;
use crate::support::finished_day::FinishedDay;
use crate::support::shop::{MERCHANT_KEY, establish};

const APP_ID: &str = "2021000000000001";

/// The platform's channel of the other wallet, as an operator enters it.
async fn with_alipay(f: &FinishedDay) {
    let app = &f.world.app;
    let (id, at) = (f.world.institution, app.clock.now());
    let decide = app.db.write(move |tx| {
        institutions::set_documents(tx, at, &Actor::shell(), id, Documents::Bil)?;
        let tenant = tenants::by_number(tx, scenery::SP_MCHID)?.unwrap();
        let pem = MERCHANT_KEY.public_key().unwrap().to_pem().unwrap();
        applications::create(tx, at, &Actor::shell(), tenant.id, (APP_ID, &pem))
    });
    decide.await.unwrap();
    let identity = std::fs::read(f.dir().join("sandbox/identity.json")).unwrap();
    let identity: Value = serde_json::from_slice(&identity).unwrap();
    let code = Some("SANDBOX".to_owned());
    let mut channel = ChannelPart {
        institution: code.clone(),
        channel: "alipay".to_owned(),
        language: "alipay_openapi".to_owned(),
        base_url: f.world.sandbox_url.clone(),
        sp_mchid: "2088000000000001".to_owned(),
        sp_appid: "2021000000000099".to_owned(),
        serial: None,
        private_key: None,
        apiv3_key: None,
    };
    channel.fill_own_key(app.clock.instant()).unwrap();
    let key = KeyPart {
        institution: code,
        purpose: "channel".to_owned(),
        channel: Some("alipay".to_owned()),
        key_id: Some("ALIPAY".to_owned()),
        public_key: identity["alipay_public_key"].as_str().unwrap().to_owned(),
        overlap_days: 30,
    };
    establish(app, Founding { channel: vec![channel], key: vec![key], ..Founding::default() });
    let master = app.master_key.clone();
    let registration = app
        .db
        .read(move |tx| institutions::registration(tx, &master, ("SANDBOX", ChannelName::Alipay), None, at));
    let registration = serde_json::to_value(registration.await.unwrap()).unwrap();
    f.world.sandbox("PUT", "/sandbox/platform/alipay", &registration).await.unwrap();
}

/// A call of the merchant's system, and what our signed answer says.
async fn call<T: DeserializeOwned + Serialize>(
    f: &FinishedDay,
    method: Method,
    notify_url: &str,
    content: &Value,
) -> T {
    let app = &f.world.app;
    let signer = Signer { app_id: APP_ID.to_owned(), key: MERCHANT_KEY.clone(), certificates: None };
    let now = app.clock.instant();
    let signed = sign(&signer, now, method.as_str(), notify_url, &content.to_string()).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/gateway.do?{}", f.world.site_url, signed.query);
    let form = "application/x-www-form-urlencoded";
    let answer = http.post(url).header("Content-Type", form).body(signed.body).send().await.unwrap();
    let body = answer.bytes().await.unwrap();
    match open::<T>(&[ours(f)], method.as_str(), &body).unwrap() {
        Said::Known(said) => said,
        _ => panic!("{}", String::from_utf8_lossy(&body)),
    }
}

fn ours(f: &FinishedDay) -> AnswerKey {
    AnswerKey { certificate: None, key: f.world.app.known_keys().wechat.public_key.clone() }
}

#[actix_web::test]
async fn a_day_of_both_wallets_is_sold_told_cut_verified_and_settled() {
    let f = FinishedDay::new(4).await;
    let (app, today) = (f.world.app.clone(), f.world.app.clock.today());
    with_alipay(&f).await;
    let ear = Ear::start("success");
    let content = json!({
        "out_trade_no": "ALIPAY-0001", "total_amount": "88.80", "subject": "茶点",
        "sub_merchant": {"merchant_id": "M1001"}, "passback_params": "mingfen:PROMO;agent=agent:A1;mine",
    });
    let placed: Precreated = call(&f, Method::Precreate, &ear.url, &content).await;
    let pay = json!({"qr_code": placed.qr_code});
    f.world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    let created = json!({
        "out_trade_no": "ALIPAY-0002", "total_amount": 12.5, "subject": "面", "buyer_id": "2088101117955611",
        "sub_merchant": {"merchant_id": "M1002"},
    });
    let numbers: Value = call(&f, Method::Create, &ear.url, &created).await;
    let pay = json!({"trade_no": numbers["trade_no"], "discount": 50});
    f.world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    f.world.settle_messages().await.unwrap();

    let told: Vec<_> = ear.take().iter().map(|body| notification::open(&[ours(&f)], body).unwrap()).collect();
    let mut paid: Vec<_> = told.iter().map(|one| (one.out_trade_no.as_str(), one.receipt_amount)).collect();
    paid.sort_unstable();
    let fen = |fen| Some(mingfen::kernel::money::Fen::new(fen));
    assert_eq!(paid, [("ALIPAY-0001", fen(8880)), ("ALIPAY-0002", fen(1200))]);
    let passed = told.iter().find(|one| one.out_trade_no == "ALIPAY-0001").unwrap();
    assert_eq!(passed.passback_params.as_deref(), Some("mingfen:PROMO;agent=agent:A1;mine"));
    let seen: Trade = call(&f, Method::Query, "", &json!({"out_trade_no": "ALIPAY-0002"})).await;
    assert_eq!(seen.trade_status, Some(TradeStatus::Success));

    app.clock.set(today.next().start().plus(10 * 3600));
    close(&f.world, today).await.unwrap();
    let spl = f.text(&format!("SPL_SANDBOX_DEMO_{today}_0001.txt"));
    for (number, product) in [("ALIPAY-0001", "native"), ("ALIPAY-0002", "jsapi")] {
        let find = app.db.read(move |tx| {
            let tenant = tenants::by_number(tx, scenery::SP_MCHID)?.unwrap().id;
            let order = orders::by_out_trade_no(tx, tenant, number)?.unwrap();
            orders::standing(tx, order)
        });
        let standing = find.await.unwrap();
        assert_eq!(standing.state, OrderState::Paid);
        let line = spl.lines().find(|line| line.contains(&standing.order.order_no)).unwrap();
        assert!(line.contains(&format!("|alipay|{product}|")), "{line}");
    }
    assert_eq!(spl.lines().filter(|line| line.contains("|wechat|native|")).count(), 4);
    assert_eq!(breaks(&app).unwrap(), Vec::<String>::new());
    f.stop().await;
}

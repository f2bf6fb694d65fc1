//! The sandbox institution by itself, as a process, met by a platform made by hand: nothing of our own intake is here.
use std::fs;
use std::path::{Path, PathBuf};

use mingfen::channels::Answer;
use mingfen::channels::http::{Guarded, Limits};
use mingfen::channels::wechat::{Client, Settings};
use mingfen::clock::Clock;
use mingfen::kernel::approvals::Bundle;
use mingfen::kernel::bill::{BillOrder, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::FileName;
use mingfen::kernel::file::bil::BilReader;
use mingfen::kernel::file::ret::{RetEncoding, RetReader};
use mingfen::kernel::money::Fen;
use mingfen::kernel::proposal::{Proposal, SplDraft, propose, write_spl};
use mingfen::protocol::crypto::{PrivateKey, base64};
use mingfen::protocol::wechat::certificates;
use mingfen::protocol::wechat::notification::ApiV3Key;
use mingfen::protocol::wechat::order::{OrderRequest, Prepaid};
use mingfen::protocol::wechat::shapes::{OrderOwner, TradeState};
use mingfen::protocol::wechat::sign::{AnswerKey, Authorization, SERIAL, Signer, Stamp};
use mingfen::sandbox::Registration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::sandbox_process::SandboxProcess;

const SP_MCHID: &str = "1900000001";

struct ByHand {
    sandbox: SandboxProcess,
    clock: Clock,
    client: Client,
    signer: Signer,
    apiv3_key: ApiV3Key,
    file_key: PrivateKey,
    sub_mchid: String,
    _dir: tempfile::TempDir,
}

fn rule() -> Value {
    json!({
        "rule": "standard", "version": 1, "institution": "SANDBOX",
        "effective_from": "2026-01-01T00:00:00+08:00", "effective_to": null,
        "scope": {"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]}, "priority": 10,
        "max_ratio_ppm": 300_000, "fee_bearer": "merchant", "when_short": "reject", "refund": "pro_rata",
        "shares": [
            {"to": "platform", "role": "platform", "rate_ppm": 6000},
            {"to": "agent:A1", "role": "agent", "rate_ppm": 20_000}
        ]
    })
}

fn proposal() -> Value {
    json!({
        "platform_cap_ppm": 50_000,
        "merchants": [{"merchant": "M1001"}],
        "receivers": [
            {"receiver": "platform", "role": "platform"}, {"receiver": "agent:A1", "role": "agent"}
        ],
        "rules": [rule()]
    })
}

impl ByHand {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = SandboxProcess::start(&dir.path().join("own"), &dir.path().join("files")).await;
        let clock = Clock::system();
        clock.set(Instant::parse("2026-12-30T10:00:00+08:00").unwrap());
        sandbox.follow(&clock).await;
        let (request_key, file_key) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let (serial, apiv3_key) = ("4A".repeat(20), ApiV3Key::generate().unwrap());
        sandbox
            .register(&Registration {
                sp_mchid: SP_MCHID.into(),
                sp_appid: "wx1".into(),
                serial: serial.clone(),
                public_key: request_key.public_key().unwrap().to_pem().unwrap(),
                apiv3_key: apiv3_key.expose().to_owned(),
                file_public_key: file_key.public_key().unwrap().to_pem().unwrap(),
                notify_base_url: None,
                public_key_mode: false,
            })
            .await;
        let issued = sandbox.post("proposals", proposal()).await;
        let bundle: Value = serde_json::from_str(issued["body"].as_str().unwrap()).unwrap();
        let sub_mchid = bundle["merchants"][0]["inst_merchant_no"].as_str().unwrap().to_owned();
        let key = mingfen::protocol::crypto::PublicKey::from_pem(&sandbox.identity.certificate).unwrap();
        let signer = Signer { mchid: SP_MCHID.into(), serial, key: request_key };
        let settings = Settings {
            base_url: sandbox.base_url().to_owned(),
            signer: signer.clone(),
            answer_keys: vec![AnswerKey { serial: sandbox.identity.serial.clone(), key }],
        };
        let guarded = Guarded::new(Limits::default(), true).unwrap();
        let client = Client::new(guarded, clock.clone(), settings).unwrap();
        Self { sandbox, clock, client, signer, apiv3_key, file_key, sub_mchid, _dir: dir }
    }

    fn order(&self, number: &str, total: i64) -> OrderRequest {
        serde_json::from_value(json!({
            "sp_appid": "wx1", "sp_mchid": SP_MCHID, "sub_mchid": self.sub_mchid, "description": "商品 one",
            "out_trade_no": number, "notify_url": "http://127.0.0.1:9/notify/SANDBOX/wechat",
            "attach": "food;agent=agent:A1;own", "amount": {"total": total, "currency": "CNY"}
        }))
        .unwrap()
    }

    fn owner(&self) -> OrderOwner {
        OrderOwner { sp_mchid: SP_MCHID.into(), sub_mchid: self.sub_mchid.clone() }
    }

    async fn paid(&self, number: &str, total: i64) -> Value {
        assert!(matches!(
            self.client.place(Prepaid::Native, &self.order(number, total)).await,
            Answer::Known(_)
        ));
        self.sandbox.pay(number).await
    }

    async fn state(&self, number: &str) -> TradeState {
        match self.client.query(number, &self.owner()).await {
            Answer::Known(evidence) => evidence.value.trade_state,
            other => panic!("{other:?}"),
        }
    }

    /// Goes on to the same time of the next day.
    async fn next_day(&self) {
        self.clock.advance(86_400);
        self.sandbox.follow(&self.clock).await;
    }

    fn inbox(&self, name: &str) -> PathBuf {
        self.sandbox.folder("in").join(name)
    }

    fn bundle(&self) -> Bundle {
        let mut names: Vec<PathBuf> =
            fs::read_dir(self.sandbox.folder("in")).unwrap().map(|e| e.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|e| e == "json"));
        names.sort();
        Bundle::parse(&fs::read(names.last().unwrap()).unwrap()).unwrap()
    }

    fn bil(&self, name: &str) -> Vec<BillOrder> {
        let bytes = fs::read(self.inbox(name)).unwrap();
        let mut reader = BilReader::new(bytes.as_slice()).unwrap();
        let mut orders = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            match row {
                BillRow::Order(order) => orders.push(order),
                BillRow::Refund(_) => panic!("a refund"),
            }
        }
        orders
    }

    /// An SPL of these orders, `extra` fen of the merchant's line given to the platform.
    fn spl(&self, name: &str, prev: Digest, orders: &[BillOrder], extra: i64) -> Vec<u8> {
        let bundle = self.bundle();
        let mut proposals: Vec<Proposal> =
            orders.iter().map(|order| propose(&bundle, order).unwrap()).collect();
        if let Some(Proposal::Split { split, .. }) = proposals.first_mut() {
            let last = split.lines.len() - 1;
            split.lines[0].amount = split.lines[0].amount.checked_add(Fen::new(extra)).unwrap();
            split.lines[last].amount = split.lines[last].amount.checked_sub(Fen::new(extra)).unwrap();
        }
        let draft = SplDraft {
            name: FileName::parse(name).unwrap(),
            created_at: self.clock.instant(),
            approvals: bundle.digest(),
            prev,
        };
        write_spl(Vec::new(), &draft, orders.iter().zip(&proposals)).unwrap().0
    }

    fn publish(&self, name: &str, bytes: &[u8], key: &PrivateKey) -> Digest {
        let day = name.split('_').nth(3).unwrap();
        let folder = self.sandbox.folder("out").join(day);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
        let signature = base64(&key.sign_sha256(bytes).unwrap());
        fs::write(folder.join(format!("{name}.sig")), signature).unwrap();
        fs::write(folder.join(format!("{name}.ok")), "").unwrap();
        Digest::of(bytes)
    }

    /// Lets the sandbox look; name and code of everything it answered.
    async fn answers(&self) -> Vec<(String, String)> {
        let answered = self.sandbox.post("files/process", json!({})).await;
        let answered = answered.as_array().unwrap().iter();
        answered
            .map(|a| (a["name"].as_str().unwrap().to_owned(), a["code"].as_str().unwrap().to_owned()))
            .collect()
    }
}

fn signed_by(key: &mingfen::protocol::crypto::PublicKey, file: &Path) -> bool {
    let signature = fs::read_to_string(format!("{}.sig", file.display())).unwrap();
    let signature = mingfen::protocol::crypto::from_base64(&signature).unwrap();
    key.verify(&fs::read(file).unwrap(), &signature)
}

#[actix_web::test]
async fn an_order_is_placed_once_and_its_payment_told_alike_by_query_bill_and_bil() {
    let platform = ByHand::start().await;
    let first = platform.client.place(Prepaid::Native, &platform.order("DEMO-0001", 12_345)).await;
    assert!(matches!(first, Answer::Known(_)), "{first:?}");
    assert_eq!(platform.client.place(Prepaid::Native, &platform.order("DEMO-0001", 12_345)).await, first);
    let other = platform.client.place(Prepaid::Native, &platform.order("DEMO-0001", 12_346)).await;
    assert!(matches!(&other, Answer::Refused { code, .. } if code == "OUT_TRADE_NO_USED"), "{other:?}");
    assert_eq!(platform.state("DEMO-0001").await, TradeState::NotPay);

    let paid = platform.sandbox.pay("DEMO-0001").await;
    assert_eq!(platform.sandbox.pay("DEMO-0001").await, paid, "an order is paid once");
    assert_eq!((&paid["paid"], &paid["fee"]), (&json!(12_345), &json!(47)));
    assert_eq!(platform.state("DEMO-0001").await, TradeState::Success);
    let closed = platform.client.close("DEMO-0001", &platform.owner()).await;
    assert!(matches!(closed, Answer::Refused { .. }), "{closed:?}");

    let day = platform.clock.today();
    let mut kept = tempfile::tempfile().unwrap();
    let fetch = || platform.client.trade_bill(day, kept.try_clone().unwrap());
    let early = fetch().await;
    assert!(matches!(early, Answer::Refused { .. }), "the day is not over: {early:?}");
    platform.next_day().await;
    let Answer::Known(fetched) = fetch().await else { panic!("no bill") };
    let mut bill = Vec::new();
    std::io::Seek::rewind(&mut kept).unwrap();
    std::io::Read::read_to_end(&mut kept, &mut bill).unwrap();
    let bundle = platform.bundle();
    let merchant = |no: &str| bundle.merchant_by_inst_no(no).map(str::to_owned);
    let reader = mingfen::protocol::wechat::bill::Reader::new(bill.as_slice(), &merchant).unwrap();
    let rows: Vec<BillRow> = reader.map(|row| row.unwrap()).collect();
    let bil = platform.bil(&format!("BIL_SANDBOX_DEMO_{day}_0001.txt"));
    assert_eq!(rows, bil.into_iter().map(BillRow::Order).collect::<Vec<_>>());
    let again = platform.client.trade_bill(day, tempfile::tempfile().unwrap()).await;
    assert_eq!(again, Answer::Known(fetched), "a bill never changes");
}

#[actix_web::test]
async fn a_file_is_taken_only_when_the_institutions_own_recomputation_agrees() {
    let platform = ByHand::start().await;
    for (number, total) in [("DEMO-0001", 12_345), ("DEMO-0002", 99)] {
        platform.paid(number, total).await;
    }
    let day = platform.clock.today();
    platform.next_day().await;
    platform.sandbox.post("bills", json!({"day": day.to_string()})).await;
    let orders = platform.bil(&format!("BIL_SANDBOX_DEMO_{day}_0001.txt"));
    assert_eq!(orders.len(), 2);

    // A platform that takes a fen and makes every total, digest and signature right again.
    let greedy = format!("SPL_SANDBOX_DEMO_{day}_0001.txt");
    let bytes = platform.spl(&greedy, Digest::ZERO, &orders, 1);
    let prev = platform.publish(&greedy, &bytes, &platform.file_key);
    assert_eq!(platform.answers().await, [(greedy.clone(), "E_VERIFY".to_owned())]);
    assert!(!platform.inbox(&format!("{greedy}.final.0001.ret")).exists());

    // The honest repetition, first under somebody else's signature.
    let honest = format!("SPL_SANDBOX_DEMO_{day}_0002.txt");
    let bytes = platform.spl(&honest, prev, &orders, 0);
    let whole = platform.publish(&honest, &bytes, &PrivateKey::generate().unwrap());
    assert_eq!(platform.answers().await, [(honest.clone(), "E_SIGN".to_owned())]);
    assert_eq!(platform.answers().await, [], "nothing new came");
    platform.publish(&honest, &bytes, &platform.file_key);
    assert_eq!(platform.answers().await, [(honest.clone(), "ACCEPTED".to_owned())]);
    assert_eq!(platform.answers().await, []);
    done_in_full(&platform, &honest, &orders);

    // Other bytes under the same name change nothing of what was answered.
    let result = fs::read(platform.inbox(&format!("{honest}.first.ret"))).unwrap();
    platform.publish(&honest, &platform.spl(&honest, prev, &orders, 1), &platform.file_key);
    assert_eq!(platform.answers().await, [(honest.clone(), "E_DUP".to_owned())]);
    assert_eq!(fs::read(platform.inbox(&format!("{honest}.first.ret"))).unwrap(), result);
    platform.publish(&honest, &bytes, &platform.file_key);

    // The next day's file must name the one before, and tell exactly the orders of its bill.
    let next = platform.clock.today();
    platform.paid("DEMO-0003", 500).await;
    platform.next_day().await;
    platform.sandbox.post("bills", json!({"day": next.to_string()})).await;
    let orders = platform.bil(&format!("BIL_SANDBOX_DEMO_{next}_0001.txt"));
    chained(&platform, next, whole, &orders).await;
}

fn done_in_full(platform: &ByHand, name: &str, orders: &[BillOrder]) {
    let key = platform.sandbox.identity.file_public_key.clone();
    let key = mingfen::protocol::crypto::PublicKey::from_pem(&key).unwrap();
    let done = platform.inbox(&format!("{name}.final.0001.ret"));
    assert!(signed_by(&key, &done) && signed_by(&key, &platform.inbox(&format!("{name}.first.ret"))));
    let mut reader =
        RetReader::new(std::io::BufReader::new(fs::File::open(done).unwrap()), RetEncoding::Utf8).unwrap();
    let pool: i64 = orders.iter().map(|order| order.facts.pool().get()).sum();
    assert_eq!((reader.header().lines, reader.header().success_total), (2, Fen::new(pool)));
    while reader.next_line().unwrap().is_some() {}
    assert!(reader.finish().unwrap().faults.is_empty());
}

async fn chained(platform: &ByHand, day: BusinessDay, prev: Digest, orders: &[BillOrder]) {
    let mut prev = prev;
    let code = async |seq: u16, named: Digest, orders: &[BillOrder]| {
        let name = format!("SPL_SANDBOX_DEMO_{day}_{seq:04}.txt");
        let digest = platform.publish(&name, &platform.spl(&name, named, orders, 0), &platform.file_key);
        let answers = platform.answers().await;
        assert_eq!((answers.len(), &answers[0].0), (1, &name));
        (digest, answers[0].1.clone())
    };
    for (seq, orders, right, expected) in [
        (1, orders, false, "E_CHAIN"),
        (2, &[][..], true, "E_VERIFY"),
        (3, orders, true, "ACCEPTED"),
        (4, orders, true, "E_DUP"),
    ] {
        let named = if right { prev } else { Digest::ZERO };
        let (digest, answer) = code(seq, named, orders).await;
        assert_eq!(answer, expected, "seq {seq}");
        prev = digest;
    }
}

#[actix_web::test]
async fn what_the_institution_promised_survives_being_killed() {
    let mut platform = ByHand::start().await;
    platform.paid("DEMO-0001", 700).await;
    let before = platform.sandbox.get("orders").await;
    platform.sandbox.kill();
    assert!(matches!(platform.client.query("DEMO-0001", &platform.owner()).await, Answer::Unknown(_)));
    platform.sandbox.restart().await;
    platform.sandbox.follow(&platform.clock).await;
    assert_eq!(platform.sandbox.get("orders").await, before);
    assert_eq!(platform.state("DEMO-0001").await, TradeState::Success);
    let due = platform.sandbox.deliver().await;
    assert_eq!((&due["due"], &due["done"]), (&json!(1), &json!(0)), "nobody listens, so it stays due");
    // Bundle, registration and clock were kept, too: an order can be placed at once.
    platform.paid("DEMO-0002", 800).await;
}

#[actix_web::test]
async fn a_bundle_repeats_all_that_was_approved_and_never_changes_the_past() {
    let platform = ByHand::start().await;
    let first = platform.bundle();
    let again = platform.sandbox.post("proposals", proposal()).await;
    assert_eq!(again["sha256"], first.digest().to_string(), "the same proposal changes nothing");

    platform.clock.advance(60);
    platform.sandbox.follow(&platform.clock).await;
    let more = json!({"merchants": [{"merchant": "M1002"}], "receivers": [{"receiver": "merchant:M1001", "role": "supplier"}]});
    platform.sandbox.post("proposals", more).await;
    let second = platform.bundle();
    assert_ne!(second.digest(), first.digest());
    assert_eq!(second.rules, first.rules);
    let number = &first.merchants["M1001"].inst_merchant_no;
    assert_eq!(&second.receivers["merchant:M1001"].inst_receiver_no, number);

    for backwards in [
        json!({"merchants": [{"merchant": "M1001", "inst_merchant_no": "1699999999"}]}),
        json!({"merchants": [{"merchant": "M1001", "active": [["2026-01-01T00:00:00+08:00", null]]}]}),
        json!({"merchants": [{"merchant": "M1003", "active": [["2026-01-01T00:00:00+08:00", null]]}]}),
        json!({"receivers": [{"receiver": "agent:A1", "role": "store"}]}),
        json!({"rules": [{"rule": "broken"}]}),
    ] {
        let (status, answer) =
            platform.sandbox.try_control(Method::POST, "proposals", Some(&backwards)).await;
        assert_eq!(status, 409, "{backwards} was approved: {answer}");
    }
    assert_eq!(platform.bundle().digest(), second.digest());
}

#[actix_web::test]
async fn a_notification_is_delivered_again_on_the_documented_schedule_and_then_given_up() {
    let platform = ByHand::start().await;
    platform.paid("DEMO-0001", 700).await;
    let minutes = [3, 10, 20, 30, 30, 30, 60, 180, 180, 180, 360, 360].map(|minutes| minutes * 60);
    assert_eq!(platform.sandbox.deliver().await, json!({"due": 1, "sent": 1, "done": 0}));
    for wait in [15, 15, 30].into_iter().chain(minutes) {
        platform.clock.advance(wait - 5);
        platform.sandbox.follow(&platform.clock).await;
        assert_eq!(platform.sandbox.deliver().await["due"], 0, "not yet after {wait} seconds");
        platform.clock.advance(5);
        platform.sandbox.follow(&platform.clock).await;
        assert_eq!(platform.sandbox.deliver().await["due"], 1, "after {wait} seconds");
    }
    platform.next_day().await;
    assert_eq!(platform.sandbox.deliver().await["due"], 0);
    assert!(platform.sandbox.get("deliveries").await[0]["given_up_at"].is_i64());
}

#[actix_web::test]
async fn a_person_pays_on_a_page_without_scripts() {
    let platform = ByHand::start().await;
    let Answer::Known(placed) =
        platform.client.place(Prepaid::Native, &platform.order("DEMO-0001", 12_345)).await
    else {
        panic!("not placed")
    };
    let browser = reqwest::Client::new();
    let page = browser.get(&placed).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let html = page.text().await.unwrap();
    assert!(
        html.contains("支付 ¥123.45") && html.contains("商品 one") && !html.contains("<script"),
        "{html}"
    );
    let paid = browser.post(&placed).send().await.unwrap().text().await.unwrap();
    assert!(paid.contains("支付成功") && !paid.contains("<button"), "{paid}");
    assert_eq!(platform.state("DEMO-0001").await, TradeState::Success);
    let unknown = format!("{}/sandbox/cashier/unknown", platform.sandbox.base_url());
    assert_eq!(browser.get(unknown).send().await.unwrap().status(), 404);
}

#[actix_web::test]
async fn certificates_open_with_the_platforms_key_and_forged_calls_are_refused_but_counted() {
    let platform = ByHand::start().await;
    let get = async |signer: &Signer, serial: &str| {
        let target = "/v3/certificates";
        let authorization =
            Authorization::sign(signer, platform.clock.instant(), "GET", target, b"").unwrap();
        let request = reqwest::Client::new()
            .get(format!("{}{target}", platform.sandbox.base_url()))
            .header("Authorization", authorization.to_string())
            .header(SERIAL, serial);
        let answer = request.send().await.unwrap();
        let stamp = Stamp::read(|name| answer.headers().get(name).and_then(|v| v.to_str().ok())).unwrap();
        (answer.status().as_u16(), stamp, answer.bytes().await.unwrap())
    };
    let identity = &platform.sandbox.identity;
    let (status, stamp, body) = get(&platform.signer, &identity.public_key_id).await;
    assert_eq!((status, &stamp.serial), (200, &identity.public_key_id));
    let opened = certificates::open(&platform.apiv3_key, &body).unwrap();
    assert_eq!((opened.len(), &opened[0].serial), (1, &identity.serial));
    assert!(stamp.verify(&opened[0].public_key, &body));

    let forged = Signer { key: PrivateKey::generate().unwrap(), ..platform.signer.clone() };
    let (status, stamp, body) = get(&forged, &identity.serial).await;
    assert_eq!((status, &stamp.serial), (401, &identity.serial));
    assert!(stamp.verify(&opened[0].public_key, &body), "refusals are signed, too");
    assert_eq!(platform.sandbox.get("requests").await["counts"]["certificates"], 2);
}

//! A tenant fetches the bill of its own orders: confirmed by the institution's bill, hashed before it is sent, and opened
//! by nobody else.
use std::io::Read;

use flate2::read::GzDecoder;
use mingfen::kernel::money::Fen;
use mingfen::merchants::credentials::AnswerMode;
use mingfen::protocol::crypto::sha1_hex;
use mingfen::protocol::wechat::bill::{COLUMNS, SUMMARY};
use mingfen::protocol::wechat::notification::ApiV3Key;
use mingfen::protocol::wechat::sign::{AnswerKey, Authorization, Signer, Stamp};
use reqwest::Response;
use serde_json::Value;

use crate::support::finished_day::FinishedDay;
use crate::support::shop::{self, other_key};

struct Caller<'a> {
    played: &'a FinishedDay,
    signer: Signer,
}

impl Caller<'_> {
    async fn get(&self, target: &str) -> Response {
        let clock = &self.played.world.app.clock;
        let signed = Authorization::sign(&self.signer, clock.instant(), "GET", target, b"").unwrap();
        let url = format!("{}{target}", self.played.world.site_url);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(url).header("Authorization", signed.to_string()).send().await.unwrap()
    }

    async fn refused(&self, target: &str) -> (u16, String) {
        let answer = self.get(target).await;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{target} {status}: {body}"));
        (status, body["code"].as_str().unwrap().to_owned())
    }

    /// Where the bill is and its hash, of an answer that our key signed.
    async fn offered(&self, target: &str) -> (String, String) {
        let answer = self.get(target).await;
        assert_eq!(answer.status(), 200);
        let stamp = Stamp::read(|name| answer.headers().get(name)?.to_str().ok()).unwrap();
        let body = answer.bytes().await.unwrap();
        let keys = self.played.world.app.known_keys();
        let ours = AnswerKey { serial: keys.wechat.serial.clone(), key: keys.wechat.public_key.clone() };
        stamp.check(&[ours], self.played.world.app.clock.instant(), &body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["hash_type"], "SHA1");
        let url = body["download_url"].as_str().unwrap();
        let target = url.strip_prefix(&self.played.world.site_url).unwrap();
        (target.to_owned(), body["hash_value"].as_str().unwrap().to_owned())
    }
}

/// The values of every detail line, and the summary's.
fn rows(text: &str) -> (Vec<Vec<&str>>, Vec<&str>) {
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap().split("\r\n").collect();
    let (details, end) = lines.split_at(lines.len() - 3);
    assert_eq!((details[0], end[0], end[2]), (COLUMNS, SUMMARY, ""));
    (details[1..].iter().map(|line| values(line)).collect(), values(end[1]))
}

fn values(line: &str) -> Vec<&str> {
    line.strip_prefix('`').unwrap().split(",`").collect()
}

#[actix_web::test]
async fn a_days_bill_tells_what_the_institutions_bill_confirmed_of_the_tenants_own_orders() {
    let played = FinishedDay::new(12).await;
    let caller = Caller { played: &played, signer: played.world.shop.signer.clone() };
    let day = played.day().date();
    let (target, hash) = caller.offered(&format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL")).await;
    let answer = caller.get(&target).await;
    assert!(!answer.headers().contains_key("wechatpay-signature"), "a bill is not signed, its hash is");
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(sha1_hex(&bytes), hash);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (lines, summary) = rows(&text);
    assert_eq!((lines.len(), summary[0]), (12, "12"));
    let sums = "SELECT CAST(SUM(p.paid) AS BIGINT) AS v FROM payment p WHERE p.business_date = ";
    let paid = played.database.raw().number(&format!("{sums}{}", played.day()));
    assert_eq!(summary[1], Fen::new(paid).yuan());
    let fees = "SELECT CAST(SUM(fee) AS BIGINT) AS v FROM bill_order WHERE business_date = ";
    let fees = played.database.raw().number(&format!("{fees}{}", played.day()));
    assert_eq!(summary[4], format!("{}000", Fen::new(fees).yuan()));
    let known = "SELECT o.out_trade_no || ' ' || p.inst_order_no AS v FROM payment p \
                 JOIN pay_order o ON o.id = p.order_id WHERE p.business_date = ";
    let known = played.database.raw().texts(&format!("{known}{} ORDER BY o.id", played.day()));
    let told: Vec<String> = lines.iter().map(|line| format!("{} {}", line[6], line[5])).collect();
    assert_eq!(told, known, "under the merchants' own numbers");

    let merchant = lines[0][3];
    let of_one = format!("/v3/bill/tradebill?bill_date={day}&sub_mchid={merchant}&tar_type=GZIP");
    let (target, hash) = caller.offered(&of_one).await;
    let packed = caller.get(&target).await.bytes().await.unwrap();
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    assert_eq!(sha1_hex(text.as_bytes()), hash, "of what is in it");
    let own = lines.iter().filter(|line| line[3] == merchant).count();
    assert!(own < 12 && rows(&text).0.len() == own);
    played.stop().await;
}

#[actix_web::test]
async fn a_bill_that_is_not_there_yet_is_refused_and_another_tenant_opens_none() {
    let played = FinishedDay::new(3).await;
    let app = &played.world.app;
    let caller = Caller { played: &played, signer: played.world.shop.signer.clone() };
    let (day, today) = (played.day().date(), app.clock.today().date());
    let long_ago = played.day().prev().prev().date();
    for (query, status, code) in [
        (format!("bill_date={today}"), 400, "PARAM_ERROR"),
        ("bill_date=20261119".to_owned(), 400, "PARAM_ERROR"),
        ("bill_date=2026-02-30".to_owned(), 400, "PARAM_ERROR"),
        (String::new(), 400, "PARAM_ERROR"),
        (format!("bill_date={day}&bill_date={day}"), 400, "PARAM_ERROR"),
        (format!("bill_date={day}&bill_type=REFUND"), 400, "PARAM_ERROR"),
        (format!("bill_date={day}&tar_type=ZIP"), 400, "PARAM_ERROR"),
        (format!("bill_date={day}&sub_mchid=M9999"), 403, "NO_AUTH"),
        (format!("bill_date={long_ago}"), 400, "NO_STATEMENT_EXIST"),
    ] {
        let refused = caller.refused(&format!("/v3/bill/tradebill?{query}")).await;
        assert_eq!(refused, (status, code.to_owned()), "{query}");
    }
    // The day in progress, once it is over and before it is cut.
    app.clock.set(app.clock.today().next().start().plus(3600));
    let refused = caller.refused(&format!("/v3/bill/tradebill?bill_date={today}")).await;
    assert_eq!(refused, (400, "INVALID_REQUEST".to_owned()));

    let (target, _) = caller.offered(&format!("/v3/bill/tradebill?bill_date={day}")).await;
    let stranger = Signer {
        mchid: "1900000077".to_owned(),
        serial: "2775B6A45ACD588826D15E583A95F5DD00AABBCC".to_owned(),
        key: other_key(),
    };
    let tenant = shop::tenant(app, &stranger.mchid);
    shop::credential(app, tenant, &stranger, &ApiV3Key::generate().unwrap(), AnswerMode::Certificate);
    let stranger = Caller { played: &played, signer: stranger };
    let gone = (404, "RESOURCE_NOT_EXISTS".to_owned());
    assert_eq!(stranger.refused(&target).await, gone);
    assert_eq!(
        stranger.refused(&format!("/v3/bill/tradebill?bill_date={day}")).await.1,
        "NO_STATEMENT_EXIST"
    );
    for token in ["", "../../logins.json", &"a".repeat(32)] {
        assert_eq!(caller.refused(&format!("/v3/billdownload/file?token={token}")).await, gone);
    }
    assert_eq!(caller.get(&target).await.status(), 200);
    played.stop().await;
}

//! What the site takes in before it knows who calls: how bodies travel, how long they may take, how many may stand at
//! the door, and what every answer carries.
use std::io::Read;

use actix_web::web::Data;
use flate2::read::GzDecoder;
use mingfen::app::App;
use mingfen::gateway::{alipay, wechat};
use mingfen::web::{self, door};
use reqwest::Method;
use serde_json::json;

use crate::support::TestApp;
use crate::support::acting::{Acting, Site};
use crate::support::finished_day::FinishedDay;
use crate::support::sandbox_process::eventually;
use crate::support::shop::{Call, Shop};
use crate::support::wire::Wire;

const NATIVE: &str = "/v3/pay/partner/transactions/native";

fn addresses() -> Vec<(Method, String)> {
    let pages = web::ADDRESSES.iter().map(|address| (&address.method, address.path));
    let gateway = wechat::ADDRESSES.iter().map(|address| (&address.method, address.path));
    let others = alipay::ADDRESSES.iter().map(|(method, path)| (method, *path));
    let all = pages.chain(gateway).chain(others);
    all.map(|(method, path)| (method.as_str().parse().unwrap(), path.replace(['{', '}', ':', '*'], "x")))
        .collect()
}

/// A gzip of much more than it is.
fn bomb() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &vec![b' '; 1 << 20]).unwrap();
    gzip.finish().unwrap()
}

#[actix_web::test]
async fn no_address_takes_a_coded_body() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let bomb = bomb();
    for (method, target) in addresses() {
        for coding in ["gzip", "deflate", "br", "identity, gzip", "x"] {
            let headers = vec![("Content-Encoding", coding.to_owned())];
            let call = Call { method: method.clone(), target: target.clone(), body: bomb.clone(), headers };
            let answer = shop.send(call).await;
            assert_eq!(answer.status, 415, "{method} {target} {coding}");
            let kind = answer.headers["content-type"].to_str().unwrap();
            let expected = match target.split('/').nth(1).unwrap() {
                "notify" if target.ends_with("/alipay") => "text/plain; charset=utf-8",
                "v3" | "notify" | "gateway.do" => "application/json; charset=utf-8",
                _ => "text/html; charset=utf-8",
            };
            assert_eq!(kind, expected, "{target}");
        }
    }
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn a_signature_covers_the_bytes_that_travelled() {
    let shop = Shop::open().await;
    let plain = shop.order("ORDER-1").to_string().into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let before = shop.rows().await;
    let call = |signed: &[u8], sent: &[u8], coding: Option<&str>| {
        let authorization = shop.authorize("POST", NATIVE, signed).to_string();
        let mut headers = vec![("Authorization", authorization)];
        headers.extend(coding.map(|coding| ("Content-Encoding", coding.to_owned())));
        shop.send(Call { method: Method::POST, target: NATIVE.to_owned(), body: sent.to_vec(), headers })
    };
    for signed in [&plain, &gzip] {
        assert_eq!(call(signed, &gzip, Some("gzip")).await.status, 415);
    }
    // As it travelled: who it is, is believed, and what it says is no JSON.
    assert_eq!(call(&gzip, &gzip, None).await.refusal(), (400, "PARAM_ERROR".to_owned()));
    assert_eq!(call(&plain, &gzip, None).await.refusal(), (401, "SIGN_ERROR".to_owned()));
    assert_eq!(shop.rows().await, before);
    assert_eq!(call(&plain, &plain, Some("identity")).await.status, 200);
}

#[actix_web::test]
async fn the_sandbox_takes_no_coded_body_and_static_files_are_compressed_beforehand() {
    let played = FinishedDay::new(1).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/v3/certificates", "/sandbox/pay", "/sandbox/cashier/x"] {
        let url = format!("{}{path}", played.world.sandbox_url);
        let answer = http.post(url).header("Content-Encoding", "gzip").body(bomb()).send().await.unwrap();
        assert_eq!(answer.status(), 415, "{path}");
    }
    let login = http.get(format!("{}/login", played.world.site_url)).header("Accept-Encoding", "gzip");
    let login = login.send().await.unwrap();
    assert!(!login.headers().contains_key("content-encoding"), "a page holds secrets");
    let page = login.text().await.unwrap();
    let style = page.split('"').find(|text| text.ends_with("app.css")).unwrap();
    let get = async |path: &str, accepted: Option<&str>| {
        let mut request = http.get(format!("{}{path}", played.world.site_url));
        if let Some(accepted) = accepted {
            request = request.header("Accept-Encoding", accepted);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let told = (answer.status().as_u16(), header("content-encoding"), header("vary"));
        (told, answer.bytes().await.unwrap())
    };
    let vary = Some("Accept-Encoding".to_owned());
    let (told, plain) = get(style, None).await;
    assert_eq!(told, (200, None, vary.clone()));
    for refuses in ["", "identity", "br", "gzip;q=0"] {
        let (told, body) = get(style, Some(refuses)).await;
        assert_eq!((told, body), ((200, None, vary.clone()), plain.clone()), "{refuses}");
    }
    let (told, body) = get(style, Some("br;q=1, gzip;q=0.8")).await;
    assert_eq!(told, (200, Some("gzip".to_owned()), vary));
    let mut inflated = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut inflated).unwrap();
    assert!(inflated == plain && body.len() < plain.len() / 2);
    let digest = style.split('/').nth(2).unwrap();
    for wrong in ["0000000000000000", "x", &digest[1..]] {
        let ((status, ..), _) = get(&style.replace(digest, wrong), None).await;
        assert_eq!(status, 404, "{wrong}");
    }
    played.stop().await;
}

/// A platform behind its real door.
async fn behind_the_door(per_address: u32) -> (TestApp, String, actix_web::dev::ServerHandle) {
    let app = TestApp::configured(|config| config.connections_per_address = per_address);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = door::open(&Data::new(App::clone(&app)), listener, 2, 1).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (app, url, handle)
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_given_up_and_its_connection_closed() {
    let shop = Shop::open().await;
    let (_app, url, server) = behind_the_door(100).await;
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let mut checks = Vec::new();
    for (path, shape) in [("/login", "<html"), ("/notify/SANDBOX/wechat", "\"code\""), (NATIVE, "")] {
        for framing in ["Content-Length: 5000", "Transfer-Encoding: chunked"] {
            for drips in [true, false] {
                let url = url.clone();
                checks.push(async move {
                    let mut wire = Wire::to(&url).await;
                    let begun = if framing.starts_with('T') { "ffff\r\nlogin=" } else { "login=" };
                    wire.send(&format!(
                        "POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\n{framing}\r\n\r\n{begun}"
                    ))
                    .await;
                    let said = if drips { wire.drip().await } else { wire.rest().await };
                    // Who cannot have signed is told so without waiting.
                    let status = if path == NATIVE {
                        "401"
                    } else if path == "/login" {
                        "408"
                    } else {
                        "404"
                    };
                    assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {framing}: {said}");
                    assert!(
                        said.contains(shape) && said.contains("x-content-type-options: nosniff"),
                        "{said}"
                    );
                });
            }
        }
    }
    let signed = async {
        let mut wire = Wire::to(&shop.base_url).await;
        let authorization = shop.authorize("POST", NATIVE, b"{}");
        let head = format!("Host: x\r\nAuthorization: {authorization}\r\nContent-Length: 2");
        wire.send(&format!("POST {NATIVE} HTTP/1.1\r\n{head}\r\n\r\n{{")).await;
        let said = wire.rest().await;
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("INVALID_REQUEST"), "{said}");
    };
    futures_util::future::join(futures_util::future::join_all(checks), signed).await;
    server.stop(false).await;
}

#[actix_web::test]
async fn a_connection_that_asks_nothing_whole_is_closed_after_an_answer_too() {
    let (_app, url, server) = behind_the_door(100).await;
    let mut wire = Wire::to(&url).await;
    wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
    wire.send("GET /healthz HTTP/1.1\r\nHo").await;
    assert!(!wire.drip().await.contains("200"));
    server.stop(false).await;
}

#[actix_web::test]
async fn one_address_has_so_many_connections_and_gets_a_place_back_when_one_ends() {
    let (_app, url, server) = behind_the_door(3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::to(&url).await;
        wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
        held.push(wire);
    }
    let mut fourth = Wire::to(&url).await;
    fourth.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(fourth.rest().await, "");
    held.pop();
    let asked = async || {
        let mut wire = Wire::to(&url).await;
        wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        wire.rest().await.starts_with("HTTP/1.1 200 ").then_some(())
    };
    eventually("a place at the door", asked).await;
    server.stop(false).await;
}

#[actix_web::test]
async fn whoever_takes_nothing_of_its_answers_does_not_keep_its_place() {
    let page = Site::of(TestApp::new()).await.anon().get("/login").await.body;
    let style = page.split('"').find(|text| text.ends_with("app.css")).unwrap();
    let (_app, url, server) = behind_the_door(1).await;
    // Many times what the system holds for somebody who does not read: the last answer is never written.
    let mut takes_nothing = Wire::to(&url).await;
    takes_nothing.send(&format!("GET {style} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(2_000)).await;
    assert!(takes_nothing.head().await.starts_with("HTTP/1.1 200 "));
    let place = async {
        loop {
            let mut wire = Wire::to(&url).await;
            wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            if wire.rest().await.starts_with("HTTP/1.1 200 ") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let patience = std::time::Duration::from_secs(180);
    tokio::time::timeout(patience, place).await.expect("the place is held still");
    // It was there until now, and took nothing more.
    drop(takes_nothing);
    server.stop(false).await;
}

#[test]
fn connections_leave_descriptors_for_the_work() {
    assert_eq!(door::room(4096, u64::MAX), 4096);
    assert_eq!(door::room(4096, 1024), 320);
    assert_eq!(door::room(100, 1024), 100);
    assert_eq!(door::room(4096, 100), 16);
}

#[actix_web::test]
async fn every_answer_says_that_it_is_not_kept_and_what_it_is() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let mut anon = Acting::at(&shop.base_url);
    for path in ["/healthz", "/readyz", "/login", "/nowhere", NATIVE, "/v3/nowhere", "/notify/NOBODY/wechat"]
    {
        let page = anon.get(path).await;
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(!page.header("request-id").is_empty(), "{path}");
    }
    let signed = shop.query("ORDER-1").await;
    let told = |name: &str| signed.headers[name].to_str().unwrap();
    assert_eq!((told("x-content-type-options"), told("cache-control")), ("nosniff", "no-store"));
}

#[actix_web::test]
async fn head_is_answered_as_get_without_a_body() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    for path in ["/healthz", "/readyz", "/login", "/admin"] {
        let get =
            shop.send(Call { method: Method::GET, target: path.to_owned(), body: vec![], headers: vec![] });
        let head =
            shop.send(Call { method: Method::HEAD, target: path.to_owned(), body: vec![], headers: vec![] });
        let (get, head) = (get.await, head.await);
        assert_eq!(
            (head.status, head.headers.get("location")),
            (get.status, get.headers.get("location")),
            "{path}"
        );
        assert_eq!(head.headers.get("content-length"), get.headers.get("content-length"), "{path}");
        assert_eq!(head.body.len(), 0);
    }
    let target = shop.query_target("ORDER-1");
    let before = shop.rows().await;
    let head = shop.call(Method::HEAD, &target, b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(shop.rows().await, before);
    // A HEAD is no POST.
    let head = shop.call(Method::HEAD, NATIVE, b"").await;
    assert_eq!(head.status, 404);
}

#[actix_web::test]
async fn a_list_is_no_object_at_any_depth() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let order = shop.order("ORDER-1");
    let fields = ["sp_appid", "sp_mchid", "sub_mchid", "description", "out_trade_no", "notify_url"];
    let mut in_order: Vec<serde_json::Value> = fields.iter().map(|field| order[field].clone()).collect();
    in_order.extend([json!(null), json!(null), json!(null), json!({"total": 1, "currency": "CNY"})]);
    let mut amount = order.clone();
    amount["amount"] = json!([12345, "CNY"]);
    for body in [json!(in_order), amount] {
        let answer = shop.call(Method::POST, NATIVE, body.to_string().as_bytes()).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{body}");
    }
    assert_eq!(shop.rows().await, before);
    let number = shop.placed("ORDER-1").await;
    let target = "/v3/pay/partner/transactions/out-trade-no/ORDER-1/close";
    let owner = json!([shop.sp_mchid(), shop.sub_mchid]).to_string();
    assert_eq!(
        shop.call(Method::POST, target, owner.as_bytes()).await.refusal(),
        (400, "PARAM_ERROR".to_owned())
    );
    assert_eq!(shop.order_no("ORDER-1").await, number);
}

#[test]
fn what_an_institution_says_is_read_as_documented_too() {
    use mingfen::protocol::json;
    use mingfen::protocol::wechat::shapes::{OrderOwner, TradeState};
    let read = |text: &str| json::from_slice::<Option<Vec<OrderOwner>>>(text.as_bytes());
    assert_eq!(read(r#"[{"sp_mchid": "1", "sub_mchid": "2", "x": [1]}]"#).unwrap().unwrap().len(), 1);
    assert!(read("null").unwrap().is_none());
    for wrong in [
        r#"[["1", "2"]]"#,
        r#"{"sp_mchid": "1", "sub_mchid": "2"}"#,
        r#"[{"sp_mchid": "1", "sp_mchid": "1", "sub_mchid": "2"}]"#,
        r#"[{"sp_mchid": "1"}]"#,
        r#"["1"]"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert_eq!(json::from_slice::<TradeState>(b"\"SUCCESS\"").unwrap(), TradeState::Success);
    assert_eq!(json::from_slice::<(i64, String)>(b"[5, \"a:b\"]").unwrap(), (5, "a:b".to_owned()));
}

#[actix_web::test]
async fn a_form_counts_from_the_address_of_the_settings_whatever_host_it_names() {
    let site =
        Site::of(TestApp::configured(|config| config.public_url = "http://pay.example".to_owned())).await;
    let from = async |headers: &[(&'static str, &str)]| {
        let answer = site.anon().post_from("/login", &[("login", "x"), ("password", "y")], headers).await;
        answer.status
    };
    assert_eq!(from(&[]).await, 401);
    for ours in ["http://pay.example", "http://pay.example:80"] {
        assert_eq!(from(&[("origin", ours)]).await, 401, "{ours}");
    }
    assert_eq!(from(&[("origin", "http://evil.example"), ("host", "evil.example")]).await, 403);
    for foreign in ["https://pay.example", "http://pay.example:8080", "http://pay.example.evil", "null", ""] {
        assert_eq!(from(&[("origin", foreign)]).await, 403, "{foreign}");
    }
}

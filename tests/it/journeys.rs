//! A journey through the pages for each role, in a real browser, over days that `demo` played. Every figure that is
//! expected comes from the published files, read here line by line, not from our own queries.
use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::support::browser::Browser;
use crate::support::finished_day::{DAY, FinishedDay};
use crate::support::told::{Told, read_spl, yuan};

/// Orders of a day.
const ORDERS: usize = 24;
const SPL: &str = "SPL_SANDBOX_DEMO_20261119_0001.txt";

/// A finished day, its split file's orders, and a browser of somebody in this role.
async fn begin(role: &str) -> (FinishedDay, Vec<Told>, Browser) {
    let played = FinishedDay::new(ORDERS).await;
    let orders = read_spl(&played.text(SPL));
    assert_eq!(orders.len(), ORDERS);
    let browser = Browser::open(&played.world.site_url).await;
    let login = played.world.logins.iter().find(|login| login.role == role).unwrap();
    browser.log_in(&login.login, &login.password).await;
    (played, orders, browser)
}

async fn end(played: FinishedDay, browser: Browser) {
    browser.close().await;
    played.stop().await;
}

fn sum(orders: &[&Told]) -> i64 {
    orders.iter().map(|order| order.paid).sum()
}

/// `20261120` as date fields have it.
fn dashed(day: &str) -> String {
    format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..])
}

#[actix_web::test]
async fn an_admin_finds_on_screen_what_the_split_file_says() {
    let (played, orders, browser) = begin("ADMIN").await;
    let day = dashed(DAY);

    let unsplit: Vec<&Told> = orders.iter().filter(|order| order.reason.is_some()).collect();
    browser.visit("admin-desk", "/admin").await;
    assert_eq!(browser.text(".stat a[href='/admin/exceptions']").await, unsplit.len().to_string());
    assert!(browser.text("#steps").await.contains(&day));
    let every_step = "return document.querySelectorAll('.steps .done').length";
    assert_eq!(browser.script(every_step).await, 6);

    let list = format!("/admin/orders?from={day}&to={day}&state=PAID");
    browser.visit("admin-orders", &list).await;
    let all: Vec<&Told> = orders.iter().collect();
    assert_eq!(browser.text("#list").await, format!("{} 笔，{}", all.len(), yuan(sum(&all))));

    let deepest = orders.iter().max_by_key(|order| order.lines.len()).unwrap();
    browser.visit("admin-order", &format!("/admin/orders/{}", deepest.order_no)).await;
    assert_flow(&browser, deepest).await;

    browser.visit("admin-order-unsplit", &format!("/admin/orders/{}", unsplit[0].order_no)).await;
    assert!(browser.text(".note.warn").await.contains(unsplit[0].reason.as_deref().unwrap()));
    assert!(browser.text(".tl").await.contains("作为例外（X 行）写入分账文件"));

    browser.visit("admin-exceptions", "/admin/exceptions").await;
    let listed: BTreeSet<(String, String)> = browser
        .rows("table")
        .await
        .into_iter()
        .map(|row| (row[0].replace(char::is_whitespace, ""), row[5].clone()))
        .collect();
    let told = unsplit.iter().map(|order| (order.order_no.clone(), yuan(order.paid))).collect();
    assert_eq!(listed, told);

    browser.visit("admin-rules", "/admin/rules").await;
    browser.visit("admin-files", "/admin/files").await;
    browser.visit("admin-desk-en", "/admin?lang=en").await;
    browser.visit("admin-order-en", &format!("/admin/orders/{}", deepest.order_no)).await;
    browser.visit("admin-files", "/admin/files?lang=zh").await;
    let digest = hex::encode(Sha256::digest(played.text(SPL)));
    assert!(browser.text("main").await.contains(&digest));
    end(played, browser).await;
}

/// The table beside the picture holds the file's lines, and they add up with the fee to what was paid.
async fn assert_flow(browser: &Browser, order: &Told) {
    let rows = browser.rows("section.accent table").await;
    let keys = "return [...document.querySelectorAll('section.accent tbody tr')]\
                .map(row => row.querySelector('.mono')?.textContent ?? '')";
    let keys: Vec<String> = serde_json::from_value(browser.script(keys).await).unwrap();
    let lines = keys.iter().zip(&rows).filter(|(key, _)| !key.is_empty());
    let shown: BTreeSet<(String, String)> = lines.map(|(key, row)| (key.clone(), row[2].clone())).collect();
    let told: BTreeSet<(String, String)> =
        order.lines.iter().map(|(receiver, fen)| (receiver.clone(), yuan(*fen))).collect();
    assert_eq!(shown, told);
    assert_eq!(rows.last().unwrap()[2], yuan(order.fee));
    assert!(rows.iter().all(|row| row[1] != "—"), "a line without words: {rows:?}");
    let lines: i64 = order.lines.iter().map(|(_, fen)| fen).sum();
    assert_eq!(lines + order.fee, order.paid);
    assert!(browser.text(".eq").await.contains("差额 0 分"));
    assert_eq!(browser.text(".stat.hl dd").await, yuan(order.merchants_own()));
}

#[actix_web::test]
async fn a_merchant_sees_its_own_orders_and_what_it_is_credited() {
    let (played, orders, browser) = begin("MERCHANT").await;
    let day = dashed(DAY);

    browser.visit("merchant-desk", "/merchant").await;
    let merchant = browser.text(".meta .mono").await;
    let own: Vec<&Told> = orders.iter().filter(|order| order.merchant == merchant).collect();
    assert!(!own.is_empty(), "the demo's merchant has orders");

    browser.visit("merchant-orders", &format!("/merchant/orders?from={day}&to={day}")).await;
    let heading = browser.text("#list").await;
    let links = "return [...document.querySelectorAll('td.first a')].map(a => a.getAttribute('href').split('/').pop())";
    let listed: BTreeSet<String> = serde_json::from_value(browser.script(links).await).unwrap();
    let told: BTreeSet<String> = own.iter().map(|order| order.order_no.clone()).collect();
    assert!(told.is_subset(&listed), "{heading}");
    let mut of_others = orders.iter().filter(|order| order.reason.is_none() && order.merchant != merchant);
    assert!(of_others.clone().all(|order| !listed.contains(&order.order_no)));

    browser.visit("merchant-order", &format!("/merchant/orders/{}", own[0].order_no)).await;
    assert_flow(&browser, own[0]).await;

    browser.visit("merchant-settlements-en", "/merchant/settlements?lang=en").await;
    browser.visit("merchant-settlements", "/merchant/settlements?lang=zh").await;
    let rows = browser.rows("table").await;
    let receiver = format!("merchant:{merchant}");
    let lines = orders.iter().flat_map(|order| &order.lines).filter(|(to, _)| *to == receiver);
    let due: i64 = lines.map(|(_, fen)| fen).sum();
    assert_eq!(
        (rows[0][0].as_str(), rows[0][3].as_str(), rows[0][6].as_str()),
        (&*day, &*yuan(due), &*yuan(due))
    );
    assert!(rows[0][8].starts_with("已入账"), "{rows:?}");

    let foreign = of_others.next_back().unwrap();
    browser.goto(&format!("/merchant/orders/{}", foreign.order_no)).await;
    assert!(browser.text("main").await.contains("没有这个页面"));
    end(played, browser).await;
}

#[actix_web::test]
async fn an_institution_fetches_the_files_and_answers_them() {
    let (played, orders, browser) = begin("INST_MAKER").await;

    browser.visit("institution-inbox-en", "/institution?lang=en").await;
    browser.visit("institution-inbox", "/institution?lang=zh").await;
    let page = browser.text("main").await;
    assert!(page.contains(SPL) && page.contains(&hex::encode(Sha256::digest(played.text(SPL)))));
    let split: i64 = orders.iter().flat_map(|order| &order.lines).map(|(_, fen)| fen).sum();
    assert!(page.contains(&yuan(split)), "the total of {SPL}");

    for file in [SPL.to_owned(), format!("{SPL}.sig")] {
        let fetch = format!(
            "const done = arguments[arguments.length - 1];\
             fetch('/institution/files/{file}').then(a => a.text()).then(done)"
        );
        let fetched = browser.client.execute_async(&fetch, Vec::new()).await.unwrap();
        assert_eq!(fetched.as_str().unwrap(), played.text(&file), "{file}");
    }

    // The institution sends its own first answer once more: nothing happens twice.
    let answer = played.inbox(&format!("{SPL}.first.ret"));
    browser.fill("#file", answer.to_str().unwrap()).await;
    browser.fill("#sig", &format!("{}.sig", answer.display())).await;
    let send = fantoccini::Locator::Css("form.stack button");
    browser.client.find(send).await.unwrap().click().await.unwrap();
    assert!(browser.text("[role=status]").await.contains("没有做任何改动"));
    end(played, browser).await;
}

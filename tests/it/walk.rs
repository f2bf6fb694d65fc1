//! A walk over every address of the site, with nobody and with every role: what each is answered, and what each page
//! says in both languages. An address without its row here fails the walk; who is let in follows from the matrix of
//! rights, which stands here once more so that nobody changes it unseen.
use std::collections::{BTreeMap, BTreeSet};

use mingfen::gateway::{alipay, wechat};
use mingfen::people::Role;
use mingfen::people::rights::Resource::{
    Desk, Exceptions, Files, Notices, Orders, Rules, Settlements, Tasks,
};
use mingfen::people::rights::Right::{Manage, View};
use mingfen::people::rights::Tenant::{Institution, Merchant, Platform};
use mingfen::people::rights::{Resource, Right, Tenant};
use mingfen::web;

use crate::support::acting::{Acting, Page};
use crate::support::finished_day::FinishedDay;
use crate::support::told::read_spl;

const SPL: &str = "SPL_SANDBOX_DEMO_20261119_0001.txt";

/// What an address answers, and to whom.
enum Answers {
    /// This text, to everybody.
    Text(&'static str),
    /// A file that never changes, to everybody.
    Asset,
    /// A merchant's system or an institution that signs; a person's session is nothing to it.
    Signed,
    /// The same in a language that refuses with HTTP 200.
    SignedWithin,
    /// An institution that signs, answered in plain text.
    SignedPlainly,
    /// The login, to everybody.
    Login,
    /// To the login whoever is nobody; the others to their first page.
    Start,
    /// Whoever is logged in and pressed a button of our own page.
    Pressed,
    /// Whoever has this right.
    May(Tenant, Right, Resource),
}
use Answers::{Asset, Login, May, Pressed, Signed, SignedPlainly, SignedWithin, Start, Text};

/// The row of an address.
struct Row {
    method: &'static str,
    path: &'static str,
    answers: Answers,
    /// Of a page: its title in Chinese and English, and its heading where that is another.
    title: Option<[&'static str; 2]>,
    heading: Option<&'static str>,
}

const fn row(method: &'static str, path: &'static str, answers: Answers) -> Row {
    Row { method, path, answers, title: None, heading: None }
}

const fn page(
    path: &'static str,
    tenant: Tenant,
    resource: Resource,
    zh: &'static str,
    en: &'static str,
) -> Row {
    Row { title: Some([zh, en]), ..row("GET", path, May(tenant, View, resource)) }
}

const ROWS: &[Row] = &[
    row("GET", "/healthz", Text("ok\n")),
    row("GET", "/readyz", Text("ready\n")),
    row("GET", "/static/{digest}/{path:.*}", Asset),
    row("GET", "/", Start),
    Row { title: Some(["登录", "Log in"]), ..row("GET", "/login", Login) },
    row("POST", "/login", Login),
    row("POST", "/logout", Pressed),
    page("/admin", Platform, Desk, "工作台", "Desk"),
    page("/admin/orders", Platform, Orders, "订单", "Orders"),
    page("/admin/orders/{order_no}", Platform, Orders, "订单", "Order"),
    row("POST", "/admin/orders/{order_no}/tell", May(Platform, Manage, Notices)),
    page("/admin/rules", Platform, Rules, "分账规则", "Split rules"),
    page("/admin/exceptions", Platform, Exceptions, "例外", "Exceptions"),
    row("POST", "/admin/exceptions/{order_no}/ask", May(Platform, Manage, Exceptions)),
    row("POST", "/admin/apart/{institution}/{channel}/{number}/again", May(Platform, Manage, Exceptions)),
    row("POST", "/admin/apart/{institution}/{channel}/{number}/end", May(Platform, Manage, Exceptions)),
    page("/admin/files", Platform, Files, "文件", "Files"),
    row("GET", "/admin/files/{name}", May(Platform, View, Files)),
    page("/admin/tasks", Platform, Tasks, "任务", "Tasks"),
    row("POST", "/admin/tasks/{id}/cancel", May(Platform, Manage, Tasks)),
    Row { heading: Some("云栖茶舍"), ..page("/merchant", Merchant, Desk, "工作台", "Desk") },
    page("/merchant/orders", Merchant, Orders, "订单", "Orders"),
    page("/merchant/orders/{order_no}", Merchant, Orders, "订单", "Order"),
    row("POST", "/merchant/orders/{order_no}/tell", May(Merchant, Manage, Notices)),
    page("/merchant/settlements", Merchant, Settlements, "结算明细", "Settlements"),
    page("/institution", Institution, Files, "收件箱", "Inbox"),
    row("GET", "/institution/files/{name}", May(Institution, View, Files)),
    row("POST", "/institution/files", May(Institution, Manage, Files)),
    row("POST", "/v3/pay/partner/transactions/{product}", Signed),
    row("GET", "/v3/bill/tradebill", Signed),
    row("GET", "/v3/billdownload/file", Signed),
    row("POST", "/v3/pay/transactions/{product}", Signed),
    row("GET", "/v3/pay/transactions/id/{number}", Signed),
    row("GET", "/v3/pay/transactions/out-trade-no/{number}", Signed),
    row("POST", "/v3/pay/transactions/out-trade-no/{number}/close", Signed),
    row("GET", "/v3/pay/partner/transactions/id/{number}", Signed),
    row("GET", "/v3/pay/partner/transactions/out-trade-no/{number}", Signed),
    row("POST", "/v3/pay/partner/transactions/out-trade-no/{number}/close", Signed),
    row("GET", "/v3/certificates", Signed),
    row("POST", "/notify/{institution}/wechat", Signed),
    row("GET", "/gateway.do", SignedWithin),
    row("POST", "/gateway.do", SignedWithin),
    row("POST", "/notify/{institution}/alipay", SignedPlainly),
];

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
    /// A real address for the pattern.
    fn address(&self, samples: &BTreeMap<&str, String>) -> String {
        let mut address = self.path.to_owned();
        for (name, value) in samples {
            address = address.replace(name, value);
        }
        assert!(!address.contains('{'), "{address}: a sample is missing");
        address
    }
    fn lets_in(&self, role: Role) -> bool {
        match self.answers {
            May(tenant, right, resource) => role.tenant() == tenant && role.may(right, resource),
            _ => true,
        }
    }
}

/// The role's name in the matrix below, its row there.
#[test]
fn the_matrix_of_rights_is_this_one() {
    let mut matrix = String::new();
    for &role in Role::ALL {
        for right in Right::ALL {
            let of_role = Resource::ALL.into_iter().filter(|resource| role.may(right, *resource));
            let all: Vec<String> = of_role.map(|resource| format!("{resource:?}")).collect();
            let (role, tenant) = (role.as_str(), role.tenant());
            matrix.push_str(&format!("{role} of {tenant:?}: {right:?} {}\n", all.join(" ")));
        }
    }
    insta::assert_snapshot!(matrix, @r"
    ADMIN of Platform: View Desk Orders Rules Exceptions Files Tasks Notices
    ADMIN of Platform: Manage Exceptions Tasks Notices
    ADMIN of Platform: Approve 
    CHECKER of Platform: View Desk Orders Rules Exceptions Files Tasks Notices
    CHECKER of Platform: Manage 
    CHECKER of Platform: Approve 
    MERCHANT of Merchant: View Desk Orders Settlements Notices
    MERCHANT of Merchant: Manage Notices
    MERCHANT of Merchant: Approve 
    INST_MAKER of Institution: View Files
    INST_MAKER of Institution: Manage Files
    INST_MAKER of Institution: Approve 
    INST_CHECKER of Institution: View Files
    INST_CHECKER of Institution: Manage Files
    INST_CHECKER of Institution: Approve 
    ");
}

#[test]
fn every_address_has_its_row() {
    let pages = web::ADDRESSES.iter().map(|address| format!("{} {}", address.method, address.path));
    let gateway = wechat::ADDRESSES.iter().map(|address| format!("{} {}", address.method, address.path));
    let others = alipay::ADDRESSES.iter().map(|(method, path)| format!("{method} {path}"));
    let all: Vec<String> = pages.chain(gateway).chain(others).collect();
    let served: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(served.len(), all.len(), "an address stands there twice: {all:?}");
    let rows: Vec<String> = ROWS.iter().map(Row::name).collect();
    assert_eq!(
        served,
        rows.iter().map(String::as_str).collect(),
        "add the row of a new address to this table"
    );
}

/// The world of the walk: real names of what stands in braces, and the texts that are data in either language.
struct Walk {
    played: FinishedDay,
    samples: BTreeMap<&'static str, String>,
    data: Vec<String>,
}

impl Walk {
    async fn begin() -> Self {
        let played = FinishedDay::new(12).await;
        let mut merchant = acting(&played, Role::Merchant).await;
        let own = merchant.get("/merchant/orders").await.body;
        let orders = read_spl(&played.text(SPL));
        let order = orders.iter().find(|order| own.contains(&order.order_no)).unwrap();
        let style = own.split('"').find(|text| text.ends_with("app.css")).unwrap();
        let samples = BTreeMap::from([
            ("{order_no}", order.order_no.clone()),
            ("{name}", SPL.to_owned()),
            ("/static/{digest}/{path:.*}", style.to_owned()),
            ("{number}", "1".to_owned()),
            ("{product}", "native".to_owned()),
            ("{id}", "1".to_owned()),
            ("{institution}", "SANDBOX".to_owned()),
            ("{channel}", "wechat".to_owned()),
        ]);
        let mut raw = played.database.raw();
        let mut data = Vec::new();
        for (column, table) in [
            ("name", "app_user"),
            ("name", "institution"),
            ("name", "sub_merchant"),
            ("name", "receiver"),
            ("description", "pay_order"),
            ("words", "order_event"),
        ] {
            let texts =
                raw.texts(&format!("SELECT DISTINCT {column} AS v FROM {table} WHERE {column} IS NOT NULL"));
            assert!(!texts.is_empty() || table == "order_event", "{table} has no {column}");
            data.extend(texts);
        }
        Self { played, samples, data }
    }

    fn is_data(&self, text: &str) -> bool {
        self.data.iter().any(|data| data.contains(text))
    }

    /// A page in one language: its status, its title, and that it speaks this language and no other.
    async fn reads(&self, user: &mut Acting, row: &Row, lang: Language, let_in: bool) {
        let address = row.address(&self.samples);
        let page = user.get(&format!("{address}?lang={}", lang.tag)).await;
        let (status, title) = match (let_in, row.title.unwrap()) {
            (true, titles) => (200, titles[lang.place]),
            (false, _) => (404, ["没有这个页面", "No such page"][lang.place]),
        };
        let at = format!("{} {}", row.path, lang.tag);
        assert_eq!(page.status, status, "{at}");
        assert!(page.body.contains(&format!("<html lang=\"{}\">", lang.html)), "{at}");
        let told = between(&page.body, "<title>", "</title>");
        assert!(told.starts_with(title) && told.ends_with(lang.product), "{at}: {told}");
        let heading = if let_in { row.heading.unwrap_or(title) } else { title };
        assert_eq!(heading_of(&page), heading, "{at}");
        let leaks: Vec<String> = lang.leaks(&page.body).into_iter().filter(|it| !self.is_data(it)).collect();
        assert!(leaks.is_empty(), "{at} says in another language: {leaks:?}");
    }
}

#[derive(Clone, Copy)]
struct Language {
    tag: &'static str,
    html: &'static str,
    product: &'static str,
    place: usize,
}
const CHINESE: Language = Language { tag: "zh", html: "zh-CN", product: "明分", place: 0 };
const ENGLISH: Language = Language { tag: "en", html: "en", product: "Mingfen", place: 1 };

impl Language {
    /// What a page says in the other language: Chinese characters, or three English words in a row.
    fn leaks(self, body: &str) -> Vec<String> {
        // The link to the other language is written in it.
        let text = visible(body).replace("中文", " ");
        if self.place == ENGLISH.place {
            let runs = text.split(|c: char| !is_chinese(c));
            return runs.filter(|run| !run.is_empty()).map(str::to_owned).collect();
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_english = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
        words.windows(3).filter(|three| three.iter().all(is_english)).map(|three| three.join(" ")).collect()
    }
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// Texts and spoken attributes of a page; commands to type are neither language.
fn visible(body: &str) -> String {
    let mut text = String::new();
    for (i, part) in body.split('<').enumerate() {
        let (tag, after) = part.split_once('>').unwrap_or(("", part));
        for name in ["aria-label=\"", "placeholder=\"", "title=\"", "alt=\"", "data-label=\""] {
            text.push_str(tag.split_once(name).map_or("", |(_, said)| said.split('"').next().unwrap()));
            text.push('\n');
        }
        if i > 0 && !tag.starts_with("pre") {
            text.push_str(after);
            text.push(' ');
        }
    }
    text
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(found, _)| found).trim()
}

fn heading_of(page: &Page) -> String {
    let rest = page.body.split("<h1").nth(1).unwrap_or_default();
    rest.split_once('>').unwrap().1.split('<').next().unwrap().trim().to_owned()
}

async fn acting(played: &FinishedDay, role: Role) -> Acting {
    let login = played.world.logins.iter().find(|login| login.role == role.as_str()).unwrap();
    let mut acting = Acting::at(&played.world.site_url);
    assert_eq!(acting.log_in(&login.login, &login.password).await.status, 303);
    acting
}

/// Calls an address as its method wants it, with a token that no session has.
async fn call(user: &mut Acting, row: &Row, address: &str) -> Page {
    user.csrf = "x".to_owned();
    match (row.method, address) {
        ("GET", _) => user.get(address).await,
        ("POST", "/institution/files") => user.upload(address, "x", "SPL.txt.first.ret", b"H", b"AAAA").await,
        ("POST", _) => user.post(address, &[("login", "nobody"), ("password", "wrong")]).await,
        (method, _) => panic!("{method}"),
    }
}

/// What an address answers to somebody, or to nobody.
fn expected(row: &Row, role: Option<Role>) -> (u16, String) {
    let home = |role: Role| match role.tenant() {
        Platform => "/admin",
        Merchant => "/merchant",
        Institution => "/institution",
    };
    let back = |path: &str| format!("/login?next={}", path.replace('/', "%2F"));
    match (&row.answers, role, row.method) {
        (Text(_) | Asset, ..) | (Login, _, "GET") => (200, String::new()),
        (SignedWithin, ..) => (200, String::new()),
        // The institution of the walk has no such channel.
        (SignedPlainly, ..) => (404, String::new()),
        (Signed, ..) | (Login, ..) => (401, String::new()),
        (Start, None, _) => (303, back("/")),
        (Start, Some(role), _) => (303, home(role).to_owned()),
        (May(..), None, "GET") => (303, back(row.path)),
        (Pressed | May(..), None, _) => (303, "/login".to_owned()),
        (May(..), Some(role), _) if !row.lets_in(role) => (404, String::new()),
        (May(..), Some(_), "GET") => (200, String::new()),
        // Let in, and then the form is not from our own page.
        (Pressed | May(..), Some(_), _) => (403, String::new()),
    }
}

#[actix_web::test]
async fn every_address_answers_nobody_and_every_role_as_its_row_says() {
    let walk = Walk::begin().await;
    let site = walk.played.world.site_url.clone();
    for role in [None].into_iter().chain(Role::ALL.iter().copied().map(Some)) {
        let mut user = match role {
            None => Acting::at(&site),
            Some(role) => acting(&walk.played, role).await,
        };
        for row in ROWS {
            let address = row.address(&walk.samples);
            let answer = call(&mut user, row, &address).await;
            let to = answer
                .header("location")
                .replace(&address.replace('/', "%2F"), &row.path.replace('/', "%2F"));
            assert_eq!((answer.status, to), expected(row, role), "{role:?} {}", row.name());
            match row.answers {
                Text(text) => assert_eq!(answer.body, text),
                Asset => assert!(answer.header("cache-control").ends_with("immutable")),
                SignedWithin => {
                    assert!(answer.body.contains("\"code\":\"4000"), "{answer:?}");
                    assert!(!answer.body.contains("\"sign\""), "{answer:?}");
                }
                SignedPlainly => assert!(answer.body.starts_with("fail: "), "{answer:?}"),
                Signed => {
                    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}")
                }
                _ => {}
            }
            if role.is_none() && row.title.is_some() && !matches!(row.answers, Login) {
                let next = format!("/login?next={}", address.replace('/', "%2F"));
                assert_eq!(answer.header("location"), next, "{}", row.name());
            }
        }
    }
    walk.played.stop().await;
}

#[actix_web::test]
async fn every_page_speaks_both_languages_to_every_role() {
    let walk = Walk::begin().await;
    for &role in Role::ALL {
        let mut user = acting(&walk.played, role).await;
        for row in ROWS.iter().filter(|row| row.title.is_some()) {
            for lang in [CHINESE, ENGLISH] {
                walk.reads(&mut user, row, lang, row.lets_in(role)).await;
            }
        }
        for lang in [CHINESE, ENGLISH] {
            let lost = Row { title: Some(["", ""]), ..row("GET", "/nowhere", Start) };
            walk.reads(&mut user, &lost, lang, false).await;
        }
    }
    walk.played.stop().await;
}

#[actix_web::test]
async fn the_navigation_leads_to_every_list_that_a_role_may_see_and_nowhere_else() {
    let walk = Walk::begin().await;
    for &role in Role::ALL {
        let mut user = acting(&walk.played, role).await;
        let home = user.get("/").await.header("location").to_owned();
        let page = user.get(&home).await;
        let nav = page.body.split("<aside").nth(1).unwrap();
        let links = between(nav, "<nav", "</nav>").split("<a href=\"").skip(1);
        let links: BTreeSet<&str> = links.map(|link| link.split('"').next().unwrap()).collect();
        let rows = ROWS.iter().filter(|row| row.title.is_some() && !row.path.contains('{'));
        let rows = rows.filter(|row| !matches!(row.answers, Login) && row.lets_in(role));
        assert_eq!(links, rows.map(|row| row.path).collect(), "{role:?}");
    }
    walk.played.stop().await;
}

#[actix_web::test]
async fn another_method_is_not_found() {
    let walk = Walk::begin().await;
    let mut admin = acting(&walk.played, Role::Admin).await;
    for row in ROWS.iter().filter(|row| row.method == "GET" && !matches!(row.answers, Signed | SignedWithin))
    {
        if !ROWS.iter().any(|other| other.method == "POST" && other.path == row.path) {
            let answer = admin.post(&row.address(&walk.samples), &[]).await;
            assert_eq!(answer.status, 404, "POST {}", row.path);
        }
    }
    walk.played.stop().await;
}

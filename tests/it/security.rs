//! Who knocks at the doors: addresses behind proxies, guesses from many of them, and what refusals leave behind.
use std::net::IpAddr;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use mingfen::config::ProxyHeader;
use mingfen::error::Error;
use mingfen::people::address::{client, network};
use mingfen::people::login::{Browser, Denied, Doorkeeper};
use mingfen::people::security::{SecurityEvent, SecurityKind};
use mingfen::people::{Actor, Role, Scope, audit, device, password, security, throttle, users};
use mingfen::protocol::crypto::MasterKey;

use crate::support::acting::Site;
use crate::support::database::Raw;
use crate::support::{PASSWORD, TestApp};

const WRONG: &str = "wrong password";

#[test]
fn only_our_own_proxies_say_for_whom_they_ask() {
    let trusted = ["10.0.0.0/8", "2001:db8:f::/48"].map(|net| net.parse().unwrap());
    let told_in = |header: ProxyHeader, peer: &str, told: &[&str]| {
        client(peer.parse::<IpAddr>().unwrap(), header, told, &trusted).to_string()
    };
    let of = |peer: &str, told: &[&str]| told_in(ProxyHeader::XForwardedFor, peer, told);
    let forwarded = |peer: &str, told: &[&str]| told_in(ProxyHeader::Forwarded, peer, told);
    // Nobody else is believed.
    assert_eq!(of("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
    assert_eq!(forwarded("203.0.113.7", &["for=198.51.100.1"]), "203.0.113.7");
    assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(of("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    assert_eq!(of("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    // What the client wrote itself stands left of what our proxies add.
    assert_eq!(of("10.0.0.1", &["192.0.2.9, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["192.0.2.9", "198.51.100.1"]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    // Where it stops being an address, the last one that is known counts.
    assert_eq!(of("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
    assert_eq!(of("10.0.0.1", &[""]), "10.0.0.1");
    // As proxies write them.
    assert_eq!(of("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
    assert_eq!(forwarded("2001:db8:f::1", &["for=\"[2001:db8::1]\";proto=https"]), "2001:db8::1");
    assert_eq!(forwarded("10.0.0.1", &["For=192.0.2.9, by=10.0.0.1; for=198.51.100.1"]), "198.51.100.1");
    assert_eq!(forwarded("10.0.0.1", &["for=_hidden"]), "10.0.0.1");
    // What the client wrote itself stands left here too, quoted to no end or not.
    assert_eq!(forwarded("10.0.0.1", &["for=\"192.0.2.9, for=198.51.100.1"]), "198.51.100.1");

    assert_eq!(network("198.51.100.1"), "198.51.100.1");
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(network(""), "");
}

#[actix_web::test]
async fn behind_a_proxy_of_ours_every_user_has_an_address_of_his_own() {
    let settings = |trusted: &[&str]| {
        let trusted = trusted.iter().map(|net| net.parse().unwrap()).collect();
        TestApp::configured(move |config| {
            config.login_attempts_per_minute = 3;
            config.trusted_proxies = trusted;
            config.proxy_header = Some(ProxyHeader::XForwardedFor);
        })
    };
    let attempt = async |site: &Site, from: &str, password: &str| {
        let fields = [("login", "admin"), ("password", password)];
        site.anon().post_from("/login", &fields, &[("x-forwarded-for", from)]).await.status
    };
    let site = Site::of(settings(&["127.0.0.0/8"])).await;
    site.user("admin", Role::Admin, Scope::Platform);
    for _ in 0..3 {
        assert_eq!(attempt(&site, "203.0.113.7", WRONG).await, 401);
    }
    assert_eq!(attempt(&site, "203.0.113.7", PASSWORD).await, 429);
    assert_eq!(attempt(&site, "203.0.113.8", PASSWORD).await, 303);
    let mut raw = site.raw();
    assert_eq!(raw.texts("SELECT ip AS v FROM session"), ["203.0.113.8"]);
    assert_eq!(raw.texts("SELECT ip AS v FROM audit WHERE action = 'user.login'"), ["203.0.113.8"]);

    // The other header is the client's own: it hides nobody and makes nobody somebody else.
    let forged = |from: &'static str| [("x-forwarded-for", "203.0.113.9"), ("forwarded", from)];
    for from in ["for=192.0.2.1", "for=192.0.2.2", "for=192.0.2.3"] {
        let fields = [("login", "nobody"), ("password", WRONG)];
        assert_eq!(site.anon().post_from("/login", &fields, &forged(from)).await.status, 401);
    }
    let fields = [("login", "nobody"), ("password", WRONG)];
    let plain = [("x-forwarded-for", "203.0.113.9")];
    assert_eq!(site.anon().post_from("/login", &fields, &plain).await.status, 429, "all came from there");
    let site = Site::of(TestApp::configured(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.proxy_header = Some(ProxyHeader::Forwarded);
    }))
    .await;
    site.user("admin", Role::Admin, Scope::Platform);
    let fields = [("login", "admin"), ("password", PASSWORD)];
    assert_eq!(site.anon().post_from("/login", &fields, &forged("for=192.0.2.1")).await.status, 303);
    assert_eq!(site.raw().texts("SELECT ip AS v FROM session"), ["192.0.2.1"]);

    // Without it the header is anybody's tale: all are the proxy.
    let site = Site::of(settings(&[])).await;
    site.user("admin", Role::Admin, Scope::Platform);
    for n in 0..3 {
        assert_eq!(attempt(&site, &format!("203.0.113.{n}"), WRONG).await, 401);
    }
    assert_eq!(attempt(&site, "203.0.113.8", PASSWORD).await, 429);
}

fn door(app: &TestApp, per_minute: u32) -> Doorkeeper {
    Doorkeeper::new(&app.master_key, per_minute, &app.guard).unwrap()
}

/// "in", or the code, and after how many seconds to try again.
async fn attempt(
    app: &TestApp,
    door: &Doorkeeper,
    login: &str,
    (ip, password): (&str, &str),
    device: Option<&str>,
) -> (&'static str, i64) {
    let browser = Browser { ip: ip.into(), device: device.map(str::to_owned), ..Browser::default() };
    match door.login(&app.db, &app.clock, login, password.into(), browser).await {
        Ok(_) => ("in", 0),
        Err(Denied { error: Error::Refused { code, .. }, retry_after }) => {
            (code.id(), retry_after.unwrap_or_default())
        }
        Err(other) => panic!("{other}"),
    }
}

#[actix_web::test]
async fn all_addresses_of_an_ipv6_subscriber_are_one() {
    let app = TestApp::new();
    let door = door(&app, 2);
    for n in 0..2 {
        let tried = attempt(&app, &door, "admin", (&format!("2001:db8:1:1::{n}"), WRONG), None).await;
        assert_eq!(tried, ("AUT-101", 0));
    }
    assert_eq!(attempt(&app, &door, "admin", ("2001:db8:1:1:ffff::9", WRONG), None).await.0, "AUT-102");
    assert_eq!(attempt(&app, &door, "admin", ("2001:db8:1:2::1", WRONG), None).await.0, "AUT-101");
}

#[actix_web::test]
async fn a_login_guessed_from_many_addresses_waits_longer_each_time_but_not_where_it_is_known() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    // Two processes on one database count together.
    let doors = [door(&app, 2), door(&app, 2)];
    let mut from = 0;
    let mut guess = async |password: &str| {
        from += 1;
        let ip = format!("10.0.{}.{}", from / 250, from % 250);
        attempt(&app, &doors[from % 2], "admin", (&ip, password), None).await
    };
    for _ in 0..4 {
        assert_eq!(guess(WRONG).await.0, "AUT-101");
    }
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
        app.clock.advance(pause);
        assert_eq!(guess(WRONG).await.0, "AUT-101", "after {pause} s");
    }
    let (refused, wait) = guess(PASSWORD).await;
    assert_eq!(refused, "AUT-102", "the right password is not looked at either");
    assert!((601..=900).contains(&wait), "{wait}");

    // A browser in which it succeeded before is let in meanwhile, and only by its own mark of this login.
    let known = device::mark(&app.master_key, "admin", None).unwrap();
    let marks = [
        device::mark(&app.master_key, "other", None).unwrap(),
        device::mark(&MasterKey::from([8; 32]), "admin", None).unwrap(),
        format!("x{}", &known[1..]),
        String::new(),
    ];
    for mark in marks.iter().filter(|mark| **mark != known) {
        let refused = attempt(&app, &doors[0], "admin", ("10.9.9.9", PASSWORD), Some(mark)).await;
        assert_eq!(refused.0, "AUT-102", "{mark}");
    }
    let entered = attempt(&app, &doors[0], "admin", ("10.9.9.9", PASSWORD), Some(&known)).await;
    assert_eq!(entered, ("in", 0));
    // Guessing there is counted there.
    assert_eq!(attempt(&app, &doors[0], "admin", ("10.9.9.9", WRONG), Some(&known)).await.0, "AUT-101");
    assert_eq!(attempt(&app, &doors[0], "admin", ("10.9.9.8", WRONG), Some(&known)).await.0, "AUT-102");
    // Nobody is shut out for good.
    app.clock.advance(900);
    assert_eq!(guess(PASSWORD).await, ("in", 0));
    app.clock.advance(2 * 86_400);
    for _ in 0..4 {
        assert_eq!(guess(WRONG).await.0, "AUT-101");
    }
}

#[actix_web::test]
async fn a_browser_keeps_its_mark_and_a_long_wait_is_told_in_minutes() {
    let site = Site::of(TestApp::configured(|config| {
        config.login_attempts_per_minute = 2;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.proxy_header = Some(ProxyHeader::XForwardedFor);
    }))
    .await;
    let mut known = site.acting("admin", Role::Admin, Scope::Platform).await;
    let mark = |cookies: &std::collections::BTreeMap<String, String>| {
        let mut marks = cookies.iter().filter(|(name, _)| name.starts_with("device-"));
        (marks.next().map(|(_, value)| value.clone()), marks.count())
    };
    let before = mark(&known.cookies);
    assert!(before.0.is_some());
    let fields = [("login", "admin"), ("password", WRONG)];
    for n in 0_u32..14 {
        let from = format!("203.0.113.{n}");
        let answer = site.anon().post_from("/login", &fields, &[("x-forwarded-for", &from)]).await;
        assert_eq!(answer.status, 401, "{n}");
        site.clock.advance(1 << n.saturating_sub(3));
    }
    let last = site.anon().post_from("/login", &fields, &[("x-forwarded-for", "203.0.113.99")]).await;
    let right = [("login", "admin"), ("password", PASSWORD)];
    let held = site.anon().post_from("/login", &right, &[("x-forwarded-for", "203.0.113.98")]).await;
    assert_eq!((last.status, held.status), (401, 429));
    assert!(held.header("retry-after").parse::<i64>().unwrap() > 60);
    assert!(held.body.contains("分钟后再试"), "{}", held.body);
    assert_eq!(known.log_in("admin", PASSWORD).await.status, 303);
    assert_eq!(mark(&known.cookies), before);
}

#[actix_web::test]
async fn counted_attempts_are_bounded_and_forgotten_and_tell_nobody_what_was_typed() {
    let app = TestApp::new();
    let door = door(&app, 2);
    let endless = "x".repeat(100_000);
    for login in ["my secret password", &endless, "nul\0"] {
        assert_eq!(attempt(&app, &door, login, ("10.0.0.1", WRONG), None).await.0, "AUT-101");
    }
    let mut raw = app.raw();
    let keys = raw.texts("SELECT key AS v FROM login_attempt");
    assert_eq!(keys.len(), 7);
    assert!(keys.iter().all(|key| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit())), "{keys:?}");
    let forget = |seconds: i64| {
        let now = app.clock.now() + seconds * 1_000_000;
        app.db.write_blocking(|tx| throttle::forget(tx, now)).unwrap()
    };
    assert_eq!((forget(0), forget(61), forget(3_601)), (0, 4, 3));

    let (seq, now) =
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)", app.clock.now());
    raw.execute(&format!(
        "INSERT INTO login_attempt {seq} SELECT 'k' || i, {now} + 60000000 + i, {now} FROM n"
    ))
    .unwrap();
    assert_eq!(forget(0), 500);
    assert_eq!(raw.count("login_attempt"), 100_000);
    assert_eq!(raw.texts("SELECT key AS v FROM login_attempt WHERE key IN ('k500', 'k501')"), ["k501"]);
}

#[actix_web::test]
async fn who_finds_the_queue_of_passwords_full_is_told_at_once_and_known_devices_have_room() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let door = door(&app, 1_000_000);
    let known = device::mark(&app.master_key, "admin", None).unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("guess{n}")).collect();
    let (app, door, known) = (&app, &door, known.as_str());
    let guess = async |name: &str| (false, attempt(app, door, name, ("10.0.0.1", WRONG), None).await);
    let honest = async || (true, attempt(app, door, "admin", ("10.0.0.2", PASSWORD), Some(known)).await);
    let guesses = names.iter().map(|name| guess(name).boxed_local());
    let all = guesses.chain((0..9).map(|_| honest().boxed_local()));
    let mut all: FuturesUnordered<_> = all.collect();
    // While nothing can be written nobody who has a place goes on, and whoever finds none is told so.
    let written = app.without_writes();
    let busy: Vec<_> = all.by_ref().take(17).collect().await;
    drop(written);
    let entered: Vec<_> = all.collect().await;
    let count = |of: &[(bool, (&str, i64))], what| of.iter().filter(|found| **found == what).count();
    assert_eq!(count(&busy, (false, ("AUT-112", 5))), 16);
    assert_eq!(count(&busy, (true, ("AUT-112", 5))), 1);
    assert_eq!(count(&entered, (false, ("AUT-101", 0))), 24);
    assert_eq!(count(&entered, (true, ("in", 0))), 8);
    assert_eq!(app.refusals(SecurityKind::LoginHeldBack).await, 17);
    // When they are done there is room again.
    assert_eq!(attempt(app, door, "admin", ("10.0.0.2", PASSWORD), None).await, ("in", 0));
}

#[actix_web::test]
async fn whoever_has_to_wait_takes_nobodys_place_and_nothing_is_written_of_it() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    app.user("other", Role::Admin, Scope::Platform);
    let door = door(&app, 2);
    for _ in 0..2 {
        assert_eq!(attempt(&app, &door, "admin", ("10.0.0.1", WRONG), None).await.0, "AUT-101");
    }
    let rows = app.raw().texts("SELECT key || ahead || last_at AS v FROM login_attempt ORDER BY key");
    let held_back = || join_all((0..40).map(|_| attempt(&app, &door, "admin", ("10.0.0.1", PASSWORD), None)));
    let written = app.without_writes();
    let patience = std::time::Duration::from_secs(60);
    let answers = tokio::time::timeout(patience, held_back()).await.expect("they wait to be written");
    assert!(answers.iter().all(|(code, _)| *code == "AUT-102"), "{answers:?}");
    drop(written);
    let after = app.raw().texts("SELECT key || ahead || last_at AS v FROM login_attempt ORDER BY key");
    assert_eq!(after, rows);
    let honest = attempt(&app, &door, "other", ("10.0.0.2", PASSWORD), None);
    let (answers, entered) = tokio::join!(held_back(), honest);
    assert!(answers.iter().all(|(code, _)| *code == "AUT-102"), "{answers:?}");
    assert_eq!(entered, ("in", 0));
}

#[test]
fn a_checker_goes_by_what_the_hash_says_and_uses_its_memory_again() {
    let hashes = [PASSWORD, "another long password"].map(|text| password::hash(text).unwrap());
    // The vector of RFC 9106's reference implementation: other memory, passes and salt.
    let small = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let mut checker = password::Checker::default();
    for _ in 0..2 {
        assert!(checker.matches(PASSWORD, Some(&hashes[0])));
        assert!(!checker.matches(PASSWORD, Some(&hashes[1])));
        assert!(checker.matches("password", Some(small)));
        assert!(!checker.matches("passwort", Some(small)));
        assert!(!checker.matches("nobody has this password", None));
        assert!(!checker.matches(PASSWORD, Some("no hash")));
    }
}

/// Rows of security events.
fn events(raw: &mut Raw) -> Vec<String> {
    raw.texts(
        "SELECT kind || '|' || who || '|' || origin || '|' || what || '|' || times AS v FROM security_event \
         ORDER BY kind, who, what",
    )
}

#[actix_web::test]
async fn a_refusal_leaves_one_event_of_its_kind_and_equal_ones_are_counted() {
    let site = Site::of(TestApp::configured(|config| config.login_attempts_per_minute = 4)).await;
    let mut admin = site.acting("admin", Role::Admin, Scope::Platform).await;
    let mut browser = site.anon();
    for login in ["admin", "admin", "what I typed was my password"] {
        assert_eq!(browser.log_in(login, WRONG).await.status, 401);
    }
    assert_eq!(browser.log_in("admin", WRONG).await.status, 401);
    assert_eq!(browser.log_in("admin", PASSWORD).await.status, 429);
    admin.get("/admin").await;
    admin.csrf = "x".to_owned();
    assert_eq!(admin.post("/logout", &[]).await.status, 403);
    let evil = [("origin", "https://evil.example")];
    assert_eq!(
        browser.post_from("/login", &[("login", "admin"), ("password", "x")], &evil).await.status,
        403
    );

    site.guard.write(&site.db).await.unwrap();
    let expected = [
        "form.forged||127.0.0.1||1",
        "form.forged|user:admin|127.0.0.1||1",
        "login.failed||127.0.0.1|AUT-101|1",
        "login.failed|user:admin|127.0.0.1|AUT-101|3",
        "login.held_back|user:admin|127.0.0.1|AUT-102|1",
    ];
    assert_eq!(events(&mut site.raw()), expected);
    // The platform's people read of it.
    let page = admin.get("/admin/tasks").await.body;
    for said in ["登录失败", "登录过于频繁", "伪造的表单", "user:admin", "127.0.0.1", "AUT-102"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Written once; the next is added to it, also from another process.
    let again = SecurityEvent::new(SecurityKind::FormForged, String::new(), "127.0.0.1", "");
    let other = security::Guard::default();
    for guard in [&site.guard, &other] {
        guard.note(&site.db, site.clock.now(), again.clone());
        guard.write(&site.db).await.unwrap();
    }
    assert_eq!(events(&mut site.raw())[0], "form.forged||127.0.0.1||3");
}

#[actix_web::test]
async fn an_event_comes_into_the_database_by_itself() {
    let app = TestApp::new();
    let event = SecurityEvent::new(SecurityKind::LoginFailed, String::new(), "10.0.0.1", "AUT-101");
    app.guard.note(&app.db, app.clock.now(), event);
    let begun = std::time::Instant::now();
    while app.raw().count("security_event") == 0 {
        assert!(begun.elapsed().as_secs() < 60, "nobody wrote it");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn a_flood_of_events_is_counted_but_bounded_and_old_ones_are_forgotten() {
    let app = TestApp::new();
    let mut raw = app.raw();
    let flood = async |from: u32| {
        for n in from..from + 1_500 {
            let ip = IpAddr::from(n.to_be_bytes()).to_string();
            let event = SecurityEvent::new(SecurityKind::LoginFailed, String::new(), &ip, "AUT-101");
            app.guard.note(&app.db, app.clock.now(), event);
        }
        app.guard.write(&app.db).await.unwrap();
    };
    flood(1).await;
    assert_eq!(raw.count("security_event"), 1_001);
    assert_eq!(raw.number("SELECT CAST(SUM(times) AS BIGINT) AS v FROM security_event"), 1_500);
    // A day that is full takes no other rows.
    let (day, seq) = (
        app.clock.today().to_i32(),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8999)",
    );
    raw.execute(&format!(
        "INSERT INTO security_event {seq} SELECT {day}, 'form.forged', 'user:u' || i, '', '', 1, 1, 1 FROM n"
    ))
    .unwrap();
    flood(10_000).await;
    assert_eq!(raw.count("security_event"), 10_000);
    assert_eq!(raw.number("SELECT CAST(SUM(times) AS BIGINT) AS v FROM security_event"), 3_000 + 8_999);

    let forget = |days: i64| {
        let now = app.clock.now() + days * 86_400 * 1_000_000;
        app.db.write_blocking(|tx| security::forget(tx, now)).unwrap()
    };
    assert_eq!((forget(180), forget(181)), (0, 10_000));
}

#[actix_web::test]
async fn a_full_day_gets_one_more_row_a_kind_however_many_processes_write() {
    let app = TestApp::new();
    let mut raw = app.raw();
    let (day, seq) = (
        app.clock.today().to_i32(),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9900)",
    );
    raw.execute(&format!(
        "INSERT INTO security_event {seq} SELECT {day}, 'form.forged', 'user:u' || i, '', '', 1, 1, 1 FROM n"
    ))
    .unwrap();
    let processes = [(); 4].map(|()| security::Guard::default());
    for _ in 0..2 {
        for (n, guard) in (0_u32..).zip(&processes) {
            for (m, kind) in (0_u32..).zip(SecurityKind::ALL) {
                for from in 0..100 {
                    let ip = IpAddr::from((n << 16 | m << 8 | from).to_be_bytes()).to_string();
                    let event = SecurityEvent::new(*kind, String::new(), &ip, "x");
                    guard.note(&app.db, app.clock.now(), event);
                }
            }
        }
        let written = join_all(processes.iter().map(|guard| guard.write(&app.db))).await;
        written.into_iter().for_each(Result::unwrap);
    }
    let kinds = i64::try_from(SecurityKind::ALL.len()).unwrap();
    assert_eq!((kinds, raw.count("security_event")), (7, 10_007));
    let times = raw.number("SELECT CAST(SUM(times) AS BIGINT) AS v FROM security_event");
    assert_eq!(times, 9_900 + 2 * 4 * kinds * 100, "none is left uncounted");
    let nameless = "SELECT count(*) AS v FROM security_event WHERE who = '' AND origin = ''";
    assert_eq!(raw.number(nameless), kinds);
}

#[test]
fn a_reset_is_noted_and_only_the_new_password_is_known() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let knows = |password: &str| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(app.doorkeeper.knows(&app.db, "admin", password.to_owned())).unwrap()
    };
    assert!(knows(PASSWORD) && !knows(WRONG));
    let hash = password::hash("another long password").unwrap();
    app.db.write_blocking(|tx| users::reset(tx, 1, &Actor::shell(), "admin", &hash)).unwrap();
    assert!(!knows(PASSWORD) && knows("another long password"));
    app.db.write_blocking(|tx| users::disable(tx, 2, &Actor::shell(), "admin")).unwrap();
    assert!(!knows("another long password"));
    let trail = app.db.read_blocking(|tx| audit::of_object(tx, "user:admin")).unwrap();
    assert_eq!(trail.len(), 3);
}

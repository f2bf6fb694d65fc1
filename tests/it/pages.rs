//! What protects the pages, and what each tenant sees of the others. Which page each role gets is in `walk.rs`.
use mingfen::people::users::NewUser;
use mingfen::people::{Actor, Role, Scope, password, users};

use crate::support::PASSWORD;
use crate::support::acting::{Acting, Page};
use crate::support::database::Kind;
use crate::support::finished_day::FinishedDay;
use crate::support::sandbox_process::eventually;
use crate::support::told::{Told, read_spl};
use crate::support::wire::Wire;

const SPL: &str = "SPL_SANDBOX_DEMO_20261119_0001.txt";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

async fn acting(played: &FinishedDay, role: &str) -> Acting {
    let login = played.world.logins.iter().find(|login| login.role == role).unwrap();
    let mut acting = Acting::at(&played.world.site_url);
    assert_eq!(acting.log_in(&login.login, &login.password).await.status, 303);
    acting
}

#[actix_web::test]
async fn the_language_is_asked_for_then_remembered_then_guessed() {
    let played = FinishedDay::new(1).await;
    let mut anon = Acting::at(&played.world.site_url);
    assert!(anon.get("/login").await.body.contains("lang=\"zh-CN\""));
    assert!(anon.get("/login?lang=en").await.body.contains("<html lang=\"en\">"));
    assert!(anon.get("/login").await.body.contains("<html lang=\"en\">"), "remembered");
    assert!(anon.get("/login?lang=zh").await.body.contains("<html lang=\"zh-CN\">"));
    played.stop().await;
}

#[actix_web::test]
async fn nobody_sees_what_belongs_to_another() {
    let played = FinishedDay::new(12).await;
    let orders = read_spl(&played.text(SPL));
    let mut merchant = acting(&played, "MERCHANT").await;
    let own = merchant.get("/merchant/orders").await.body;
    let is_own = |order: &&Told| own.contains(&order.order_no);
    let (mine, foreign): (Vec<&Told>, Vec<&Told>) = orders.iter().partition(is_own);
    assert!(!mine.is_empty() && !foreign.is_empty());
    for order in &mine {
        assert_eq!(merchant.get(&format!("/merchant/orders/{}", order.order_no)).await.status, 200);
    }
    for order in &foreign {
        let refused = merchant.get(&format!("/merchant/orders/{}", order.order_no)).await;
        let unknown = merchant.get("/merchant/orders/MF00000000000000000000000000").await;
        assert_eq!((refused.status, unknown.status), (404, 404));
        let without_id = |page: &Page| page.body.split("class=\"mono\"").next().unwrap().to_owned();
        assert_eq!(
            without_id(&refused).replace(&order.order_no, "MF00000000000000000000000000"),
            without_id(&unknown)
        );
    }
    for path in [format!("/institution/files/{SPL}"), format!("/admin/files/{SPL}")] {
        assert_eq!(merchant.get(&path).await.status, 404);
    }
    let mut institution = acting(&played, "INST_CHECKER").await;
    assert_eq!(institution.get(&format!("/institution/files/{SPL}")).await.body, played.text(SPL));
    for path in [
        "/institution/files/..%2F..%2Fmingfen.db",
        "/institution/files/%2Fetc%2Fpasswd",
        "/institution/files/x",
    ] {
        assert_eq!(institution.get(path).await.status, 404, "{path}");
    }
    played.stop().await;
}

#[actix_web::test]
async fn every_answer_is_kept_to_itself() {
    let played = FinishedDay::new(1).await;
    let mut admin = acting(&played, "ADMIN").await;
    for path in ["/login", "/admin", "/admin/nowhere", "/static/x/nothing.css"] {
        let page = admin.get(path).await;
        assert_eq!(page.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("strict-transport-security"), "", "plain http must not promise https");
        assert_eq!(page.header("x-request-id").len(), 26);
        for forbidden in ["<script", " style=", " onclick="] {
            assert!(!page.body.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let lost = admin.get("/admin/nowhere").await;
    assert!(lost.body.contains(lost.header("x-request-id")) && lost.body.contains("回到首页"));
    played.stop().await;
}

#[actix_web::test]
async fn static_files_may_be_kept_for_ever_because_their_address_changes() {
    let played = FinishedDay::new(1).await;
    let mut anon = Acting::at(&played.world.site_url);
    let page = anon.get("/login").await.body;
    let links = page.split('"').filter(|text| text.starts_with("/static/")).map(str::to_owned);
    let links: Vec<String> = links.map(|link| link.split('#').next().unwrap().to_owned()).collect();
    assert!(
        links.iter().any(|link| link.ends_with(".css")) && links.iter().any(|link| link.ends_with(".svg"))
    );
    for link in links {
        let file = anon.get(&link).await;
        assert_eq!((file.status, file.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    }
    assert_eq!(anon.get("/healthz").await.body, "ok\n");
    assert_eq!(anon.get("/readyz").await.body, "ready\n");
    played.stop().await;
}

#[actix_web::test]
async fn an_upload_without_the_sessions_token_is_refused_and_stores_nothing() {
    let played = FinishedDay::new(1).await;
    let mut maker = acting(&played, "INST_MAKER").await;
    maker.get("/institution").await;
    let own = maker.csrf.clone();
    let file = b"H|SSF1|RET".as_slice();
    for (token, status) in [("", 403), ("x", 403), (own.as_str(), 400)] {
        let answer = maker.upload("/institution/files", token, "SPL.txt.first.ret", file, b"AAAA").await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // Far more than a form usually has, and still the file itself is judged.
    let large = vec![b'x'; 3 << 20];
    let answer = maker.upload("/institution/files", &own, "SPL.txt.first.ret", &large, b"AAAA").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("FIL-1"), "{}", answer.body);
    assert!(!played.inbox("SPL.txt.first.ret").exists() && !played.taken("SPL.txt.first.ret").exists());
    let app = &played.world.app;
    app.guard.write(&app.db).await.unwrap();
    let seen = played.database.raw().texts(
        "SELECT kind || ' ' || who || ' ' || what || ' ' || times AS v FROM security_event ORDER BY kind",
    );
    assert_eq!(seen, ["form.forged user:maker  2", "upload.refused user:maker FIL-106 2"]);
    played.stop().await;
}

const BOUNDARY: &str = "0123456789abcdef";

/// A form that begins with these parts and is said to be long.
fn begun(user: &Acting, parts: &[(&str, &str)]) -> String {
    let jar: Vec<String> = user.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut form = format!(
        "POST /institution/files HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nContent-Length: 30000000\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        jar.join("; ")
    );
    for (name, content) in parts {
        form.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n{content}\r\n"
        ));
    }
    form
}

#[actix_web::test]
async fn an_upload_is_judged_before_its_file_is_read() {
    let played = FinishedDay::new(1).await;
    let url = played.world.site_url.clone();
    let mut maker = acting(&played, "INST_MAKER").await;
    maker.get("/institution").await;
    let csrf = maker.csrf.clone();
    let own = csrf.as_str();
    let merchant = acting(&played, "MERCHANT").await;
    let nobody = Acting::at(&url);
    let long = "x".repeat(17 << 10);
    let long = long.as_str();
    for (user, parts, status) in [
        (&nobody, &[][..], "303"),
        (&merchant, &[][..], "404"),
        (&maker, &[("_csrf", "x")][..], "403"),
        (&maker, &[("file", "H"), ("_csrf", own)][..], "403"),
        (&maker, &[("_csrf", long)][..], "400"),
        (&maker, &[("_csrf", own), ("more", "x")][..], "400"),
        (&maker, &[("_csrf", own), ("_csrf", own)][..], "400"),
        (&maker, &[("_csrf", own), ("sig", long)][..], "400"),
        (&maker, &[("_csrf", own), ("file", "a"), ("file", "b")][..], "400"),
    ] {
        let mut wire = Wire::to(&url).await;
        // The head of the next part, so that the one before it has an end.
        wire.send(&format!("{}--{BOUNDARY}\r\n", begun(user, parts))).await;
        let said = wire.rest().await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{parts:?}: {said}");
    }
    played.stop().await;
}

#[actix_web::test]
async fn an_upload_is_read_before_anybody_waits_for_its_write() {
    // PostgreSQL has many writers: what is refused before it needs a row that is locked waits there for nobody.
    if Kind::of_this_run() == Kind::Postgres {
        return;
    }
    let played = FinishedDay::new(1).await;
    let mut maker = acting(&played, "INST_MAKER").await;
    maker.get("/institution").await;
    let own = maker.csrf.clone();
    let db = played.world.app.db.clone();
    let (begun, is_begun) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        db.write_blocking(|_| {
            begun.send(()).unwrap();
            ended.recv().ok();
            Ok(())
        })
    });
    is_begun.recv().unwrap();
    let file = b"H|SSF1|RET".as_slice();
    let upload = maker.upload("/institution/files", &own, "SPL.txt.first.ret", file, b"no base64!");
    let answer = tokio::time::timeout(std::time::Duration::from_secs(3), upload).await;
    drop(end);
    writer.join().unwrap().unwrap();
    assert_eq!(answer.expect("it was told without waiting for the writer").status, 400);
    played.stop().await;
}

#[actix_web::test]
async fn an_institution_has_two_uploads_on_their_way_and_a_third_is_told_to_wait() {
    let played = FinishedDay::new(1).await;
    let mut maker = acting(&played, "INST_MAKER").await;
    maker.get("/institution").await;
    let own = maker.csrf.clone();
    let turns = &played.world.app.turns;
    let of_institution = [(format!("uploads of institution {}", played.world.institution), 2)];
    let held = [turns.take(&of_institution), turns.take(&of_institution)].map(Result::unwrap);
    let file = b"H|SSF1|RET".as_slice();
    let refused = maker.upload("/institution/files", &own, "SPL.txt.first.ret", file, b"AAAA").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    assert!(refused.body.contains("同时上传的文件太多"));
    drop(held);
    // Each gives its turn back when it is judged.
    for _ in 0..3 {
        let answer = maker.upload("/institution/files", &own, "SPL.txt.first.ret", file, b"AAAA").await;
        assert_eq!(answer.status, 400);
    }
    played.stop().await;
}

#[actix_web::test]
async fn slow_uploads_of_one_user_leave_the_turns_of_the_others() {
    let played = FinishedDay::new(1).await;
    let (app, url) = (&played.world.app, played.world.site_url.clone());
    let mut maker = acting(&played, "INST_MAKER").await;
    maker.get("/institution").await;
    let own = maker.csrf.clone();
    let hash = password::hash(PASSWORD).unwrap();
    let scope = Scope::Institution(played.world.institution);
    let second =
        NewUser { login: "second", name: "second", role: Role::InstMaker, scope, password_hash: &hash };
    app.db.write_blocking(|tx| users::add(tx, 1, &Actor::shell(), &second)).unwrap();
    let mut other = Acting::at(&url);
    assert_eq!(other.log_in("second", PASSWORD).await.status, 303);
    other.get("/institution").await;
    let theirs = other.csrf.clone();
    let file = b"H|SSF1|RET".as_slice();
    let send = async |of: &mut Acting, csrf: &str| {
        of.upload("/institution/files", csrf, "SPL.txt.first.ret", file, b"AAAA").await.status
    };

    // Nothing is held for who has not shown the token yet.
    let mut silent = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::to(&url).await;
        wire.send(&begun(&maker, &[])).await;
        silent.push(wire);
    }
    assert_eq!(send(&mut maker, &own).await, 400);
    // One is on its way: the same user may send no other, and everybody else may.
    let mut slow = Wire::to(&url).await;
    slow.send(&begun(&maker, &[("_csrf", &own), ("file", "H")])).await;
    let share = format!("uploads of institution {}", played.world.institution);
    eventually("it has its turn", async || (app.turns.at_work(&share) == 1).then_some(())).await;
    assert_eq!(send(&mut maker, &own).await, 429);
    for _ in 0..3 {
        assert_eq!(send(&mut other, &theirs).await, 400);
    }
    // It comes too slowly, and its turn is free again.
    let said = slow.drip().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert_eq!(send(&mut maker, &own).await, 400);
    played.stop().await;
}

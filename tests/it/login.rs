//! Login and sessions as a browser meets them.
use mingfen::people::{Role, Scope};

use crate::support::acting::Site;
use crate::support::{PASSWORD, TestApp};

#[actix_web::test]
async fn whoever_is_not_logged_in_is_led_to_the_login_and_back() {
    let site = Site::of(TestApp::new()).await;
    site.user("admin", Role::Admin, Scope::Platform);
    let mut browser = site.anon();
    let answer = browser.get("/").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/login?next=%2F"));

    let form = browser.get("/login").await;
    assert_eq!(form.status, 200);
    let wrong = browser.log_in("admin", "wrong password").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("登录名或密码不正确") && browser.cookies.is_empty());
    let unknown = browser.log_in("nobody", PASSWORD).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.body.replace("nobody", "admin"), wrong.body);

    let entered = browser.log_in("admin", PASSWORD).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/admin"));
    let cookie = entered.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
    assert_eq!(browser.get("/").await.header("location"), "/admin");
}

#[actix_web::test]
async fn a_login_never_leads_to_another_site() {
    let site = Site::of(TestApp::new()).await;
    site.user("admin", Role::Admin, Scope::Platform);
    let outside = ["https://evil.example/", "//evil.example/", "/\\evil.example", "evil"];
    for next in outside {
        let mut browser = site.anon();
        let fields = [("login", "admin"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/login", &fields).await.header("location"), "/admin", "{next}");
    }
}

#[actix_web::test]
async fn logging_out_needs_the_sessions_own_token_and_then_ends_it_for_good() {
    let site = Site::of(TestApp::new()).await;
    let mut admin = site.acting("admin", Role::Admin, Scope::Platform).await;
    let mut other = site.acting("other", Role::Checker, Scope::Platform).await;
    admin.get("/admin").await;
    other.get("/admin").await;
    let (cookies, own) = (admin.cookies.clone(), admin.csrf.clone());
    assert!(!own.is_empty() && own != other.csrf);

    for bad in [String::new(), "x".into(), other.csrf.clone()] {
        admin.csrf = bad;
        assert_eq!(admin.post("/logout", &[]).await.status, 403);
    }
    admin.csrf = own;
    for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        assert_eq!(admin.post_from("/logout", &[], &[foreign]).await.status, 403);
    }
    assert_eq!(admin.get("/").await.header("location"), "/admin");

    assert_eq!(admin.post("/logout", &[]).await.header("location"), "/login");
    // What is left knows that somebody logged in here, and opens nothing.
    assert!(admin.cookies.keys().all(|name| name.starts_with("device-")), "{:?}", admin.cookies);
    assert!(admin.get("/").await.header("location").starts_with("/login"));
    // The old cookie is worth nothing, wherever it was copied to.
    admin.cookies = cookies;
    assert!(admin.get("/").await.header("location").starts_with("/login"));
    assert_eq!(other.get("/").await.header("location"), "/admin");
}

#[actix_web::test]
async fn too_many_attempts_are_told_to_wait() {
    let site = Site::of(TestApp::configured(|config| config.login_attempts_per_minute = 3)).await;
    site.user("admin", Role::Admin, Scope::Platform);
    let mut browser = site.anon();
    for _ in 0..3 {
        assert_eq!(browser.log_in("admin", "wrong password").await.status, 401);
    }
    let refused = browser.log_in("admin", PASSWORD).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.body.contains("请稍候一分钟再试"));
    site.clock.advance(61);
    assert_eq!(browser.log_in("admin", PASSWORD).await.status, 303);
}

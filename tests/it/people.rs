//! Users, sessions, credentials, keys.
use mingfen::db::columns::CredentialId;
use mingfen::db::columns::MerchantId;
use mingfen::error::Error;
use mingfen::institutions::PlatformKeys;
use mingfen::kernel::digest::Digest;
use mingfen::merchants::credentials::{self, AnswerMode, NewCredential};
use mingfen::merchants::nonces::{self, Nonce};
use mingfen::merchants::tenants;
use mingfen::people::login::{Browser, Doorkeeper};
use mingfen::people::{Actor, Principal, Role, Scope, audit, password, sessions, users};
use mingfen::protocol::crypto::{MasterKey, PrivateKey};

use crate::support::database::Raw;
use crate::support::{MASTER_KEY, PASSWORD, TestApp};

fn code(error: &Error) -> &'static str {
    match error {
        Error::Refused { code, .. } => code.id(),
        other => panic!("{other}"),
    }
}

async fn login(app: &TestApp, name: &str, password: &str) -> Result<(String, Principal), Error> {
    let browser = Browser { ip: "10.0.0.1".into(), ..Browser::default() };
    let (token, principal) =
        app.doorkeeper.login(&app.db, &app.clock, name, password.into(), browser).await?;
    Ok((token.as_str().to_string(), principal))
}

#[actix_web::test]
async fn a_user_logs_in_is_known_by_the_cookie_and_logs_out() {
    let app = TestApp::new();
    let id = app.user("admin", Role::Admin, Scope::Platform);
    let (cookie, principal) = login(&app, "admin", PASSWORD).await.unwrap();
    let expected = Principal {
        user: id,
        login: "admin".into(),
        name: "admin".into(),
        role: Role::Admin,
        scope: Scope::Platform,
    };
    assert_eq!(principal, expected);
    assert_eq!(sessions::find(&app.db, &app.clock, &cookie).await.unwrap().principal, expected);

    let mut raw = Raw::open(app.database_url());
    assert_eq!(
        raw.texts("SELECT token_sha256 AS v FROM session"),
        [Digest::of(cookie.as_bytes()).to_string()]
    );

    let ended = cookie.clone();
    app.db.write(move |tx| sessions::end(tx, &ended)).await.unwrap();
    let gone = sessions::find(&app.db, &app.clock, &cookie).await.unwrap_err();
    assert_eq!(code(&gone), "AUT-103");
    assert_eq!(code(&sessions::find(&app.db, &app.clock, "guess").await.unwrap_err()), "AUT-103");
}

#[actix_web::test]
async fn an_unknown_login_a_wrong_password_and_a_disabled_user_get_the_same_answer() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    app.user("gone", Role::Checker, Scope::Platform);
    app.db.write(|tx| users::disable(tx, 1, &Actor::shell(), "gone")).await.unwrap();
    for (name, password) in [("nobody", PASSWORD), ("admin", "wrong password"), ("gone", PASSWORD)] {
        let refused = login(&app, name, password).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "AUT-101 the login or the password is wrong: try again, or ask an administrator to reset the password"
        );
    }
    assert_eq!(app.row_counts()["session"], 0);
}

#[actix_web::test]
async fn a_session_ends_after_half_an_hour_of_rest_and_after_twelve_hours() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let (cookie, _) = login(&app, "admin", PASSWORD).await.unwrap();
    // Kept alive all day, it still ends.
    for _ in 0..24 {
        sessions::find(&app.db, &app.clock, &cookie).await.unwrap();
        app.clock.advance(29 * 60);
    }
    app.clock.advance(25 * 60);
    assert!(sessions::find(&app.db, &app.clock, &cookie).await.is_err());

    let (cookie, _) = login(&app, "admin", PASSWORD).await.unwrap();
    app.clock.advance(30 * 60);
    assert!(sessions::find(&app.db, &app.clock, &cookie).await.is_err());
}

#[actix_web::test]
async fn logging_in_again_ends_the_old_session_and_a_reset_or_disabling_ends_all() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let (old, _) = login(&app, "admin", PASSWORD).await.unwrap();
    let (other, _) = login(&app, "admin", PASSWORD).await.unwrap();
    let browser = Browser { ip: "10.0.0.1".into(), old_token: Some(old.clone()), ..Browser::default() };
    let (new, _) =
        app.doorkeeper.login(&app.db, &app.clock, "admin", PASSWORD.into(), browser).await.unwrap();
    assert!(sessions::find(&app.db, &app.clock, &old).await.is_err());
    assert!(sessions::find(&app.db, &app.clock, new.as_str()).await.is_ok());

    let hash = password::hash("another long password").unwrap();
    app.db.write(move |tx| users::reset(tx, 1, &Actor::shell(), "admin", &hash)).await.unwrap();
    for cookie in [new.as_str(), &other] {
        assert!(sessions::find(&app.db, &app.clock, cookie).await.is_err());
    }
    assert!(login(&app, "admin", PASSWORD).await.is_err());
    let (cookie, _) = login(&app, "admin", "another long password").await.unwrap();
    app.db.write(|tx| users::disable(tx, 2, &Actor::shell(), "admin")).await.unwrap();
    assert!(sessions::find(&app.db, &app.clock, &cookie).await.is_err());
}

#[actix_web::test]
async fn attempts_are_throttled_per_login_and_address_and_later_allowed_again() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let door = Doorkeeper::new(&app.master_key, 2, &app.guard).unwrap();
    let attempt = async |name: &str, ip: &str, password: &str| {
        let browser = Browser { ip: ip.into(), ..Browser::default() };
        match door.login(&app.db, &app.clock, name, password.into(), browser).await {
            Ok(_) => "in",
            Err(denied) => code(&denied.error),
        }
    };
    assert_eq!(attempt("admin", "10.0.0.1", "wrong password").await, "AUT-101");
    assert_eq!(attempt("admin", "10.0.0.1", "wrong password").await, "AUT-101");
    // Also with the right password now, and the throttle looks at nothing else first.
    assert_eq!(attempt("admin", "10.0.0.1", PASSWORD).await, "AUT-102");
    assert_eq!(attempt("admin", "10.0.0.2", PASSWORD).await, "in");
    app.clock.advance(60);
    assert_eq!(attempt("admin", "10.0.0.1", PASSWORD).await, "in");
    // One address that tries many logins is stopped as well.
    for n in 0..10 {
        assert_eq!(attempt(&format!("guess{n}"), "10.0.0.3", "wrong password").await, "AUT-101");
    }
    assert_eq!(attempt("guess10", "10.0.0.3", "wrong password").await, "AUT-102");
}

#[actix_web::test]
async fn the_token_of_forms_depends_on_the_session_and_on_the_master_key() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let mut found = Vec::new();
    for _ in 0..2 {
        let (cookie, _) = login(&app, "admin", PASSWORD).await.unwrap();
        found.push(sessions::find(&app.db, &app.clock, &cookie).await.unwrap());
    }
    let token = found[0].csrf_token(&app.master_key);
    assert_eq!(token, found[0].csrf_token(&MasterKey::from(MASTER_KEY)));
    assert_ne!(token, found[1].csrf_token(&app.master_key));
    assert_ne!(token, found[0].csrf_token(&MasterKey::from([8; 32])));
}

#[test]
fn users_are_checked_before_they_are_stored() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let add = |login: &str, name: &str, role, scope| {
        let user = users::NewUser { login, name, role, scope, password_hash: "x" };
        let added = app.db.write_blocking(|tx| users::add(tx, 1, &Actor::shell(), &user));
        code(&added.unwrap_err())
    };
    assert_eq!(add("admin", "A", Role::Admin, Scope::Platform), "AUT-107");
    assert_eq!(add("Ad min", "A", Role::Admin, Scope::Platform), "AUT-108");
    assert_eq!(add("someone", " ", Role::Admin, Scope::Platform), "AUT-108");
    assert_eq!(add("someone", "A", Role::Admin, Scope::Merchant(MerchantId::new(1))), "AUT-108");
    assert_eq!(add("someone", "A", Role::InstMaker, Scope::Platform), "AUT-108");
    assert_eq!(code(&password::hash("short").unwrap_err()), "AUT-106");
    assert!(matches!(
        app.db.write_blocking(|tx| users::disable(tx, 1, &Actor::shell(), "nobody")),
        Err(Error::NotFound)
    ));
}

#[test]
fn every_command_about_people_leaves_an_audit_row_without_secrets() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let actor = Actor::user("admin", "req-1", "10.0.0.1");
    let hash = password::hash("another long password").unwrap();
    let rows = app.db.write_blocking(|tx| {
        users::reset(tx, 2, &actor, "admin", &hash)?;
        users::disable(tx, 3, &actor, "admin")?;
        users::disable(tx, 4, &actor, "admin")?;
        audit::of_object(tx, "user:admin")
    });
    let rows: Vec<_> = rows.unwrap().into_iter().map(|(_, who, what)| format!("{who} {what}")).collect();
    assert_eq!(rows, ["shell user.add", "user:admin user.reset", "user:admin user.disable"]);
    let mut raw = Raw::open(app.database_url());
    let stored = raw.texts("SELECT coalesce(after_json, '') AS v FROM audit").join(" ");
    assert!(!stored.contains("argon2"), "{stored}");
}

fn credential(app: &TestApp, serial: &str) -> (CredentialId, PrivateKey) {
    let key = PrivateKey::generate().unwrap();
    let pem = key.public_key().unwrap().to_pem().unwrap();
    let id = app.db.write_blocking(|tx| {
        let merchant = match tenants::by_number(tx, "1900000001")? {
            Some(found) => found.id,
            None => {
                let actor = Actor::shell();
                tenants::add(tx, 1, &actor, "1900000001", "wx1", "Demo")?.id
            }
        };
        let new = NewCredential {
            platform_merchant_id: merchant,
            serial,
            public_key_pem: &pem,
            apiv3_key: "0123456789abcdef0123456789ABCDEF",
            answer_mode: AnswerMode::PublicKey,
        };
        credentials::create(tx, &app.master_key, 1, &Actor::shell(), &new)
    });
    (id.unwrap(), key)
}

#[test]
fn a_credential_is_found_by_number_and_serial_until_it_is_revoked() {
    let app = TestApp::new();
    let (id, key) = credential(&app, "4f01");
    let find =
        |master: &MasterKey| app.db.read_blocking(|tx| credentials::find(tx, master, "1900000001", "4F01"));
    let found = find(&app.master_key).unwrap().unwrap();
    assert_eq!((found.id, found.serial.as_str(), found.answer_mode), (id, "4F01", AnswerMode::PublicKey));
    assert_eq!(found.apiv3_key.expose(), "0123456789abcdef0123456789ABCDEF");
    assert!(found.public_key.verify(b"x", &key.sign_sha256(b"x").unwrap()));
    assert!(!format!("{found:?}").contains("0123456789"));
    // Another master key opens nothing, and says so instead of pretending.
    assert!(matches!(find(&MasterKey::from([8; 32])), Err(Error::Internal(_))));

    let revoke = |serial: &str| {
        app.db.write_blocking(|tx| credentials::revoke(tx, 2, &Actor::shell(), "1900000001", serial))
    };
    assert_eq!(code(&revoke("4F02").unwrap_err()), "AUT-109");
    let in_force = || app.db.read_blocking(|tx| credentials::in_force(tx, &app.master_key, id));
    assert_eq!(in_force().unwrap().serial, "4F01");
    revoke("4f01").unwrap();
    revoke("4f01").unwrap();
    assert!(find(&app.master_key).unwrap().is_none());
    // What was begun with it is ended with another one that is in force, or not at all.
    assert_eq!(code(&in_force().unwrap_err()), "AUT-109");
    let (second, _) = credential(&app, "4f03");
    assert_eq!(in_force().unwrap().id, second);

    let mut raw = Raw::open(app.database_url());
    let hexed = hex::encode("0123456789abcdef0123456789ABCDEF");
    let stored = raw.texts(match raw {
        Raw::Sqlite(_) => "SELECT lower(hex(apiv3_key_wrapped)) AS v FROM credential",
        Raw::Pg(_) => "SELECT encode(apiv3_key_wrapped, 'hex') AS v FROM credential",
    });
    assert!(stored[0].len() > 64 && !stored[0].contains(&hexed));
}

#[test]
fn a_nonce_counts_once_per_credential_and_is_forgotten_after_eleven_minutes() {
    let app = TestApp::new();
    let (first, _) = credential(&app, "01");
    let (second, _) = credential(&app, "02");
    let minute = 60 * 1_000_000;
    let spend = |at: i64, credential_id, text: &str, request: &[u8]| {
        let nonce = Nonce { credential_id, text: text.to_owned(), request: Digest::of(request) };
        app.db.write_blocking(|tx| nonce.spend(tx, at)).is_ok()
    };
    assert!(spend(0, first, "n", b"a"));
    assert!(!spend(1, first, "n", b"b"));
    assert!(spend(2, second, "n", b"c"));
    assert!(spend(9 * minute, first, "m", b"d"));
    // The same request once more.
    assert!(spend(10 * minute, first, "m", b"d"));
    assert_eq!(app.db.write_blocking(|tx| nonces::purge(tx, 11 * minute + 1)).unwrap(), 1);
    assert_eq!(app.db.write_blocking(|tx| nonces::purge(tx, 15 * minute)).unwrap(), 1);
}

#[test]
fn the_platforms_keys_are_made_once_and_open_only_with_the_master_key() {
    let app = TestApp::new();
    let ensure = |master: MasterKey| {
        app.db.write_blocking(|tx| PlatformKeys::ensure(tx, &master, app.clock.instant()))
    };
    let again = ensure(MasterKey::from(MASTER_KEY)).unwrap();
    assert_eq!(again.wechat.serial, app.known_keys().wechat.serial);
    assert_eq!(again.files.serial, app.known_keys().files.serial);
    assert_ne!(again.files.serial, again.wechat.serial);
    assert_eq!(again.wechat.public_key_id, format!("PUB_KEY_ID_{}", again.wechat.serial));
    let signature = again.wechat.private_key.sign_sha256(b"x").unwrap();
    assert!(again.wechat.public_key.verify(b"x", &signature));
    assert!(again.wechat.certificate.public_key.verify(b"x", &signature));
    assert!(ensure(MasterKey::from([8; 32])).is_err());
}

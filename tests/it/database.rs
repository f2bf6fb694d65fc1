use std::path::Path;

use diesel::RunQueryDsl;
use mingfen::config::{Config, LogFormat, ProxyHeader};
use mingfen::db::{Create, Db, Tx};
use mingfen::error::{Code, Error};
use mingfen::people::{Actor, Role, Scope, audit, users};

use crate::support::TestApp;

fn load(toml: Option<&str>, env: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.toml");
    std::fs::write(&file, toml.unwrap_or_default()).unwrap();
    let vars = env.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    Config::from_sources(toml.map(|_| Path::new(&file)), vars)
        .map_err(|e| e.to_string().replace(&dir.path().display().to_string(), "DIR"))
}

#[test]
fn settings_come_from_defaults_then_file_then_environment() {
    let config = load(
        Some("listen = '0.0.0.0:80'\nlog_format = 'json'\npublic_url = 'https://pay.example/'"),
        &[("MINGFEN_LISTEN", "127.0.0.1:81"), ("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true"), ("HOME", "/x")],
    )
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:81");
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.allow_private_addresses);
    assert_eq!(config.public_url, "https://pay.example");
    assert_eq!(config.database_url, "sqlite:mingfen.db");
}

#[test]
fn a_list_stands_in_the_file_or_with_commas_in_the_environment() {
    let nets = |config: Config| config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = "proxy_header = 'forwarded'\ntrusted_proxies = ['10.0.0.0/8']";
    assert_eq!(nets(load(None, &[]).unwrap()), [""; 0]);
    assert_eq!(nets(load(Some(file), &[]).unwrap()), ["10.0.0.0/8"]);
    let variable = [("MINGFEN_TRUSTED_PROXIES", "127.0.0.1/32, 2001:db8::/32")];
    assert_eq!(nets(load(Some(file), &variable).unwrap()), ["127.0.0.1/32", "2001:db8::/32"]);
    let refused = |toml| load(Some(toml), &[]).unwrap_err();
    insta::assert_snapshot!(refused("trusted_proxies = ['proxy']"), @"DIR/settings.toml: the setting `trusted_proxies.0` must be a list of networks, each as 10.0.0.0/8");
    insta::assert_snapshot!(refused("trusted_proxies = '10.0.0.0/8'"), @"DIR/settings.toml: the setting `trusted_proxies` must be a list of networks, each as 10.0.0.0/8");
}

#[test]
fn one_header_of_our_proxies_is_read_and_it_must_be_named() {
    let header = |config: Config| config.proxy_header.map_or("none", ProxyHeader::name);
    assert_eq!(header(load(None, &[]).unwrap()), "none");
    assert_eq!(header(load(Some("proxy_header = 'forwarded'"), &[]).unwrap()), "forwarded");
    let variable = [("MINGFEN_PROXY_HEADER", "x-forwarded-for")];
    assert_eq!(header(load(Some("proxy_header = 'forwarded'"), &variable).unwrap()), "x-forwarded-for");
    // An older version knew no such setting: it must not be upgraded into believing what clients write.
    let old = "trusted_proxies = ['10.0.0.0/8']";
    let refused = load(Some(old), &[]).unwrap_err();
    insta::assert_snapshot!(refused, @"settings: the setting `proxy_header` must be set where trusted_proxies is: write x-forwarded-for or forwarded, whichever header your proxies write themselves; of the other one the client's own would be believed");
    assert_eq!(header(load(Some(old), &variable).unwrap()), "x-forwarded-for");
    let refused = load(Some("proxy_header = 'x-real-ip'"), &[]).unwrap_err();
    insta::assert_snapshot!(refused, @"DIR/settings.toml: the setting `proxy_header` must be one of x-forwarded-for, forwarded");
}

#[test]
fn a_setting_that_does_not_exist_or_fit_is_refused_by_name() {
    let refused = |toml, env: &[_]| load(toml, env).unwrap_err();
    insta::assert_snapshot!(refused(Some("lisen = 'x'"), &[]), @"DIR/settings.toml: there is no setting `lisen`: correct or remove it");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_LISEN", "x")]), @"environment: there is no setting `lisen`: correct or remove it");
    insta::assert_snapshot!(refused(Some("log_format = 'xml'"), &[]), @"DIR/settings.toml: the setting `log_format` must be one of text, json");
    insta::assert_snapshot!(refused(Some("master_key = 12345"), &[]), @"DIR/settings.toml: the setting `master_key` must be a string");
    insta::assert_snapshot!(refused(Some("listen = "), &[]), @"the settings file DIR/settings.toml cannot be read: TOML parse error at line 1, column 10");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_LOGIN_ATTEMPTS_PER_MINUTE", "often")]), @"environment: the setting `login_attempts_per_minute` must be a whole number");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_PUBLIC_URL", "pay.example")]), @"settings: the setting `public_url` must be http(s)://HOST[:PORT]");
}

#[test]
fn a_settings_file_that_holds_the_key_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.toml");
    let load = |text: &str, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        Config::from_sources(Some(&file), std::iter::empty()).map_err(|e| e.to_string())
    };
    let with_key = format!("master_key = '{}'", "1".repeat(64));
    for mode in [0o604, 0o640, 0o620, 0o644] {
        let why = load(&with_key, mode).unwrap_err();
        assert!(why.contains("holds the master key and is open to others: chmod 600"), "{why}");
        assert!(!why.contains("1111"), "{why}");
    }
    load(&with_key, 0o600).unwrap().master_key().unwrap();
    load("master_key_file = '/etc/mingfen/master.key'", 0o644).unwrap();
    // A pipe in its place is not waited for.
    let pipe = dir.path().join("pipe.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(Config::from_sources(Some(&pipe), std::iter::empty()).is_err());
}

#[test]
fn the_master_key_is_32_bytes_and_its_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let hex = "1".repeat(64);
    let config = load(None, &[("MINGFEN_MASTER_KEY", &hex)]).unwrap();
    assert_eq!(config.master_key().unwrap().to_hex(), hex);
    assert!(!format!("{config:?}").contains("1111"));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.key");
    std::fs::write(&file, "ERERERERERERERERERERERERERERERERERERERERERE=\n").unwrap();
    let config = Config { master_key_file: Some(file.clone()), ..Config::default() };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(config.master_key().unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(config.master_key().unwrap().to_hex(), hex);
    std::fs::write(&file, "short").unwrap();
    assert!(config.master_key().is_err());
    assert!(Config::default().master_key().unwrap_err().to_string().contains("openssl rand"));
}

fn refusal(url: &str) -> String {
    Db::open(url, Create::No).err().expect(url).to_string()
}

#[test]
fn a_missing_or_mistyped_database_is_refused_and_never_created() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("typo.db");
    for url in [format!("sqlite:{}", file.display()), file.display().to_string()] {
        assert!(refusal(&url).ends_with("create it with `mingfen migrate`"), "{}", refusal(&url));
        assert!(Db::pending(&url).is_err());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    for url in ["postgre://mingfen@host/db", "mysql://u:secret@host/db", "sqlite:", "", ":memory:"] {
        assert!(refusal(url).contains("is no database URL"), "{url}");
        assert!(!refusal(url).contains("secret"), "{url}");
    }
    let gone = refusal("postgres://mingfen:secret@127.0.0.1:9/mingfen");
    assert!(gone.starts_with("the database cannot be opened") && !gone.contains("secret"), "{gone}");
}

#[test]
fn pending_migrations_are_refused_until_migrate_has_run() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new").join("mingfen.db");
    let url = format!("sqlite:{}", file.display());
    Db::open(&url, Create::Yes).unwrap();
    assert_eq!(Db::pending(&url).unwrap(), Vec::<String>::new());
    Db::open(&url, Create::No).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let empty = dir.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let url = format!("sqlite:{}", empty.display());
    assert!(refusal(&url).ends_with("run `mingfen migrate`"));
    assert!(!Db::pending(&url).unwrap().is_empty());
}

fn note(tx: &mut Tx<'_>, object: &str) -> Result<(), Error> {
    let entry = audit::Entry { action: "test", object, before: None, after: None };
    audit::record(tx, 1, &Actor::system(), entry)
}

#[actix_web::test]
async fn a_transaction_commits_on_success_and_leaves_nothing_on_an_error_or_a_panic() {
    let app = TestApp::new();
    let rows = || app.row_counts()["audit"];
    app.db.write(|tx| note(tx, "a")).await.unwrap();
    assert_eq!(rows(), 1);
    let refused: Result<(), Error> = app
        .db
        .write(|tx| {
            note(tx, "b")?;
            Err(Error::NotFound)
        })
        .await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let stopped = app
        .db
        .write(|tx| {
            note(tx, "c")?;
            if rows_in(tx) > 0 {
                panic!("on purpose")
            }
            Ok(())
        })
        .await;
    assert!(matches!(stopped, Err(Error::Internal(_))));
    assert_eq!(rows(), 1);
    // The connection is fit for use again.
    app.db.write(|tx| note(tx, "d")).await.unwrap();
    assert_eq!(rows(), 2);
}

fn rows_in(tx: &mut Tx<'_>) -> usize {
    audit::of_object(tx, "c").unwrap().len()
}

#[actix_web::test]
async fn a_reading_transaction_cannot_write() {
    let app = TestApp::new();
    assert!(app.db.read(|tx| note(tx, "a")).await.is_err());
    assert_eq!(app.row_counts()["audit"], 0);
}

#[actix_web::test]
async fn a_savepoint_takes_back_its_own_part_only() {
    let app = TestApp::new();
    app.user("admin", Role::Admin, Scope::Platform);
    let before = app.row_counts()["audit"];
    app.db
        .write(|tx| {
            note(tx, "a")?;
            let part: Result<(), Error> = tx.savepoint(|tx| {
                note(tx, "b")?;
                let duplicate = users::NewUser {
                    login: "admin",
                    name: "x",
                    role: Role::Admin,
                    scope: Scope::Platform,
                    password_hash: "x",
                };
                users::add(tx, 1, &Actor::system(), &duplicate).map(drop)
            });
            assert!(part.is_err());
            note(tx, "c")
        })
        .await
        .unwrap();
    assert_eq!(app.row_counts()["audit"], before + 2);
}

#[actix_web::test]
async fn a_caught_error_without_a_savepoint_is_no_silent_success() {
    let app = TestApp::new();
    let outcome = app.db.write(|tx| {
        note(tx, "a")?;
        let caught = diesel::sql_query("UPDATE audit SET at = 0").execute(tx.conn());
        assert!(caught.unwrap_err().to_string().contains("append-only"));
        Ok(())
    });
    // SQLite keeps what went well; PostgreSQL has nothing left to commit, and says so.
    let kept = i64::from(outcome.await.is_ok());
    assert_eq!(kept, i64::from(app.database_url().starts_with("sqlite")));
    assert_eq!(app.row_counts()["audit"], kept);
}

#[actix_web::test]
async fn many_writers_at_once_all_succeed() {
    let app = TestApp::new();
    let all = (0..64).map(|n| app.db.write(move |tx| note(tx, &format!("object {n}"))));
    for outcome in futures_util::future::join_all(all).await {
        outcome.unwrap();
    }
    assert_eq!(app.row_counts()["audit"], 64);
}

#[test]
fn error_codes_are_unique_and_complete() {
    let mut seen = std::collections::BTreeSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.id()), "{} twice", code.id());
        let (room, number) = code.id().split_once('-').unwrap();
        assert!(room.len() == 3 && room.bytes().all(|b| b.is_ascii_uppercase()), "{}", code.id());
        assert!(number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()), "{}", code.id());
        assert!((400..600).contains(&code.status()), "{}", code.id());
        for text in [code.sentence_zh(), code.sentence_en(), code.advice_zh(), code.advice_en()] {
            assert!(!text.trim().is_empty() && !text.ends_with(['.', '。']), "{}: {text}", code.id());
        }
        assert!(!code.sentence_zh().is_ascii() && code.sentence_en().is_ascii());
    }
}

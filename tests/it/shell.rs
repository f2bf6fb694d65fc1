//! Commands as an operator types them: `migrate`, `user`, `credential`, and what `serve` refuses.
use mingfen::config::Config;
use mingfen::kernel::channel::ChannelName;
use mingfen::merchants::{self, Asked, Signatory, Whom, applications, credentials};
use mingfen::people::login::{Browser, Doorkeeper};
use mingfen::people::{Role, Scope, users};
use mingfen::protocol::crypto::{MasterKey, PrivateKey};

use crate::support::database::{Kind, TestDatabase};
use crate::support::shell::{Shell, word_after};
use crate::support::{MASTER_KEY, TestApp};

#[test]
fn migrate_creates_the_database_and_says_what_is_pending() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::new(dir.path(), "sqlite:fresh.db");
    let missing = "there is no database at fresh.db: check database_url, or create it with `mingfen migrate`";
    assert_eq!(shell.refused(&["migrate", "--check"]), missing);
    assert_eq!(shell.refused(&["user", "reset", "--login", "ops"]), missing);
    assert_eq!(shell.refused(&["serve"]), missing);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    std::fs::write(dir.path().join("fresh.db"), "").unwrap();
    let (status, out, _) = shell.run(&["migrate", "--check"]);
    assert_eq!(status, 1);
    assert!(out.starts_with("pending: "), "{out}");
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap().count();
    let lacking = format!("the database lacks {all} migration(s): run `mingfen migrate`");
    assert_eq!(shell.refused(&["serve"]), lacking);
    let ran = format!("the database fresh.db was upgraded: {all} migration(s) ran\n");
    for told in [ran.as_str(), "the database fresh.db is up to date\n"] {
        assert_eq!(shell.good(&["migrate"]), told);
        assert_eq!(shell.good(&["migrate", "--check"]), "the database fresh.db is up to date\n");
    }
}

#[test]
fn migrate_leaves_the_database_of_others_alone() {
    let (dir, kind) = (tempfile::tempdir().unwrap(), Kind::of_this_run());
    let database = TestDatabase::empty(kind);
    let mut raw = database.raw();
    raw.execute("CREATE TABLE theirs (a INTEGER)").unwrap();
    let told = Shell::new(dir.path(), database.url()).refused(&["migrate"]);
    assert_eq!(told, "the database holds tables that are not ours: name an empty one in database_url");
    assert_eq!(raw.tables(), ["theirs"]);
}

#[test]
fn serve_refuses_unknown_settings_and_a_missing_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut shell = Shell::new(dir.path(), "sqlite:fresh.db");
    shell.good(&["migrate"]);
    std::fs::write(dir.path().join("bad.toml"), "lisen = 'x'").unwrap();
    assert_eq!(
        shell.refused(&["serve", "--config", "bad.toml"]),
        "bad.toml: there is no setting `lisen`: correct or remove it"
    );
    shell.variables.push(("MINGFEN_LISEN", "x".into()));
    assert_eq!(shell.refused(&["serve"]), "environment: there is no setting `lisen`: correct or remove it");
    shell.variables.retain(|(name, _)| *name == "MINGFEN_DATABASE_URL");
    assert!(shell.refused(&["serve"]).starts_with("no master key: set master_key_file"));
}

#[test]
fn a_sandbox_listens_on_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::new(dir.path(), "sqlite:none.db");
    let listen = |address: &str| {
        shell.refused(&["sandbox", "--listen", address, "--data", "sandbox", "--exchange", "files"])
    };
    insta::assert_snapshot!(listen("0.0.0.0:0"), @"cannot listen on 0.0.0.0:0; choose another --listen: the sandbox's control has no login, and 0.0.0.0:0 can be reached from elsewhere: listen on 127.0.0.1");
    assert!(listen("[::]:0").contains("can be reached from elsewhere"));
    assert!(!dir.path().join("sandbox").exists());
}

#[actix_web::test]
async fn a_user_made_in_the_shell_can_log_in_until_reset_or_shut_out() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let enter = async |password: &str| {
        let door = Doorkeeper::new(&app.master_key, 100, &app.guard).unwrap();
        door.login(&app.db, &app.clock, "ops", password.into(), Browser::default()).await.is_ok()
    };
    let made = shell.good(&["user", "add", "--login", "ops", "--name", "运营", "--role", "admin"]);
    let first = word_after(&made, "password");
    assert!(enter(first).await);
    let found = app.db.read(|tx| users::by_login(tx, "ops")).await.unwrap().unwrap();
    assert_eq!((found.role, found.scope, found.name.as_str()), (Role::Admin, Scope::Platform, "运营"));

    let reset = shell.good(&["user", "reset", "--login", "ops"]);
    let second = word_after(&reset, "password");
    assert!(!enter(first).await && enter(second).await);
    assert_eq!(shell.good(&["user", "disable", "--login", "ops"]), "the user `ops` is shut out\n");
    assert!(!enter(second).await);

    let add = |rest: &[&str]| {
        shell.refused(&[&["user", "add", "--login", "ops2", "--name", "x", "--role"], rest].concat())
    };
    insta::assert_snapshot!(add(&["merchant"]), @"AUT-108 the user's data are not valid (the role does not suit the institution or merchant): check login, role, and the institution or merchant it belongs to");
    insta::assert_snapshot!(add(&["merchant", "--merchant", "M9"]), @"there is no sub-merchant `M9`: check --merchant");
    insta::assert_snapshot!(add(&["inst-maker", "--institution", "NONE"]), @"INS-102 there is no such institution (NONE): check its code");
    assert_eq!(
        shell.refused(&["user", "disable", "--login", "nobody"]),
        "there is no user `nobody`: check --login"
    );
}

#[test]
fn a_credential_made_in_the_shell_verifies_is_rotated_and_revoked() {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let find = |serial: &str| {
        let master = MasterKey::from(MASTER_KEY);
        app.db.read_blocking(|tx| credentials::find(tx, &master, "1900000001", serial)).unwrap()
    };
    let mchid = ["--mchid", "1900000001"];
    let lone = shell.refused(&[&["credential", "new"], &mchid[..]].concat());
    assert!(
        lone.contains("there is no platform merchant 1900000001: give its --appid and --name too"),
        "{lone}"
    );
    let files = || {
        let all = std::fs::read_dir(app.dir()).unwrap();
        all.filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".pem")).count()
    };
    assert_eq!((files(), app.row_counts()["platform_merchant"]), (0, 0));

    let first = ["--appid", "wx1", "--name", "商城", "--mode", "pubkey"];
    let out = shell.good(&[&["credential", "new"], &mchid[..], &first[..]].concat());
    let serial = word_after(&out, "serial");
    let stored = find(serial).unwrap();
    assert_eq!(stored.apiv3_key.expose(), word_after(&out, "API v3 key"));
    assert_eq!(stored.answer_mode, credentials::AnswerMode::PublicKey);
    let key_file = app.dir().join(word_after(&out, "private key"));
    assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = PrivateKey::from_pem(&std::fs::read_to_string(key_file).unwrap()).unwrap();
    assert!(stored.public_key.verify(b"x", &key.sign_sha256(b"x").unwrap()));

    let rotate = shell.good(&[&["credential", "rotate"], &mchid[..], &["--serial", serial]].concat());
    let newer = word_after(&rotate, "serial");
    assert!(find(serial).is_some());
    assert_eq!(find(newer).unwrap().answer_mode, credentials::AnswerMode::PublicKey);
    shell.good(&[&["credential", "revoke"], &mchid[..], &["--serial", serial]].concat());
    assert!(find(serial).is_none() && find(newer).is_some());
    let again = shell.refused(&[&["credential", "rotate"], &mchid[..], &["--serial", serial]].concat());
    assert!(again.ends_with("check --serial"), "{again}");
    assert_eq!(files(), 4);

    let alipay = ["--language", "alipay_openapi"];
    let out = shell.good(&[&["credential", "new"], &mchid[..], &alipay[..]].concat());
    let app_id = word_after(&out, "app_id");
    assert!(app_id.len() == 16 && app_id.bytes().all(|b| b.is_ascii_digit()) && !app_id.starts_with('0'));
    assert!(out.ends_with("-----END PUBLIC KEY-----\n") && !out.contains("API v3 key"), "{out}");
    let key_file = app.dir().join(word_after(&out, "private key"));
    assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = PrivateKey::from_pem(&std::fs::read_to_string(key_file).unwrap()).unwrap();
    let stored = || {
        let asked = Asked {
            by: Signatory::Application(app_id.to_owned()),
            merchant: Whom::Nobody,
            channel: ChannelName::Alipay,
            at: 1,
        };
        app.db.read_blocking(|tx| applications::of(&merchants::look_up(tx, &asked)?.unwrap())).unwrap()
    };
    let application = stored().unwrap();
    assert!(application.public_key.verify(b"x", &key.sign_sha256(b"x").unwrap()));
    assert_eq!((application.sp_mchid.as_str(), find(app_id).is_none()), ("1900000001", true));
    let rotate = shell.refused(&[&["credential", "rotate"], &mchid[..], &["--serial", app_id]].concat());
    assert!(rotate.ends_with("check --serial"), "{rotate}");
    shell.good(&[&["credential", "revoke"], &mchid[..], &["--serial", app_id]].concat());
    assert!(stored().is_none() && find(newer).is_some());
    assert_eq!(files(), 5);
}

#[test]
fn every_command_has_help_with_an_example() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::new(dir.path(), &Config::default().database_url);
    let help = shell.good(&["--help"]);
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names = commands.lines().filter_map(|line| line.split_whitespace().next());
    let mut seen = 0;
    for name in names.filter(|name| *name != "help") {
        let text = shell.good(&[name, "--help"]);
        assert!(text.contains("Example: ") || text.contains("mingfen "), "{name}: {text}");
        seen += 1;
    }
    assert!(seen >= 5, "{help}");
}

//! What a command says when it cannot do what it was asked: every sentence names the thing, and what to do.
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::shell::Shell;

/// A folder with a database that was migrated.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Shell::new(dir.path(), "sqlite:made.db").good(&["migrate"]);
    dir
}

fn shell(dir: &Path) -> Shell<'_> {
    Shell::new(dir, "sqlite:made.db")
}

/// What a command said that ended with this status, on either stream.
fn said(shell: &Shell<'_>, dir: &Path, status: i32, arguments: &[&str]) -> String {
    let (ended, out, err) = shell.run(arguments);
    assert_eq!(ended, status, "{arguments:?}: {out}{err}");
    format!("{out}{err}").trim().replace(&dir.display().to_string(), "DIR")
}

#[test]
fn settings() {
    let dir = folder();
    let mut shell = shell(dir.path());
    let write = |text: &str| fs::write(dir.path().join("s.toml"), text).unwrap();
    let serve = ["serve", "--config", "s.toml"];
    insta::assert_snapshot!(shell.refused(&["serve", "--config", "none.toml"]), @r#"
the settings file none.toml cannot be read: No such file or directory (os error 2)
"#);
    write("listen = 'x'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
s.toml: the setting `listen` is not usable: invalid socket address syntax
"#);
    write("lisen = '127.0.0.1:1'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
s.toml: there is no setting `lisen`: correct or remove it
"#);
    write("listen = ");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
the settings file s.toml cannot be read: TOML parse error at line 1, column 10
"#);
    write("public_url = 'ftp://x'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
settings: the setting `public_url` must be http(s)://HOST[:PORT]
"#);
    write("log_format = 'xml'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
s.toml: the setting `log_format` must be one of text, json
"#);
    write("login_attempts_per_minute = 'many'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
s.toml: the setting `login_attempts_per_minute` must be a whole number
"#);
    fs::write(dir.path().join("short.key"), "abcd").unwrap();
    shell.variables.retain(|(name, _)| *name != "MINGFEN_MASTER_KEY");
    write("master_key_file = 'short.key'");
    fs::set_permissions(dir.path().join("short.key"), fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(shell.refused(&serve), @r#"
the master key file short.key is open to others: chmod 600 short.key
"#);
    fs::set_permissions(dir.path().join("short.key"), fs::Permissions::from_mode(0o600)).unwrap();
    insta::assert_snapshot!(shell.refused(&serve), @r#"
the master key in short.key must be 32 bytes as base64 or hex
"#);
    write("master_key_file = 'none.key'");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
the master key file none.key cannot be read: No such file or directory (os error 2)
"#);
    write("");
    insta::assert_snapshot!(shell.refused(&serve), @r#"
no master key: set master_key_file to a file made by `openssl rand -base64 32` with mode 0600, or MINGFEN_MASTER_KEY
"#);
}

#[test]
fn starting() {
    let dir = folder();
    let mut shell = shell(dir.path());
    shell.variables.push(("MINGFEN_DATA_DIR", "made.db".into()));
    insta::assert_snapshot!(shell.refused(&["serve"]), @r#"
data_dir: made.db/files cannot be written: choose another data_dir or let this user write: Not a directory (os error 20)
"#);
    shell.variables.pop();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    shell.variables.push(("MINGFEN_LISTEN", address.clone()));
    insta::assert_snapshot!(said(&shell, dir.path(), 2, &["serve"]).replace(&address, "ADDRESS"), @r#"
ADDRESS cannot be listened on: choose another `listen`: Address already in use (os error 98)
"#);
    insta::assert_snapshot!(
        said(&shell, dir.path(), 2, &["demo", "--data", "demo", "--listen", &address]).replace(&address, "ADDRESS"),
        @r#"
ADDRESS cannot be listened on: choose another --listen: Address already in use (os error 98)
"#
    );
    shell.variables.pop();
    // The keys of this database were sealed with another master key.
    for (name, value) in &mut shell.variables {
        if *name == "MINGFEN_MASTER_KEY" {
            *value = "22".repeat(32);
        }
    }
    insta::assert_snapshot!(shell.refused(&["serve"]), @r#"
KEY-101 the master key does not open the keys in the database (the platform's wechat key): give the master key that the database was begun with
"#);
    let mut opened = |url: &str| {
        shell.variables[0].1 = url.to_owned();
        said(&shell, dir.path(), 2, &["check"])
    };
    insta::assert_snapshot!(opened("mysql://x"), @r#"
`mysql://x` is no database URL: write sqlite:PATH or postgres://USER@HOST/NAME
"#);
    insta::assert_snapshot!(opened("sqlite:none/none.db"), @r#"
there is no database at none/none.db: check database_url, or create it with `mingfen migrate`
"#);
    insta::assert_snapshot!(opened("postgres://127.0.0.1:1/none"), @r#"
the database cannot be opened: connection to server at "127.0.0.1", port 1 failed: Connection refused
	Is the server running on that host and accepting TCP/IP connections?
"#);
}

#[test]
fn people_and_credentials() {
    let dir = folder();
    let shell = shell(dir.path());
    let user = |rest: &[&str]| shell.refused(&[&["user"], rest].concat());
    insta::assert_snapshot!(user(&["add", "--login", "a b", "--name", "x", "--role", "admin"]), @r#"
AUT-108 the user's data are not valid (a login is 3 to 32 of 0-9 a-z . _ -): check login, role, and the institution or merchant it belongs to
"#);
    insta::assert_snapshot!(user(&["add", "--login", "m", "--name", "x", "--role", "inst-maker", "--institution", "NONE"]), @r#"
INS-102 there is no such institution (NONE): check its code
"#);
    insta::assert_snapshot!(user(&["add", "--login", "m", "--name", "x", "--role", "merchant", "--merchant", "M9"]), @r#"
there is no sub-merchant `M9`: check --merchant
"#);
    insta::assert_snapshot!(user(&["reset", "--login", "nobody"]), @r#"
there is no user `nobody`: check --login
"#);
    let credential = |rest: &[&str]| shell.refused(&[&["credential"], rest].concat());
    insta::assert_snapshot!(credential(&["new", "--mchid", "19"]), @r#"
MER-101 the merchant's data are not valid (there is no platform merchant 19: give its --appid and --name too): correct what is named and try again
"#);
    insta::assert_snapshot!(credential(&["new", "--mchid", "1 9", "--appid", "wx1", "--name", "明分商城"]), @r#"
--mchid is 1 to 32 of 0-9 A-Z a-z
"#);
    shell.good(&[
        "credential",
        "new",
        "--mchid",
        "19",
        "--appid",
        "wx1",
        "--name",
        "明分商城",
        "--out",
        "new/folder",
    ]);
    insta::assert_snapshot!(credential(&["new", "--mchid", "19", "--appid", "wx1", "--name", "明分"]), @r#"
MER-101 the merchant's data are not valid (19 is 明分商城 with sp_appid wx1, and stays so): correct what is named and try again
"#);
    insta::assert_snapshot!(credential(&["new", "--mchid", "19", "--out", "made.db"]), @r#"
made.db cannot be made: check --out: File exists (os error 17)
"#);
    insta::assert_snapshot!(credential(&["revoke", "--mchid", "19", "--serial", "AB"]), @r#"
AUT-109 there is no such API credential (19 AB): check the merchant number and the certificate serial
"#);
    insta::assert_snapshot!(credential(&["rotate", "--mchid", "19", "--serial", "AB"]), @r#"
19 has no live credential AB: check --serial
"#);
    // In public-key mode the caller needs our public key, which no certificate brings.
    let made = shell.good(&["credential", "new", "--mchid", "19", "--mode", "pubkey", "--out", "new"]);
    assert!(
        made.contains("platform public key id PUB_KEY_ID_") && made.contains("BEGIN PUBLIC KEY"),
        "{made}"
    );
}

#[test]
fn days_and_keys() {
    let dir = folder();
    let shell = shell(dir.path());
    let day = ["--institution", "NONE", "--date", "20260101"];
    insta::assert_snapshot!(said(&shell, dir.path(), 1, &[&["day", "cut"], &day[..]].concat()), @r#"
INS-102 there is no such institution: NONE. What to do: check its code.
"#);
    insta::assert_snapshot!(said(&shell, dir.path(), 1, &[&["day", "settle"], &day[..]].concat()), @r#"
INS-102 there is no such institution: NONE. What to do: check its code.
"#);
    insta::assert_snapshot!(shell.refused(&["institution", "show", "--institution", "NONE"]), @r#"
INS-102 there is no such institution (NONE): check its code
"#);
    insta::assert_snapshot!(shell.refused(&["institution", "add", "--from", "none.toml"]), @r#"
cannot read none.toml: No such file or directory (os error 2)
"#);
    insta::assert_snapshot!(shell.refused(&["channel", "key", "--institution", "NONE", "--channel", "wechat", "--registration", "r.json"]), @r#"
INS-102 there is no such institution (NONE): check its code
"#);
    insta::assert_snapshot!(shell.refused(&["merchant", "add", "--from", "made.db"]), @r#"
cannot read made.db: stream did not contain valid UTF-8
"#);
}

#[test]
fn backup_and_restore() {
    let dir = folder();
    let mut shell = shell(dir.path());
    shell.good(&["credential", "new", "--mchid", "19", "--appid", "wx1", "--name", "明分商城"]);
    fs::create_dir_all(dir.path().join("mingfen-data/files/SANDBOX/in")).unwrap();
    shell.good(&["backup", "a.tar"]);
    insta::assert_snapshot!(shell.refused(&["backup", "a.tar"]), @r#"
a.tar is there already: a backup never goes over another
"#);
    insta::assert_snapshot!(shell.refused(&["backup", "none/a.tar"]), @r#"
none/a.tar was not written: none/.a.tar.db cannot be made: No such file or directory (os error 2)
"#);
    insta::assert_snapshot!(shell.refused(&["restore", "a.tar"]), @r#"
made.db is there already: restore goes where nothing is
"#);
    let listed = || {
        let names =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".pem")).collect();
        names.sort();
        names
    };
    let before = listed();
    shell.variables[0].1 = "sqlite:there.db".into();
    shell.variables.push(("MINGFEN_DATA_DIR", "there".into()));
    insta::assert_snapshot!(shell.refused(&["restore", "none.tar"]), @r#"
none.tar cannot be read: No such file or directory (os error 2)
"#);
    let whole = fs::read(dir.path().join("a.tar")).unwrap();
    fs::write(dir.path().join("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    insta::assert_snapshot!(shell.refused(&["restore", "cut.tar"]), @r#"
nothing was restored: cut.tar: the archive is cut short, or the disk is full: unexpected EOF during skip
"#);
    fs::write(dir.path().join("cut.tar"), "hello").unwrap();
    insta::assert_snapshot!(shell.refused(&["restore", "cut.tar"]), @r#"
nothing was restored: cut.tar: this is no backup of mingfen: failed to read entire block
"#);
    fs::remove_file(dir.path().join("cut.tar")).unwrap();
    let right = std::mem::replace(&mut shell.variables[1].1, "22".repeat(32));
    insta::assert_snapshot!(shell.refused(&["restore", "a.tar"]), @r#"
nothing was restored: KEY-101 the master key does not open the keys in the database (the platform's wechat key): give the master key that the database was begun with
"#);
    // Whatever was refused left nothing behind, and nothing that is in the way of the right one.
    fs::remove_dir(dir.path().join("there")).unwrap();
    assert_eq!(listed(), before);
    shell.variables[1].1 = right;
    insta::assert_snapshot!(shell.good(&["restore", "a.tar"]), @r#"
restored there.db and there/files
ok: nothing is broken
"#);
}

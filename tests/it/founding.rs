//! Founding from the shell: what is entered once, again, wrongly, and by halves.
use std::path::Path;

use mingfen::protocol::crypto::PrivateKey;

use crate::support::TestApp;
use crate::support::shell::Shell;

/// A founding document as an institution's people would write it, its keys read from files beside it.
fn document(dir: &Path, change: impl FnOnce(String) -> String) -> String {
    let pem = |name: &str| {
        let key = PrivateKey::generate().unwrap().public_key().unwrap().to_pem().unwrap();
        let path = dir.join(name);
        if !path.exists() {
            std::fs::write(&path, key).unwrap();
        }
        std::fs::read_to_string(path).unwrap()
    };
    let (approvals, files, answers) = (pem("approvals.pem"), pem("files.pem"), pem("answers.pem"));
    let text = format!(
        r#"
[institution]
code = "BANK"
name = "某银行"
platform_code = "MING"
order_prefix = "BK"

[[key]]
purpose = "approvals"
public_key = """{approvals}"""

[[key]]
purpose = "files"
public_key = """{files}"""

[[key]]
purpose = "channel"
channel = "wechat"
key_id = "5E1F00D0"
public_key = """{answers}"""

[[channel]]
channel = "wechat"
language = "wechat_v3"
base_url = "https://api.bank.example"
sp_mchid = "1800000001"
sp_appid = "wx1800000001"

[[tenant]]
sp_mchid = "1900000001"
sp_appid = "wx1900000001"
name = "商城"

[[merchant]]
merchant = "M1001"
name = "小店"
tenant = "1900000001"
inst_merchant_no = "8001"

[[receiver]]
receiver = "agent:A1"
role = "agent"
name = "渠道"
"#
    );
    std::fs::write(dir.join("bank.toml"), change(text)).unwrap();
    "bank.toml".to_owned()
}

/// What enters each part of the document, in the order of the README.
const COMMANDS: [[&str; 2]; 6] = [
    ["institution", "add"],
    ["institution", "key"],
    ["channel", "add"],
    ["tenant", "add"],
    ["merchant", "add"],
    ["receiver", "add"],
];

/// Enters the whole document; what is printed, with the digests that name keys cut off.
fn enter(shell: &Shell<'_>, file: &str) -> String {
    COMMANDS.iter().map(|[object, verb]| shell.good(&[object, verb, "--from", file])).collect()
}

#[test]
fn a_document_is_entered_once_and_the_same_again_changes_nothing() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let file = document(app.dir(), |text| text);
    let told = enter(&shell, &file);
    let entered = told.lines().filter(|line| line.ends_with(": entered")).count();
    assert_eq!(entered, 8, "{told}");
    let before = app.row_counts();
    let again = enter(&shell, &file);
    assert_eq!(again.lines().count(), 8);
    assert!(again.lines().all(|line| line.ends_with(": is there already, nothing changed")), "{again}");
    assert_eq!(app.row_counts(), before, "not even the audit");
    let show = shell.good(&["institution", "show", "--institution", "BANK"]);
    assert!(show.contains("channel wechat wechat_v3 https://api.bank.example as 1800000001 wx1800000001"));
    assert_eq!(show.matches(" ACTIVE").count(), 3, "{show}");
}

#[test]
fn other_content_under_a_name_that_is_there_is_refused_and_changes_nothing() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    enter(&shell, &document(app.dir(), |text| text));
    let before = app.row_counts();
    let other = |of: [&str; 2], from: &str, to: &str| {
        let file = document(app.dir(), |text| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        let said = shell.refused(&[of[0], of[1], "--from", &file]);
        assert_eq!(app.row_counts(), before, "{said}");
        said
    };
    let told = [
        other(["institution", "add"], "某银行", "另一家"),
        other(["channel", "add"], "https://api.bank.example", "https://other.example"),
        other(["tenant", "add"], "商城", "另一个商城"),
        other(["merchant", "add"], "小店", "大店"),
        other(["merchant", "add"], "8001", "8002"),
        other(["receiver", "add"], "渠道", "另一个渠道"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
INS-101 the institution's data are not valid (institution: code: BANK is there already with other content): correct what is named and try again
INS-101 the institution's data are not valid (channel: channel: wechat is there already with other content): correct what is named and try again
MER-101 the merchant's data are not valid (tenant: 1900000001 is 商城 with sp_appid wx1900000001, and stays so): correct what is named and try again
MER-101 the merchant's data are not valid (merchant: merchant: M1001 is there already with other content): correct what is named and try again
MER-101 the merchant's data are not valid (merchant: inst_merchant_no: M1001 is 8001 there already): correct what is named and try again
MER-101 the merchant's data are not valid (receiver: receiver: agent:A1 is there already with other content): correct what is named and try again
"#);
}

#[test]
fn what_is_wrong_in_a_document_is_named_and_nothing_of_it_is_entered() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    enter(&shell, &document(app.dir(), |text| text));
    let before = app.row_counts();
    let second = "\n[[merchant]]\nmerchant = \"M1002\"\nname = \"新店\"\ntenant = \"1900000001\"\n\
                  inst_merchant_no = \"8002\"\n";
    let wrong = |of: [&str; 2], change: &dyn Fn(String) -> String| {
        let file = document(app.dir(), change);
        let (status, out, said) = shell.run(&[of[0], of[1], "--from", &file]);
        assert_eq!((status, out.as_str(), app.row_counts()), (2, "", before.clone()), "{said}");
        said.trim_end().to_owned()
    };
    let told = [
        wrong(["institution", "add"], &|text| text.replace("\"BANK\"", "\"bank\"")),
        wrong(["institution", "add"], &|text| {
            text.replace("order_prefix = \"BK\"", "order_prefix = \"TOOLONG\"")
        }),
        wrong(["institution", "add"], &|text| text.replace("platform_code", "platfrom_code")),
        wrong(["institution", "add"], &|_| "[[merchant".to_owned()),
        wrong(["institution", "key"], &|text| text.replacen("-----BEGIN", "-----BEGUN", 1)),
        wrong(["institution", "key"], &|text| {
            text.replace("purpose = \"files\"", "purpose = \"everything\"")
        }),
        wrong(["channel", "add"], &|text| text.replace("\"wechat_v3\"", "\"alipay_v3\"")),
        wrong(["channel", "add"], &|text| text.replace("https://api", "api")),
        // The first of the two is sound: both or none.
        wrong(["merchant", "add"], &|text| {
            text + second + &second.replace("M1002", "M1003").replace("1900000001", "19")
        }),
        wrong(["merchant", "add"], &|text| text + &second.replace("8002", "8001")),
        wrong(["receiver", "add"], &|text| text.replace("\"agent:A1\"", "\"agent A1\"")),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
INS-101 the institution's data are not valid (institution: code: 1 to 16 of A-Z 0-9): correct what is named and try again
INS-101 the institution's data are not valid (institution: order_prefix: 1 to 6 of A-Z 0-9): correct what is named and try again
bank.toml is not a founding document: TOML parse error at line 5, column 1
  |
5 | platfrom_code = "MING"
  | ^^^^^^^^^^^^^
unknown field `platfrom_code`, expected one of `code`, `name`, `platform_code`, `order_prefix`, `result_encoding`, `documents`
bank.toml is not a founding document: TOML parse error at line 1, column 11
  |
1 | [[merchant
  |           ^
unclosed array table, expected `]]`
INS-101 the institution's data are not valid (key: public_key: not an RSA public key or certificate of at least 2048 bits in PEM): correct what is named and try again
INS-101 the institution's data are not valid (key: purpose: `everything` is none of approvals, files, api, ssh, sealing, channel): correct what is named and try again
INS-101 the institution's data are not valid (channel: language: alipay_v3 is not spoken by wechat): correct what is named and try again
INS-101 the institution's data are not valid (channel: base_url: http(s)://HOST without login, path, query or a slash at its end): correct what is named and try again
MER-101 the merchant's data are not valid (merchant: tenant: there is no 19): correct what is named and try again
MER-101 the merchant's data are not valid (merchant: inst_merchant_no: 8001 is M1001's): correct what is named and try again
MER-101 the merchant's data are not valid (receiver: receiver: `kind` or `kind:NUMBER`, no merchant): correct what is named and try again
"#);
}

#[test]
fn flags_enter_the_same_as_a_document_and_say_what_is_missing() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let file = document(app.dir(), |text| text);
    enter(&shell, &file);
    let before = app.row_counts();
    let same: [&[&str]; 4] = [
        &[
            "institution",
            "add",
            "--code",
            "BANK",
            "--name",
            "某银行",
            "--platform-code",
            "MING",
            "--order-prefix",
            "BK",
        ],
        &["institution", "key", "--institution", "BANK", "--purpose", "files", "--public-key", "files.pem"],
        &["tenant", "add", "--sp-mchid", "1900000001", "--sp-appid", "wx1900000001", "--name", "商城"],
        &[
            "receiver",
            "add",
            "--institution",
            "BANK",
            "--receiver",
            "agent:A1",
            "--role",
            "agent",
            "--name",
            "渠道",
        ],
    ];
    for arguments in same {
        assert!(shell.good(arguments).ends_with(": is there already, nothing changed\n"), "{arguments:?}");
    }
    let told = [
        shell.refused(&["institution", "add", "--code", "BANK2"]),
        shell.refused(&["merchant", "add"]),
        shell.refused(&["institution", "show", "--institution", "NONE"]),
        shell.refused(&["institution", "add", "--from", "nowhere.toml"]),
        shell.refused(&["channel", "key", "--institution", "BANK", "--channel", "alipay", "--use", "00"]),
        shell.refused(&[
            "channel",
            "key",
            "--institution",
            "BANK",
            "--channel",
            "wechat",
            "--use",
            "00",
            "--overlap-days",
            "91",
        ]),
        shell.refused(&["keys", "rotate", "--purpose", "everything"]),
        shell.refused(&[
            "institution",
            "key",
            "--institution",
            "BANK",
            "--purpose",
            "files",
            "--key-id",
            "none",
            "--end",
        ]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
give --name, or --from FILE
give --merchant, or --from FILE
INS-102 there is no such institution (NONE): check its code
cannot read nowhere.toml: No such file or directory (os error 2)
there is no channel alipay of an institution `BANK`: check both
INS-101 the institution's data are not valid (overlap: 0 to 90 days): correct what is named and try again
--purpose: `everything` is neither wechat nor files
INS-101 the institution's data are not valid (key_id: there is no files key `none`): correct what is named and try again
"#);
    assert_eq!(app.row_counts(), before);
}

#[test]
fn nothing_is_sealed_with_another_master_key() {
    let app = TestApp::new();
    let mut shell = Shell::of(&app);
    let file = document(app.dir(), |text| text);
    enter(&shell, &file);
    let before = app.row_counts();
    shell.variables.retain(|(name, _)| *name != "MINGFEN_MASTER_KEY");
    shell.variables.push(("MINGFEN_MASTER_KEY", "77".repeat(32)));
    let key = ["channel", "key", "--institution", "BANK", "--channel", "wechat", "--registration", "r.json"];
    for arguments in [
        &["keys", "rotate", "--purpose", "files"][..],
        &key[..],
        &["credential", "new", "--mchid", "1900000001"][..],
    ] {
        let told = shell.refused(arguments);
        assert!(told.contains("KEY-101 the master key does not open the keys in the database"), "{told}");
    }
    assert_eq!(app.row_counts(), before);
    assert!(!app.dir().join("r.json").exists());
}

#[test]
fn a_registration_holds_a_secret_and_follows_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let file = document(app.dir(), |text| text);
    shell.good(&["institution", "add", "--from", &file]);
    let registered = |name: &str| {
        let path = app.dir().join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::read_to_string(path).unwrap()
    };
    shell.good(&["channel", "add", "--from", &file, "--registration", "first.json"]);
    shell.good(&["channel", "add", "--from", &file, "--registration", "again.json"]);
    assert_eq!(registered("first.json"), registered("again.json"), "no new key");
    let key = ["channel", "key", "--institution", "BANK", "--channel", "wechat"];
    let told = shell.good(&[&key[..], &["--registration", "next.json"]].concat());
    let serial = told.split("--use ").nth(1).unwrap().trim();
    assert!(registered("next.json").contains(serial) && !registered("first.json").contains(serial));
    // It signs nothing before the institution has taken it.
    shell.good(&["channel", "add", "--from", &file, "--registration", "again.json"]);
    assert_eq!(registered("first.json"), registered("again.json"));
    shell.good(&[&key[..], &["--use", serial]].concat());
    shell.good(&["channel", "add", "--from", &file, "--registration", "again.json"]);
    assert_eq!(registered("next.json"), registered("again.json"));
}

#[test]
fn a_secret_replaces_what_lies_in_its_place_and_follows_no_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let app = TestApp::new();
    let shell = Shell::of(&app);
    let file = document(app.dir(), |text| text);
    shell.good(&["institution", "add", "--from", &file]);
    let at = |name: &str| app.dir().join(name);
    std::fs::write(at("victim.txt"), "untouched").unwrap();
    std::fs::write(at("open.json"), "old").unwrap();
    std::fs::set_permissions(at("open.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    symlink(at("victim.txt"), at("link.json")).unwrap();
    for name in ["open.json", "link.json"] {
        shell.good(&["channel", "add", "--from", &file, "--registration", name]);
        let there = std::fs::symlink_metadata(at(name)).unwrap();
        assert!(there.is_file() && there.permissions().mode() & 0o777 == 0o600, "{name}");
    }
    assert_eq!(std::fs::read_to_string(at("victim.txt")).unwrap(), "untouched");
    // Where it cannot be written nothing is changed either.
    let before = app.row_counts();
    let key = ["channel", "key", "--institution", "BANK", "--channel", "wechat", "--registration"];
    let (status, _, told) = shell.run(&[&key[..], &["nowhere/key.json"]].concat());
    assert!(status == 2 && told.contains("nowhere/key.json cannot be made"), "{told}");
    assert_eq!(app.row_counts(), before);
}

#[test]
fn an_ended_key_does_not_come_back_and_flags_are_not_dropped() {
    let app = TestApp::new();
    let shell = Shell::of(&app);
    enter(&shell, &document(app.dir(), |text| text));
    let show = shell.good(&["institution", "show", "--institution", "BANK"]);
    let id = show.lines().find_map(|line| line.strip_prefix("key files ")).unwrap();
    let id = id.split(' ').next().unwrap();
    let key = ["institution", "key", "--institution", "BANK", "--purpose", "files"];
    shell.good(&[&key[..], &["--key-id", id, "--end"]].concat());
    let again = shell.refused(&[&key[..], &["--public-key", "files.pem"]].concat());
    assert!(again.contains("has ended; a key does not come back"), "{again}");
    let renamed = shell.refused(&[&key[..], &["--public-key", "files.pem", "--key-id", "OTHER"]].concat());
    assert!(renamed.contains("has ended; a key does not come back"), "{renamed}");
    // One that is being replaced says when it ends.
    let pair = ["institution", "key", "--institution", "BANK", "--purpose", "approvals", "--public-key"];
    shell.good(&[&pair[..], &["answers.pem"]].concat());
    let old = shell.good(&[&pair[..], &["approvals.pem"]].concat());
    assert!(old.contains("(it ends 20") && old.ends_with("is there already, nothing changed\n"), "{old}");
    let (status, _, told) = shell.run(&["tenant", "add", "--from", "bank.toml", "--name", "x"]);
    assert!(status == 2 && told.contains("cannot be used with"), "{told}");
    let base = ["channel", "add", "--institution", "BANK", "--channel", "alipay", "--language", "alipay_v3"];
    let number = ["--sp-mchid", "2088", "--sp-appid", "2021", "--base-url"];
    for url in ["http://u:p@h", "http://h/?x=1", "http://h#f", "ftp://h", "http://h/", "http://h/api"] {
        let told = shell.refused(&[&base[..], &number[..], &[url]].concat());
        assert!(
            told.contains("base_url: http(s)://HOST without login, path, query or a slash at its end"),
            "{told}"
        );
    }
}

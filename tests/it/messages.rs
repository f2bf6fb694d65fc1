//! What a command or a page says when it cannot do what it was asked: every sentence names the thing, and what to do.
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mingfen::error::Code;
use mingfen::web::words;

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

/// Everything that a page says when it cannot do what it was asked, in both languages, to be read in one go.
#[test]
fn pages() {
    let codes = Code::ALL.iter().map(|code| {
        let (zh, en) = ((code.sentence_zh(), code.advice_zh()), (code.sentence_en(), code.advice_en()));
        format!("{} {} {}，{} | {}; {}\n", code.id(), code.status(), zh.0, zh.1, en.0, en.1)
    });
    let faults = words::every()
        .into_iter()
        .filter_map(|(key, zh, en)| Some(format!("{} {zh} | {en}\n", key.strip_prefix("faults.")?)));
    let all: String = codes.chain(faults).collect();
    insta::assert_snapshot!(all, @r#"
AUT-101 401 登录名或密码不正确，请重新输入；忘记密码请联系管理员重置 | the login or the password is wrong; try again, or ask an administrator to reset the password
AUT-102 429 尝试次数过多，请稍候一分钟再试 | too many attempts; wait a minute and try again
AUT-103 401 登录已失效，请重新登录 | the session has ended; log in again
AUT-106 400 密码太短，请使用至少 12 个字符 | the password is too short; use at least 12 characters
AUT-107 409 登录名已被使用，请换一个登录名 | the login is taken; choose another login
AUT-108 400 用户资料不正确，请检查登录名、角色与所属机构或商户 | the user's data are not valid; check login, role, and the institution or merchant it belongs to
AUT-109 404 没有这个 API 凭证，请核对商户号与证书序列号 | there is no such API credential; check the merchant number and the certificate serial
AUT-110 400 API 凭证资料不正确，请按提示修改后重试 | the API credential's data are not valid; correct what is named and try again
AUT-111 401 请求已使用过，请用新的随机串重新签名 | this signed request was used already; sign it again with a new nonce
AUT-112 429 同时登录的人太多，请几秒后再试 | too many people are logging in just now; try again in a few seconds
KEY-101 500 主密钥打不开数据库中的密钥，请使用建库时的主密钥 | the master key does not open the keys in the database; give the master key that the database was begun with
INS-101 400 机构资料不正确，请按提示修改后重试 | the institution's data are not valid; correct what is named and try again
INS-102 404 没有这个机构，请核对机构代码 | there is no such institution; check its code
MER-101 400 商户资料不正确，请按提示修改后重试 | the merchant's data are not valid; correct what is named and try again
ORD-101 409 商户订单号已用于其他内容的订单，请更换商户订单号后重新下单 | the number stands for an order with other content; place the order under another out_trade_no
ORD-102 409 这笔付款已处理完毕，无需再处理，请刷新页面查看处理情况 | this payment came to its end already; nothing is left to do: load the page again to see how
ORD-103 409 这笔付款仍与它的订单对不上，请机构核对所示原因，或登记线下处理情况 | this payment still does not pay its order; have the institution check what the page names as the reason, or note what was done elsewhere
ORD-104 400 处理情况没有写清楚，请写明凭据，最多 200 字；归属其他订单时填写那笔订单的平台订单号 | what was done is not said; say it in at most 200 characters; of a payment that belongs to another order give our number of that other order
ORD-105 409 机构称这笔付款已有退款，不能入账，请登记处理情况 | the institution says that this payment was refunded, in whole or in part; it cannot be entered: note what was done
ORD-106 503 现在问不到机构，没有改动任何记录，请稍后再试 | the institution cannot be asked now; nothing was changed: try again later
FIL-101 400 文件签名缺失或不正确，请用登记的机构文件密钥重新签名后再提交 | the file's signature is missing or wrong; sign it with the institution's registered file key and send it again
FIL-102 400 文件摘要与内容不符，文件可能被截断，请重新传送完整文件 | the file's digest does not match its bytes; it may be cut short: send the whole file again
FIL-103 400 文件的笔数或金额合计不符，请核对后以下一个序号重新出具 | the file's counts or totals do not fit its lines; check it and make it again under the next number
FIL-104 400 文件不属于该机构与平台，请检查文件名与文件头中的机构与平台代码 | the file is not between this institution and this platform; check the codes in its name and header
FIL-105 409 同名文件已导入且内容不同，已发布的文件不可更改，请使用下一个序号 | another file was imported under this name; a published file never changes: use the next number
FIL-106 400 文件格式不正确，请按所示位置修正：ASCII 或约定编码、LF 换行、每行不超过 1024 字节 | the file is malformed; correct the place that is named: ASCII or the agreed encoding, LF, lines of at most 1,024 bytes
FIL-107 409 批准文件不比生效中的更新，请签发一个更新的批准文件 | the bundle is not newer than the one in force; issue a newer one
FIL-108 409 批准文件改变了过去的批准，批准只能新增或终止，请更正后重新签发 | the bundle changes what was approved before; approvals only gain entries or ends: correct it and issue it again
FIL-109 404 回盘对应的文件不存在，请核对回盘文件名 | the result answers a file that was never published; check the result's name
FIL-110 409 回盘的次序不正确，请先提交受理回盘，再按序号提交处理结果 | the result does not come in its turn; send the FIRST, then the FINAL ones by number
FIL-111 409 回盘与所答文件不符，请核对行号、金额与先后状态后重新出具 | the result does not fit the file that it answers; check numbers, amounts and states, and make it again
DAY-101 409 该业务日尚未结束，请在日终后再切日 | the business day is not over; cut it when it is over
DAY-102 503 暂时取不到机构账单，请稍后重试；切日可安全重复执行 | the institution's bill cannot be fetched; try again later: the cut is safe to repeat
DAY-103 422 机构账单不可用，请把所示问题告知机构并重新获取账单 | the institution's bill is unusable; tell the institution what is named and fetch it again
DAY-104 409 机构尚未签发批准文件，请先导入机构签发的批准文件 | there is no approvals bundle in force; import the institution's bundle first
DAY-105 409 另一进程正在处理该机构的业务日，请等它完成后再试 | another process is at work on this institution's days; try again when it has finished
DAY-106 409 系统时钟早于上一个已发布文件，请校准时钟后再试 | the clock stands before the file that was published last; set the clock right and try again
DAY-107 409 该业务日还没轮到切日，业务日须按顺序切日：请核对日期，或先处理所列业务日 | it is not this business day's turn; days are cut in order: check the date, or cut what is named first
TSK-101 409 任务已被取消，如仍需要，请重新发起 | the work was cancelled; start it again if it is still wanted
TSK-102 500 执行任务的进程已中断，切日会自动重做；其他任务请重新发起 | the process that did the work is gone; a cut is done again by itself; start other work again
TSK-103 409 任务已经结束，无需取消，请刷新页面查看结果 | the work is over; there is nothing to cancel: load the page again
LED-101 409 账簿与订单不一致，请运行 mingfen check 并查明原因，切日前必须一致 | the ledger and the orders disagree; run `mingfen check` and find out why: a day is cut only when they agree
SET-101 409 结算闸门未打开，请先补齐所列事项再结算 | the gate of the day is closed; what is named must happen first
SET-102 409 其后的业务日已结算，其迟到文件会进入下一个结算文件 | a later day has been settled; its late files go into the next settlement
SET-103 409 接收方不在批准文件中，请机构在批准文件中补登该接收方 | a receiver is not in the bundle; ask the institution to add it to its bundle
refused 没有办成 | Refused
forged 表单已失效 | This form is not valid any more
forged_why 提交的表单不是从本站当前会话发出的，没有做任何改动。 | The form did not come from this site in your current session. Nothing was changed.
forged_next 回到页面重新填写并提交。 | Go back to the page, fill it in and send it again.
form_why 提交的内容不完整或格式不对，没有做任何改动。 | What was sent is incomplete or malformed. Nothing was changed.
form_next 回到页面检查各项后重新提交。 | Go back, check the fields and send again.
coded_why 请求内容经过压缩或编码，本站只接收原样内容，没有做任何改动。 | What was sent is compressed or coded; this site takes bodies as they are. Nothing was changed.
coded_next 去掉 Content-Encoding 后重新发送。 | Send it again without Content-Encoding.
slow_why 内容没有在规定时间内传完，没有做任何改动。 | What was sent did not arrive in time. Nothing was changed.
slow_next 检查网络后重新提交。 | Check the network and send it again.
busy_why 本机构同时上传的文件太多，没有做任何改动。 | Too many files of your institution are being uploaded at once. Nothing was changed.
busy_next 等其他上传完成后再试。 | Try again when the others are done.
missing 没有这个页面 | No such page
missing_why 地址不对，或者您没有查看它的权限。 | The address is wrong, or you may not see what is there.
missing_next 从工作台或列表进入；需要权限请联系管理员。 | Start from the desk or a list; ask an administrator for rights.
failed 系统出错了 | Something failed here
failed_why 这次请求没有完成，是否已生效可能未知。 | The request was not finished; whether it took effect may not be known.
failed_next 先看是否已生效，再重试；仍不行请把请求号告诉管理员。 | Look whether it took effect, then try again; if it persists, tell an administrator the request number.
back_home 回到首页 | Back to the start
request_no 请求号 | Request
"#);
}

//! The README's way from an empty database to a day that is cut, run as it stands there.
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::database::{Kind, TestDatabase};

const README: &str = include_str!("../../README.md");

/// The shell blocks of a section.
fn lines_of(section: &str) -> String {
    let (_, text) = README.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs the lines in a directory; what they print. Whatever they left running is ended.
fn run(lines: &str, dir: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_mingfen")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let (told, complaints) = (dir.join("told.txt"), dir.join("complaints.txt"));
    std::fs::write(dir.join("walk.sh"), format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{lines}"))
        .unwrap();
    let file = |path: &Path| Stdio::from(std::fs::File::create(path).unwrap());
    let mut walk = Command::new("timeout")
        .args(["120", "bash", "-euo", "pipefail", "walk.sh"])
        .current_dir(dir)
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir)
        .stdin(Stdio::null())
        .stdout(file(&told))
        .stderr(file(&complaints))
        .spawn()
        .unwrap();
    let ended = walk.wait().unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let log = std::fs::read_to_string(dir.join("serve.log")).unwrap_or_default();
    assert!(ended.success(), "{ended}\n{}\n{}\n{log}", read(&told), read(&complaints));
    read(&told)
}

#[actix_web::test]
async fn the_readme_leads_from_an_empty_database_to_a_day_that_is_cut() {
    assert!(Command::new("faketime").arg("--version").output().is_ok(), "tests/run installs faketime");
    let (dir, kind) = (tempfile::tempdir().unwrap(), Kind::of_this_run());
    let database = TestDatabase::empty(kind);
    let mut lines = lines_of("Setting up a production platform");
    for (there, here) in [("8080", free_port()), ("8081", free_port())] {
        assert!(lines.contains(there));
        lines = lines.replace(there, &here.to_string());
    }
    if kind == Kind::Postgres {
        assert!(lines.contains("sqlite:mingfen.db"));
        lines = lines.replace("sqlite:mingfen.db", database.url());
    }
    let told = tokio::task::spawn_blocking(move || (run(&lines, dir.path()), dir));
    let (told, _dir) = tokio::time::timeout(Duration::from_secs(150), told).await.unwrap().unwrap();
    let has = |text: &str| assert!(told.contains(text), "{text} is not in\n{told}");
    has("institution SANDBOX: entered");
    has("\"trade_state\":\"SUCCESS\"");
    has("1 orders in the bill, 0 differences from our record");
    has("L|1|0|agent|agent:A1|90\nL|1|m|merchant|merchant:M1001|1703\n");
    has("ok: nothing is broken");
}

//! `mingfen serve` as a process: what it refuses to start on, and how it stops.
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::MASTER_KEY;
use crate::support::database::{Kind, TestDatabase};

fn mingfen(dir: &Path, settings: &str) -> Command {
    let file = dir.join("mingfen.toml");
    mingfen::disk::write_private(&file, settings.as_bytes()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
    command.arg("serve").arg("--config").arg(file).current_dir(dir).env_remove("RUST_BACKTRACE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn settings(database_url: &str, listen: SocketAddr) -> String {
    format!(
        "database_url = {database_url:?}\nlisten = \"{listen}\"\nmaster_key = \"{}\"\nlog_format = \"json\"\n",
        hex::encode(MASTER_KEY)
    )
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and what was said on stderr.
fn refused(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        mingfen(dir.path(), "listen = \"127.0.0.1:0\"\nlisten_to = \"everybody\"\n").output().unwrap();
    let (status, said) = refused(&output);
    assert_eq!(status, 2);
    assert!(said.contains("listen_to") && said.contains("mingfen.toml"), "{said}");
    let mut command = mingfen(dir.path(), "");
    let (status, said) = refused(&command.env("MINGFEN_LISTEN_TO", "everybody").output().unwrap());
    assert_eq!(status, 2);
    assert!(said.contains("listen_to"), "{said}");
}

#[test]
fn a_mistyped_database_is_refused_and_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("mistyped.db");
    let text = settings(&format!("sqlite:{}", missing.display()), free_address());
    let (status, said) = refused(&mingfen(dir.path(), &text).output().unwrap());
    assert_eq!(status, 2);
    assert!(said.contains("migrate"), "{said}");
    assert!(!missing.exists());
}

#[test]
fn a_database_that_lacks_migrations_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.db");
    std::fs::write(&empty, b"").unwrap();
    let text = settings(&format!("sqlite:{}", empty.display()), free_address());
    let (status, said) = refused(&mingfen(dir.path(), &text).output().unwrap());
    assert_eq!(status, 2);
    assert!(said.contains("migrate"), "{said}");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn it_serves_until_it_is_told_to_stop_and_logs_each_request_with_its_id() {
    let database = TestDatabase::new(Kind::of_this_run());
    let listen = free_address();
    let child = mingfen(database.dir(), &settings(database.url(), listen)).spawn().unwrap();
    let mut running = Running(child);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(answered(listen, "/healthz"));
    let stopped = Command::new("kill").arg("-TERM").arg(running.0.id().to_string()).status().unwrap();
    assert!(stopped.success());
    let mut log = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(running.0.wait().unwrap().success(), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["request_id"] == id.as_str()), "{log}");
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

/// The request id of the first answer; the process may take a while to come up.
async fn answered(listen: SocketAddr, path: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        match client.get(format!("http://{listen}{path}")).send().await {
            Ok(answer) => {
                assert_eq!(answer.status(), 200);
                return answer.headers()["request-id"].to_str().unwrap().to_owned();
            }
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

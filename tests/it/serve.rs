//! `mingfen serve` as a process: what it refuses to start on, and how it stops.
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::MASTER_KEY;
use crate::support::database::{Kind, TestDatabase};
use crate::support::wire::Wire;

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
    let log = stopped(&mut running);
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["request_id"] == id.as_str()), "{log}");
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

/// [`mingfen`] where the system allows so many descriptors, of which it has few at first.
fn allowed(dir: &Path, settings: &str, descriptors: u32) -> Command {
    let served = mingfen(dir, settings);
    let mut command = Command::new("sh");
    let limited = format!("ulimit -Sn 40 && ulimit -Hn {descriptors} && exec \"$0\" \"$@\"");
    command.arg("-c").arg(limited).arg(served.get_program()).args(served.get_args());
    command.current_dir(dir).env_remove("RUST_BACKTRACE").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const KIND: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn connections_never_take_the_descriptors_of_the_work() {
    let database = TestDatabase::new(Kind::of_this_run());
    let listen = free_address();
    let settings = format!("connections_per_address = 2000\n{}", settings(database.url(), listen));
    // Into a file: it logs more than a pipe holds that nobody reads.
    let log = database.dir().join("serve.log");
    let mut command = allowed(database.dir(), &settings, 448);
    let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let mut running = Running(child);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        answered(listen, "/healthz").await;
        let mut held = Vec::new();
        for _ in 0..600 {
            let mut wire = Wire::to(&format!("http://{listen}")).await;
            wire.send(&format!("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n{KIND}\r\n\r\nx"))
                .await;
            held.push(wire);
        }
        drop(held.split_off(40));
        // Those that stay are cut one after the other, and everybody has a turn.
        answered(listen, "/readyz").await;
    });
    stop(&mut running);
    assert!(running.0.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains("os error 24") && !log.contains("Too many open files"), "{log}");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let door = lines.iter().find(|line| line["message"] == "the door is open").unwrap();
    assert_eq!((door["connections"].as_u64(), door["descriptors"].as_u64()), (Some(32), Some(448)));
}

#[test]
fn a_log_that_nobody_reads_on_a_terminal_has_no_colours() {
    let database = TestDatabase::new(Kind::of_this_run());
    let listen = free_address();
    let settings = settings(database.url(), listen).replace("json", "text");
    let mut running = Running(mingfen(database.dir(), &settings).spawn().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(answered(listen, "/healthz"));
    let log = stopped(&mut running);
    assert!(log.contains(&id) && log.contains("INFO") && !log.contains('\u{1b}'), "{log}");
}

fn stop(running: &mut Running) {
    let stopped = Command::new("kill").arg("-TERM").arg(running.0.id().to_string()).status().unwrap();
    assert!(stopped.success());
}

/// Tells it to stop; all that it logged.
fn stopped(running: &mut Running) -> String {
    stop(running);
    let mut log = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(running.0.wait().unwrap().success(), "{log}");
    log
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

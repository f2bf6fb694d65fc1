//! Days that `mingfen demo` played, in a process of its own, and what its published files say, read line by line.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::free_port;

/// A running demo.
pub struct PlayedDays {
    pub url: String,
    dir: tempfile::TempDir,
    process: Child,
}

impl Drop for PlayedDays {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl PlayedDays {
    /// One whole day and today, in progress.
    pub async fn play() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The sandbox institution takes the next port.
        let port = free_port();
        let process = Command::new(env!("CARGO_BIN_EXE_mingfen"))
            .args(["demo", "--orders", "24", "--days", "2"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--data")
            .arg(dir.path().join("demo"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut days = Self { url: format!("http://127.0.0.1:{port}"), dir, process };
        let deadline = Instant::now() + Duration::from_secs(240);
        while !days.data().join("logins.json").exists() {
            let ended = days.process.try_wait().unwrap();
            assert!(ended.is_none(), "the demo ended before its days were complete: {ended:?}");
            assert!(Instant::now() < deadline, "the demo does not come to its end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        days
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("demo")
    }

    /// Login and password of a role.
    pub fn login(&self, role: &str) -> (String, String) {
        let logins = std::fs::read(self.data().join("logins.json")).unwrap();
        let logins: Vec<Value> = serde_json::from_slice(&logins).unwrap();
        let login = logins.iter().find(|login| login["role"] == role).unwrap();
        let text = |field: &str| login[field].as_str().unwrap().to_owned();
        (text("login"), text("password"))
    }

    /// The only published file of a kind.
    pub fn published(&self, kind: &str) -> PathBuf {
        let out = self.data().join("files/SANDBOX/out");
        let mut found = Vec::new();
        for day in std::fs::read_dir(out).unwrap() {
            let files = std::fs::read_dir(day.unwrap().path()).unwrap();
            let named = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            found.extend(files.map(|file| file.unwrap().path()).filter(|path| {
                let name = named(path);
                name.starts_with(kind) && name.ends_with(".txt")
            }));
        }
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        found.remove(0)
    }
}

/// An order of a split file, as its own lines tell it.
#[derive(Debug, Clone)]
pub struct Told {
    pub order_no: String,
    pub paid: i64,
    /// Of an X.
    pub reason: Option<String>,
    /// Of an O.
    pub merchant: String,
    pub fee: i64,
    /// Receiver and amount, in order.
    pub lines: Vec<(String, i64)>,
}

impl Told {
    /// What the merchant itself gets.
    pub fn merchants_own(&self) -> i64 {
        let own = format!("merchant:{}", self.merchant);
        self.lines.iter().filter(|(receiver, _)| *receiver == own).map(|(_, fen)| fen).sum()
    }
}

/// Reads a split file by its separators alone.
pub fn read_spl(path: &Path) -> Vec<Told> {
    let mut orders: BTreeMap<u32, Told> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let number = |i: usize| fields[i].parse::<i64>().unwrap();
        let n = || fields[1].parse::<u32>().unwrap();
        let told = |paid, reason, merchant: &str, fee| Told {
            order_no: fields[2].to_owned(),
            paid,
            reason,
            merchant: merchant.to_owned(),
            fee,
            lines: Vec::new(),
        };
        match fields[0] {
            "O" => drop(orders.insert(n(), told(number(10), None, fields[4], number(11)))),
            "X" => drop(orders.insert(n(), told(number(5), Some(fields[6].to_owned()), "", 0))),
            "L" => orders.get_mut(&n()).unwrap().lines.push((fields[4].to_owned(), number(5))),
            _ => {}
        }
    }
    orders.into_values().collect()
}

/// Fen as people read them.
pub fn yuan(fen: i64) -> String {
    let mut whole = (fen / 100).to_string();
    let mut at = whole.len();
    while at > 3 {
        at -= 3;
        whole.insert(at, ',');
    }
    format!("¥{whole}.{:02}", fen % 100)
}

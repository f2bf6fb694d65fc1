//! `mingfen verify` as a process of its own.
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::day::Day;

/// What became of it.
pub struct Ended {
    pub seconds: f64,
    /// Its exit status.
    pub code: Option<i32>,
    /// What it said.
    pub report: Value,
    /// The most memory that it was seen to hold, in bytes.
    pub peak_rss: u64,
}

/// Verifies the day with these SPL.
pub fn verify(day: &Day, spl: &[PathBuf]) -> anyhow::Result<Ended> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["verify", "--first", "--json", "--spl"]).args(spl);
    command.arg("--approvals").arg(&day.bundle).arg("--bill").args(&day.bills);
    command.arg("--platform-key").arg(&day.platform_key);
    command.arg("--institution-key").arg(&day.institution_key).arg("--temp").arg(&day.dir);
    let out = tempfile::tempfile()?;
    let began = Instant::now();
    let mut child = command.stdout(Stdio::from(out.try_clone()?)).spawn()?;
    let mut peak_rss = 0;
    let status = loop {
        peak_rss = super::super::report::peak_rss_of(&child.id().to_string())?.max(peak_rss);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = began.elapsed().as_secs_f64();
    let mut out = out;
    std::io::Seek::rewind(&mut out)?;
    let report = serde_json::from_reader(out).unwrap_or(Value::Null);
    Ok(Ended { seconds, code: status.code(), report, peak_rss })
}

//! `mingfen serve` as a process of its own, and the CPU time that it and its database spend.
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::super::report::peak_rss_of;
use super::super::world::World;
use super::store;
use crate::disk::write_private;
use crate::protocol::crypto::PrivateKey;

/// Clock ticks of `/proc` in a second; Linux has no other.
const TICKS: f64 = 100.0;
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that serves; it ends with this.
pub(super) struct Serving {
    child: Child,
    pub address: String,
}

impl Serving {
    pub fn start(world: &World) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let settings = world.data.join("h0.toml");
        let config = &world.app.config;
        let text = format!(
            "database_url = {:?}\nlisten = \"{address}\"\ndata_dir = {:?}\nmaster_key = \"{}\"\n\
             allow_private_addresses = true\n",
            config.database_url,
            config.data_dir.display().to_string(),
            world.app.master_key.to_hex()
        );
        write_private(&settings, text.as_bytes())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--config"]).arg(&settings);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut serving = Serving { child: command.spawn()?, address };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(&serving.address).is_err() {
            ensure!(serving.child.try_wait()?.is_none(), "`mingfen serve` ended at once");
            ensure!(Instant::now() < deadline, "`mingfen serve` does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        fs::remove_file(&settings)?;
        Ok(serving)
    }

    /// The most memory that it held.
    pub fn peak_rss(&self) -> anyhow::Result<u64> {
        peak_rss_of(&self.child.id().to_string())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Which processes of a database count.
pub(super) struct Cpu {
    /// The parent of PostgreSQL's backends.
    postmaster: Option<String>,
}

impl Cpu {
    /// On PostgreSQL the server must run on this machine.
    pub fn of(world: &World) -> anyhow::Result<Self> {
        let Some(backend) = store::backend_process(world)? else { return Ok(Cpu { postmaster: None }) };
        let stat = Stat::of(&backend.to_string()).context("PostgreSQL must run on this machine")?;
        Ok(Cpu { postmaster: Some(stat.parent) })
    }

    /// Seconds that `serve` and the database have spent so far.
    pub fn spent(&self, serving: &Serving) -> anyhow::Result<f64> {
        let mut ticks = Stat::of(&serving.child.id().to_string())?.own;
        if let Some(postmaster) = &self.postmaster {
            let stat = Stat::of(postmaster)?;
            // Of backends that have ended, too.
            ticks += stat.own + stat.children;
            for entry in fs::read_dir("/proc")? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let stat = name.parse::<u32>().ok().and_then(|_| Stat::of(&name).ok());
                ticks += stat.filter(|stat| stat.parent == *postmaster).map_or(0.0, |stat| stat.own);
            }
        }
        Ok(ticks / TICKS)
    }
}

/// What `/proc/…/stat` says of a process.
struct Stat {
    parent: String,
    /// Ticks in user and system mode.
    own: f64,
    /// The same of children that have ended.
    children: f64,
}

impl Stat {
    fn of(process: &str) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name stands in parentheses and may hold anything.
        let (_, rest) = text.rsplit_once(')').context("/proc/…/stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or_default();
        let both = |n: usize| -> anyhow::Result<f64> {
            Ok(field(n).parse::<f64>()? + field(n.saturating_add(1)).parse::<f64>()?)
        };
        Ok(Stat { parent: field(1).to_owned(), own: both(11)?, children: both(13)? })
    }
}

/// CPU seconds that so many pairs of signatures take here.
pub(super) fn pairs(key: &PrivateKey, count: usize) -> anyhow::Result<f64> {
    let before = Stat::of("thread-self")?.own;
    for n in 0..count.saturating_mul(2) {
        key.sign_sha256(n.to_string().as_bytes())?;
    }
    Ok((Stat::of("thread-self")?.own - before) / TICKS)
}

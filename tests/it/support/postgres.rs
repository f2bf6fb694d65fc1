//! PostgreSQL of a test's own, PgBouncer in front of one, and a wire between them that a test can cut.
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::sandbox_process::PATIENCE;

/// Where the newest PostgreSQL of the machine has its programs.
pub fn programs() -> PathBuf {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|e| e.unwrap().path().join("bin")).collect();
    all.sort();
    all.pop().unwrap()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A command as an ordinary user: PostgreSQL refuses to run as root.
fn ordinary(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A directory that the ordinary user may write.
fn ordinary_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    if is_root() {
        let status = Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap();
        assert!(status.success());
    }
    dir
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until_it_listens(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster that a test may stop and start. It ends with the test.
pub struct OwnCluster {
    dir: tempfile::TempDir,
    port: u16,
}

impl OwnCluster {
    /// A running cluster, with fsync as in production.
    pub fn start() -> Self {
        let cluster = OwnCluster { dir: ordinary_dir(), port: free_port() };
        let made = ordinary(&programs().join("initdb"))
            .arg("-D")
            .arg(cluster.data())
            .args(["-U", "mingfen", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"])
            .status()
            .unwrap();
        assert!(made.success());
        cluster.go_on();
        cluster
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn url(&self) -> String {
        format!("postgres://mingfen@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it: `fast` ends what runs, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        let stopped = self.control().args(["-m", mode, "-w", "stop"]).status().unwrap();
        assert!(stopped.success());
    }

    /// Starts it again, crash recovery included.
    pub fn go_on(&self) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={}",
            self.port,
            self.dir.path().display()
        );
        let log = self.dir.path().join("log");
        let started = self.control().arg("-w").arg("-l").arg(log).args(["-o", &options, "start"]).status();
        assert!(started.unwrap().success());
    }

    fn control(&self) -> Command {
        let mut command = ordinary(&programs().join("pg_ctl"));
        command.arg("-D").arg(self.data());
        command
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        let _ = self.control().args(["-m", "immediate", "-w", "stop"]).status();
    }
}

/// PgBouncer in transaction mode. It ends with the test.
pub struct PgBouncer {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl PgBouncer {
    /// In front of the server of `url`, with so few connections to it.
    pub fn start(url: &str, pool_size: u32) -> Self {
        let (server, port, dir) = (url::Url::parse(url).unwrap(), free_port(), ordinary_dir());
        let users = dir.path().join("users.txt");
        std::fs::write(&users, format!("\"{}\" \"\"\n", server.username())).unwrap();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {pool_size}\nmax_client_conn = 200\n",
            server.host_str().unwrap(),
            server.port().unwrap_or(5432),
            users.display(),
        );
        let file = dir.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if is_root() {
            command.args(["-u", "postgres"]);
        }
        let child = command.arg("-q").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        until_it_listens(port);
        PgBouncer { child: child.expect("pgbouncer is installed by tests/run"), port, _dir: dir }
    }

    /// The URL that leads through it.
    pub fn url(&self, to: &str) -> String {
        format!("{}?pgbouncer=true", moved(to, self.port))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same URL at another port of this machine.
pub fn moved(url: &str, port: u16) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_port(Some(port)).unwrap();
    url.to_string()
}

const PASSES: u8 = 0;
const HOLDS: u8 = 1;
const CUT: u8 = 2;

/// A wire to a server that passes on, holds back, is slow, or is cut.
#[derive(Clone)]
pub struct Wire(Arc<Inner>);

struct Inner {
    port: u16,
    to: u16,
    state: AtomicU8,
    delay_ms: AtomicU64,
    losing: AtomicBool,
    ends: Mutex<Vec<TcpStream>>,
}

impl Wire {
    pub fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire(Arc::new(Inner {
            port: listener.local_addr().unwrap().port(),
            to: url::Url::parse(url).unwrap().port().unwrap_or(5432),
            state: AtomicU8::new(PASSES),
            delay_ms: AtomicU64::new(0),
            losing: AtomicBool::new(false),
            ends: Mutex::new(Vec::new()),
        }));
        let this = wire.clone();
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                this.connect(caller);
            }
        });
        wire
    }

    pub fn url(&self, to: &str) -> String {
        moved(to, self.0.port)
    }

    /// Every connection breaks, and no new one is let through.
    pub fn cut(&self) {
        self.0.state.store(CUT, Ordering::SeqCst);
        for end in self.0.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Connections stay, and nothing passes.
    pub fn hold(&self) {
        self.0.state.store(HOLDS, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.0.delay_ms.store(0, Ordering::SeqCst);
        self.0.state.store(PASSES, Ordering::SeqCst);
    }

    /// Each piece takes so long.
    pub fn delay(&self, ms: u64) {
        self.0.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// Of the next transaction that stores a payment the COMMIT reaches the server, and its answer gets lost.
    pub fn lose_the_next_commit(&self) {
        self.0.losing.store(true, Ordering::SeqCst);
    }

    /// Whether that has happened.
    pub fn lost_one(&self) -> bool {
        !self.0.losing.load(Ordering::SeqCst)
    }

    fn connect(&self, caller: TcpStream) {
        if self.0.state.load(Ordering::SeqCst) == CUT {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.0.to)) else { return };
        let mut ends = self.0.ends.lock().unwrap();
        let stage = Arc::new(AtomicU8::new(NOTHING));
        for (asks, from, to) in [(true, &caller, &server), (false, &server, &caller)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            ends.push(from.try_clone().unwrap());
            let (this, stage) = (self.clone(), Arc::clone(&stage));
            std::thread::spawn(move || this.pass(from, to, asks, &stage));
        }
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, asks: bool, stage: &AtomicU8) {
        let mut piece = vec![0; 65536];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            while self.0.state.load(Ordering::SeqCst) == HOLDS {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(self.0.delay_ms.load(Ordering::SeqCst)));
            if asks && self.0.losing.load(Ordering::SeqCst) {
                watch(&piece[..n], stage);
            }
            let lost = !asks && stage.load(Ordering::SeqCst) == COMMITS;
            if lost {
                self.0.losing.store(false, Ordering::SeqCst);
            }
            if lost || to.write_all(&piece[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

const NOTHING: u8 = 0;
const STORES: u8 = 1;
const COMMITS: u8 = 2;

/// How far a connection has come in storing a payment.
fn watch(piece: &[u8], stage: &AtomicU8) {
    let text = String::from_utf8_lossy(piece);
    if text.contains("INSERT INTO") && text.contains("payment_key") {
        stage.store(STORES, Ordering::SeqCst);
    }
    if text.contains("COMMIT") && stage.load(Ordering::SeqCst) == STORES {
        stage.store(COMMITS, Ordering::SeqCst);
    }
}

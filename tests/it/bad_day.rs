//! One bad day keeps nobody from starting: `serve` and the demo say what is wrong and serve.
use std::fs::{File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mingfen::check;
use mingfen::cli::demo::{Setup, World, play};
use mingfen::clock::Clock;
use mingfen::kernel::calendar::Instant;
use serde_json::json;

use crate::corruption::past_the_triggers;
use crate::day_order::{cut_regardless, two_days_due};
use crate::support::MASTER_KEY;
use crate::support::database::{Kind, Raw, TestDatabase};
use crate::support::sandbox_process::eventually;

/// A process, its output in a file.
struct Running(Child);

impl Running {
    fn start(folder: &Path, database: &str, log: &Path, arguments: &[&str]) -> Self {
        let log = File::create(log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
        command.args(arguments).current_dir(folder).stdout(log).stderr(Stdio::null());
        command.env("MINGFEN_DATABASE_URL", database).env("MINGFEN_DATA_DIR", folder);
        command.env("MINGFEN_MASTER_KEY", hex::encode(MASTER_KEY));
        command.env("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true");
        Self(command.spawn().unwrap())
    }

    async fn is_ready(&self, listen: &str) {
        let ready = async || {
            let answer = reqwest::get(format!("http://{listen}/readyz")).await.ok()?;
            answer.status().is_success().then_some(())
        };
        eventually("it is ready", ready).await;
    }

    /// Tells it to stop; whether it ended well.
    fn ends_well(mut self) -> bool {
        let told = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().unwrap();
        told.success() && self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[actix_web::test]
async fn serve_starts_over_a_void_file_without_successor_and_a_gate_that_stays_shut() {
    let (f, [first, later, _]) = two_days_due().await;
    cut_regardless(&f, later).await;
    f.world.exchange().await.unwrap();
    let fault = json!({"fault": "server_error", "on": "bill"});
    f.world.sandbox("POST", "/sandbox/faults", &fault).await.unwrap();
    // The process has the system's clock.
    f.world.app.clock.set(Clock::system().instant());
    let stuck = check::stuck(&f.world.app).unwrap().join("\n");
    let void = format!("SPL_SANDBOX_DEMO_{later}_0001.txt is void (E_CHAIN)");
    assert!(stuck.contains(&void), "{stuck}");
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let dir = f.dir();
    let log = dir.join("serve.log");
    let config = dir.join("serve.toml");
    mingfen::disk::write_private(&config, format!("listen = {listen:?}\n").as_bytes()).unwrap();
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    let serving = Running::start(&dir, f.database.url(), &log, &arguments);
    serving.is_ready(&listen).await;
    // The round of the days has run and found what it cannot mend.
    let ran = "SELECT count(*) AS v FROM job_run WHERE job = 'daily' AND runs > 0";
    eventually("the days had their turn", async || (f.database.raw().number(ran) == 1).then_some(())).await;
    serving.is_ready(&listen).await;
    let stuck = check::stuck(&f.world.app).unwrap().join("\n");
    assert!(stuck.contains(&void) && stuck.contains(&format!("{first} could not be cut")), "{stuck}");
    assert!(serving.ends_well());
    f.stop().await;
}

/// An address whose next port is free, too.
fn two_listeners() -> [TcpListener; 2] {
    let pair = || {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut next = one.local_addr().unwrap();
        next.set_port(next.port().checked_add(1)?);
        Some([one, TcpListener::bind(next).ok()?])
    };
    (0..100).find_map(|_| pair()).unwrap()
}

#[actix_web::test]
async fn the_demo_starts_over_a_day_that_cannot_be_cut_and_says_so() {
    if Kind::of_this_run() != Kind::Sqlite {
        // The demo is on SQLite alone.
        return;
    }
    let database = TestDatabase::new(Kind::Sqlite);
    let dir = database.dir().join("world");
    std::fs::create_dir_all(dir.join("keys")).unwrap();
    let dir = dir.canonicalize().unwrap();
    std::fs::copy(database.url().trim_start_matches("sqlite:"), dir.join("mingfen.db")).unwrap();
    std::fs::write(dir.join("keys/master.key"), hex::encode(MASTER_KEY)).unwrap();
    std::fs::set_permissions(dir.join("keys/master.key"), Permissions::from_mode(0o600)).unwrap();
    let [listener, sandbox_listener] = two_listeners();
    let listen = listener.local_addr().unwrap().to_string();
    let url = format!("sqlite:{}", dir.join("mingfen.db").display());
    let now = Instant::parse("2026-11-26T15:30:00+08:00").unwrap();
    let played = World::open(Setup {
        dir: dir.clone(),
        database_url: url.clone(),
        master_key: hex::encode(MASTER_KEY),
        listener,
        sandbox_listener,
        clock: Clock::system(),
        first_day: now.business_day().prev(),
    });
    let world = played.await.unwrap();
    play(&world, 2, 2, now, |_| {}).await.unwrap();
    // We have payments of the day after, of which the channel says that there is nothing.
    let bad = now.business_day().next();
    let (from, to) = (now.business_day().prev().to_i32(), bad.to_i32());
    let moved = format!("UPDATE payment SET business_date = {to} WHERE business_date = {from}");
    past_the_triggers(&mut Raw::open(&url), &["payment"], &moved);
    world.stop().await;

    let log = database.dir().join("demo.log");
    let arguments =
        ["demo", "--data", dir.to_str().unwrap(), "--listen", &listen, "--days", "1", "--orders", "1"];
    let demo = Running::start(database.dir(), &url, &log, &arguments);
    demo.is_ready(&listen).await;
    let told = || std::fs::read_to_string(&log).unwrap();
    let held =
        async || told().contains(&format!("the demo did not hold: business day {bad}: ")).then_some(());
    eventually("it says so", held).await;
    eventually("its addresses", async || told().contains("cashier").then_some(())).await;
    demo.is_ready(&listen).await;
    assert!(demo.ends_well(), "{}", told());
}

//! The demo: what it tells is what the record holds, however an earlier start ended, and what it leaves can be used.
use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mingfen::cli::demo::{Setup, World, open_order, play, verify_all};
use mingfen::clock::Clock;
use mingfen::kernel::calendar::Instant;

use crate::support::MASTER_KEY;
use crate::support::database::{Kind, TestDatabase};

const NOW: &str = "2026-11-20T15:30:00+08:00";
const ORDERS: usize = 24;

fn dir(database: &TestDatabase) -> PathBuf {
    database.dir().join("world")
}

/// A start of the demo on what an earlier one left; at the same addresses.
async fn start(database: &TestDatabase, ports: [u16; 2]) -> World {
    let master_key = dir(database).join("keys/master.key");
    std::fs::create_dir_all(master_key.parent().unwrap()).unwrap();
    std::fs::write(&master_key, hex::encode(MASTER_KEY)).unwrap();
    std::fs::set_permissions(&master_key, Permissions::from_mode(0o600)).unwrap();
    let bind = |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    World::open(Setup {
        dir: dir(database),
        database_url: database.url().to_owned(),
        master_key: hex::encode(MASTER_KEY),
        listener: bind(ports[0]),
        sandbox_listener: bind(ports[1]),
        clock: Clock::system(),
        first_day: Instant::parse(NOW).unwrap().business_day().prev().prev(),
    })
    .await
    .unwrap()
}

fn free_ports() -> [u16; 2] {
    [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).map(|held| held.local_addr().unwrap().port())
}

/// Plays three days until so many payments are there, and drops everything in the middle of whatever it does.
async fn interrupted(world: &World, database: &TestDatabase, payments: i64) {
    let now = Instant::parse(NOW).unwrap();
    let enough = async {
        while database.raw().count("payment") < payments {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        outcome = play(world, 3, ORDERS, now, |_| {}) => panic!("it was not interrupted: {outcome:?}"),
        () = enough => {}
    }
}

#[actix_web::test]
async fn an_interrupted_demo_goes_on_where_its_record_ends_and_tells_what_is_in_it() {
    let (database, ports) = (TestDatabase::new(Kind::of_this_run()), free_ports());
    // In the first day, and where the second one is closed.
    for payments in [5, 2 * ORDERS as i64 - 3] {
        let world = start(&database, ports).await;
        interrupted(&world, &database, payments).await;
        world.stop().await;
    }
    let world = start(&database, ports).await;
    let mut told = Vec::new();
    play(&world, 3, ORDERS, Instant::parse(NOW).unwrap(), |line| told.push(line.to_owned())).await.unwrap();
    insta::assert_snapshot!(told.join("\n"), @r"
    20261118: 24 orders paid
    20261118: 24 orders cut, verified, settled
    20261119: 24 orders paid
    20261119: 24 orders cut, verified, settled
    20261120: 24 orders paid
    ");
    let paid =
        "SELECT CAST(COUNT(*) AS TEXT) AS v FROM payment GROUP BY business_date ORDER BY business_date";
    assert_eq!(database.raw().texts(paid), [ORDERS.to_string(), ORDERS.to_string(), ORDERS.to_string()]);
    assert_eq!(verify_all(&world, &dir(&database).canonicalize().unwrap()).await.unwrap(), 2);
    world.stop().await;
}

#[actix_web::test]
async fn what_the_demo_leaves_leads_on() {
    let (database, ports) = (TestDatabase::new(Kind::of_this_run()), free_ports());
    let world = start(&database, ports).await;
    world.app.clock.set(Clock::system().instant());

    // An order waits to be paid, and the next start finds the same one until it is.
    let cashier = open_order(&world).await.unwrap();
    assert_eq!(open_order(&world).await.unwrap(), cashier);
    let front = reqwest::get(&world.sandbox_url).await.unwrap().text().await.unwrap();
    let (_, path) = cashier.split_once("/sandbox/").unwrap();
    assert!(front.contains(&format!("href=\"/sandbox/{path}\"")), "{front}");
    let page = reqwest::Client::new().post(&cashier).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("支付成功"), "{page}");
    world.settle_messages().await.unwrap();
    assert_ne!(open_order(&world).await.unwrap(), cashier);

    // A stock SDK orders by the six lines.
    let folder = dir(&database).canonicalize().unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let snippet = folder.join("credentials/order_with_wechatpayv3.py");
    let run = move || Command::new(python).arg(snippet).output().unwrap();
    let ran = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.starts_with("200 {\"code_url\":"), "{said} {}", String::from_utf8_lossy(&ran.stderr));

    // The merchant whose orders no rule splits has a login of its own.
    let logins = std::fs::read_to_string(folder.join("logins.json")).unwrap();
    assert!(logins.contains("merchant-stuck"), "{logins}");

    // Every other command finds the platform by the settings that lie beside it.
    let settings = folder.join("mingfen.toml");
    let check = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
        command
            .args(["check", "--config"])
            .arg(settings)
            .env_remove("MINGFEN_TEST_DATABASE_URL")
            .output()
            .unwrap()
    };
    let checked = tokio::task::spawn_blocking(check).await.unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said} {}", String::from_utf8_lossy(&checked.stderr));
    world.stop().await;
}

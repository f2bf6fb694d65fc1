//! `mingfen serve` killed in the middle of a load of payments, again and again: what was acknowledged is there once.
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use crate::support::MASTER_KEY;
use crate::support::database::Kind;
use crate::support::load::Load;
use crate::support::sandbox_process::eventually;
use crate::support::shop::Shop;

/// How often the process is killed.
const KILLS: usize = 50;
/// Payments that are told of until then, again from the beginning once all were.
const PAYMENTS: usize = 2_000;
/// Where the moments of the kills come from.
const SEED: u64 = 0x6D69_6E67_6665_6E31;

/// The platform as a process of its own.
struct Serving(Child);

impl Serving {
    async fn start(dir: &Path, settings: &str, listen: SocketAddr) -> Self {
        Self::within(dir, settings, listen, None).await
    }

    /// With files of at most so many blocks of 512 bytes.
    async fn within(dir: &Path, settings: &str, listen: SocketAddr, most_blocks: Option<u64>) -> Self {
        let file = dir.join("mingfen.toml");
        mingfen::disk::write_private(&file, settings.as_bytes()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
        if let Some(blocks) = most_blocks {
            // A write beyond the limit fails as on a full disk, instead of ending the process.
            command = Command::new("sh");
            let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
            command.args(["-c", &limit, env!("CARGO_BIN_EXE_mingfen")]);
        }
        let child = command
            .args(["serve", "--config"])
            .arg(file)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let serving = Self(child);
        eventually("the platform listens", async || tokio::net::TcpStream::connect(listen).await.ok()).await;
        serving
    }

    /// SIGKILL: nothing of it runs any more when this returns.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The next of a fixed sequence (xorshift).
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[actix_web::test]
async fn what_was_acknowledged_before_each_of_fifty_kills_is_there_once() {
    let mut shop = Shop::open().await;
    let load = Load::prepare(&shop, PAYMENTS).await;
    let (dir, settings, listen) = moved(&mut shop);
    let (mut state, mut from, mut in_the_middle) = (SEED, 0, 0);
    for _ in 0..KILLS {
        let mut serving = Serving::start(&dir, &settings, listen).await;
        let before = load.acknowledged();
        let moment = Duration::from_millis(5 + draw(&mut state) % 200);
        let telling = load.tell_some(&shop, from, 1_000);
        tokio::pin!(telling);
        let ended = tokio::time::timeout(moment, &mut telling).await.is_ok();
        serving.kill();
        load.stop();
        if !ended {
            // Whatever was under way finds nobody any more.
            telling.await;
            in_the_middle += 1;
        }
        from += load.acknowledged() - before;
        load.assert_kept(&mut shop.app.raw());
    }
    assert!(in_the_middle > KILLS / 2, "only {in_the_middle} kills came in the middle of a load");
    assert!(load.acknowledged() > KILLS, "{} payments were acknowledged", load.acknowledged());
    let serving = Serving::start(&dir, &settings, listen).await;
    load.tell_some(&shop, 0, PAYMENTS).await;
    drop(serving);
    load.assert_kept(&mut shop.app.raw());
    mingfen::tasks::roll_up(&shop.app).await.unwrap();
    assert_eq!(shop.app.raw().count("payment"), i64::try_from(PAYMENTS).unwrap());
    nothing_is_broken(&shop).await;
}

#[actix_web::test]
async fn orders_that_were_answered_before_a_kill_are_there_once_and_each_with_its_nonce() {
    let mut shop = Shop::open().await;
    let (dir, settings, listen) = moved(&mut shop);
    let (mut state, mut answered, mut from) = (SEED, Vec::new(), 0);
    for _ in 0..KILLS / 5 {
        let mut serving = Serving::start(&dir, &settings, listen).await;
        let told = std::sync::Mutex::new(Vec::new());
        let numbers: Vec<String> = (from..from + 500).map(|n| format!("ORDER-{n}")).collect();
        from += 500;
        let placing = stream::iter(&numbers).map(async |number| {
            let Ok(answer) = shop.try_place(&shop.order(number)).await else { return };
            assert!(matches!(answer.status, 200 | 503), "{}", answer.status);
            if answer.status == 200 {
                told.lock().unwrap().push(number.clone());
            }
        });
        let placing = placing.buffer_unordered(16).for_each(|()| async {});
        tokio::pin!(placing);
        let moment = Duration::from_millis(draw(&mut state) % 200);
        let some = async {
            eventually("an order is answered", async || (!told.lock().unwrap().is_empty()).then_some(()))
                .await;
            tokio::time::sleep(moment).await;
        };
        let ended = tokio::select! {
            () = &mut placing => true,
            () = some => false,
        };
        serving.kill();
        if !ended {
            placing.await;
        }
        answered.append(&mut told.lock().unwrap());
        let mut database = shop.app.raw();
        let kept = database.texts("SELECT out_trade_no AS v FROM pay_order");
        assert!(answered.iter().all(|number| kept.contains(number)));
        assert_eq!(database.count("request_nonce"), database.count("pay_order"));
        let created = "SELECT count(*) AS v FROM order_event WHERE kind = 'CREATED'";
        assert_eq!(database.number(created), database.count("pay_order"));
    }
    assert!(answered.len() >= KILLS / 5, "{} orders were answered", answered.len());
    nothing_is_broken(&shop).await;
}

/// From now on the shop is served by a process of its own, which these settings start.
fn moved(shop: &mut Shop) -> (PathBuf, String, SocketAddr) {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = format!(
        "database_url = {:?}\nlisten = \"{listen}\"\ndata_dir = {:?}\nmaster_key = \"{}\"\nallow_private_addresses = true\n",
        shop.app.database_url(),
        shop.app.config.data_dir.display().to_string(),
        hex::encode(MASTER_KEY)
    );
    shop.base_url = format!("http://{listen}");
    (shop.app.dir().to_owned(), settings, listen)
}

async fn nothing_is_broken(shop: &Shop) {
    let app = mingfen::app::App::clone(&shop.app);
    let breaks = tokio::task::spawn_blocking(move || mingfen::check::breaks(&app)).await.unwrap();
    assert_eq!(breaks.unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn a_full_disk_refuses_payments_and_loses_none_that_it_took() {
    if Kind::of_this_run() == Kind::Postgres {
        // There the disk is the server's, and a server that stops is another test.
        return;
    }
    let mut shop = Shop::open().await;
    let load = Load::prepare(&shop, 1_500).await;
    shop.app.raw().execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let (dir, settings, listen) = moved(&mut shop);
    let size = std::fs::metadata(dir.join("mingfen.db")).unwrap().len();
    let serving = Serving::within(&dir, &settings, listen, Some(size / 512 + 200)).await;
    let refused = load.tell_to_the_end(&shop).await;
    assert!(refused > 0 && load.acknowledged() > 0, "{refused} refused, {} taken", load.acknowledged());
    load.assert_kept(&mut shop.app.raw());
    drop(serving);
    load.assert_kept(&mut shop.app.raw());
    let serving = Serving::start(&dir, &settings, listen).await;
    assert_eq!(load.tell_to_the_end(&shop).await, 0);
    drop(serving);
    load.assert_kept(&mut shop.app.raw());
    nothing_is_broken(&shop).await;
}

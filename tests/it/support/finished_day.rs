//! A small platform like the demo's: one business day finished, the next one in progress.
use std::net::TcpListener;
use std::path::PathBuf;

use mingfen::cli::demo::{Setup, World, play};
use mingfen::clock::Clock;
use mingfen::kernel::calendar::{BusinessDay, Instant};

use super::MASTER_KEY;
use super::database::{Kind, TestDatabase};

/// The finished day, a Thursday.
pub const DAY: &str = "20261119";
/// Now: the afternoon after it.
pub const NOW: &str = "2026-11-20T15:30:00+08:00";

/// A world that is stopped by [`FinishedDay::stop`]; its directory and database go when it is dropped.
pub struct FinishedDay {
    pub world: World,
    pub database: TestDatabase,
}

impl FinishedDay {
    /// So many orders on each of the two days.
    pub async fn new(orders: usize) -> Self {
        Self::at(orders, NOW).await
    }

    /// [`FinishedDay::new`] at another moment.
    pub async fn at(orders: usize, now: &str) -> Self {
        Self::on(orders, now, str::to_owned).await
    }

    /// [`FinishedDay::at`] on the database that this makes of the URL of a fresh one.
    pub async fn on(orders: usize, now: &str, url: impl FnOnce(&str) -> String) -> Self {
        let database = TestDatabase::new(Kind::of_this_run());
        let clock = Clock::system();
        let now = Instant::parse(now).unwrap();
        let dir = database.dir().join("world");
        std::fs::create_dir_all(&dir).unwrap();
        let setup = Setup {
            dir,
            database_url: url(database.url()),
            master_key: hex::encode(MASTER_KEY),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            sandbox_listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            clock,
            first_day: now.business_day().prev(),
        };
        let world = World::open(setup).await.unwrap();
        play(&world, 2, orders, now, |_| {}).await.unwrap();
        Self { world, database }
    }

    /// The finished day.
    pub fn day(&self) -> BusinessDay {
        self.world.app.clock.today().prev()
    }

    /// The directory, laid out as the demo's.
    pub fn dir(&self) -> PathBuf {
        self.database.dir().join("world").canonicalize().unwrap()
    }

    /// A published file.
    pub fn out(&self, name: &str) -> PathBuf {
        let day = name.split('_').nth(3).unwrap();
        self.dir().join("files/SANDBOX/out").join(day).join(name)
    }

    /// A file of the institution.
    pub fn inbox(&self, name: &str) -> PathBuf {
        self.dir().join("files/SANDBOX/in").join(name)
    }

    /// Our copy of a file that was taken in.
    pub fn taken(&self, name: &str) -> PathBuf {
        self.dir().join("files/SANDBOX/taken").join(name)
    }

    /// A published file's text.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.out(name)).unwrap()
    }

    pub async fn stop(self) {
        self.world.stop().await;
    }
}

//! Writes of requests that arrive together: one commit on SQLite, and yet each has an outcome of its own.
use std::sync::mpsc;
use std::time::Duration;

use actix_web::rt::spawn;
use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use mingfen::db::{Conn, Db, DbError, Lane, Tx};
use mingfen::error::{Code, Error};
use mingfen::people::{Actor, audit};
use tokio::task::JoinHandle;

use crate::support::TestApp;
use crate::support::database::{Kind, Raw};
use crate::support::sandbox_process::eventually;

fn note(tx: &mut Tx<'_>, object: &str) -> Result<(), Error> {
    let entry = audit::Entry { action: "test", object, before: None, after: None };
    audit::record(tx, 1, &Actor::system(), entry)
}

fn sql(tx: &mut Tx<'_>, sql: &str) -> Result<(), Error> {
    match tx.conn() {
        Conn::Sqlite(conn) => conn.batch_execute(sql)?,
        Conn::Pg(conn) => conn.batch_execute(sql)?,
    }
    Ok(())
}

/// The notes that are there for everybody.
fn notes(app: &TestApp) -> Vec<String> {
    app.raw().texts("SELECT object AS v FROM audit WHERE action = 'test' ORDER BY id")
}

/// A writer that is held until a test has given all its commands.
struct Held {
    db: Db,
    go_on: mpsc::Sender<()>,
    holding: JoinHandle<Result<(), Error>>,
}

impl Held {
    async fn on(app: &TestApp) -> Self {
        let db = app.db.lane(Lane::Requests);
        let (go_on, wait) = mpsc::channel();
        let (say, begun) = mpsc::channel();
        let hold = db.clone();
        let holding = spawn(async move {
            let wait = move |_: &mut Tx<'_>| {
                say.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            };
            hold.write(wait).await
        });
        eventually("the writer is held", async || begun.try_recv().ok()).await;
        Held { db, go_on, holding }
    }

    /// Gives a command; it waits.
    async fn give<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> JoinHandle<Result<T, Error>> {
        let db = self.db.clone();
        let given = spawn(async move { db.write(command).await });
        tokio::task::yield_now().await;
        given
    }

    async fn release(self) {
        self.go_on.send(()).unwrap();
        self.holding.await.unwrap().unwrap();
    }
}

#[actix_web::test]
async fn what_fails_or_panics_takes_back_its_own_part_and_hurts_nobody() {
    let app = TestApp::new();
    let held = Held::on(&app).await;
    let first = held.give(|tx| note(tx, "first")).await;
    let refused = held
        .give(|tx| {
            note(tx, "refused")?;
            Err::<(), _>(Error::refused(Code::LoginTaken, "x"))
        })
        .await;
    let panicked = held
        .give(|tx| {
            note(tx, "panicked")?;
            tx.savepoint(|tx| {
                note(tx, "panicked within")?;
                if tx.savepoint(|tx| note(tx, "deeper")).is_ok() {
                    panic!("on purpose");
                }
                Ok(())
            })
        })
        .await;
    let broken = held
        .give(|tx| {
            note(tx, "broken")?;
            Ok(diesel::sql_query("UPDATE audit SET at = 0").execute(tx.conn()).map(drop)?)
        })
        .await;
    let last = held
        .give(|tx| {
            assert!(tx.savepoint(|tx| note(tx, "taken back").and(Err::<(), _>(Error::NotFound))).is_err());
            note(tx, "last").map(|()| 7)
        })
        .await;
    held.release().await;
    first.await.unwrap().unwrap();
    assert!(matches!(refused.await.unwrap(), Err(Error::Refused { code: Code::LoginTaken, .. })));
    assert!(matches!(panicked.await.unwrap(), Err(Error::Internal(_))));
    assert!(matches!(broken.await.unwrap(), Err(Error::Db(DbError::Other(_)))));
    assert_eq!(last.await.unwrap().unwrap(), 7);
    let mut kept = notes(&app);
    kept.sort();
    assert_eq!(kept, ["first", "last"]);
}

#[actix_web::test]
async fn what_waits_together_shares_a_commit_and_each_is_told_after_it() {
    if Kind::of_this_run() == Kind::Postgres {
        // There many connections commit at the same time.
        return;
    }
    let app = TestApp::new();
    let url = app.database_url().to_owned();
    let held = Held::on(&app).await;
    let first = held.give(|tx| note(tx, "first")).await;
    let look = held
        .give(move |tx| {
            // It is done, as whoever comes later sees, and not yet there for others.
            let here = audit::of_object(tx, "first")?.len();
            let there = Raw::open(&url).number("SELECT count(*) AS v FROM audit WHERE object = 'first'");
            Ok((here, there))
        })
        .await;
    held.release().await;
    assert_eq!(look.await.unwrap().unwrap(), (1, 0));
    first.await.unwrap().unwrap();
    assert_eq!(notes(&app), ["first"]);
}

#[actix_web::test]
async fn a_commit_that_fails_is_told_to_all_whose_work_it_was_and_nothing_is_there() {
    if Kind::of_this_run() == Kind::Postgres {
        return;
    }
    let app = TestApp::new();
    let held = Held::on(&app).await;
    let first = held.give(|tx| note(tx, "first")).await;
    // Keys are looked at by the commit, and this one leads nowhere.
    let nowhere = held
        .give(|tx| {
            sql(tx, "PRAGMA defer_foreign_keys = ON")?;
            sql(tx, "INSERT INTO request_nonce (credential_id, nonce, seen_at) VALUES (987654321, 'n', 1)")
        })
        .await;
    let refused = held.give(|_| Err::<(), _>(Error::NotFound)).await;
    let last = held.give(|tx| note(tx, "last")).await;
    held.release().await;
    for lost in [first, nowhere, last] {
        let lost = lost.await.unwrap();
        assert!(
            matches!(&lost, Err(Error::Db(DbError::Other(why))) if why.contains("FOREIGN KEY")),
            "{lost:?}"
        );
    }
    assert!(matches!(refused.await.unwrap(), Err(Error::NotFound)));
    assert_eq!(notes(&app), [""; 0]);
    // The writer is fit for the next.
    app.db.lane(Lane::Requests).write(|tx| note(tx, "after")).await.unwrap();
    assert_eq!(notes(&app), ["after"]);
}

#[actix_web::test]
async fn a_disk_that_is_full_keeps_what_was_told_and_nothing_else() {
    if Kind::of_this_run() == Kind::Postgres {
        return;
    }
    let app = TestApp::new();
    let pages = app.raw().texts("SELECT CAST(page_count AS TEXT) AS v FROM pragma_page_count")[0].clone();
    let held = Held::on(&app).await;
    let bound = held.give(move |tx| sql(tx, &format!("PRAGMA max_page_count = {pages}"))).await;
    let mut given = Vec::new();
    for n in 0..60 {
        let object = format!("{n:02}{}", "x".repeat(2_000));
        given.push(held.give(move |tx| note(tx, &object)).await);
    }
    held.release().await;
    // SQLite takes the whole transaction back: this one is of the first group.
    drop(bound.await.unwrap());
    let (mut told, mut refused) = (Vec::new(), 0);
    for (n, outcome) in given.into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(()) => told.push(format!("{n:02}")),
            Err(error) => {
                assert!(matches!(error, Error::Db(DbError::Unavailable)), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    let kept: Vec<String> = notes(&app).into_iter().map(|object| object[..2].to_owned()).collect();
    assert_eq!(kept, told);
}

#[actix_web::test]
async fn a_callers_writes_are_done_in_its_order_and_seen_by_its_reads() {
    let app = TestApp::new();
    let db = app.db.lane(Lane::Requests);
    let each = (0..16).map(|caller| {
        let db = db.clone();
        async move {
            for n in 0..8 {
                let object = format!("{caller}/{n}");
                let before = format!("{caller}/{}", n - 1);
                let write = move |tx: &mut Tx<'_>| {
                    assert_eq!(audit::of_object(tx, &before)?.len(), usize::from(n > 0));
                    note(tx, &object)
                };
                db.write(write).await.unwrap();
                let object = format!("{caller}/{n}");
                assert_eq!(db.read(move |tx| audit::of_object(tx, &object)).await.unwrap().len(), 1);
            }
        }
    });
    futures_util::future::join_all(each).await;
    assert_eq!(notes(&app).len(), 16 * 8);
}

#[actix_web::test]
async fn a_command_whose_caller_has_gone_is_not_begun() {
    if Kind::of_this_run() == Kind::Postgres {
        return;
    }
    let app = TestApp::new();
    let held = Held::on(&app).await;
    let gone = held.give(|tx| note(tx, "gone")).await;
    let stays = held.give(|tx| note(tx, "stays")).await;
    gone.abort();
    assert!(gone.await.is_err());
    held.release().await;
    stays.await.unwrap().unwrap();
    assert_eq!(notes(&app), ["stays"]);
}

#[actix_web::test]
async fn a_long_write_ends_its_group_and_work_goes_alone() {
    if Kind::of_this_run() == Kind::Postgres {
        return;
    }
    let app = TestApp::new();
    let url = app.database_url().to_owned();
    let held = Held::on(&app).await;
    let long = held
        .give(|tx| {
            std::thread::sleep(Duration::from_millis(60));
            note(tx, "long")
        })
        .await;
    let next = held
        .give(move |_| Ok(Raw::open(&url).number("SELECT count(*) AS v FROM audit WHERE object = 'long'")))
        .await;
    let work = app.db.clone();
    let work = spawn(async move { work.write(|tx| note(tx, "work")).await });
    held.release().await;
    long.await.unwrap().unwrap();
    assert_eq!(next.await.unwrap().unwrap(), 1);
    work.await.unwrap().unwrap();
    let alone = app.db.lane(Lane::Requests);
    alone.write_alone(|tx| note(tx, "alone")).await.unwrap();
    let mut kept = notes(&app);
    kept.sort();
    assert_eq!(kept, ["alone", "long", "work"]);
}

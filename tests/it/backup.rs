//! Backup and restore: the product's own on SQLite, PostgreSQL's tools there.
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::MASTER_KEY;
use crate::support::database::{Kind, Raw};
use crate::support::finished_day::FinishedDay;
use crate::support::load::Load;
use crate::support::postgres::programs;
use crate::support::sandbox_process::eventually;
use crate::support::shop::Shop;

/// A command on a database and a data directory: its status and everything that it said.
fn mingfen(database_url: &str, data_dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mingfen"))
        .args(arguments)
        .current_dir(data_dir.parent().unwrap())
        .env("MINGFEN_DATABASE_URL", database_url)
        .env("MINGFEN_DATA_DIR", data_dir)
        .env("MINGFEN_MASTER_KEY", hex::encode(MASTER_KEY))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[actix_web::test]
async fn a_backup_under_load_holds_every_payment_that_was_acknowledged_before() {
    if Kind::of_this_run() != Kind::Sqlite {
        return;
    }
    let shop = Shop::open().await;
    let load = Load::prepare(&shop, 400).await;
    let (place, url, data) =
        (tempfile::tempdir().unwrap(), shop.app.database_url().to_owned(), shop.app.dir().join("data"));
    let archive = place.path().join("backup.tar");
    let backup = async {
        eventually("a part is acknowledged", async || (load.acknowledged() >= 100).then_some(())).await;
        let before = load.acknowledged_numbers();
        let file = archive.clone();
        let made = tokio::task::spawn_blocking(move || mingfen(&url, &data, &["backup", text(&file)]));
        assert_eq!(made.await.unwrap().0, 0);
        before
    };
    let ((), before) = futures_util::future::join(load.tell_once(&shop), backup).await;
    assert_eq!(load.acknowledged(), load.len(), "nobody was kept waiting by it");

    let (status, said) =
        mingfen(shop.app.database_url(), &shop.app.dir().join("data"), &["backup", text(&archive)]);
    assert!(status == 2 && said.contains("never goes over another"), "{said}");
    let restored = format!("sqlite:{}", place.path().join("new/mingfen.db").display());
    std::fs::create_dir(place.path().join("new")).unwrap();
    let (status, said) = mingfen(&restored, &place.path().join("new/data"), &["restore", text(&archive)]);
    assert!(status == 0 && said.contains("nothing is broken"), "{said}");
    let kept = Raw::open(&restored).texts("SELECT inst_order_no AS v FROM payment");
    assert!(before.len() >= 100 && before.iter().all(|number| kept.contains(number)));
    let (status, said) = mingfen(&restored, &place.path().join("new/data"), &["restore", text(&archive)]);
    assert!(status == 2 && said.contains("is there already"), "{said}");
}

/// A finished day's directory, laid out for the commands.
async fn finished() -> (FinishedDay, PathBuf) {
    let demo = FinishedDay::new(20).await;
    let dir = demo.dir();
    (demo, dir)
}

#[actix_web::test]
async fn exchanged_files_come_back_with_the_database_and_nothing_that_is_not_a_backup_is_taken() {
    if Kind::of_this_run() != Kind::Sqlite {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let (demo, dir) = finished().await;
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("backup.tar");
    // Something that was published after the moment of the copy would stand in the way of what is made anew.
    let later = demo.out(&format!("SPL_SANDBOX_DEMO_{}_0009.txt", demo.day()));
    std::fs::write(&later, "later").unwrap();
    std::fs::write(format!("{}.ok", text(&later)), "").unwrap();
    let (status, said) = mingfen(demo.database.url(), &dir, &["check"]);
    assert!(status == 1 && said.contains("0009.txt: is published, and not recorded"), "{said}");
    let (status, said) = mingfen(demo.database.url(), &dir, &["backup", text(&archive)]);
    assert!(status == 0, "{said}");
    assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["backup.tar"]);

    let (url, data) =
        (format!("sqlite:{}", place.path().join("mingfen.db").display()), place.path().join("data"));
    let other = place.path().join("other.tar");
    std::fs::write(&other, "no archive".repeat(100)).unwrap();
    let (status, said) = mingfen(&url, &data, &["restore", text(&other)]);
    assert!(status == 2 && said.contains("no backup"), "{said}");
    assert!(!place.path().join("mingfen.db").exists());
    let (status, said) = mingfen(&url, &data, &["restore", text(&archive)]);
    assert!(status == 0 && said.contains("nothing is broken"), "{said}");
    let name = |path: &Path| data.join(path.strip_prefix(&dir).unwrap());
    assert!(!name(&later).exists());
    let spl = demo.out(&format!("SPL_SANDBOX_DEMO_{}_0001.txt", demo.day()));
    assert_eq!(std::fs::read(name(&spl)).unwrap(), std::fs::read(&spl).unwrap());
    std::fs::remove_file(name(&spl)).unwrap();
    assert_eq!(mingfen(&url, &data, &["check"]).0, 1);
    demo.stop().await;
}

#[actix_web::test]
async fn on_postgres_its_own_tools_and_a_copy_of_the_files_are_a_backup() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let (demo, dir) = finished().await;
    let place = tempfile::tempdir().unwrap();
    for command in ["backup", "restore"] {
        let (status, said) = mingfen(demo.database.url(), &dir, &[command, "x.tar"]);
        assert!(status == 2 && said.contains("pg_dump") && said.lines().count() == 1, "{said}");
    }
    let dump = place.path().join("dump.sql");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(programs().join(program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("pg_dump", &["--file", text(&dump), demo.database.url()]);
    let copied = Command::new("cp").arg("-a").arg(dir.join("files")).arg(place.path()).status().unwrap();
    assert!(copied.success());
    let name = format!("mingfen_restored_{}", std::process::id());
    let (server, _) = demo.database.url().rsplit_once('/').unwrap();
    let (admin, restored) = (format!("{server}/postgres"), format!("{server}/{name}"));
    Raw::open(&admin).execute(&format!("CREATE DATABASE {name}")).unwrap();
    run("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", text(&dump), &restored]);
    let (status, said) = mingfen(&restored, place.path(), &["check"]);
    Raw::open(&admin).execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    assert!(status == 0, "{said}");
    demo.stop().await;
}

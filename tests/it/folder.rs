//! An institution's `in/`, which it writes as it likes: what is no plain file is refused and nobody waits for it, and
//! what was taken in is served and archived from our own copy, with the recorded bytes or not at all.
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mingfen::disk::{self, Dir};
use mingfen::exchange::Folder;
use mingfen::inbox::{self, Taking};
use mingfen::institutions;
use mingfen::people::Role;
use mingfen::people::security::SecurityKind;

use rustix::fs::inotify;

use crate::support::acting::Acting;
use crate::support::database::Kind;
use crate::support::finished_day::FinishedDay;
use crate::support::shop::Shop;

#[actix_web::test]
async fn a_pipe_and_links_are_refused_and_keep_nobody_waiting() {
    let shop = Shop::open().await;
    let inbox = Folder::new(&shop.app.config.data_dir, "SANDBOX").inbox().path();
    fs::create_dir_all(&inbox).unwrap();
    let outside = shop.app.config.data_dir.join("outside.txt");
    let put = |name: &str| {
        fs::write(inbox.join(format!("{name}.sig")), "QUFB").unwrap();
        fs::write(inbox.join(format!("{name}.ok")), "").unwrap();
    };
    assert!(Command::new("mkfifo").arg(inbox.join("A.txt")).status().unwrap().success());
    fs::write(&outside, "a secret").unwrap();
    symlink(&outside, inbox.join("B.txt")).unwrap();
    fs::write(inbox.join("C.txt"), "junk").unwrap();
    for name in ["A.txt", "B.txt", "C.txt"] {
        put(name);
    }
    // Where the note about C would be written, a link to a file that is not there yet.
    let planted = shop.app.config.data_dir.join("planted.txt");
    symlink(&planted, inbox.join("C.txt.refused")).unwrap();
    for _ in 0..2 {
        let import = mingfen::tasks::import_files(&shop.app);
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), import).await.unwrap().unwrap(), 0);
    }
    for name in ["A.txt", "B.txt"] {
        let note = fs::read_to_string(inbox.join(format!("{name}.refused"))).unwrap();
        assert!(note.contains(&format!("{name} is no plain file of this folder")), "{note}");
    }
    assert!(!planted.exists());
    shop.app.guard.write(&shop.app.db).await.unwrap();
    let seen = shop.app.raw().texts(
        "SELECT kind || ' ' || who || ' ' || origin || ' ' || what || ' ' || times AS v FROM security_event",
    );
    assert_eq!(seen, ["import.refused institution:SANDBOX  FIL-106 2"]);
}

/// Which files of a folder were opened since the last look.
struct Opened(std::os::fd::OwnedFd);

impl Opened {
    fn of(folder: &Path) -> Self {
        let watching = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watching, folder, inotify::WatchFlags::OPEN).unwrap();
        Self(watching)
    }

    fn take(&self) -> BTreeSet<String> {
        let mut room = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut room);
        let events = std::iter::from_fn(|| {
            let event = reader.next().ok()?;
            Some(event.file_name().map(|name| name.to_str().unwrap().to_owned()))
        });
        // Without a name it is the folder itself.
        events.flatten().collect()
    }
}

fn lay(inbox: &Path, name: &str, bytes: &[u8], signature: &str) {
    for (end, bytes) in [("", bytes), (".sig", signature.as_bytes()), (".ok", b"")] {
        fs::write(inbox.join(format!("{name}{end}")), bytes).unwrap();
    }
}

async fn import(shop: &Shop) -> usize {
    mingfen::tasks::import_files(&shop.app).await.unwrap()
}

#[actix_web::test]
async fn a_copy_under_another_name_is_read_once_and_again_when_it_changes() {
    let shop = Shop::open().await;
    let inbox = Folder::new(&shop.app.config.data_dir, "SANDBOX").inbox().path();
    let known = fs::read_dir(&inbox).unwrap().map(|entry| entry.unwrap().path());
    let known = known.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    let bytes = fs::read(&known).unwrap();
    let signature = fs::read_to_string(format!("{}.sig", known.display())).unwrap();
    let copy = "APR_SANDBOX_DEMO_20260102_0009.json";
    lay(&inbox, copy, &bytes, &signature);
    let opened = Opened::of(&inbox);
    assert_eq!(import(&shop).await, 0);
    assert!(opened.take().contains(copy));
    for _ in 0..3 {
        assert_eq!(import(&shop).await, 0);
    }
    assert_eq!(opened.take(), BTreeSet::new());
    // Corrected: as long as before, but other bytes. Its note says that it was read.
    let note = inbox.join(format!("{copy}.refused"));
    let mut other = bytes.clone();
    other[0] = b' ';
    fs::write(inbox.join(copy), &other).unwrap();
    assert_eq!(import(&shop).await, 0);
    assert!(fs::read_to_string(&note).unwrap().contains("E_SIGN"));
    // And once more, with another signature alone.
    fs::write(inbox.join(copy), &bytes).unwrap();
    fs::remove_file(&note).unwrap();
    assert_eq!(import(&shop).await, 0);
    fs::write(inbox.join(format!("{copy}.sig")), "no base64!").unwrap();
    assert_eq!(import(&shop).await, 0);
    assert!(fs::read_to_string(&note).unwrap().contains("is not base64"));
}

#[actix_web::test]
async fn of_one_folder_no_more_than_a_thousand_unrecorded_files_are_looked_at() {
    let shop = Shop::open().await;
    let inbox = Folder::new(&shop.app.config.data_dir, "SANDBOX").inbox().path();
    // Each waits for the one before it, which never comes.
    let waits = |n: usize| format!("SPL_SANDBOX_DEMO_20260102_{n:04}.txt.final.0001.ret");
    for n in 1..=1_000 {
        lay(&inbox, &waits(n), b"junk", "QUFB");
    }
    // Comes after them and waits for none.
    lay(&inbox, "SPL_SANDBOX_DEMO_20260103_0001.txt.final.x.ret", b"junk", "QUFB");
    for _ in 0..2 {
        assert_eq!(import(&shop).await, 0);
    }
    assert_eq!(shop.app.refusals(SecurityKind::ImportRefused).await, 0, "it is the thousand and first");
    fs::remove_file(inbox.join(format!("{}.ok", waits(1)))).unwrap();
    assert_eq!(import(&shop).await, 0);
    assert_eq!(shop.app.refusals(SecurityKind::ImportRefused).await, 1, "there is room for it");
}

#[actix_web::test]
async fn a_refusal_is_one_event_whatever_becomes_of_its_note() {
    let shop = Shop::open().await;
    let folder = Folder::new(&shop.app.config.data_dir, "SANDBOX");
    let inbox = folder.inbox().path();
    // Its `.sig` fits, its `.refused` does not; the last letter of the note that does would be half of one.
    for (at, long) in
        [format!("{}.txt", "A".repeat(247)), format!("B{}.txt", "明".repeat(82))].iter().enumerate()
    {
        lay(&inbox, long, b"junk", "QUFB");
        for _ in 0..3 {
            assert_eq!(import(&shop).await, 0);
        }
        assert_eq!(
            shop.app.refusals(SecurityKind::ImportRefused).await,
            i64::try_from(at + 1).unwrap(),
            "{long}"
        );
        let names = folder.inbox().names().unwrap();
        let note =
            names.iter().find(|name| name.starts_with(&long[..1]) && name.ends_with(".refused")).unwrap();
        assert!(
            note.len() <= 255 && fs::read_to_string(inbox.join(note)).unwrap().contains("FIL-106"),
            "{note}"
        );
    }
    // Something came where its note should be, after the folder was looked through.
    let app = &shop.app;
    lay(&inbox, "C.txt", b"junk", "QUFB");
    symlink("nowhere", inbox.join("C.txt.refused")).unwrap();
    let institution = app.db.read_blocking(|tx| institutions::by_id(tx, shop.institution_id)).unwrap();
    let taking = Taking { db: &app.db, guard: &app.guard, seen: &app.seen };
    let take = || inbox::take(&taking, &institution, &folder, "C.txt", 1);
    for _ in 0..3 {
        assert!(!take().await.unwrap());
    }
    assert_eq!(shop.app.refusals(SecurityKind::ImportRefused).await, 3);
    fs::write(inbox.join("C.txt"), "other junk").unwrap();
    assert!(!take().await.unwrap());
    assert_eq!(shop.app.refusals(SecurityKind::ImportRefused).await, 4);
}

/// Lays a link to a secret in the place of a file.
fn becomes_a_link(path: &Path, secret: &Path) {
    fs::remove_file(path).unwrap();
    symlink(secret, path).unwrap();
}

async fn acting(played: &FinishedDay, role: Role) -> Acting {
    let login = played.world.logins.iter().find(|login| login.role == role.as_str()).unwrap();
    let mut acting = Acting::at(&played.world.site_url);
    assert_eq!(acting.log_in(&login.login, &login.password).await.status, 303);
    acting
}

#[actix_web::test]
async fn the_file_page_serves_the_recorded_bytes_whatever_lies_in_the_institutions_folder() {
    let played = FinishedDay::new(3).await;
    let secret = played.dir().join("secret");
    fs::write(&secret, "the master key").unwrap();
    let names: Vec<String> = fs::read_dir(played.inbox(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".ok"))
        .map(|name| name.trim_end_matches(".ok").to_owned())
        .collect();
    assert!(names.len() > 3, "{names:?}");
    let mut maker = acting(&played, Role::InstMaker).await;
    for name in &names {
        let before = maker.get(&format!("/institution/files/{name}")).await;
        assert_eq!(before.status, 200, "{name}");
        for file in [name.clone(), format!("{name}.sig")] {
            becomes_a_link(&played.inbox(&file), &secret);
            let page = maker.get(&format!("/institution/files/{file}")).await;
            assert!(page.status == 200 && !page.body.contains("the master key"), "{file}");
        }
        assert_eq!(maker.get(&format!("/institution/files/{name}")).await.body, before.body);
    }
    // Our own copies too are served with the recorded bytes or not at all.
    let spl = format!("SPL_SANDBOX_DEMO_{}_0001.txt", played.day());
    for (name, path) in [(&names[0], played.taken(&names[0])), (&spl, played.out(&spl))] {
        fs::write(&path, "other bytes").unwrap();
        let page = maker.get(&format!("/institution/files/{name}")).await;
        assert!(page.status == 500 && !page.body.contains("other bytes"), "{}", page.body);
        becomes_a_link(&path, &secret);
        let page = maker.get(&format!("/institution/files/{name}")).await;
        assert!(page.status == 500 && !page.body.contains("the master key"), "{}", page.body);
    }
    played.stop().await;
}

#[actix_web::test]
async fn a_backup_holds_the_recorded_bytes_and_no_file_from_elsewhere() {
    if Kind::of_this_run() != Kind::Sqlite {
        return;
    }
    let played = FinishedDay::new(3).await;
    let secret = played.dir().join("secret");
    fs::write(&secret, "the master key").unwrap();
    let spl = format!("SPL_SANDBOX_DEMO_{}_0001.txt", played.day());
    symlink(&secret, played.inbox("BIL_X.txt")).unwrap();
    becomes_a_link(&played.inbox(&format!("{spl}.first.ret")), &secret);
    let backup = |archive: &str| {
        let ended = Command::new(env!("CARGO_BIN_EXE_mingfen"))
            .args(["backup", archive])
            .current_dir(played.dir())
            .env("MINGFEN_DATABASE_URL", played.database.url())
            .env("MINGFEN_DATA_DIR", played.dir())
            .env("MINGFEN_MASTER_KEY", hex::encode(crate::support::MASTER_KEY))
            .output()
            .unwrap();
        let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        (ended.status.code().unwrap(), said, fs::read(played.dir().join(archive)).unwrap())
    };
    let holds = |archive: &[u8], text: &str| archive.windows(text.len()).any(|part| part == text.as_bytes());
    let (status, said, archive) = backup("one.tar");
    assert_eq!(status, 0, "{said}");
    assert!(holds(&archive, &format!("taken/{spl}.first.ret")) && !holds(&archive, "the master key"));
    // What was changed on disk is no backup of what was recorded: it is left out, and said so.
    fs::write(played.taken(&format!("{spl}.first.ret")), "other bytes").unwrap();
    becomes_a_link(&played.out(&spl), &secret);
    let (status, said, archive) = backup("two.tar");
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(&format!("left out: {spl}.first.ret")) && said.contains(&format!("left out: {spl}: "))
    );
    assert!(!holds(&archive, "other bytes") && !holds(&archive, "the master key"));
    played.stop().await;
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_made_is_its_owners_alone_and_nothing_is_written_over_unasked() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join("a").join("b").join(name);
    disk::private_dir(&root.path().join("a").join("b")).unwrap();
    assert_eq!((mode(&root.path().join("a")), mode(&root.path().join("a").join("b"))), (0o700, 0o700));

    use std::io::Write;
    disk::create_private(&at("new")).unwrap().write_all(b"first").unwrap();
    assert_eq!(disk::create_private(&at("new")).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    disk::ensure_private(&at("new")).unwrap();
    disk::ensure_private(&at("empty")).unwrap();
    disk::write_private(&at("over"), b"a long text").unwrap();
    fs::set_permissions(at("over"), fs::Permissions::from_mode(0o644)).unwrap();
    disk::write_private(&at("over"), b"short").unwrap();
    for (name, text) in [("new", "first"), ("empty", ""), ("over", "short")] {
        assert_eq!((mode(&at(name)), fs::read_to_string(at(name)).unwrap()), (0o600, text.to_owned()));
    }
}

#[test]
fn a_folder_is_walked_to_through_folders_and_holds_plain_files() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = Dir::new(root.path()).below("files").below("X").below("in");
    assert!(dir.names().unwrap().is_empty() && !dir.has("a").unwrap() && !dir.lies("a").unwrap());
    dir.remove("a").unwrap();
    dir.make().unwrap();
    dir.make().unwrap();
    use std::io::Write;
    dir.create("a").unwrap().write_all(b"0123456789").unwrap();
    assert_eq!(dir.bytes("a", 10).unwrap(), b"0123456789");
    assert_eq!(dir.bytes("a", 9).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
    assert!(dir.create("a").is_err(), "made anew or not at all");
    assert_eq!(mode(&dir.path().join("a")), 0o600);

    fs::write(elsewhere.path().join("secret"), "secret").unwrap();
    symlink(elsewhere.path().join("secret"), dir.path().join("link")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    for name in ["link", "dangling", "folder", "pipe", "socket"] {
        assert!(disk::is_not_plain(&dir.read(name).unwrap_err()), "{name}");
        assert!(!dir.has(name).unwrap() && dir.lies(name).unwrap(), "{name}");
        assert!(dir.create(name).is_err(), "{name}");
    }
    for name in ["", ".", "..", "../in/a", "/etc/passwd", "folder/x", "a\0b"] {
        assert!(
            dir.read(name).is_err() && dir.create(name).is_err() && dir.remove(name).is_err(),
            "{name:?}"
        );
        assert!(dir.rename("a", name).is_err() && dir.has(name).is_err(), "{name:?}");
    }
    // A link is taken away or replaced itself.
    dir.rename("a", "link").unwrap();
    dir.remove("dangling").unwrap();
    assert_eq!(dir.bytes("link", 100).unwrap(), b"0123456789");
    assert_eq!(fs::read_to_string(elsewhere.path().join("secret")).unwrap(), "secret");

    // The folder itself, or one on the way to it, is a link.
    let below = Dir::new(root.path()).below("files").below("Y");
    symlink(elsewhere.path(), below.path()).unwrap();
    for dir in [below.clone(), below.below("in")] {
        assert!(dir.make().is_err() && dir.names().is_err() && dir.create("b").is_err());
        assert!(dir.read("secret").is_err() && dir.bytes("secret", 9).is_err());
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

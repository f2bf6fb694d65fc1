//! What lies in an institution's `in/` that is no plain file: it is refused, and nobody waits for it.
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use mingfen::exchange::Folder;
use mingfen::people::security::SecurityKind;

use crate::support::shop::Shop;

#[actix_web::test]
async fn a_pipe_and_links_are_refused_and_keep_nobody_waiting() {
    let shop = Shop::open().await;
    let inbox = Folder::new(&shop.app.config.data_dir, "SANDBOX").inbox();
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
    let guard = &shop.app.guard;
    assert_eq!(guard.count(SecurityKind::ImportRefused), 2);
    guard.write(&shop.app.db).await.unwrap();
    let seen = shop.app.raw().texts(
        "SELECT kind || ' ' || who || ' ' || origin || ' ' || what || ' ' || times AS v FROM security_event",
    );
    assert_eq!(seen, ["import.refused institution:SANDBOX  FIL-106 2"]);
}

//! `check` ends 0 on a sound platform, and finds every kind of change made past the product.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mingfen::check;

use crate::support::database::Raw;
use crate::support::finished_day::FinishedDay;

/// Runs statements with the append-only triggers of these tables out of the way, then puts them back.
pub fn past_the_triggers(raw: &mut Raw, tables: &[&str], sql: &str) {
    match raw {
        Raw::Sqlite(_) => {
            let mut triggers = Vec::new();
            for table in tables {
                for suffix in ["no_update", "no_delete"] {
                    let name = format!("{table}_{suffix}");
                    triggers.extend(
                        raw.texts(&format!("SELECT sql AS v FROM sqlite_master WHERE name = '{name}'")),
                    );
                    raw.execute(&format!("DROP TRIGGER {name}")).unwrap();
                }
            }
            raw.execute("PRAGMA foreign_keys = OFF").unwrap();
            raw.execute(sql).unwrap();
            for trigger in triggers {
                raw.execute(&trigger).unwrap();
            }
        }
        Raw::Pg(_) => {
            // Partitions inherit their parent's triggers; a session that replicates runs none of them.
            raw.execute(&format!(
                "SET session_replication_role = replica; {sql}; SET session_replication_role = origin"
            ))
            .unwrap();
        }
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[actix_web::test]
async fn check_finds_every_kind_of_change_made_past_the_product() {
    let finished = FinishedDay::new(40).await;
    let app = finished.world.app.clone();
    mingfen::tasks::roll_up(&app).await.unwrap();
    assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new());

    let changes: [(&str, &[&str], &str, &str); 20] = [
        (
            "an entry's evidence",
            &["ledger_entry"],
            "UPDATE ledger_entry SET evidence = 'x' || evidence",
            "UPDATE ledger_entry SET evidence = substr(evidence, 2)",
        ),
        (
            "one side of an entry",
            &["posting"],
            "UPDATE posting SET amount = amount + 7 WHERE account = 'CHANNEL_RECEIVABLE'",
            "UPDATE posting SET amount = amount - 7 WHERE account = 'CHANNEL_RECEIVABLE'",
        ),
        (
            "both sides of an entry",
            &["posting"],
            "UPDATE posting SET amount = amount * 2",
            "UPDATE posting SET amount = amount / 2",
        ),
        (
            "a link of the ledger's chain",
            &["ledger_link"],
            "UPDATE ledger_link SET sha256 = substr(sha256, 2) || substr(sha256, 1, 1)",
            "UPDATE ledger_link SET sha256 = substr(sha256, 64) || substr(sha256, 1, 63)",
        ),
        (
            "the sums of a custody day",
            &["ledger_balance"],
            "UPDATE ledger_day SET amount = amount + 1 WHERE account = 'CUSTODY_CASH'",
            "UPDATE ledger_day SET amount = amount - 1 WHERE account = 'CUSTODY_CASH'",
        ),
        (
            "a closed balance",
            &["ledger_balance"],
            "UPDATE ledger_balance SET amount = amount + 1 WHERE account = 'CUSTODY_CASH'",
            "UPDATE ledger_balance SET amount = amount - 1 WHERE account = 'CUSTODY_CASH'",
        ),
        (
            "a paid amount",
            &["payment"],
            "UPDATE payment SET paid = paid + 1",
            "UPDATE payment SET paid = paid - 1",
        ),
        (
            "an order's amount",
            &["pay_order"],
            "UPDATE pay_order SET amount = amount + 1",
            "UPDATE pay_order SET amount = amount - 1",
        ),
        (
            "a payment's time",
            &["payment"],
            "UPDATE payment SET paid_at = paid_at + 1000000",
            "UPDATE payment SET paid_at = paid_at - 1000000",
        ),
        (
            "a payment's key",
            &["payment_key"],
            "UPDATE payment_key SET business_date = business_date + 1",
            "UPDATE payment_key SET business_date = business_date - 1",
        ),
        (
            "a split line",
            &["split_order"],
            "UPDATE split_order SET lines = '9' || lines WHERE lines <> ''",
            "UPDATE split_order SET lines = substr(lines, 2) WHERE lines <> ''",
        ),
        (
            "whose a line is",
            &["split_order"],
            "UPDATE split_order SET lines = replace(lines, 'agent:A1', 'agent:B1')",
            "UPDATE split_order SET lines = replace(lines, 'agent:B1', 'agent:A1')",
        ),
        (
            "a fee that a file told",
            &["bill_order"],
            "UPDATE bill_order SET fee = fee + 1, paid = paid + 1",
            "UPDATE bill_order SET fee = fee - 1, paid = paid - 1",
        ),
        (
            "a reason",
            &["split_order"],
            "UPDATE split_order SET reason = 'OVER_CAP' WHERE reason = 'NO_RULE'",
            "UPDATE split_order SET reason = 'NO_RULE' WHERE reason = 'OVER_CAP'",
        ),
        (
            "what is listed as unsplit",
            &[],
            "UPDATE unsplit_order SET paid = paid + 1",
            "UPDATE unsplit_order SET paid = paid - 1",
        ),
        (
            "a settled amount",
            &["settlement_line"],
            "UPDATE settlement_line SET amount = amount + 1, splits = splits + 1",
            "UPDATE settlement_line SET amount = amount - 1, splits = splits - 1",
        ),
        (
            "a file's place in the chain",
            &["exchanged_file"],
            "UPDATE exchanged_file SET previous_sha256 = 'f' || substr(sha256, 2) WHERE kind = 'SPL'",
            "UPDATE exchanged_file SET previous_sha256 = '0000000000000000000000000000000000000000000000000000000000000000' WHERE kind = 'SPL'",
        ),
        (
            "a file's total",
            &["exchanged_file"],
            "UPDATE exchanged_file SET total = total + 1 WHERE kind = 'STL'",
            "UPDATE exchanged_file SET total = total - 1 WHERE kind = 'STL'",
        ),
        (
            "a result",
            &["result_line"],
            "UPDATE result_line SET amount = amount + 1",
            "UPDATE result_line SET amount = amount - 1",
        ),
        (
            "a cut's time",
            &["day_cut"],
            "UPDATE day_cut SET created_at = created_at + 1000000",
            "UPDATE day_cut SET created_at = created_at - 1000000",
        ),
    ];
    let mut raw = finished.database.raw();
    for (what, tables, change, back) in changes {
        past_the_triggers(&mut raw, tables, change);
        assert!(!check::breaks(&app).unwrap().is_empty(), "{what} was changed unseen");
        past_the_triggers(&mut raw, tables, back);
        assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new(), "after {what} was put back");
    }

    let day = finished.day();
    let published = |kind: &str| finished.out(&format!("{kind}_SANDBOX_DEMO_{day}_0001.txt"));
    let beside = |path: PathBuf, end: &str| PathBuf::from(format!("{}{end}", path.display()));
    // Whatever the institution does with its own folder: our copies are what counts.
    fs::remove_dir_all(finished.inbox("")).unwrap();
    assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new());
    let files = [
        published("SPL"),
        published("STL"),
        beside(published("SPL"), ".sig"),
        finished.taken(&format!("WXBILL_SANDBOX_DEMO_{day}_0001.csv")),
        finished.taken(&format!("SPL_SANDBOX_DEMO_{day}_0001.txt.first.ret")),
    ];
    for path in files {
        let before = fs::read(&path).unwrap();
        flip(&path);
        assert!(!check::breaks(&app).unwrap().is_empty(), "{} was changed unseen", path.display());
        fs::remove_file(&path).unwrap();
        assert!(!check::breaks(&app).unwrap().is_empty(), "{} was removed unseen", path.display());
        fs::write(&path, before).unwrap();
    }
    let ok = beside(published("SPL"), ".ok");
    fs::remove_file(&ok).unwrap();
    assert!(!check::breaks(&app).unwrap().is_empty());
    fs::write(&ok, b"").unwrap();
    assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new());

    let command = |expected: i32| {
        let ended = Command::new(env!("CARGO_BIN_EXE_mingfen"))
            .arg("check")
            .env("MINGFEN_DATABASE_URL", finished.database.url())
            .env("MINGFEN_DATA_DIR", finished.dir())
            .env("MINGFEN_MASTER_KEY", hex::encode(crate::support::MASTER_KEY))
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(expected), "{}", String::from_utf8_lossy(&ended.stdout));
    };
    command(0);
    let change = match raw {
        Raw::Sqlite(_) => "UPDATE raw_message SET body = x'00'",
        Raw::Pg(_) => r"UPDATE raw_message SET body = '\x00'",
    };
    past_the_triggers(&mut raw, &["raw_message"], change);
    command(1);

    let trigger = match raw {
        Raw::Sqlite(_) => "DROP TRIGGER audit_no_update",
        Raw::Pg(_) => "DROP TRIGGER audit_no_change ON audit",
    };
    raw.execute(trigger).unwrap();
    let breaks = check::breaks(&app).unwrap();
    assert!(breaks.iter().any(|b| b.contains("the trigger audit_no_")), "{breaks:?}");
    finished.stop().await;
}

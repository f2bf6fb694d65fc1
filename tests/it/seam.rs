//! What the record says in reasons and subjects is made sentences and messages where it is told; what was kept in the form
//! of before stands in it, too.
use std::fs;
use std::path::Path;

use mingfen::db::columns::OrderId;
use mingfen::db::{Create, Db};
use mingfen::kernel::money::Fen;
use mingfen::orders::{self, Cause, Event, EventReason};
use mingfen::outbox::{self, About};
use mingfen::people::{Role, Scope};

use crate::support::PASSWORD;
use crate::support::acting::Acting;
use crate::support::database::{Kind, Raw, TestDatabase};
use crate::support::shop::Shop;

/// An order with every event of before, paid, its merchant not told yet.
const BEFORE: &str = "
INSERT INTO platform_merchant VALUES (3, '1900000001', 'wx1', 'Demo', 1);
INSERT INTO credential VALUES (4, 3, '4F01', 'k', BYTES, 'cert', 1, NULL);
INSERT INTO institution VALUES (1, 'SANDBOX', 'x', 'DEMO', 'SB', 'http://x', '1', 'a', 's', BYTES, BYTES, 's', 'k', 'k', 'ASCII', 1);
INSERT INTO sub_merchant VALUES (8, 'M1001', 3, 1, '190001', 'x', 1);
INSERT INTO pay_order VALUES (7, 'SB0001', 3, 'ORDER-1', 'D1', 8, 1, 4, 'wechat', 'native', 'A', '', 12345, 'x', '',
    'http://127.0.0.1:9/n', NULL, 1);
INSERT INTO order_event (id, order_id, at, kind, detail, raw_business_date, raw_sha256) VALUES
    (1, 7, 1, 'CREATED', '', NULL, NULL),
    (2, 7, 2, 'UNKNOWN', 'no answer in time', NULL, NULL),
    (3, 7, 3, 'PAYING', 'weixin://1', NULL, NULL),
    (4, 7, 4, 'CLOSED', 'closed by the merchant', NULL, NULL),
    (5, 7, 5, 'QUERIED', 'SUCCESS', 20260102, 'D2'),
    (6, 7, 5, 'LATE_PAYMENT', 'closed by the merchant', 20260102, 'D2'),
    (9, 7, 5, 'AMOUNT_DIFFERS', '12000 != 12345', 20260102, 'D2');
INSERT INTO raw_message VALUES (20260102, 'D2', 1, 'QUERY_ANSWER', 5, '', BYTES);
INSERT INTO payment_key VALUES ('42001', 7, 20260102);
INSERT INTO payment (business_date, order_id, inst_order_no, institution_id, sub_merchant_id, platform_merchant_id, channel,
    product, paid, paid_at, received_at, raw_business_date, raw_sha256)
    VALUES (20260102, 7, '42001', 1, 8, 3, 'wechat', 'native', 12000, 5, 5, 20260102, 'D2');
INSERT INTO outbox VALUES (11, 'MERCHANT_NOTIFY', 7, 'EVENT-1', 'http://127.0.0.1:9/n', BYTES, 4, 5, 2, 6, NULL, NULL, 'answered 500');
";

/// A database of the version before, with these rows; its URL.
fn before(database: &TestDatabase, kind: Kind) -> String {
    let (folder, url, bytes) = match kind {
        Kind::Sqlite => ("sqlite", format!("sqlite:{}", database.dir().join("old.db").display()), "x'00'"),
        Kind::Postgres => ("postgres", database.url().to_owned(), r"'\x00'"),
    };
    if kind == Kind::Sqlite {
        fs::write(database.dir().join("old.db"), b"").unwrap();
    } else {
        database.raw().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unwrap();
    }
    let mut raw = Raw::open(&url);
    raw.execute(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
         run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    )
    .unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let mut names: Vec<String> =
        fs::read_dir(&all).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter(|name| name.as_str() < "2026-11-25-000007") {
        raw.execute(&fs::read_to_string(all.join(name).join("up.sql")).unwrap()).unwrap();
        let version = name.split('_').next().unwrap().replace('-', "");
        raw.execute(&format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')"))
            .unwrap();
    }
    let rows = (0..3).fold(BEFORE.replace("BYTES", bytes), |sql, n| {
        sql.replace(&format!("'D{n}'"), &format!("'{}'", format!("{n}").repeat(64)))
    });
    raw.execute(&rows).unwrap();
    url
}

fn other(words: &str) -> Cause {
    Cause { words: Some(words.to_owned()), ..Cause::of(EventReason::Other) }
}

#[test]
fn what_was_told_and_what_waited_before_stands_in_the_new_tables() {
    for kind in Kind::all() {
        let database = TestDatabase::new(kind);
        let url = before(&database, kind);
        let db = Db::open(&url, Create::Yes).unwrap();
        let detail = db.read_blocking(|tx| orders::detail(tx, &Scope::Platform, "SB0001")).unwrap();
        let told: Vec<Event> = detail.timeline.iter().map(|entry| entry.event.clone()).collect();
        let expected = [
            Event::Created,
            Event::Unknown(other("no answer in time")),
            Event::Paying("weixin://1".to_owned()),
            Event::Closed(other("closed by the merchant")),
            Event::Queried(other("SUCCESS")),
            Event::LatePayment(other("closed by the merchant")),
            Event::AmountDiffers(other("12000 != 12345")),
        ];
        assert_eq!(told, expected, "{kind:?}");
        assert!(detail.timeline[4].evidence.is_some());
        assert_eq!(detail.standing.payment.unwrap().paid, Fen::new(12000));
        let delivery = detail.delivery.unwrap();
        assert_eq!((delivery.event_id.as_str(), delivery.attempts), ("EVENT-1", 2));
        let due = db.read_blocking(|tx| outbox::due(tx, 6, &outbox::Passed::default(), 10)).unwrap();
        let [note] = &due[..] else { panic!("{due:?}") };
        assert_eq!((note.about, note.event_id.as_str()), (About::OrderPaid(OrderId::new(7)), "EVENT-1"));
        assert_eq!((note.credential_id.get(), note.created_at, note.attempts), (4, 5, 2));
        let refused =
            Raw::open(&url).execute("UPDATE order_event SET reason = 'BUSY' WHERE id = 2").unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[test]
fn every_reason_is_kept_and_read_as_it_was_told() {
    for (index, reason) in EventReason::ALL.iter().enumerate() {
        assert_eq!(EventReason::parse(reason.as_str()), Some(*reason), "{index}");
    }
    assert_eq!(EventReason::parse("no answer in time"), None);
}

#[actix_web::test]
async fn a_timeline_is_told_in_the_readers_language_and_in_the_other_sides_words() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let order = shop.detail("ORDER-1").await.standing.order.id;
    let refused = |reason| Cause::told(reason, "PARAM_ERROR".to_owned(), "参数<有误>".to_owned());
    let events = [
        Event::Unknown(refused(EventReason::Barred)),
        Event::Unknown(Cause { code: Some("502".to_owned()), ..Cause::of(EventReason::ServerFailed) }),
        Event::AmountDiffers(Cause::paid(Fen::new(12000))),
        Event::Queried(other("words of before")),
        Event::Closed(Cause::of(EventReason::ByMerchant)),
    ];
    let write = |tx: &mut mingfen::db::Tx<'_>| {
        for (at, event) in (1..).zip(&events) {
            orders::record(tx, order, at, event)?;
        }
        Ok(())
    };
    shop.app.db.write_blocking(write).unwrap();
    let kept = shop.detail("ORDER-1").await.timeline;
    assert_eq!(kept[2..].iter().map(|entry| entry.event.clone()).collect::<Vec<_>>(), events);

    shop.app.user("ops", Role::Admin, Scope::Platform);
    let mut reader = Acting::at(&shop.base_url);
    assert_eq!(reader.log_in("ops", PASSWORD).await.status, 303);
    let zh = reader.get(&format!("/admin/orders/{order_no}?lang=zh")).await.body;
    let en = reader.get(&format!("/admin/orders/{order_no}?lang=en")).await.body;
    let said = [
        (
            "机构拒绝平台下单，须核对密钥、商户号与权限：PARAM_ERROR",
            "check key, number and rights: PARAM_ERROR",
        ),
        ("机构服务器出错：502", "server failed: 502"),
        ("实付与应付：¥120.00 ≠ ¥123.45", "Paid and asked for: ¥120.00 ≠ ¥123.45"),
        ("words of before", "words of before"),
        ("商户关闭", "By the merchant"),
    ];
    for (in_zh, in_en) in said {
        assert!(zh.contains(in_zh), "{in_zh}");
        assert!(en.contains(in_en), "{in_en}");
        assert!(in_zh == in_en || !en.contains(in_zh), "{in_zh}");
    }
    assert!(!zh.contains("参数<有误>") && zh.contains("有误"), "their words are escaped");
}

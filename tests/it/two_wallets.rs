//! A day of an institution with both wallets: its BIL is split, what its channels' own documents say otherwise is work for
//! people, and a document that has not come holds nothing but its own comparison.
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use mingfen::approvals;
use mingfen::check;
use mingfen::db::columns::InstitutionId;
use mingfen::error::{Code, Error};
use mingfen::exchange::{self, DocumentKind, Folder, Incoming};
use mingfen::inbox::{self, Received};
use mingfen::institutions::{self, Documents};
use mingfen::kernel::bill::{BillOrder, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::channel::ChannelName;
use mingfen::kernel::file::bil::{BilHeader, BilWriter};
use mingfen::kernel::file::{FileKind, FileName};
use mingfen::kernel::money::Fen;
use mingfen::kernel::split::OrderFacts;
use mingfen::kernel::verify::{Given, Inputs, verify};
use mingfen::orders::Outcome;
use mingfen::people::{Actor, Role, Scope};
use mingfen::protocol::alipay::bill::{Row, RowKind, write};
use mingfen::protocol::crypto::base64;
use mingfen::protocol::wechat::bill::{Entry, Settled, Writer};
use mingfen::reconciliation::{self, Difference, DifferenceKind};
use mingfen::settlement::{self, Awaited, Need};
use mingfen::splits::{self, CutReport, Cutting};
use mingfen::tasks;
use mingfen::verify::evidence;
use mingfen::verify::scratch::ScratchDir;

use crate::support::acting::Acting;
use crate::support::database::{Kind, TestDatabase};
use crate::support::fact::paid_in_full;
use crate::support::shop::Shop;
use crate::support::wallet::{ACCOUNT, Wallet};

const NOW: &str = "2026-01-02T11:00:00+08:00";
const BIL: &str = "BIL_SANDBOX_DEMO_20260101_0001.txt";
const SPL: &str = "SPL_SANDBOX_DEMO_20260101_0001.txt";

fn day() -> BusinessDay {
    BusinessDay::parse("20260101").unwrap()
}

/// A payment: the institution's number and ours, its wallet, hour, fen and fee.
#[derive(Clone, Copy)]
struct Sale(&'static str, &'static str, ChannelName, i64, i64, i64);

const SALES: [Sale; 5] = [
    Sale("42000001", "SB0000000000000000000001", ChannelName::Wechat, 9, 10_000, 38),
    Sale("2026010122001", "SB0000000000000000000002", ChannelName::Alipay, 10, 20_000, 76),
    Sale("2026010122002", "SB0000000000000000000003", ChannelName::Alipay, 11, 4_321, 16),
    Sale("42000002", "SB0000000000000000000004", ChannelName::Wechat, 12, 5_000, 19),
    Sale("2026010122003", "SB0000000000000000000005", ChannelName::Alipay, 13, 700, 3),
];

impl Sale {
    fn at(&self) -> Instant {
        day().start().plus(self.3 * 3600)
    }

    fn billed(&self) -> BillOrder {
        let Sale(inst_order_no, order_no, channel, _, paid, fee) = *self;
        let facts = OrderFacts {
            inst_order_no: inst_order_no.to_owned(),
            merchant: "M1001".to_owned(),
            channel: channel.to_string(),
            product: "native".to_owned(),
            tags: Vec::new(),
            parties: BTreeMap::new(),
            paid_at: self.at(),
            paid: Fen::new(paid),
            fee: Fen::new(fee),
            subsidy: Fen::ZERO,
        };
        BillOrder { facts, order_no: order_no.to_owned() }
    }
}

fn bil(sales: &[Sale], seq: u16) -> (String, Vec<u8>) {
    let header = BilHeader {
        name: FileName { kind: FileKind::Bil, inst: "SANDBOX".into(), plat: "DEMO".into(), day: day(), seq },
        orders: u32::try_from(sales.len()).unwrap(),
        refunds: 0,
        total_paid: Fen::sum(sales.iter().map(|sale| Fen::new(sale.4))).unwrap(),
        created_at: day().next().start().plus(3600),
    };
    let name = header.name.to_string();
    let mut writer = BilWriter::new(Vec::new(), header).unwrap();
    for sale in sales {
        writer.row(&BillRow::Order(sale.billed())).unwrap();
    }
    (name, writer.finish().unwrap().0)
}

/// WeChat's own bill of the sales of its wallet.
fn wechats(sales: &[Sale]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for sale in sales.iter().filter(|sale| sale.2 == ChannelName::Wechat) {
        let entry = Entry {
            at: sale.at(),
            appid: "wx1",
            mchid: "1",
            sub_mchid: "190001",
            inst_order_no: sale.0,
            order_no: sale.1,
            openid: "o",
            trade_type: "NATIVE",
            bank: "OTHERS",
            description: "x",
            attach: ";;",
            fee: Fen::new(sale.5),
            rate: "0.38%",
            settled: Settled::Paid { paid: Fen::new(sale.4), ordered: Fen::new(sale.4) },
        };
        writer.write(&entry).unwrap();
    }
    writer.finish().unwrap()
}

/// Alipay's own bill of the sales of its wallet.
fn alipays(sales: &[Sale], of: BusinessDay) -> Vec<u8> {
    let rows = sales.iter().filter(|sale| sale.2 == ChannelName::Alipay).map(|sale| Row {
        kind: RowKind::Trade,
        trade_no: sale.0.to_owned(),
        out_trade_no: sale.1.to_owned(),
        subject: "茶,水 \"冰\"".to_owned(),
        created_at: sale.at(),
        finished_at: sale.at(),
        total: Fen::new(sale.4 + 100),
        receipt: Fen::new(sale.4),
        discount: Fen::new(100),
        out_request_no: None,
        fee: Fen::new(sale.5),
    });
    write(Cursor::new(Vec::new()), ACCOUNT, of, of.next().start(), rows).unwrap().into_inner()
}

/// A platform whose institution has both wallets and sold over both.
struct Platform {
    shop: Shop,
    wallet: Wallet,
    id: InstitutionId,
    database: TestDatabase,
}

impl Platform {
    async fn new(kind: Kind) -> Self {
        let database = TestDatabase::new(kind);
        let url = database.url().to_owned();
        let shop = Shop::on(move |_| url).await;
        let id = shop.institution_id;
        shop.app.clock.set(Instant::parse(NOW).unwrap());
        let (at, actor) = (shop.app.clock.now(), Actor::shell());
        let set =
            |tx: &mut mingfen::db::Tx<'_>| institutions::set_documents(tx, at, &actor, id, Documents::Bil);
        assert!(shop.app.db.write_blocking(set).unwrap());
        let wallet = Wallet::start(&shop.institution).await;
        wallet.join(&shop.app);
        shop.institution.set_bill(wechats(&SALES));
        let platform = Self { shop, wallet, id, database };
        for sale in &SALES {
            platform.sell(sale).await;
        }
        platform
    }

    /// An order that was placed, and its payment as the institution states it.
    async fn sell(&self, sale: &Sale) {
        let Sale(inst_order_no, order_no, channel, _, paid, _) = *sale;
        let insert = format!(
            "INSERT INTO pay_order (order_no, platform_merchant_id, out_trade_no, content_sha256, sub_merchant_id,
               institution_id, credential_id, channel, product, tags, parties, amount, description, attach, notify_url,
               created_at)
             SELECT '{order_no}', s.platform_merchant_id, '{order_no}', '{}', s.id, {}, c.id, '{channel}', 'native', '',
               '', {paid}, 'x', '', 'http://127.0.0.1:9/', 1
             FROM credential c JOIN sub_merchant s ON s.platform_merchant_id = c.platform_merchant_id
             WHERE s.merchant = 'M1001'",
            "0".repeat(64),
            self.id
        );
        self.database.raw().execute(&insert).unwrap();
        let of = (self.id, channel);
        let mut fact = paid_in_full(of, order_no, inst_order_no, "190001", Fen::new(paid), order_no);
        fact.said.paid_at = sale.at();
        assert_eq!(self.shop.app.intake.submit(fact).await.unwrap(), Outcome::Stored);
    }

    /// The institution hands in a BIL.
    fn take_in(&self, (name, bytes): (String, Vec<u8>)) {
        let app = &self.shop.app;
        let signature = base64(&self.shop.institution.key.sign_sha256(&bytes).unwrap());
        let incoming = Incoming::new(&name, bytes, &signature).unwrap();
        let folder = Folder::new(&app.config.data_dir, "SANDBOX");
        let (now, id) = (app.clock.now(), self.id);
        let taken = app.db.write_blocking(|tx| {
            let institution = institutions::by_id(tx, id)?;
            inbox::take_in(tx, &folder, &institution, &incoming, now)
        });
        assert_eq!(taken.unwrap(), Received::Bill);
    }

    async fn cut(&self) -> Result<CutReport, Error> {
        let app = &self.shop.app;
        let desk = app.desk(self.id).await?;
        let channels = app.channels_of(&desk.institution).await?;
        assert_eq!(channels.len(), 2);
        splits::cut(&app.db, &app.clock, &desk, &channels, day(), &Cutting::default()).await
    }

    fn spl(&self) -> Vec<u8> {
        let out = self.shop.app.config.data_dir.join("files/SANDBOX/out/20260101");
        fs::read(out.join(SPL)).unwrap()
    }

    fn kept(&self, kind: DocumentKind) -> Vec<String> {
        let of_day = self.shop.app.db.read_blocking(|tx| exchange::of_day(tx, self.id, kind, day()));
        of_day.unwrap().into_iter().map(|file| file.name).collect()
    }

    fn awaited(&self) -> Vec<DocumentKind> {
        let now = self.shop.app.clock.instant();
        let read = self.shop.app.db.read_blocking(|tx| {
            let institution = institutions::by_id(tx, self.id)?;
            settlement::awaited(tx, &institution, now)
        });
        let of_day = |one: Awaited| {
            assert_eq!(one.day, day());
            one.kind
        };
        read.unwrap().into_iter().map(of_day).collect()
    }

    fn differences(&self) -> Vec<Difference> {
        self.shop.app.db.read_blocking(|tx| reconciliation::differences(tx, self.id, day())).unwrap()
    }

    fn needs(&self) -> Vec<Need> {
        let now = self.shop.app.clock.instant();
        let still = self.shop.app.db.read_blocking(|tx| settlement::stands_still(tx, self.id, now)).unwrap();
        still.map(|still| still.missing.iter().map(|one| one.need).collect()).unwrap_or_default()
    }

    /// What check finds but that these payments have no signed message.
    fn breaks(&self) -> Vec<String> {
        let mut breaks = check::breaks(&self.shop.app).unwrap();
        breaks.retain(|one| !SALES.iter().any(|sale| one.contains(sale.0)));
        breaks
    }
}

/// What `verify` says of the day, given this bill.
fn violations(platform: &Platform, bill: Vec<u8>) -> Vec<String> {
    let given = |name: &str, bytes: Vec<u8>| Given {
        name: name.to_owned(),
        content: Box::new(Cursor::new(bytes)),
        signature: None,
    };
    let read = platform.shop.app.db.read_blocking(|tx| approvals::newest(tx, platform.id, i64::MAX));
    let inputs = Inputs {
        spl: vec![given(SPL, platform.spl())],
        approvals: vec![given("APR_SANDBOX_DEMO_20260101_0001.json", read.unwrap().unwrap().body)],
        bills: vec![evidence::bill(given(BIL, bill)).unwrap()],
        first: true,
        ..Inputs::default()
    };
    let report = verify(inputs, None, &ScratchDir::default()).unwrap();
    report.violations.iter().map(|v| format!("{} {} {}", v.check.code(), v.expected, v.found)).collect()
}

#[actix_web::test]
async fn a_day_of_both_wallets_is_the_same_bytes_on_both_databases() {
    let mut bytes = Vec::new();
    for kind in Kind::all() {
        let platform = Platform::new(kind).await;
        platform.wallet.set_bill(Some(alipays(&SALES, day())));
        platform.take_in(bil(&SALES, 1));
        platform.shop.app.clock.set(Instant::parse(NOW).unwrap());
        let report = platform.cut().await.unwrap();
        assert_eq!(
            (report.made, report.orders, report.differences),
            (1, 5, 0),
            "{:?}",
            platform.differences()
        );
        assert_eq!(platform.kept(DocumentKind::Wxbill), ["WXBILL_SANDBOX_DEMO_20260101_0001.csv"]);
        assert_eq!(platform.kept(DocumentKind::Alibill), ["ALIBILL_SANDBOX_DEMO_20260101_0001.zip"]);
        assert_eq!(platform.awaited(), []);
        assert_eq!(violations(&platform, bil(&SALES, 1).1), Vec::<String>::new());
        assert_eq!(platform.breaks(), Vec::<String>::new());
        let spl = platform.spl();
        let told = String::from_utf8(spl.clone()).unwrap();
        assert_eq!(told.matches("|alipay|native|").count(), 3, "{told}");
        assert_eq!(platform.cut().await.unwrap().made, 0);
        assert_eq!((platform.spl(), platform.kept(DocumentKind::Alibill).len()), (spl.clone(), 1));
        bytes.push(spl);
    }
    assert!(bytes.windows(2).all(|two| two[0] == two[1]));
}

#[actix_web::test]
async fn a_day_waits_for_its_bil_and_says_so() {
    let platform = Platform::new(Kind::of_this_run()).await;
    let app = &platform.shop.app;
    match platform.cut().await.unwrap_err() {
        Error::Refused { code: Code::BillUnavailable, detail } => assert!(detail.contains(BIL), "{detail}"),
        other => panic!("{other}"),
    }
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    assert_eq!((platform.needs(), platform.awaited()), (vec![Need::Bill], vec![DocumentKind::Bil]));
    assert_eq!(check::stuck(app).unwrap(), Vec::<String>::new());
    app.user("boss", Role::Admin, Scope::Platform);
    let mut boss = Acting::at(&platform.shop.base_url);
    boss.log_in("boss", crate::support::PASSWORD).await;
    for (lang, still, awaited) in [
        ("zh", "尚未收到机构账单", "该日暂不切日"),
        ("en", "bill (BIL 0001) has not come", "The day is not cut before it comes"),
    ] {
        let desk = boss.get(&format!("/admin?lang={lang}")).await.body;
        assert!(desk.contains(still), "{desk}");
        let page = boss.get(&format!("/admin/exceptions?lang={lang}")).await.body;
        assert!(page.contains(awaited) && page.contains("BIL"), "{page}");
    }

    // It comes; one wallet is down, and the day is cut all the same.
    platform.take_in(bil(&SALES[..4], 1));
    assert_eq!(tasks::daily_round(app).await.unwrap(), 1);
    assert_eq!(platform.needs(), [Need::First]);
    assert_eq!(platform.awaited(), [DocumentKind::Alibill]);
    let page = boss.get("/admin/exceptions?lang=en").await.body;
    assert!(page.contains("ALIBILL") && page.contains("fetched again by itself"), "{page}");
    let short = |found: &[Difference]| {
        found.iter().map(|one| (one.kind, one.inst_order_no.clone())).collect::<Vec<_>>()
    };
    let last = SALES[4].0.to_owned();
    assert_eq!(short(&platform.differences()), [(DifferenceKind::Short, last.clone())]);
    let spl = platform.spl();

    // The wallet is up again: its document is fetched by the round, and tells of a payment that the BIL lacks.
    platform.wallet.set_bill(Some(alipays(&SALES, day())));
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    assert_eq!((platform.awaited(), platform.kept(DocumentKind::Alibill).len()), (Vec::new(), 1));
    let found = platform.differences();
    let missing = [(DifferenceKind::Document, last.clone()), (DifferenceKind::Short, last)];
    assert_eq!(short(&found), missing);
    assert_eq!((found[0].ours.as_deref(), found[0].theirs.as_deref()), (None, Some("paid=700 fee=3")));

    // The BIL's late rows come in the next file of the day.
    platform.take_in(bil(&SALES[4..], 2));
    assert_eq!(tasks::daily_round(app).await.unwrap(), 1);
    let report = platform.cut().await.unwrap();
    assert_eq!((report.made, report.files.len(), report.orders), (0, 2, 5));
    assert_eq!((platform.spl(), platform.breaks()), (spl, Vec::new()));
}

#[actix_web::test]
async fn documents_that_disagree_are_work_for_people_and_the_bil_is_split() {
    let platform = Platform::new(Kind::of_this_run()).await;
    let mut told = SALES;
    // Another amount, another fee, both, and one that only the document has in place of one that it lacks.
    told[0].5 = 40;
    told[1].4 = 19_999;
    (told[2].4, told[2].5) = (4_320, 17);
    (told[4].0, told[4].1) = ("2026010122009", "SHOP/1");
    platform.shop.institution.set_bill(wechats(&told));
    platform.wallet.set_bill(Some(alipays(&told, day())));
    platform.take_in(bil(&SALES, 1));
    let report = platform.cut().await.unwrap();
    assert_eq!((report.made, report.orders, report.differences), (1, 5, 5));
    let found = platform.differences();
    assert!(found.iter().all(|one| one.kind == DifferenceKind::Document), "{found:?}");
    let found: Vec<_> = found
        .iter()
        .map(|one| {
            (one.inst_order_no.as_str(), one.order_no.as_str(), one.ours.as_deref(), one.theirs.as_deref())
        })
        .collect();
    let expected = [
        (SALES[1].0, SALES[1].1, Some("paid=20000 fee=76"), Some("paid=19999 fee=76")),
        (SALES[2].0, SALES[2].1, Some("paid=4321 fee=16"), Some("paid=4320 fee=17")),
        (SALES[4].0, SALES[4].1, Some("paid=700 fee=3"), None),
        ("2026010122009", "SHOP/1", None, Some("paid=700 fee=3")),
        (SALES[0].0, SALES[0].1, Some("paid=10000 fee=38"), Some("paid=10000 fee=40")),
    ];
    assert_eq!(found, expected);
    // The same again finds the same.
    assert_eq!(platform.cut().await.unwrap().differences, 5);
    assert_eq!(violations(&platform, bil(&SALES, 1).1), Vec::<String>::new());
    assert_eq!(platform.breaks(), Vec::<String>::new());

    platform.shop.app.user("boss", Role::Admin, Scope::Platform);
    let mut boss = Acting::at(&platform.shop.base_url);
    boss.log_in("boss", crate::support::PASSWORD).await;
    for (lang, sentence) in [("zh", "单据不符"), ("en", "Split as the BIL says; ask the institution")] {
        let page = boss.get(&format!("/admin/exceptions?lang={lang}")).await.body;
        assert!(page.contains(sentence) && page.contains("199.99") && page.contains("0.76"), "{page}");
    }
}

/// An archive of one entry that unpacks to a thousand times its size.
fn bomb() -> Vec<u8> {
    let (name, zeros) = ("2088_20260101_业务明细.csv", vec![0; 64 << 20]);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&zeros).unwrap();
    let packed = encoder.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(&zeros);
    let mut fields: Vec<u8> = [20_u16, 0x800, 8, 0, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for value in [crc.sum(), packed.len() as u32, zeros.len() as u32] {
        fields.extend(value.to_le_bytes());
    }
    fields.extend([name.len() as u16, 0].iter().flat_map(|v| v.to_le_bytes()));
    let mut all = [b"PK\x03\x04", fields.as_slice(), name.as_bytes(), &packed].concat();
    let directory = [b"PK\x01\x02\x14\0", fields.as_slice(), &[0; 14], name.as_bytes()].concat();
    let place = all.len() as u32;
    all.extend(&directory);
    all.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    all.extend((directory.len() as u32).to_le_bytes());
    all.extend(place.to_le_bytes());
    all.extend([0, 0]);
    all
}

#[actix_web::test]
async fn what_is_no_document_is_not_kept_and_holds_no_cut() {
    let platform = Platform::new(Kind::of_this_run()).await;
    let whole = alipays(&SALES, day());
    platform.take_in(bil(&SALES, 1));
    let mut damaged = whole.clone();
    damaged[100] ^= 0x55;
    let bad: [(&str, Vec<u8>); 6] = [
        ("a bomb", bomb()),
        ("cut short", whole[..whole.len() - 1].to_vec()),
        ("damaged", damaged),
        ("another day's", alipays(&SALES, day().prev())),
        ("an error page", b"<html>".to_vec()),
        ("empty", Vec::new()),
    ];
    for (n, (what, bytes)) in bad.into_iter().enumerate() {
        platform.wallet.set_bill(Some(bytes));
        let report = platform.cut().await.unwrap();
        assert_eq!((report.made, report.differences), (usize::from(n == 0), 0), "{what}");
        assert_eq!(platform.kept(DocumentKind::Alibill), Vec::<String>::new(), "{what}");
        assert_eq!(platform.awaited(), [DocumentKind::Alibill], "{what}");
    }
    let taken = platform.shop.app.config.data_dir.join("files/SANDBOX/taken");
    let left = fs::read_dir(taken).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("ALIBILL")).collect::<Vec<_>>(), Vec::<String>::new());
    platform.wallet.set_bill(Some(whole));
    platform.cut().await.unwrap();
    assert_eq!((platform.awaited(), platform.differences()), (Vec::new(), Vec::new()));
}

#[actix_web::test]
async fn the_wallet_whose_bill_cannot_be_split_needs_the_institutions_own() {
    let shop = Shop::open().await;
    let (app, id) = (&shop.app, shop.institution_id);
    let wallet = Wallet::start(&shop.institution).await;
    let (at, actor) = (app.clock.now(), Actor::shell());
    let before = app.row_counts();
    let refused = app.db.write_blocking(|tx| wallet.channel().establish(tx, &app.master_key, at, &actor));
    assert!(refused.unwrap_err().to_string().contains("cannot be split"));
    assert_eq!(app.row_counts(), before);
    let shell = crate::support::shell::Shell::of(app);
    let set =
        |to: &str| shell.run(&["institution", "documents", "--institution", "SANDBOX", "--documents", to]);
    assert_eq!(set("bil").0, 0);
    wallet.join(app);
    let (status, _, err) = set("channel");
    assert!(status != 0 && err.contains("cannot be split"), "{err}");
    assert_eq!(set("bil").1, "the days of SANDBOX were already cut from `bil`\n");
    let said = "SELECT COALESCE(before_json, '') || ' ' || after_json AS v FROM audit WHERE action = 'institution.documents'";
    assert_eq!(app.raw().texts(said), [r#"{"documents":"channel"} {"documents":"bil"}"#]);
    let found = app.db.read_blocking(|tx| institutions::by_id(tx, id)).unwrap();
    assert_eq!(found.documents, Documents::Bil);
    let show = shell.good(&["institution", "show", "--institution", "SANDBOX"]);
    assert!(show.contains("documents bil"), "{show}");
}

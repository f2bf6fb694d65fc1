//! Alipay's trade bill, 业务明细: what is written is read, and what does not fit is unusable.
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::bill::{
    Archive, BillFault, COLUMNS, MAX_ENTRIES, MAX_LINE, Reader, Row, RowKind, may_begin, write,
};
use mingfen::protocol::alipay::charset::Charset;
use proptest::prelude::*;
use std::io::{Cursor, Write};

/// Not of our making: names in GBK, values in quotes and bare, a payment of another system.
const FOREIGN: &[u8] = include_bytes!("../vectors/alipay/bill.zip");
const ACCOUNT: &str = "20880210000000000156";

fn day() -> BusinessDay {
    BusinessDay::parse("20260101").unwrap()
}

fn at(seconds: i64) -> Instant {
    day().start().plus(seconds)
}

fn paid() -> Row {
    Row {
        kind: RowKind::Trade,
        trade_no: "2026010122001".into(),
        out_trade_no: "DEMO01".into(),
        subject: "商品 大".into(),
        created_at: at(0),
        finished_at: at(2),
        total: Fen::new(10_000),
        receipt: Fen::new(9_800),
        discount: Fen::new(200),
        out_request_no: None,
        fee: Fen::new(38),
    }
}

fn refunded() -> Row {
    Row {
        kind: RowKind::Refund,
        finished_at: at(3600),
        total: Fen::new(2_500),
        receipt: Fen::new(2_450),
        discount: Fen::new(50),
        out_request_no: Some("DEMOR1".into()),
        fee: Fen::new(10),
        ..paid()
    }
}

fn written(rows: &[Row]) -> Vec<u8> {
    write(Cursor::new(Vec::new()), ACCOUNT, day(), at(100_000), rows.iter().cloned()).unwrap().into_inner()
}

fn read(bytes: &[u8]) -> Result<Vec<Row>, BillFault> {
    Archive::open(Cursor::new(bytes))?.rows()?.collect()
}

/// The rows' text of an archive of ours.
fn text_of(rows: &[Row]) -> String {
    let archive = written(rows);
    let (name, extra) = (26..28, 28..30);
    let length = |range: std::ops::Range<usize>| {
        usize::from(u16::from_le_bytes([archive[range.start], archive[range.end - 1]]))
    };
    let data = &archive[30 + length(name) + length(extra)..];
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::DeflateDecoder::new(data), &mut plain).unwrap();
    Charset::Gbk.decode(&plain).unwrap()
}

fn read_text(text: &str) -> Result<Vec<Row>, BillFault> {
    Reader::new(Cursor::new(Charset::Gbk.encode(text)))?.collect()
}

/// An entry of an archive: its name, its bytes, and what it says of flags and size.
struct Entry<'a> {
    name: &'a str,
    bytes: &'a [u8],
    flags: u16,
    size: Option<u32>,
}

fn entry<'a>(name: &'a str, bytes: &'a [u8]) -> Entry<'a> {
    Entry { name, bytes, flags: 0x800, size: None }
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for one in entries {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(one.bytes).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(one.bytes);
        let mut fields =
            [20_u16, one.flags, 8, 0, 0].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let size = one.size.unwrap_or(one.bytes.len() as u32);
        for value in [crc.sum(), packed.len() as u32, size] {
            fields.extend(value.to_le_bytes());
        }
        fields.extend([one.name.len() as u16, 0].iter().flat_map(|v| v.to_le_bytes()));
        let place = all.len() as u32;
        all.extend(b"PK\x03\x04");
        all.extend(&fields);
        all.extend(one.name.as_bytes());
        all.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(one.name.as_bytes());
    }
    let (count, place) = (entries.len() as u16, all.len() as u32);
    all.extend(&directory);
    all.extend(b"PK\x05\x06\0\0\0\0");
    all.extend([count, count].iter().flat_map(|v| v.to_le_bytes()));
    all.extend((directory.len() as u32).to_le_bytes());
    all.extend(place.to_le_bytes());
    all.extend([0, 0]);
    all
}

const NAME: &str = "2088_20260101_业务明细.csv";

#[test]
fn a_bill_of_anothers_making_is_read() {
    let mut bill = Archive::open(Cursor::new(FOREIGN)).unwrap();
    let rows = bill.rows().unwrap();
    assert_eq!((rows.account(), rows.day()), (ACCOUNT, day()));
    let rows: Vec<Row> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    let trade_no = "2026010122001400000000000001".to_owned();
    let (created_at, finished_at) = (at(8 * 3600 - 2), at(8 * 3600));
    assert_eq!(rows[0], Row { trade_no: trade_no.clone(), created_at, finished_at, ..paid() });
    assert_eq!(rows[1], Row { trade_no, created_at, finished_at: at(9 * 3600), ..refunded() });
    // A comma and quotes in a bare name, and the number of another system.
    assert_eq!((rows[2].subject.as_str(), rows[2].out_trade_no.as_str()), ("茶,水 \"冰\"`", "SHOP/2"));
    assert_eq!((rows[2].receipt, rows[2].fee), (Fen::new(1), Fen::ZERO));
}

#[test]
fn a_bill_is_written_as_documented_and_read_back() {
    let name = Row { subject: "a,b \"c\" `d`\te\nf \u{1f600}".into(), ..paid() };
    let text = text_of(&[name, refunded()]);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(COLUMNS.split(',').count(), 25);
    assert_eq!(
        lines,
        [
            "#支付宝业务明细查询",
            "#账号：[20880210000000000156]",
            "#起始日期：[2026年01月01日 00:00:00]   终止日期：[2026年01月02日 00:00:00]",
            "#-----------------------------------------业务明细列表----------------------------------------",
            COLUMNS,
            "2026010122001\t,DEMO01\t,交易,\"a,b \"\"c\"\" `d` e f ?\"\t,2026-01-01 00:00:00,2026-01-01 00:00:02,,,,,,\
             100.00,98.00,0.00,0.00,0.00,2.00,0.00,,0.00,0.00,,-0.38,0.00,",
            "2026010122001\t,DEMO01\t,退款,商品 大\t,2026-01-01 00:00:00,2026-01-01 01:00:00,,,,,,\
             -25.00,-24.50,0.00,0.00,0.00,-0.50,0.00,,0.00,0.00,DEMOR1\t,0.10,0.00,",
            "#-----------------------------------------业务明细列表结束------------------------------------",
            "#交易合计：1笔，商家实收共98.00元，商家优惠共2.00元",
            "#退款合计：1笔，商家实收退款共-24.50元，商家优惠退款共-0.50元",
            "#导出时间：[2026年01月02日 03:46:40]",
            "",
        ]
    );
    let rows = read(&written(&[paid(), refunded()])).unwrap();
    assert_eq!(rows, [paid(), refunded()]);
    assert_eq!(written(&[paid()]), written(&[paid()]), "the same rows are the same bytes");
    // A day without rows.
    assert_eq!(read(&written(&[])).unwrap(), []);
    assert!(text_of(&[]).contains("#交易合计：0笔，商家实收共0.00元，商家优惠共0.00元"));
}

#[test]
fn names_that_hold_a_lines_end_or_the_bills_own_words_stay_names() {
    let text = text_of(&[paid()]);
    let row = text.lines().nth(5).unwrap();
    let named = |name: &str| read_text(&text.replace(row, &row.replace("商品 大", name)));
    let end = text.lines().nth(6).unwrap();
    for (written, read) in [
        ("\"a\r\nb\"".to_owned(), "a?b".to_owned()),
        (format!("\"a\n{end}\nb\""), format!("a?{end}?b")),
        ("\"大\"杯".into(), "大杯".into()),
        ("\"大".into(), "\"大".into()),
        ("大,杯,\"冰\"".into(), "大,杯,冰".into()),
        (String::new(), String::new()),
    ] {
        let rows = named(&written).unwrap();
        assert_eq!((rows.len(), rows[0].subject.as_str()), (1, read.as_str()), "{written}");
    }
    // Bare, a line's end tears the row: nobody guesses what it was.
    assert!(named("a\nb").is_err());
    assert!(matches!(named(&format!("\"{}\n\"", "x".repeat(MAX_LINE - 92))), Err(BillFault::Form { .. })));
    assert!(matches!(named(&"x".repeat(MAX_LINE)), Err(BillFault::Form { line: 6, why: "too long" })));
}

#[test]
fn a_bill_that_is_not_as_documented_is_unusable() {
    let text = text_of(&[paid(), refunded()]);
    assert_eq!(read_text(&text).unwrap().len(), 2);
    assert_eq!(read_text(&text.replace("\r\n", "\n")).unwrap().len(), 2);
    assert_eq!(read_text(text.trim_end()).unwrap().len(), 2);
    let changes = [
        ("明细查询", "账务查询"),
        ("账号：[2088", "账号：2088"),
        ("[20880210000000000156]", "[]"),
        ("01月02日", "01月03日"),
        ("01日 00:00:00]", "01日 08:00:00]"),
        ("列表--", "列-表-"),
        (",备注", ""),
        ("商家实收（元）,支付宝红包", "支付宝红包（元）,商家实收"),
        ("共98.00元", "共98.01元"),
        ("-24.50元", "24.50元"),
        ("交易合计：1笔", "交易合计：2笔"),
        ("退款共-0.50元", "退款共-0.51元"),
        ("#退款合计", "退款合计"),
        ("#导出", "导出"),
        (",交易,", ",预授权,"),
        ("2026010122001\t", "2026/01\t"),
        ("2026-01-01 00:00:02", "2026-01-01T00:00:02"),
        ("100.00", "100.001"),
        ("100.00", "1e2"),
        ("100.00", "-100.00"),
        (",-25.00", ",25.00"),
        (",100.00", ",97.99"),
        (",-0.38", ",0.38"),
        (",-0.38", ",-98.01"),
        ("DEMOR1\t", "\t"),
        ("0.00,\r\n2026", "\r\n2026"),
    ];
    for (from, to) in changes {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(read_text(&changed).is_err(), "{from} -> {to}");
    }
    // Cut short at any line.
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    for count in 0..lines.len() - 1 {
        assert!(read_text(&lines[..count].concat()).is_err(), "{count} lines");
    }
    assert!(Reader::new(Cursor::new(b"\xFF\xFF\n".as_slice())).is_err(), "not GBK");
    let summary = text.lines().position(|line| line.starts_with("#交易合计")).unwrap() as u64 + 1;
    let fault = read_text(&text.replace("1笔，商家实收共", "2笔，商家实收共")).unwrap_err();
    assert!(matches!(fault, BillFault::Form { line, .. } if line == summary), "{fault}");
}

#[test]
fn an_archive_that_is_damaged_is_unusable_at_every_byte() {
    let whole = written(&[paid(), refunded()]);
    assert!(may_begin(&whole) && !may_begin(b"{\"code\":1}") && !may_begin(b""));
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "cut at {length}");
    }
    let unpacked: Vec<Row> = read(&whole).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        // A byte that says nothing of the rows may be anything; rows are never other rows.
        if let Ok(rows) = read(&changed) {
            assert_eq!(rows, unpacked, "byte {place}");
        }
    }
}

#[test]
fn an_archive_that_unpacks_to_too_much_or_to_two_bills_is_refused() {
    let text = Charset::Gbk.encode(&text_of(&[paid()]));
    let other = "2088_20260101_业务明细(汇总).csv";
    assert_eq!(read(&archive(&[entry(NAME, &text), entry(other, b"x")])).unwrap(), [paid()]);
    // Whatever path a name has: nothing of it is written.
    assert_eq!(read(&archive(&[entry(&format!("../../etc/{NAME}"), &text)])).unwrap(), [paid()]);

    let told = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert!(told(&archive(&[entry(NAME, &text), entry(&format!("x{NAME}"), &text)])).contains("twice"));
    assert!(told(&archive(&[entry(other, &text)])).contains("no 业务明细"));
    assert!(told(&archive(&[])).contains("no archive"));
    let locked = Entry { flags: 0x801, ..entry(NAME, &text) };
    assert!(told(&archive(&[locked])).contains("encrypted"));
    let many: Vec<Entry<'_>> = (0..=MAX_ENTRIES).map(|_| entry("x", b"")).collect();
    assert!(told(&archive(&many)).contains("no archive"));
    let commented = [archive(&[entry(NAME, &text)]), b"x".to_vec()].concat();
    assert!(told(&commented).contains("no archive"));

    // A bomb of one line goes off at the first line; one of good rows at the sums that are not there.
    let zeros = vec![0; 64 << 20];
    let bomb = archive(&[entry(NAME, &zeros)]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(told(&bomb), "line 1: too long");
    let small = Entry { size: Some(text.len() as u32 - 1), ..entry(NAME, &text) };
    assert!(told(&archive(&[small])).contains("more than it says"));
    let text = text_of(&[paid()]);
    let row = format!("{}\r\n", text.lines().nth(5).unwrap());
    let repeated = Charset::Gbk.encode(&text.replace(&row, &row.repeat(20_000)));
    assert!(told(&archive(&[entry(NAME, &repeated)])).contains("sums"));
}

proptest! {
    #[test]
    fn whatever_is_sold_the_rows_come_back(
        sold in proptest::collection::vec(
            ("[a明\",`\u{1f600}\t\n\r# €；\\\\-]{0,20}", 1_i64..=10_000_000_000, 0_i64..=100, any::<bool>()), 0..12),
    ) {
        let rows: Vec<Row> = sold.into_iter().map(|(subject, total, fee, back)| {
            let base = if back { refunded() } else { paid() };
            let (total, discount) = (Fen::new(total), Fen::ZERO);
            Row { subject, total, receipt: total, discount, fee: Fen::new(fee.min(total.get())), ..base }
        }).collect();
        let told = |text: &str| {
            let told: String = text.chars().map(|c| match c {
                c if c.is_control() => ' ',
                c if Charset::Gbk.writes(c) => c,
                _ => '?',
            }).collect();
            told.trim_matches(' ').to_owned()
        };
        let expected: Vec<Row> = rows.iter().map(|row| Row { subject: told(&row.subject), ..row.clone() }).collect();
        prop_assert_eq!(read(&written(&rows)).unwrap(), expected);
    }
}

//! The WeChat trade bill of type ALL: what is written is read, and what does not fit is unusable.
use mingfen::kernel::bill::BillRow;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::money::Fen;
use mingfen::protocol::wechat::attach::{self, Declared};
use mingfen::protocol::wechat::bill::{
    BillFault, COLUMNS, Entry, MAX_LINE, Reader, SUMMARY, Settled, Writer, may_begin, unpacked,
};
use proptest::prelude::*;

fn merchant(number: &str) -> Option<String> {
    number.strip_prefix("19").map(|rest| format!("M{rest}"))
}

fn read(bytes: &[u8]) -> Result<Vec<BillRow>, BillFault> {
    Reader::new(bytes, &merchant)?.collect()
}

fn read_to_end(text: impl std::io::BufRead) -> Result<Vec<BillRow>, BillFault> {
    Reader::new(text, &merchant)?.collect()
}

fn paid() -> Entry<'static> {
    Entry {
        at: Instant::new(1_767_225_600),
        appid: "wx1",
        mchid: "1900000001",
        sub_mchid: "191001",
        inst_order_no: "4200000001",
        order_no: "DEMO01",
        openid: "o1",
        trade_type: "NATIVE",
        bank: "OTHERS",
        description: "商品, 大",
        attach: "vip;agent=agent:A1;mine, too",
        fee: Fen::new(38),
        rate: "0.38%",
        settled: Settled::Paid { paid: Fen::new(10_000), ordered: Fen::new(10_000) },
    }
}

fn refunded() -> Entry<'static> {
    let settled =
        Settled::Refunded { inst_refund_no: "5000000001", refund_no: "DEMOR1", refund: Fen::new(2_500) };
    Entry { at: Instant::new(1_767_229_200), fee: Fen::new(10), settled, ..paid() }
}

fn written(entries: &[Entry<'_>]) -> String {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for entry in entries {
        writer.write(entry).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn bill() -> String {
    written(&[paid(), refunded()])
}

#[test]
fn a_bill_is_written_as_documented() {
    let text = bill();
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap().split("\r\n").collect();
    assert_eq!(lines[0], COLUMNS);
    assert_eq!(COLUMNS.split(',').count(), 27);
    assert_eq!(
        lines[1],
        "`2026-01-01 08:00:00,`wx1,`1900000001,`191001,`,`4200000001,`DEMO01,`o1,`NATIVE,`SUCCESS,`OTHERS,`CNY,\
         `100.00,`0.00,`0,`0,`0.00,`0.00,`,`,`商品, 大,`vip;agent=agent:A1;mine, too,`0.38000,`0.38%,`100.00,`0.00,`"
    );
    assert_eq!(
        lines[2],
        "`2026-01-01 09:00:00,`wx1,`1900000001,`191001,`,`4200000001,`DEMO01,`o1,`NATIVE,`REFUND,`OTHERS,`CNY,\
         `0.00,`0.00,`5000000001,`DEMOR1,`25.00,`0.00,`ORIGINAL,`SUCCESS,`商品, 大,`vip;agent=agent:A1;mine, too,\
         `-0.10000,`0.38%,`0.00,`25.00,`"
    );
    assert_eq!(lines[3], SUMMARY);
    assert_eq!(lines[4], "`2,`100.00,`25.00,`0.00,`0.28000,`100.00,`25.00");
    assert_eq!(lines[5..], [""]);
}

#[test]
fn rows_become_the_facts_that_are_split() {
    let rows = read(bill().as_bytes()).unwrap();
    let [BillRow::Order(order), BillRow::Refund(refund)] = rows.as_slice() else { panic!("{rows:?}") };
    let facts = &order.facts;
    assert_eq!((order.order_no.as_str(), facts.inst_order_no.as_str()), ("DEMO01", "4200000001"));
    assert_eq!(facts.merchant, "M1001");
    assert_eq!((facts.channel.as_str(), facts.product.as_str()), ("wechat", "native"));
    assert_eq!(facts.tags, ["vip"]);
    assert_eq!(facts.parties.iter().collect::<Vec<_>>(), [(&"agent".to_owned(), &"agent:A1".to_owned())]);
    assert_eq!(facts.paid_at, Instant::new(1_767_225_600));
    assert_eq!((facts.paid, facts.fee, facts.subsidy), (Fen::new(10_000), Fen::new(38), Fen::ZERO));
    assert_eq!((refund.inst_refund_no.as_str(), refund.refund_no.as_str()), ("5000000001", "DEMOR1"));
    assert_eq!(refund.inst_order_no, "4200000001");
    assert_eq!((refund.amount, refund.fee_back), (Fen::new(2_500), Fen::new(10)));
    assert_eq!(refund.refunded_at, Instant::new(1_767_229_200));

    let stranger = written(&[Entry { sub_mchid: "77", ..paid() }]);
    let rows = read(stranger.as_bytes()).unwrap();
    assert!(matches!(&rows[..], [BillRow::Order(order)] if order.facts.merchant.is_empty()));
    assert!(read(written(&[]).as_bytes()).unwrap().is_empty());
    let revoked = bill().replace("`REFUND,", "`REVOKED,");
    assert!(matches!(&read(revoked.as_bytes()).unwrap()[..], [_, BillRow::Refund(_)]));
}

#[test]
fn fees_of_five_decimals_are_rounded_half_up() {
    for (text, fee) in
        [("0.38499", 38), ("0.38500", 39), ("0.00499", 0), ("0.005", 1), ("0", 0), ("100.0", 10_000)]
    {
        let bill = written(&[paid()]).replace("`0.38000", &format!("`{text}"));
        let rows = read(bill.as_bytes()).unwrap();
        assert!(matches!(&rows[..], [BillRow::Order(order)] if order.facts.fee == Fen::new(fee)), "{text}");
    }
}

#[test]
fn malformed_bills_are_unusable() {
    let good = bill();
    let rows: Vec<&str> = good.split_inclusive("\r\n").collect();
    let cases: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("two byte order marks", format!("\u{feff}{good}")),
        ("line feeds only", good.replace("\r\n", "\n")),
        ("no last line end", good.trim_end().to_owned()),
        ("no summary line", rows[..4].concat()),
        ("no summary", rows[..3].concat()),
        ("header only", rows[..1].concat()),
        ("text after the summary", good.clone() + "x\r\n"),
        ("second summary", good.clone() + rows[4]),
        ("header of another type", good.replacen("设备号,", "", 1)),
        ("no header", format!("\u{feff}{}", rows[1..].concat())),
        ("row dropped", [rows[0], rows[1], rows[3], rows[4]].concat()),
        ("row twice", [rows[0], rows[1], rows[1], rows[2], rows[3], rows[4]].concat()),
        ("empty line", [rows[0], "\r\n", rows[1], rows[2], rows[3], rows[4]].concat()),
        ("value without backtick", good.replacen("`wx1", "wx1", 1)),
        ("backtick in a value", good.replacen("大", "`大", 1)),
        ("one value more", good.replacen("`wx1", "`wx1,`x", 1)),
        ("tab", good.replacen("wx1", "w\tx1", 1)),
        ("endless line", good.replacen("wx1", &"w".repeat(MAX_LINE), 1)),
        ("other currency", good.replacen("`CNY", "`USD", 1)),
        ("other state", good.replacen("`SUCCESS", "`NOTPAY", 1)),
        ("no trade type", good.replacen("`NATIVE", "`", 1)),
        ("no number", good.replacen("`4200000001", "`", 1)),
        ("odd number", good.replacen("`4200000001", "`42|1", 1)),
        ("our number too short", good.replacen("`DEMO01", "`D", 1)),
        ("no refund number", good.replacen("`5000000001", "`", 1)),
        ("time", good.replacen("2026-01-01 08", "2026-01-01T08", 1)),
        ("day that is none", good.replacen("2026-01-01 08", "2026-02-30 08", 1)),
        ("hour that is none", good.replacen("2026-01-01 08", "2026-01-01 24", 1)),
        ("paid changed", good.replacen("`100.00", "`100.01", 1)),
        ("fee changed", good.replacen("`0.38000", "`0.38001", 1)),
        ("refund changed", good.replacen("`25.00", "`25.01", 1)),
        ("fraction of a fen", good.replacen("`100.00", "`100.001", 1)),
        ("six decimals", good.replacen("`0.38000", "`0.380000", 1)),
        ("plus sign", good.replacen("`100.00", "`+100.00", 1)),
        ("leading zero", good.replacen("`100.00", "`0100.00", 1)),
        ("exponent", good.replacen("`100.00", "`1e2", 1)),
        ("grouped digits", good.replacen("`100.00", "`1，00.00", 1)),
        ("count", good.replacen("`2,`100", "`3,`100", 1)),
    ];
    for (what, text) in cases {
        assert_ne!(text, good, "{what}: nothing was changed");
        assert!(read(text.as_bytes()).is_err(), "{what} was read");
    }
    let mut gbk = good.clone().into_bytes();
    let at = gbk.windows(3).position(|w| w == "大".as_bytes()).unwrap();
    gbk.splice(at..at + 3, [0xb4, 0xf3]);
    assert!(read(&gbk).is_err(), "not UTF-8");
    let faulty = good.replacen("`CNY", "`USD", 1);
    let mut reader = Reader::new(faulty.as_bytes(), &merchant).unwrap();
    assert!(reader.next().unwrap().is_err() && reader.next().is_none(), "nothing follows a fault");
}

/// The bill with the columns that there were before.
fn old(bill: &str) -> String {
    let less = |line: &str, by: usize, at: &str| line.rsplitn(by + 1, at).last().unwrap().to_owned();
    let lines: Vec<&str> = bill.trim_end().split("\r\n").collect();
    let last = lines.len() - 1;
    let cut = lines.iter().enumerate().map(|(n, line)| match n {
        0 => less(line, 3, ","),
        n if n == last => less(line, 2, ",`"),
        n if n == last - 1 => less(line, 2, ","),
        _ => less(line, 3, ",`"),
    });
    cut.map(|line| line + "\r\n").collect()
}

#[test]
fn a_bill_without_mark_gzipped_or_with_24_columns_is_read_alike() {
    use std::io::Write;
    let good = bill();
    let rows = read(good.as_bytes()).unwrap();
    let packed = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let plain = good.strip_prefix('\u{feff}').unwrap();
    let forms = [
        good.clone().into_bytes(),
        plain.into(),
        old(&good).into(),
        old(plain).into(),
        packed(plain),
        packed(&old(&good)),
    ];
    for form in forms {
        assert!(may_begin(&form));
        assert_eq!(read_to_end(unpacked(form.as_slice()).unwrap()).unwrap(), rows);
    }
    let mut wide: Vec<u8> = vec![0xff, 0xfe];
    wide.extend(plain.encode_utf16().flat_map(u16::to_le_bytes));
    let gbk = encoding_rs::GBK.encode(plain).0.into_owned();
    for none in [b"".to_vec(), wide, gbk, b"<html>".to_vec(), b"{\"code\":\"SYSTEM_ERROR\"}".to_vec()] {
        assert!(!may_begin(&none), "{none:?}");
    }
}

#[test]
fn a_row_without_our_form_is_a_payment_that_did_not_come_through_the_platform() {
    for attach in ["mine", "", "v p;;", "vip;agent", ";agent=;"] {
        let back = Entry {
            attach,
            settled: Settled::Refunded { inst_refund_no: "50001", refund_no: "A|*@ B", refund: Fen::new(1) },
            ..refunded()
        };
        let rows = read(written(&[Entry { attach, order_no: "B|*1", ..paid() }, back]).as_bytes()).unwrap();
        let [BillRow::Order(order), BillRow::Refund(refund)] = &rows[..] else { panic!("{rows:?}") };
        assert!(!order.is_declared() && order.facts.tags.is_empty() && order.facts.parties.is_empty());
        assert_eq!((order.order_no.as_str(), refund.refund_no.as_str()), ("-", "-"), "{attach}");
        assert_eq!(order.facts.merchant, "M1001");
    }
}

#[test]
fn facts_out_of_bounds_make_a_bill_unusable_even_when_its_sums_fit() {
    let entry = |paid_fen: i64, fee: i64| Entry {
        fee: Fen::new(fee),
        settled: Settled::Paid { paid: Fen::new(paid_fen), ordered: Fen::new(paid_fen) },
        ..paid()
    };
    assert!(read(written(&[entry(1, 1)]).as_bytes()).is_ok());
    for (paid_fen, fee) in [(0, 0), (-1, 0), (1_000_000_000_001, 0), (1, 2), (100, -1)] {
        assert!(read(written(&[entry(paid_fen, fee)]).as_bytes()).is_err(), "{paid_fen} {fee}");
    }
    let back = Entry { fee: Fen::new(-1), ..refunded() };
    assert!(read(written(&[paid(), back]).as_bytes()).is_err(), "a refund that costs a fee");
}

#[test]
fn the_writer_refuses_what_would_break_the_bill() {
    for description in ["a`b", "a\nb", "a\r\n`b"] {
        let mut writer = Writer::new(Vec::new()).unwrap();
        assert!(writer.write(&Entry { description, ..paid() }).is_err(), "{description:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(
        orders in proptest::collection::vec(
            (0_i64..86_400, 1_i64..1_000_000_000_000, 0_u8..=100, "[0-9A-Za-z_-]{1,64}", "[A-Z]{1,20}",
             proptest::collection::btree_set("[0-9A-Za-z_-]{1,8}", 0..=8), "[ -_a-~明分,;]{0,20}"), 0..20),
        refunds in proptest::collection::vec((0_i64..86_400, 1_i64..1_000_000, 0_i64..1_000), 0..5),
    ) {
        let attaches: Vec<(Declared, String)> = orders.iter().map(|o| {
            let declared = Declared { tags: o.5.iter().cloned().collect(), ..Declared::default() };
            let text = attach::join(&declared, &o.6).unwrap();
            (declared, text)
        }).collect();
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for (order, (_, attach)) in orders.iter().zip(&attaches) {
            let (second, paid_fen, percent, number, kind, ..) = order;
            entries.push(Entry {
                at: Instant::new(1_767_196_800 + second),
                inst_order_no: number, trade_type: kind, attach, description: &order.6,
                fee: Fen::new(paid_fen / 100 * i64::from(*percent)),
                settled: Settled::Paid { paid: Fen::new(*paid_fen), ordered: Fen::new(*paid_fen) },
                ..paid()
            });
        }
        for (second, refund, fee) in &refunds {
            let settled = Settled::Refunded {
                inst_refund_no: "5000000001", refund_no: "DEMOR1", refund: Fen::new(*refund) };
            entries.push(Entry { at: Instant::new(1_767_196_800 + second), fee: Fen::new(*fee), settled, ..paid() });
        }
        let rows = read(written(&entries).as_bytes()).unwrap();
        prop_assert_eq!(rows.len(), entries.len());
        for (at, (row, entry)) in rows.iter().zip(&entries).enumerate() {
            match (row, entry.settled) {
                (BillRow::Order(order), Settled::Paid { paid, .. }) => {
                    prop_assert_eq!((order.facts.paid, order.facts.fee), (paid, entry.fee));
                    prop_assert_eq!(order.facts.paid_at, entry.at);
                    prop_assert_eq!(&order.facts.inst_order_no, entry.inst_order_no);
                    prop_assert_eq!(&order.facts.tags, &attaches[at].0.tags);
                }
                (BillRow::Refund(back), Settled::Refunded { refund, .. }) => {
                    prop_assert_eq!((back.amount, back.fee_back), (refund, entry.fee));
                    prop_assert_eq!(back.refunded_at, entry.at);
                }
                (BillRow::Order(_), _) | (BillRow::Refund(_), _) => prop_assert!(false, "another kind of row"),
            }
        }
    }
}

//! The files between platform and institution: what is written is read again, and nothing else is.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mingfen::kernel::approvals::Bundle;
use mingfen::kernel::bill::{BillOrder, BillRefund, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::bil::{BilHeader, BilReader, BilWriter};
use mingfen::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetReader, RetStatus, RetWriter};
use mingfen::kernel::file::spl::{SplLine, SplReader, SplRecord, SplWriter, parse, push_share, shares};
use mingfen::kernel::file::stl::{
    CarryReason, StlCarried, StlHeader, StlInput, StlReader, StlRecord, StlSettled, StlSums, StlWriter,
};
use mingfen::kernel::file::{FileKind, FileName, ReadError, ResultName, Stage};
use mingfen::kernel::money::Fen;
use mingfen::protocol::crypto::base64;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::honest_day::{Doc, day, honest_day, keys, name, plan, sample};
use crate::support::rules::{YEAR, order_facts};

fn digest_at(seed: u8) -> Digest {
    Digest::of(&[seed])
}

fn at(seed: i64) -> Instant {
    Instant::new(YEAR.start + seed.rem_euclid(30_000_000))
}

/// Writes what was read; the same bytes come out.
fn spl_again(bytes: &[u8]) -> Vec<u8> {
    let mut reader = SplReader::new(bytes).unwrap();
    let mut writer = SplWriter::new(Vec::new(), reader.header().clone()).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        writer.record(&record).unwrap();
    }
    let digest = reader.finish().unwrap().sound().unwrap();
    let (again, written) = writer.finish().unwrap();
    assert_eq!(digest, written);
    assert_eq!(digest, Digest::of(bytes));
    again
}

fn bill_rows() -> impl Strategy<Value = Vec<BillRow>> {
    let refund = (any::<u16>(), 1_i64..1_000_000, 0_i64..1000);
    (vec(order_facts(), 0..8), vec(refund, 0..5)).prop_map(|(orders, refunds)| {
        let order = |(i, facts)| BillRow::Order(BillOrder { facts, order_no: format!("MF{i:06}") });
        let refund = |(i, (time, amount, fee_back)): (usize, (u16, i64, i64))| {
            BillRow::Refund(BillRefund {
                inst_refund_no: format!("R{i}"),
                refund_no: format!("RF{i:06}"),
                inst_order_no: format!("4200{i}"),
                order_day: Some(day()),
                refunded_at: at(i64::from(time)),
                amount: Fen::new(amount),
                fee_back: Fen::new(fee_back),
            })
        };
        let mut rows: Vec<BillRow> = orders.into_iter().enumerate().map(order).collect();
        rows.extend(refunds.into_iter().enumerate().map(refund));
        rows.sort_by_key(|row| match row {
            BillRow::Order(b) => (false, b.facts.paid_at, b.facts.inst_order_no.clone()),
            BillRow::Refund(f) => (true, f.refunded_at, f.inst_refund_no.clone()),
        });
        rows.dedup_by_key(|row| match row {
            BillRow::Order(b) => b.facts.inst_order_no.clone(),
            BillRow::Refund(f) => format!("refund {}", f.inst_refund_no),
        });
        rows
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ -\\[\\]-{}~]{1,20}", "[一-龥，。a-z]{1,12}"]
}

fn ret_lines() -> impl Strategy<Value = Vec<RetLine<'static>>> {
    let status = select(vec![RetStatus::Success, RetStatus::Failed, RetStatus::Pending, RetStatus::Bounced]);
    let line = (1_u32..5, status, 0_i64..1_000_000, (text(), text(), text(), text()), any::<Option<u16>>());
    vec(line, 0..8).prop_map(|lines| {
        let mut n = 0;
        let line = |(gap, status, amount, (serial, path, code, msg), done): (u32, _, i64, _, Option<u16>)| {
            n += gap;
            RetLine {
                n,
                status,
                amount: Fen::new(amount),
                inst_serial: Cow::Owned(serial),
                path: Cow::Owned(path),
                done_at: done.map(|time| at(i64::from(time))),
                err_code: Cow::Owned(code),
                err_msg: Cow::Owned(msg),
            }
        };
        lines.into_iter().map(line).collect()
    })
}

fn stl_records() -> impl Strategy<Value = Vec<StlRecord>> {
    let sums = (0_i64..100_000, 0_i64..1000, -500_i64..500, -60_000_i64..1000, 0_i64..1000);
    let reason =
        select(vec![CarryReason::Negative, CarryReason::Hold, CarryReason::Below, CarryReason::Cycle]);
    (0_u8..4, vec((sums, any::<bool>(), reason), 0..8)).prop_map(|(inputs, receivers)| {
        let input = |i| {
            let name = name(FileKind::Spl, day(), u16::from(i) + 1).to_string();
            StlRecord::Input(StlInput { name, digest: digest_at(i), total: Fen::new(i64::from(i)) })
        };
        let mut records: Vec<StlRecord> = (0..inputs).map(input).collect();
        let mut n = 0;
        for (i, ((splits, returns, debts, carried_in, requeued), paid, reason)) in
            receivers.into_iter().enumerate()
        {
            let [splits, returns, debts, carried_in, requeued] =
                [splits, returns, debts, carried_in, requeued].map(Fen::new);
            let sums = StlSums { splits, returns, debts, carried_in, requeued };
            let receiver = format!("agent:A{i}");
            if paid && sums.net().unwrap() > Fen::ZERO {
                n += 1;
                records.push(StlRecord::Settled(StlSettled {
                    n,
                    receiver,
                    inst_receiver_no: format!("7{i}"),
                    role: "agent".to_owned(),
                    sums,
                    order_count: 3,
                    settle_date: day().next(),
                }));
            } else {
                records.push(StlRecord::Carried(StlCarried { receiver, sums, reason }));
            }
        }
        records
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_spl_read_and_written_again_is_the_same_bytes(day in honest_day()) {
        for doc in day.spl.iter().chain(&day.previous) {
            prop_assert_eq!(&spl_again(&doc.bytes), &doc.bytes);
        }
    }

    #[test]
    fn the_lines_of_an_order_kept_in_one_text_are_the_lines_of_its_file(day in honest_day()) {
        for doc in &day.spl {
            let text = String::from_utf8(doc.bytes.clone()).unwrap();
            let mut orders: BTreeMap<u32, Vec<SplLine<'_>>> = BTreeMap::new();
            for line in text.lines() {
                if let Some(SplRecord::Line(line)) = parse(line) {
                    orders.entry(line.n).or_default().push(line);
                }
            }
            for (n, lines) in orders {
                let mut kept = Vec::new();
                for (i, line) in lines.iter().enumerate() {
                    kept.extend_from_slice(if i > 0 { b"\n" } else { b"" });
                    push_share(&mut kept, line);
                }
                let kept = String::from_utf8(kept).unwrap();
                prop_assert_eq!(shares(n, &kept), Some(lines));
                let broken = [kept.replacen('|', "", 1), format!("{kept}x"), format!("{kept}|1"), format!("{kept}\n\n")];
                prop_assert!(broken.iter().all(|text| shares(n, text).is_none()), "{}", kept);
            }
        }
        prop_assert_eq!(shares(1, ""), Some(Vec::new()));
    }

    #[test]
    fn the_same_day_made_twice_is_the_same_bytes(plan in plan()) {
        let bytes = |docs: &[Doc]| docs.iter().map(|doc| doc.bytes.clone()).collect::<Vec<_>>();
        let (one, other) = (plan.build(), plan.build());
        prop_assert_eq!(bytes(&one.spl), bytes(&other.spl));
        prop_assert_eq!(bytes(&one.approvals), bytes(&other.approvals));
    }

    #[test]
    fn a_bundle_read_and_written_again_is_the_same_bytes(day in honest_day()) {
        for doc in &day.approvals {
            let bundle = Bundle::parse(&doc.bytes).unwrap();
            prop_assert_eq!(bundle.to_json().into_bytes(), doc.bytes.clone());
            prop_assert_eq!(bundle.digest(), doc.digest());
        }
    }

    #[test]
    fn a_bil_written_and_read_gives_the_same_rows(rows in bill_rows()) {
        let orders = rows.iter().filter_map(|row| match row {
            BillRow::Order(order) => Some(order.facts.paid),
            BillRow::Refund(_) => None,
        });
        let header = BilHeader {
            name: name(FileKind::Bil, day(), 7),
            orders: u32::try_from(orders.clone().count()).unwrap(),
            refunds: u32::try_from(rows.len() - orders.clone().count()).unwrap(),
            total_paid: Fen::sum(orders).unwrap(),
            created_at: at(5),
        };
        let mut writer = BilWriter::new(Vec::new(), header.clone()).unwrap();
        for row in &rows {
            writer.row(row).unwrap();
        }
        let (bytes, digest) = writer.finish().unwrap();
        let mut reader = BilReader::new(bytes.as_slice()).unwrap();
        prop_assert_eq!(reader.header(), &header);
        for row in rows {
            prop_assert_eq!(reader.next_row().unwrap(), Some(row));
        }
        prop_assert_eq!(reader.finish().unwrap().sound().unwrap(), digest);
    }

    #[test]
    fn a_ret_written_and_read_in_either_encoding_gives_the_same_lines(
        lines in ret_lines(),
        encoding in select(vec![RetEncoding::Utf8, RetEncoding::Gb18030]),
    ) {
        let success = lines.iter().filter(|line| line.status == RetStatus::Success).map(|line| line.amount);
        let header = RetHeader {
            name: ResultName { file: name(FileKind::Stl, day(), 1), stage: Stage::Final(1) },
            file_digest: digest_at(1),
            code: RetCode::Accepted,
            lines: u32::try_from(lines.len()).unwrap(),
            success_total: Fen::sum(success).unwrap(),
            created_at: at(9),
        };
        let mut writer = RetWriter::new(Vec::new(), encoding, header.clone()).unwrap();
        for line in &lines {
            writer.line(line).unwrap();
        }
        let (bytes, digest) = writer.finish().unwrap();
        let mut reader = RetReader::new(bytes.as_slice(), encoding).unwrap();
        prop_assert_eq!(reader.header(), &header);
        for line in lines {
            prop_assert_eq!(reader.next_line().unwrap(), Some(line));
        }
        prop_assert_eq!(reader.finish().unwrap().sound().unwrap(), digest);
    }

    #[test]
    fn an_stl_written_and_read_gives_the_same_records(records in stl_records()) {
        let nets = records.iter().filter_map(|record| match record {
            StlRecord::Settled(settled) => settled.sums.net(),
            StlRecord::Input(_) | StlRecord::Carried(_) => None,
        });
        let carried = records.iter().filter(|record| matches!(record, StlRecord::Carried(_)));
        let header = StlHeader {
            name: name(FileKind::Stl, day(), 1),
            settled: u32::try_from(nets.clone().count()).unwrap(),
            carried: u32::try_from(carried.count()).unwrap(),
            total: Fen::sum(nets).unwrap(),
            created_at: at(9),
            approvals: digest_at(2),
            prev: Digest::ZERO,
        };
        let mut writer = StlWriter::new(Vec::new(), header.clone()).unwrap();
        for record in &records {
            writer.record(record).unwrap();
        }
        let (bytes, digest) = writer.finish().unwrap();
        let mut reader = StlReader::new(bytes.as_slice()).unwrap();
        prop_assert_eq!(reader.header(), &header);
        for record in records {
            prop_assert_eq!(reader.next_record().unwrap(), Some(record));
        }
        prop_assert_eq!(reader.finish().unwrap().sound().unwrap(), digest);
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused_but_never_worse(bytes in vec(any::<u8>(), 0..400), cut in any::<prop::sample::Index>()) {
        let (_, day) = sample();
        let mut spl = day.spl[0].bytes.clone();
        spl.truncate(cut.index(spl.len()));
        spl.extend(bytes);
        prop_assert!(first_code(&spl) != "sound");
    }
}

/// The first thing wrong with an SPL, `sound` when nothing is.
fn first_code(bytes: impl AsRef<[u8]>) -> &'static str {
    let read = || {
        let mut reader = SplReader::new(bytes.as_ref())?;
        while reader.next_record()?.is_some() {}
        reader.finish()
    };
    match read().map(|seal| seal.sound()) {
        Ok(Ok(_)) => "sound",
        Ok(Err(fault)) => fault.check.code(),
        Err(ReadError::Fault(fault)) => fault.check.code(),
        Err(ReadError::Io(error)) => panic!("{error}"),
    }
}

/// A small SPL with one order and one X, its digest made right.
fn small(change: impl FnOnce(&mut Vec<String>)) -> String {
    let (zeros, ones) = ("0".repeat(64), "1".repeat(64));
    let time = "2026-06-02T10:00:00+08:00";
    let mut lines = vec![
        format!("H|SSF1|SPL|SANDBOX|DEMO|20260602|0001|CNY|2|2|996|{time}|{ones}|{zeros}"),
        format!("O|1|MF000001|4200001|M1001|wechat|native|a,b|agent=agent:A1|{time}|1000|4|0|std|1|2"),
        "L|1|0|platform|platform|6".to_owned(),
        "L|1|m|merchant|merchant:M1001|990".to_owned(),
        format!("X|2|MF000002|4200002|{time}|500|NO_RULE"),
        "T|2|2|996|".to_owned(),
    ];
    change(&mut lines);
    let trailer = lines.pop().unwrap();
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{body}{trailer}{}\n", Digest::of(body.as_bytes()))
}

fn replaced(line: usize, from: &str, to: &str) -> &'static str {
    first_code(small(|lines| {
        assert!(lines[line].contains(from), "{} has no {from}", lines[line]);
        lines[line] = lines[line].replacen(from, to, 1);
    }))
}

/// A file of these lines; its trailer's digest made right.
fn closed(lines: &[String], trailer: &str) -> Vec<u8> {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{body}{trailer}|{}\n", Digest::of(body.as_bytes())).into_bytes()
}

/// Of the first fault of a file whose stated total leaves out what no longer fits 64 bits.
fn first_fault(seal: mingfen::kernel::file::Seal) -> (&'static str, u64) {
    let fault = seal.sound().unwrap_err();
    (fault.check.code(), fault.line)
}

#[test]
fn a_result_whose_total_overflows_is_v03_when_read_and_refused_when_written() {
    let (most, ones) = (i64::MAX, "1".repeat(64));
    let time = "2026-06-02T10:00:00+08:00";
    let file = name(FileKind::Stl, day(), 1);
    let lines = [
        format!("H|SSF1|RET|SANDBOX|DEMO|{file}|{ones}|FINAL0001|ACCEPTED|2|{most}|{time}"),
        format!("R|1|S|{most}|||||"),
        "R|2|S|1|||||".to_owned(),
    ];
    let bytes = closed(&lines, &format!("T|2|{most}"));
    let reader = RetReader::new(bytes.as_slice(), RetEncoding::Utf8).unwrap();
    let header = reader.header().clone();
    assert_eq!(first_fault(reader.finish().unwrap()), ("V03", 3));

    let mut reader = RetReader::new(bytes.as_slice(), RetEncoding::Utf8).unwrap();
    let mut writer = RetWriter::new(Vec::new(), RetEncoding::Utf8, header).unwrap();
    writer.line(&reader.next_line().unwrap().unwrap()).unwrap();
    assert!(writer.line(&reader.next_line().unwrap().unwrap()).is_err());
}

#[test]
fn a_settlement_whose_total_overflows_is_v03_when_read_and_refused_when_written() {
    let (most, ones, zeros) = (i64::MAX, "1".repeat(64), "0".repeat(64));
    let time = "2026-06-02T10:00:00+08:00";
    let settled = |n: u32, receiver: &str, fen: i64| {
        format!("S|{n}|202606020001{n}|{receiver}|7{n}|agent|{fen}|0|0|0|0|{fen}|1|20260603")
    };
    let lines = [
        format!("H|SSF1|STL|SANDBOX|DEMO|20260602|0001|CNY|2|0|{most}|{time}|{ones}|{zeros}"),
        settled(1, "agent:A1", most),
        settled(2, "agent:A2", 1),
    ];
    let bytes = closed(&lines, &format!("T|2|0|{most}"));
    let reader = StlReader::new(bytes.as_slice()).unwrap();
    let header = reader.header().clone();
    assert_eq!(first_fault(reader.finish().unwrap()), ("V03", 3));

    let mut reader = StlReader::new(bytes.as_slice()).unwrap();
    let mut writer = StlWriter::new(Vec::new(), header).unwrap();
    writer.record(&reader.next_record().unwrap().unwrap()).unwrap();
    assert!(writer.record(&reader.next_record().unwrap().unwrap()).is_err());
}

#[test]
fn malformed_text_is_refused_with_its_code() {
    assert_eq!(first_code(small(|_| {})), "sound");
    let sound = small(|_| {});
    let long = "x".repeat(2000);
    let table: [(&str, String, &str); 12] = [
        ("nothing", String::new(), "V13"),
        ("cut short inside a line", sound[..sound.len() - 10].to_owned(), "V13"),
        ("cut short between lines", sound[..sound.find("T|").unwrap()].to_owned(), "V01"),
        ("only a header", sound[..=sound.find('\n').unwrap()].to_owned(), "V01"),
        ("no newline at the end", sound.trim_end().to_owned(), "V13"),
        ("an empty line at the end", format!("{sound}\n"), "V13"),
        ("bytes after the trailer", format!("{sound}X"), "V13"),
        ("two trailers", format!("{sound}{}", &sound[sound.find("T|").unwrap()..]), "V13"),
        ("CRLF", sound.replace('\n', "\r\n"), "V13"),
        ("a byte order mark", format!("\u{feff}{sound}"), "V13"),
        ("an endless line", sound.replacen("std", &long, 1), "V13"),
        ("another digest", sound.replacen("|990\n", "|991\n", 1), "V03"),
    ];
    for (what, text, code) in table {
        assert_eq!(first_code(&text), code, "{what}");
    }
    let utf16: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(first_code(utf16), "V13");
    let (chinese, _, _) = encoding_rs::GB18030.encode("平台");
    let mut bytes = sound.clone().into_bytes();
    let place = sound.find("std").unwrap();
    bytes.splice(place..place + 3, chinese.iter().copied());
    assert_eq!(first_code(bytes), "V13");
}

#[test]
fn every_field_is_held_to_its_form() {
    for (line, from, to, code) in [
        (0, "SSF1", "SSF2", "V14"),
        (0, "|SPL|", "|STL|", "V14"),
        (0, "CNY", "USD", "V14"),
        (0, "|0001|", "|1|", "V13"),
        (0, "20260602", "20260632", "V13"),
        (0, "+08:00", "Z", "V13"),
        (0, "SANDBOX", "sandbox", "V13"),
        (0, "|2|2|", "|2|3|", "V03"),
        (0, "|2|2|", "|3|2|", "V03"),
        (0, "|996|", "|995|", "V03"),
        (1, "|1000|", "|01000|", "V13"),
        (1, "|1000|", "|+1000|", "V13"),
        (1, "|1000|", "|-1000|", "V13"),
        (1, "|1000|", "|1000.0|", "V13"),
        (1, "|1000|", "|1000000000001|", "V13"),
        (1, "|1000|", "||", "V13"),
        (1, "|wechat|", "|we\\chat|", "V13"),
        (1, "|wechat|", "|we|chat|", "V13"),
        (1, "|wechat|", "|微信|", "V13"),
        (1, "a,b", "b,a", "V13"),
        (1, "a,b", "a,a", "V13"),
        (1, "a,b", "a,", "V13"),
        (1, "agent=agent:A1", "agent=merchant", "V13"),
        (1, "agent=agent:A1", "b=agent:A1,a=agent:A1", "V13"),
        (1, "T10:", "T24:", "V13"),
        (1, "T10:", "t10:", "V13"),
        (1, "O|1|", "O|2|", "V13"),
        (1, "|std|1|2", "|std|0|2", "V13"),
        (1, "|std|1|2", "|std|1|1", "V03"),
        (1, "|std|1|2", "|std|1|52", "V13"),
        (2, "|6", "|0", "V13"),
        (2, "L|1|", "L|2|", "V13"),
        (2, "|0|", "|z|", "V13"),
        (3, "merchant:M1001", "merchant", "V13"),
        (4, "NO_RULE", "NOT_RULE", "V13"),
        (4, "X|2|", "X|3|", "V13"),
        (4, "T10:", "T09:", "V13"),
        (4, "4200002", "4200000", "V13"),
        (5, "T|2|", "T|02|", "V13"),
        (5, "|996|", "|997|", "V03"),
    ] {
        assert_eq!(replaced(line, from, to), code, "line {line}: {from} became {to}");
    }
}

#[test]
fn a_source_that_never_ends_is_refused_without_holding_it() {
    let endless = BufReader::new(std::io::repeat(b'x'));
    assert!(matches!(SplReader::new(endless), Err(ReadError::Fault(_))));
    let sound = small(|_| {});
    let head = &sound[..=sound.find("\nL|").unwrap()];
    let line = "L|1|0|platform|platform|6\n".repeat(1000);
    let endless = head.as_bytes().chain(Repeated { text: line.into_bytes(), at: 0 });
    let mut reader = SplReader::new(BufReader::new(endless)).unwrap();
    let end = loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an endless file ended"),
            Err(error) => break error,
        }
    };
    assert!(end.to_string().contains("at most 51 lines"), "{end}");
}

struct Repeated {
    text: Vec<u8>,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = (&self.text[self.at..]).read(into)?;
        self.at = (self.at + read) % self.text.len();
        Ok(read)
    }
}

#[test]
fn a_writer_refuses_what_a_reader_would_refuse() {
    let sound = small(|_| {});
    let mut reader = SplReader::new(sound.as_bytes()).unwrap();
    let header = reader.header().clone();
    let Some(SplRecord::Order(order)) = reader.next_record().unwrap() else { panic!("no order") };
    let writer = || SplWriter::new(Vec::new(), header.clone()).unwrap();
    let mut good = writer();
    good.record(&SplRecord::Order(order)).unwrap();
    assert!(good.finish().is_err(), "lines are missing");
    for changed in [
        mingfen::kernel::file::spl::SplOrder { n: 2, ..order },
        mingfen::kernel::file::spl::SplOrder { rule: "st|d", ..order },
        mingfen::kernel::file::spl::SplOrder { merchant: "平台", ..order },
        mingfen::kernel::file::spl::SplOrder { tags: "b,a", ..order },
        mingfen::kernel::file::spl::SplOrder { paid: Fen::new(-1), ..order },
    ] {
        assert!(writer().record(&SplRecord::Order(changed)).is_err(), "{changed:?}");
    }
}

#[test]
fn names_say_kind_parties_day_and_seq_and_nothing_else() {
    let spl = "SPL_SANDBOX_DEMO_20260602_0001.txt";
    assert_eq!(FileName::parse(spl).unwrap().to_string(), spl);
    let ret = format!("{spl}.final.0012.ret");
    assert_eq!(ResultName::parse(&ret).unwrap().to_string(), ret);
    assert_eq!(ResultName::parse(&format!("{spl}.first.ret")).unwrap().stage, Stage::First);
    for wrong in [
        "SPL_SANDBOX_DEMO_20260602_0000.txt",
        "SPL_SANDBOX_DEMO_20260602_1.txt",
        "SPL_SANDBOX_DEMO_20260631_0001.txt",
        "SPL_sandbox_DEMO_20260602_0001.txt",
        "SPL_SANDBOX_DEMO_20260602_0001.json",
        "APR_SANDBOX_DEMO_20260602_0001.txt",
        "ABC_SANDBOX_DEMO_20260602_0001.txt",
        "SPL_SANDBOX_DEMO_20260602_0001_.txt",
        "../SPL_SANDBOX_DEMO_20260602_0001.txt",
    ] {
        assert_eq!(FileName::parse(wrong), None, "{wrong}");
    }
    assert_eq!(ResultName::parse("BIL_SANDBOX_DEMO_20260602_0001.txt.first.ret"), None);
    assert_eq!(BusinessDay::parse("20260602"), Some(day()));
}

/// What `verify` was told on the command line.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { dir: tempfile::tempdir().unwrap() };
        let (_, day) = sample();
        let all = [&day.spl, &day.approvals, &day.bills, &day.previous, &day.void, &day.results];
        for (folder, docs) in ["spl", "approvals", "bill", "previous", "void", "results"].iter().zip(all) {
            fs::create_dir(desk.path(folder)).unwrap();
            for doc in docs {
                let path = desk.path(folder).join(&doc.name);
                fs::write(&path, &doc.bytes).unwrap();
                let signature = format!("{}\n", base64(doc.signature.as_ref().unwrap()));
                fs::write(format!("{}.sig", path.display()), signature).unwrap();
            }
        }
        let public = keys().public();
        fs::write(desk.path("platform.pem"), public.platform.to_pem().unwrap()).unwrap();
        fs::write(desk.path("institution.pem"), public.institution.to_pem().unwrap()).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|end| end != "sig")).collect();
        files.sort();
        files
    }

    fn verify(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
        command.arg("verify");
        for folder in ["spl", "approvals", "bill", "previous", "void", "results"] {
            command.arg(format!("--{folder}")).args(self.files(folder));
        }
        if !more.contains(&"--no-signatures") {
            command.arg("--platform-key").arg(self.path("platform.pem"));
            command.arg("--institution-key").arg(self.path("institution.pem"));
        }
        command.args(more).output().unwrap()
    }
}

fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from));
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_command_ends_0_on_an_honest_day_1_on_any_changed_copy_and_2_on_an_unusable_input() {
    let desk = Desk::new();
    let honest = desk.verify(&[]);
    let text = String::from_utf8(honest.stdout).unwrap();
    assert_eq!(honest.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&honest.stderr));
    assert!(text.contains("OK: every fen is explained") && !text.contains("V20-V24"));

    let json = desk.verify(&["--json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((document["ok"].as_bool(), document["day"].as_str()), (Some(true), Some("20260602")));
    let totals = &document["totals"];
    let fen = |key: &str| totals[key].as_i64().unwrap();
    assert_eq!(fen("paid") + fen("subsidy") - fen("fee"), fen("lines") + fen("unsplit"));

    let trying = desk.verify(&["--no-signatures"]);
    assert_eq!(trying.status.code(), Some(0));
    assert!(String::from_utf8(trying.stdout).unwrap().starts_with("NOT AUTHENTICATED"));

    for folder in ["spl", "approvals", "bill", "previous", "void", "results"] {
        for file in desk.files(folder) {
            let whole = fs::read(&file).unwrap();
            replace_in(&file, "SANDBOX", "SANDBOY");
            assert_eq!(desk.verify(&[]).status.code(), Some(1), "{}", file.display());
            fs::write(&file, whole).unwrap();
        }
    }
    let bill = desk.files("bill").remove(0);
    fs::write(&bill, "not a bill").unwrap();
    assert_eq!(desk.verify(&[]).status.code(), Some(2));
    fs::write(&bill, "\u{feff}not a bill either").unwrap();
    let unusable = desk.verify(&[]);
    assert_eq!(unusable.status.code(), Some(2));
    assert!(unusable.stdout.is_empty());
    assert!(String::from_utf8(unusable.stderr).unwrap().contains("the bill is unusable"));
}

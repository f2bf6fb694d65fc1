//! Money, rates, instants, business days and digests.
use mingfen::kernel::calendar::{BusinessDay, Calendar, Cycle, Instant};
use mingfen::kernel::digest::{Digest, Hasher};
use mingfen::kernel::money::Fen;
use mingfen::kernel::rate::{Ppm, floor, half_up};
use mingfen::kernel::state::{FileState, OrderState, SettlementState};
use mingfen::protocol::decimal;
use proptest::prelude::*;

#[test]
fn yuan_are_written_with_two_digits_and_read_only_when_whole_fen() {
    for (fen, yuan) in
        [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456, "1234.56"), (i64::MIN, "-92233720368547758.08")]
    {
        assert_eq!(Fen::new(fen).yuan(), yuan);
        assert_eq!(decimal::yuan(yuan), Some(Fen::new(fen)));
    }
    for (yuan, fen) in [("1", 100), ("1.5", 150), ("1.500", 150), ("10000000000", 1_000_000_000_000)] {
        assert_eq!(decimal::yuan(yuan), Some(Fen::new(fen)));
    }
    for yuan in ["", "1.005", "¥1", "1,000", "one", "99999999999999999999"] {
        assert_eq!(decimal::yuan(yuan), None, "{yuan}");
    }
}

#[test]
fn percent_are_read_only_when_whole_ppm() {
    for (text, ppm) in [("0%", 0), ("0.38%", 3_800), ("0.0001%", 1), ("100%", 1_000_000), ("0.60000%", 6_000)]
    {
        assert_eq!(decimal::percent(text).map(Ppm::get), Some(ppm), "{text}");
    }
    for text in ["", "%", "0.38", "0.00005%", "100.0001%", "-1%", "1 %", "x%"] {
        assert_eq!(decimal::percent(text), None, "{text}");
    }
    assert_eq!(Ppm::new(1_000_001), None);
}

#[test]
fn divisions_go_down_or_to_the_nearest_with_a_half_upwards() {
    let fen = |n| Some(Fen::new(n));
    assert_eq!((floor(7, 2), floor(-7, 2), floor(7, 0)), (fen(3), fen(-4), None));
    assert_eq!(
        (half_up(5, 2), half_up(-5, 2), half_up(4, 3), half_up(5, 3)),
        (fen(3), fen(-2), fen(1), fen(2))
    );
    assert_eq!((floor(i128::MAX, 1), half_up(i128::MAX, 1)), (None, None));
    let rate = Ppm::new(3_800).unwrap();
    assert_eq!((rate.floor_of(Fen::new(1_000)), rate.half_up_of(Fen::new(1_000))), (fen(3), fen(4)));
    let whole = Ppm::new(1_000_000).unwrap();
    assert_eq!(whole.floor_of(Fen::MAX), Some(Fen::MAX));
    assert_eq!(Fen::new(i64::MAX).checked_add(Fen::new(1)), None);
    assert_eq!(Fen::sum([Fen::new(i64::MAX), Fen::new(1)]), None);
}

#[test]
fn a_time_has_one_form_and_its_zone() {
    let same = ["2026-05-01T00:00:00+08:00", "2026-04-30T16:00:00Z", "2026-04-30T09:00:00-07:00"];
    for text in same {
        assert_eq!(Instant::parse(text).unwrap().get(), 1_777_564_800, "{text}");
    }
    let bad = [
        "2026-05-01T00:00:00",
        "2026-05-01T00:00:00.5Z",
        "2026-05-01 00:00:00Z",
        "2026-05-01t00:00:00z",
        "2026-02-29T00:00:00Z",
        "2026-05-01T24:00:00Z",
        "2026-05-01T00:00:60Z",
        "2026-5-01T00:00:00Z",
        "2026-05-01T00:00:00+0800",
        "2026-05-01T00:00:00+8:00",
        "2026-05-01T00:00:00+24:00",
        "2026-05-01T00:00:00+08:60",
        "2026-05-01T00:00:00+08:00 ",
        "+026-05-01T00:00:00Z",
        "",
        "２０２６-05-01T0:00Z",
    ];
    for text in bad {
        assert_eq!(Instant::parse(text), None, "{text}");
    }
    assert!(Instant::parse_cst("2026-05-01T00:00:00+08:00").is_some());
    assert_eq!(Instant::parse_cst("2026-04-30T16:00:00Z"), None);
    for edge in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"] {
        let at = Instant::parse(edge).unwrap();
        assert_eq!(Instant::new(at.get()), at);
    }
}

proptest! {
    #[test]
    fn times_and_days_are_read_as_they_are_written(seconds in -60_000_000_000_i64..250_000_000_000) {
        let at = Instant::new(seconds);
        prop_assert_eq!(Instant::parse_cst(&at.to_cst()), Some(at));
        let day = at.business_day();
        prop_assert_eq!(BusinessDay::parse(&day.to_string()), Some(day));
        prop_assert_eq!(BusinessDay::from_i32(day.to_i32()), Some(day));
        prop_assert!(day.start() <= at && at < day.next().start());
        prop_assert_eq!(day.next().prev(), day);
    }

    #[test]
    fn a_digest_is_the_same_in_pieces_and_as_text(bytes: Vec<u8>, cut: prop::sample::Index) {
        let digest = Digest::of(&bytes);
        let (one, other) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut hasher = Hasher::new();
        hasher.update(one);
        hasher.update(other);
        prop_assert_eq!(hasher.finish(), digest);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        prop_assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err() || digest.to_string().bytes().all(|b| b.is_ascii_digit()));
    }
}

#[test]
fn the_business_day_changes_at_midnight_in_shanghai() {
    let day = |text| Instant::parse(text).unwrap().business_day().to_string();
    assert_eq!(day("2026-12-31T15:59:59Z"), "20261231");
    assert_eq!(day("2026-12-31T16:00:00Z"), "20270101");
    for text in ["20260230", "2026-1-1", "202601011", "00000000", "2026010a"] {
        assert_eq!(BusinessDay::parse(text), None, "{text}");
    }
}

#[test]
fn money_is_due_on_the_next_day_or_the_next_workday() {
    let day = |text| BusinessDay::parse(text).unwrap();
    let plain = Calendar::default();
    let holidays = Calendar { off: [day("20261001"), day("20261002")].into(), on: [day("20261010")].into() };
    for (paid, cycle, calendar, due) in [
        ("20261231", Cycle::D1, &plain, "20270101"),
        ("20261120", Cycle::D1, &plain, "20261121"),
        ("20261120", Cycle::T1, &plain, "20261123"),
        ("20261118", Cycle::T1, &plain, "20261119"),
        ("20260930", Cycle::T1, &plain, "20261001"),
        ("20260930", Cycle::T1, &holidays, "20261005"),
        ("20261009", Cycle::T1, &holidays, "20261010"),
    ] {
        assert_eq!(day(paid).settle_date(cycle, calendar), day(due), "{paid} {}", cycle.as_str());
    }
    assert_eq!((Cycle::parse("T1"), Cycle::parse("T0")), (Some(Cycle::T1), None));
}

#[test]
fn states_are_read_as_they_are_written_and_move_only_forward() {
    assert!(OrderState::ALL.iter().all(|state| OrderState::parse(state.as_str()) == Some(*state)));
    assert!(FileState::ALL.iter().all(|state| FileState::parse(state.as_str()) == Some(*state)));
    assert!(SettlementState::ALL.iter().all(|state| SettlementState::parse(state.as_str()) == Some(*state)));
    assert!(OrderState::Unknown.may_become(OrderState::Paid));
    assert!(OrderState::Paid.next().is_empty(), "paid is for good");
    assert!(!FileState::Rejected.may_become(FileState::Accepted));
    assert!(SettlementState::Success.may_become(SettlementState::Bounced));
    assert_eq!(OrderState::parse("paid"), None);
}

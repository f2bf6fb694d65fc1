//! Instants, business days in Asia/Shanghai and settlement days.
use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// China Standard Time is UTC+8 all year (no summer time since 1991, and no payment is older).
const CST_SECONDS: i64 = 8 * 3600;
const DAY_SECONDS: i64 = 24 * 3600;
const EARLIEST: i64 = -62_167_305_600;
const LATEST: i64 = 253_402_387_199;
/// First and last second of the years 0 to 9999, counted where it is read.
const FIRST_LOCAL: i64 = -62_167_219_200;
const LAST_LOCAL: i64 = 253_402_300_799;

/// A moment: seconds since 1970 in UTC, from the year 0 to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The moment `seconds` after the beginning of 1970 in UTC; beyond the years 0 to 9999 their nearest end.
    pub fn new(seconds: i64) -> Instant {
        Instant(seconds.clamp(EARLIEST, LATEST))
    }

    /// Seconds since 1970 in UTC.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `seconds` later (or earlier, when negative).
    pub fn plus(self, seconds: i64) -> Instant {
        Instant::new(self.0.saturating_add(seconds))
    }

    /// Reads `yyyy-MM-ddTHH:mm:ss` followed by `Z` or `±HH:MM`, nothing else.
    pub fn parse(text: &str) -> Option<Instant> {
        let (local, zone) = text.split_at_checked(19)?;
        let offset = match zone {
            "Z" => 0,
            zone => zone_seconds(zone)?,
        };
        local_seconds(local)?.checked_sub(offset).map(Instant)
    }

    /// Reads exactly `yyyy-MM-ddTHH:mm:ss+08:00`, as files write it (`files.md`, "Text").
    pub fn parse_cst(text: &str) -> Option<Instant> {
        text.ends_with("+08:00").then(|| Instant::parse(text))?
    }

    /// `yyyy-MM-ddTHH:mm:ss+08:00`.
    pub fn to_cst(self) -> String {
        self.to_string()
    }

    /// Whether its year in Asia/Shanghai has four digits, so that [`Instant::to_cst`] can be read again.
    pub fn is_writable(self) -> bool {
        (FIRST_LOCAL..=LAST_LOCAL).contains(&self.0.saturating_add(CST_SECONDS))
    }

    /// The calendar day of this moment in Asia/Shanghai.
    pub fn business_day(self) -> BusinessDay {
        BusinessDay(self.local().date())
    }

    fn local(self) -> NaiveDateTime {
        DateTime::from_timestamp(self.0.saturating_add(CST_SECONDS), 0).unwrap_or_default().naive_utc()
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.saturating_add(CST_SECONDS);
        let (days, second) = (local.div_euclid(DAY_SECONDS), local.rem_euclid(DAY_SECONDS));
        let (year, month, day) = civil_of(days);
        let text =
            two_digits([year / 100, year % 100, month, day, second / 3600, second / 60 % 60, second % 60]);
        let [c, y, m, d, hour, minute, second] =
            text.each_ref().map(|two| str::from_utf8(two).unwrap_or("??"));
        for part in [c, y, "-", m, "-", d, "T", hour, ":", minute, ":", second] {
            f.write_str(part)?;
        }
        f.write_str("+08:00")
    }
}

fn two_digits<const N: usize>(numbers: [i64; N]) -> [[u8; 2]; N] {
    let digit =
        |number: i64| u8::try_from(number.rem_euclid(10)).map_or(b'?', |digit| b'0'.saturating_add(digit));
    numbers.map(|number| [digit(number / 10), digit(number)])
}

/// Year, month and day of the `days`th day after 1970-01-01, in the years 0 to 9999: years are counted from March on,
/// so that the leap day is a year's last.
fn civil_of(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_of`]; `None` for a date that does not exist.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted_year = year - i64::from(month <= 2);
    let (era, of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    (1..=last).contains(&day).then_some(days)
}

fn local_seconds(text: &str) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1] =
        *text.as_bytes().first_chunk::<19>()?
    else {
        return None;
    };
    let date = days_of(two(y0, y1)? * 100 + two(y2, y3)?, two(m0, m1)?, two(d0, d1)?)?;
    let (hour, minute, second) = (two(h0, h1)?, two(i0, i1)?, two(s0, s1)?);
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then_some(date * DAY_SECONDS + hour * 3600 + minute * 60 + second)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit < 10).map(i64::from);
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn zone_seconds(text: &str) -> Option<i64> {
    let (sign, clock) = text.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i64::from(hours * 3600 + minutes * 60);
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let all = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

/// A calendar day in Asia/Shanghai; as text `yyyyMMdd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDay(NaiveDate);

impl BusinessDay {
    /// The day of a calendar date.
    pub const fn new(date: NaiveDate) -> BusinessDay {
        BusinessDay(date)
    }

    /// The calendar date.
    pub const fn date(self) -> NaiveDate {
        self.0
    }

    /// Reads exactly `yyyyMMdd`.
    pub fn parse(text: &str) -> Option<BusinessDay> {
        let number = digits(text, 8)?;
        BusinessDay::from_i32(i32::try_from(number).ok()?)
    }

    /// The day of the number `yyyymmdd`, as the database keeps it.
    pub fn from_i32(number: i32) -> Option<BusinessDay> {
        let number = u32::try_from(number).ok().filter(|n| *n <= 99_991_231)?;
        let year = i32::try_from(number / 10_000).ok()?;
        NaiveDate::from_ymd_opt(year, number / 100 % 100, number % 100).map(BusinessDay)
    }

    /// The number `yyyymmdd`.
    pub fn to_i32(self) -> i32 {
        let month_and_day = self.0.month() * 100 + self.0.day();
        self.0.year().saturating_mul(10_000).saturating_add_unsigned(month_and_day)
    }

    /// The day after.
    pub fn next(self) -> BusinessDay {
        BusinessDay(self.0.checked_add_days(Days::new(1)).unwrap_or(self.0))
    }

    /// The day before.
    pub fn prev(self) -> BusinessDay {
        BusinessDay(self.0.checked_sub_days(Days::new(1)).unwrap_or(self.0))
    }

    /// Its first second, 00:00 in Asia/Shanghai.
    pub fn start(self) -> Instant {
        let midnight = self.0.and_time(NaiveTime::MIN).and_utc().timestamp();
        Instant::new(midnight.saturating_sub(CST_SECONDS))
    }

    /// Whether the moment lies in it: it is [`Instant::business_day`]'s, without working that out.
    pub fn contains(self, at: Instant) -> bool {
        let since = at.0.saturating_sub(self.start().0);
        (0..DAY_SECONDS).contains(&since)
    }

    /// When money of this day is due: see [`Cycle`].
    pub fn settle_date(self, cycle: Cycle, calendar: &Calendar) -> BusinessDay {
        match cycle {
            Cycle::D1 => self.next(),
            Cycle::T1 => {
                let mut day = self.next();
                while !calendar.is_workday(day) && day != day.next() {
                    day = day.next();
                }
                day
            }
        }
    }
}

impl fmt::Display for BusinessDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y%m%d"))
    }
}

/// A receiver's settlement cycle (`files.md`, "Approvals bundle").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cycle {
    /// The next natural day.
    D1,
    /// The next workday.
    T1,
}

impl Cycle {
    /// `D1` or `T1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cycle::D1 => "D1",
            Cycle::T1 => "T1",
        }
    }

    /// Reads what [`Cycle::as_str`] writes.
    pub fn parse(text: &str) -> Option<Cycle> {
        [Cycle::D1, Cycle::T1].into_iter().find(|cycle| cycle.as_str() == text)
    }
}

/// What the institution's bundle says about workdays: Monday to Friday but for `off`, and the days `on`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Days from Monday to Friday without settlement.
    pub off: BTreeSet<BusinessDay>,
    /// Saturdays and Sundays with settlement.
    pub on: BTreeSet<BusinessDay>,
}

impl Calendar {
    /// Whether the institution settles on `day`; a day that is both `on` and `off` is off.
    pub fn is_workday(&self, day: BusinessDay) -> bool {
        let weekend = matches!(day.0.weekday(), Weekday::Sat | Weekday::Sun);
        !self.off.contains(&day) && (!weekend || self.on.contains(&day))
    }
}

//! Instants, business days in Asia/Shanghai and settlement days.
use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// China Standard Time is UTC+8 all year (no summer time since 1991, and no payment is older).
const CST_SECONDS: i64 = 8 * 3600;
const EARLIEST: i64 = -62_167_305_600;
const LATEST: i64 = 253_402_387_199;

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
        format!("{}+08:00", self.local().format("%Y-%m-%dT%H:%M:%S"))
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
        f.write_str(&self.to_cst())
    }
}

fn local_seconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let date = dashed_date(date)?;
    let mut parts = time.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let time = NaiveTime::from_hms_opt(digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?)?;
    Some(date.and_time(time).and_utc().timestamp())
}

fn dashed_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = i32::try_from(digits(year, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, digits(month, 2)?, digits(day, 2)?)
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

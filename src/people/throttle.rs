//! How often a login may be tried; counted in the database, so that all processes count together.
//!
//! From one address a login, and the address itself, have an even share of a minute for each attempt. Over all addresses
//! a login has some failures free, an hour forgives one, and each further one makes it wait longer: so that guessing
//! from many addresses is slow, and nobody is shut out for good. A browser in which the login succeeded before
//! ([`super::device`]) is counted alone: whoever guesses elsewhere does not keep it out.
use std::collections::HashMap;

use super::{address, throttle_store as store};
use crate::db::Tx;
use crate::error::Error;
use crate::protocol::crypto::MasterKey;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// An address may stand for an office full of people: it gets more attempts than one login at it.
const ADDRESS_FACTOR: i64 = 5;
/// A login has as many minutes' worth of failures before it waits.
const FREE_MINUTES: i64 = 2;
/// The longest wait between two failures, in microseconds: a quarter of an hour.
const LONGEST: i64 = 15 * MINUTE;
/// So many doublings of a second are longer than that.
const DOUBLINGS: i64 = 10;
/// Rows that are kept: who fills the table with addresses and logins pushes out what would be over first.
const MOST_ROWS: i64 = 100_000;

/// How attempts of one key are spaced.
#[derive(Clone, Copy)]
enum Pace {
    /// Each costs so much of a minute, in microseconds.
    Even(i64),
    /// So many failures are free, then each waits twice as long as the one before.
    Growing(i64),
}

/// What an attempt is counted under.
#[derive(Clone)]
pub(super) struct Limit {
    key: String,
    pace: Pace,
}

/// A row of the table: how far ahead it is, and when it was last tried; both in microseconds.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) ahead: i64,
    pub(super) last_at: i64,
}

/// What an attempt from `address` at `login` is counted under, on a device that it knows or not.
pub(super) fn limits(
    master: &MasterKey,
    per_minute: i64,
    (login, address): (&str, &str),
    device: Option<&str>,
) -> Vec<Limit> {
    let each = MINUTE / per_minute;
    let free = per_minute.saturating_mul(FREE_MINUTES);
    // Of bounded length whatever was typed, and nobody can read from the table what that was.
    let limit = |kind: &str, of: &str, pace: Pace| {
        let key = hex::encode(master.hmac("login.attempt", format!("{kind}\n{of}").as_bytes()));
        Limit { key, pace }
    };
    let mut limits = match device {
        Some(device) => vec![
            limit("device", device, Pace::Even(each)),
            limit("guesses at a device", device, Pace::Growing(free)),
        ],
        None => {
            let network = address::network(address);
            vec![
                limit("login at address", &format!("{network}\n{login}"), Pace::Even(each)),
                limit("address", &network, Pace::Even(each / ADDRESS_FACTOR)),
                limit("guesses at a login", login, Pace::Growing(free)),
            ]
        }
    };
    // All processes lock rows in one order.
    limits.sort_by(|a, b| a.key.cmp(&b.key));
    limits
}

/// How many microseconds must pass before another attempt; none or less: it is allowed now. Counts nothing.
pub(super) fn wait(tx: &mut Tx<'_>, now: i64, limits: &[Limit]) -> Result<i64, Error> {
    let known = store::known(tx, &keys(limits))?;
    Ok(longest(limits, &known, now))
}

/// Counts an attempt under all its limits; or none of it, and how many microseconds must pass first.
pub(super) fn admit(tx: &mut Tx<'_>, now: i64, limits: &[Limit]) -> Result<Result<(), i64>, Error> {
    let known = store::locked(tx, &keys(limits))?;
    let wait = longest(limits, &known, now);
    if wait > 0 {
        return Ok(Err(wait));
    }
    for limit in limits {
        let most = now.saturating_add(limit.pace.most());
        let ahead = limit.of(&known, now).ahead.saturating_add(limit.pace.cost()).min(most);
        store::put(tx, &limit.key, Counted { ahead, last_at: now })?;
    }
    Ok(Ok(()))
}

fn keys(limits: &[Limit]) -> Vec<&str> {
    limits.iter().map(|limit| limit.key.as_str()).collect()
}

fn longest(limits: &[Limit], known: &HashMap<String, Counted>, now: i64) -> i64 {
    limits.iter().map(|limit| limit.pace.wait(limit.of(known, now), now)).max().unwrap_or_default()
}

/// Takes back what an attempt counted as a failure: it was none.
pub(super) fn forgive(tx: &mut Tx<'_>, limits: &[Limit]) -> Result<(), Error> {
    let mut growing = limits.iter().filter(|limit| matches!(limit.pace, Pace::Growing(_)));
    growing.try_for_each(|limit| store::take_back(tx, &limit.key, HOUR))
}

/// Forgets what says nothing any more, and beyond [`MOST_ROWS`] what would be over first; how many rows that were.
pub fn forget(tx: &mut Tx<'_>, now: i64) -> Result<usize, Error> {
    store::forget(tx, now, MOST_ROWS)
}

impl Limit {
    fn of(&self, known: &HashMap<String, Counted>, now: i64) -> Counted {
        self.sane(known.get(&self.key).copied().unwrap_or_default(), now)
    }

    /// A row as it may be believed: what is over, or further ahead than it can come, starts anew. The clock was set back.
    fn sane(&self, counted: Counted, now: i64) -> Counted {
        let fresh = Counted { ahead: now, last_at: 0 };
        let most = now.saturating_add(self.pace.most());
        if (now..=most).contains(&counted.ahead) { counted } else { fresh }
    }
}

impl Pace {
    const fn cost(self) -> i64 {
        match self {
            Pace::Even(cost) => cost,
            Pace::Growing(_) => HOUR,
        }
    }

    /// How far ahead a row can come.
    const fn most(self) -> i64 {
        match self {
            Pace::Even(_) => MINUTE,
            Pace::Growing(free) => free.saturating_add(DOUBLINGS + 1).saturating_mul(HOUR),
        }
    }

    /// Microseconds until another attempt is allowed; none or less: it is allowed now.
    fn wait(self, counted: Counted, now: i64) -> i64 {
        let ahead = counted.ahead.saturating_sub(now);
        match self {
            Pace::Even(cost) => ahead.saturating_add(cost).saturating_sub(MINUTE),
            Pace::Growing(free) => {
                let failures = ahead.saturating_add(HOUR - 1) / HOUR;
                let Ok(doublings) = u32::try_from(failures.saturating_sub(free)) else { return 0 };
                // Seen last in the future: the clock was set back, and nobody knows how long ago that was.
                let since = now.saturating_sub(counted.last_at);
                let pause = 2_i64.saturating_pow(doublings).saturating_mul(SECOND).min(LONGEST);
                if since < 0 { 0 } else { pause.saturating_sub(since) }
            }
        }
    }
}

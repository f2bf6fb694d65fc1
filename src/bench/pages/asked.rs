//! Which pages are visited, by whom, and what each must show.
use super::fill::{DAYS, Fill, SPLIT_DAY};
use super::platform::{LOGINS, Platform};
use crate::bench::world::merchant;
use crate::clock;
use crate::db::columns::{MerchantId, OrderId};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::state::OrderState;
use crate::orders::{self, Cursor, Filter};
use crate::people::Scope;

/// One request.
pub struct Asked {
    /// Path and query.
    pub path: String,
    /// Texts that the answer must have.
    pub shows: Vec<String>,
}

/// What is asked for in a variant of a visit, by its number.
type Ask = Box<dyn Fn(&Fill, u64) -> Asked>;

/// A page in one of its variants.
pub struct Visit {
    /// The route, by which times are told.
    pub page: &'static str,
    /// Who reads it.
    pub login: &'static str,
    /// What is asked for at the `n`th time.
    pub ask: Ask,
}

/// A row of a list of orders.
const ROW: &str = "class=\"rowlink\"";

fn asked(path: impl Into<String>, shows: &[&str]) -> Asked {
    Asked { path: path.into(), shows: shows.iter().map(|text| (*text).to_owned()).collect() }
}

/// A number below `below` for the `n`th time, other ones for other salts.
fn pick(n: u64, salt: u64, below: i64) -> i64 {
    let mixed =
        n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(salt.wrapping_mul(1_442_695_040_888_963_407));
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 3;
    i64::try_from(mixed).unwrap_or(0).rem_euclid(below.max(1))
}

fn shown(day: BusinessDay) -> String {
    let day = day.to_i32();
    format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100)
}

/// A moment in the time of the orders, as the key of a page.
fn deep(fill: &Fill, n: u64, salt: u64) -> String {
    let start = clock::micros(fill.day(DAYS.saturating_sub(2)).start());
    let at = start.saturating_add(pick(n, salt, fill.now.saturating_sub(start)));
    format!("{at}-{}", i64::MAX)
}

/// Every page that lists or details, in its variants.
pub fn visits(platform: &Platform) -> anyhow::Result<Vec<Visit>> {
    let [ops, big, small, inst] = LOGINS;
    let mut all = Vec::new();
    let mut add = |page, login, ask: Ask| all.push(Visit { page, login, ask });
    for (page, path, login, shows) in [
        ("/admin", "/admin", ops, "<h1"),
        ("/admin/rules", "/admin/rules", ops, "market"),
        ("/admin/exceptions", "/admin/exceptions", ops, ROW),
        ("/admin/files", "/admin/files", ops, "SPL_BENCH_LOAD_"),
        ("/merchant", "/merchant", big, "B000001"),
        ("/merchant", "/merchant", small, "<h1"),
        ("/merchant/settlements", "/merchant/settlements", big, "S"),
        ("/merchant/settlements", "/merchant/settlements", small, "S"),
        ("/institution", "/institution", inst, "SPL_BENCH_LOAD_"),
    ] {
        add(page, login, Box::new(move |_, _| asked(path, &[shows])));
    }
    add(
        "/admin/files",
        ops,
        Box::new(|fill, n| {
            let day = fill.day(5_i64.saturating_add(pick(n, 1, 900)));
            asked(
                format!("/admin/files?day={}", shown(day)),
                &[&format!("SPL_BENCH_LOAD_{}_0001.txt", day.to_i32())],
            )
        }),
    );
    for (page, path, login, below) in [
        ("/admin/files", "/admin/files", ops, 5_900),
        ("/institution", "/institution", inst, 5_900),
        ("/merchant/settlements", "/merchant/settlements", big, 5_900),
    ] {
        add(
            page,
            login,
            Box::new(move |_, n| {
                asked(format!("{path}?before={}", 100_i64.saturating_add(pick(n, 2, below))), &["<h1"])
            }),
        );
    }
    lists(&mut all);
    details(platform, &mut all)?;
    Ok(all)
}

/// The lists of orders under every kind of filter.
fn lists(all: &mut Vec<Visit>) {
    let [ops, big, small, _] = LOGINS;
    for (page, login) in [("/admin/orders", ops), ("/merchant/orders", big)] {
        let mut add = |ask: Ask| all.push(Visit { page, login, ask });
        add(Box::new(move |_, _| asked(page, &[ROW])));
        add(Box::new(move |fill, n| asked(format!("{page}?after={}", deep(fill, n, 3)), &[ROW])));
        for (state, shows) in OrderState::ALL.iter().map(|state| match state {
            OrderState::Paying | OrderState::Paid => (state.as_str(), ROW),
            OrderState::Created | OrderState::Unknown | OrderState::Closed => (state.as_str(), "<h1"),
        }) {
            add(Box::new(move |_, _| asked(format!("{page}?state={state}"), &[shows])));
            add(Box::new(move |fill, n| {
                asked(format!("{page}?state={state}&after={}", deep(fill, n, 4)), &[shows])
            }));
            add(Box::new(move |fill, n| {
                let day = pick(n, 5, DAYS.saturating_sub(1)).saturating_add(1);
                let (from, to) = (shown(fill.day(day)), shown(fill.day(day.saturating_sub(1))));
                asked(format!("{page}?state={state}&from={from}&to={to}"), &[shows])
            }));
        }
        add(Box::new(move |fill, n| {
            let day = shown(fill.day(pick(n, 6, DAYS)));
            asked(format!("{page}?from={day}&to={day}"), &[ROW])
        }));
        add(Box::new(move |_, _| asked(format!("{page}?id=T999999999999"), &["<h1"])));
    }
    let mut add = |login, ask: Ask| {
        let page = if login == ops { "/admin/orders" } else { "/merchant/orders" };
        all.push(Visit { page, login, ask });
    };
    for (prefix, width) in [("BN", 26), ("42", 20), ("T", 12)] {
        add(
            ops,
            Box::new(move |fill, n| {
                let first = pick(n, 7, fill.orders.saturating_sub(20_000)).max(1);
                let id = (first..).find(|id| Fill::is_paid(*id)).unwrap_or(first);
                let no = format!("{id:026}");
                asked(format!("/admin/orders?id={prefix}{id:0width$}"), &[&format!("BN{no}")])
            }),
        );
    }
    let some = [OrderState::Paying, OrderState::Unknown, OrderState::Paid].map(OrderState::as_str);
    for state in std::iter::once("").chain(some) {
        for which in [0_usize, 1, 2] {
            add(
                ops,
                Box::new(move |fill, n| {
                    let many = usize::try_from(fill.merchants).unwrap_or(1);
                    let one = match which {
                        0 => 0,
                        1 => many.saturating_sub(1),
                        _ => usize::try_from(pick(n, 8, fill.merchants.saturating_sub(2)))
                            .unwrap_or(0)
                            .saturating_add(1),
                    };
                    asked(format!("/admin/orders?merchant={}&state={state}", merchant(one)), &["<h1"])
                }),
            );
        }
        add(small, Box::new(move |_, _| asked(format!("/merchant/orders?state={state}"), &["<h1"])));
    }
}

/// Details of orders at random places, and of those whose splits are stored.
fn details(platform: &Platform, all: &mut Vec<Visit>) -> anyhow::Result<()> {
    let [ops, big, ..] = LOGINS;
    let fill = &platform.fill;
    let of_big = Scope::Merchant(MerchantId::new(fill.first_merchant));
    let split = fill.day(SPLIT_DAY);
    for (page, login, scope, filter) in [
        ("/admin/orders/{order_no}", ops, Scope::Platform, Filter::default()),
        (
            "/admin/orders/{order_no}",
            ops,
            Scope::Platform,
            Filter { from: Some(split), to: Some(split), ..Filter::default() },
        ),
        ("/merchant/orders/{order_no}", big, of_big, Filter::default()),
    ] {
        let mut numbers = Vec::new();
        for n in 0..40 {
            let (from, until) = match filter.from {
                Some(day) => (clock::micros(day.start()), clock::micros(day.next().start())),
                None => (clock::micros(fill.day(DAYS.saturating_sub(2)).start()), fill.now),
            };
            let created_at = from.saturating_add(pick(n, 9, until.saturating_sub(from)));
            let (filter, after) = (filter.clone(), Cursor { created_at, id: OrderId::new(i64::MAX) });
            let found = platform.app.db.read_blocking(|tx| orders::list(tx, &scope, &filter, Some(after)))?;
            numbers.extend(found.rows.into_iter().next().map(|row| row.order.order_no));
        }
        let list = page.trim_end_matches("/{order_no}");
        all.push(Visit {
            page,
            login,
            ask: Box::new(move |_, n| {
                let at = usize::try_from(n).unwrap_or(0).checked_rem(numbers.len()).unwrap_or(0);
                let no = numbers.get(at).cloned().unwrap_or_default();
                asked(format!("{list}/{no}"), &[&no])
            }),
        });
    }
    Ok(())
}

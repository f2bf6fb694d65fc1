//! The list of orders, in the scope of whoever asks; every filter stands in the address.
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::db::columns::OrderId;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::state::OrderState;
use crate::orders::{self, Cursor, Filter, Order, OrderPage, Totals};
use crate::people::Scope;
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{Count, Day, Ident, When, Yuan};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::pager::Pager;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::Words;
use crate::web::words::say::Counted;

/// What stands in the address; everything may be missing or empty.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub struct Asked {
    from: String,
    to: String,
    state: String,
    merchant: String,
    id: String,
    after: String,
}

/// An entry of a list to choose from.
pub struct Choice {
    value: &'static str,
    text: &'static str,
    chosen: bool,
}

struct Quick {
    text: &'static str,
    href: String,
    current: bool,
}

struct Chip {
    text: String,
    href: String,
}

struct Row {
    href: String,
    order_no: Ident,
    out_trade_no: Ident,
    inst_order_no: Option<Ident>,
    merchant: String,
    merchant_name: String,
    at: When,
    amount: Yuan,
    channel: String,
    tags: Vec<Tag>,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage<'a> {
    s: Shell,
    action: &'a str,
    with_merchant: bool,
    filter: &'a Asked,
    filtered: bool,
    states: Vec<Choice>,
    quick: Vec<Quick>,
    chips: Vec<Chip>,
    totals: String,
    rows: Vec<Row>,
    goes_on: bool,
    pager: Option<Pager>,
}

/// The page for `scope`, under the address `action`.
pub async fn show(
    app: &App,
    s: Shell,
    scope: Scope,
    action: &str,
    asked: Asked,
) -> Result<HttpResponse, Fault> {
    let (lang, filter, cursor) = (s.lang, asked.filter(), asked.cursor());
    let with_merchant = !matches!(scope, Scope::Merchant(_));
    let (found, totals) = app
        .db
        .read(move |tx| {
            Ok((orders::list(tx, &scope, &filter, cursor)?, orders::totals(tx, &scope, &filter)?))
        })
        .await?;
    let rows: Vec<Row> = found.rows.iter().map(|row| of(row, action, s.w)).collect();
    let pager = pager(s.w, action, &asked, &found);
    page(&OrdersPage {
        action,
        with_merchant,
        filtered: asked.is_filtered(),
        states: states(s.w, &asked.state),
        quick: quick(s.w, action, &asked, app.clock.today()),
        chips: chips(s.w, action, &asked),
        totals: sentence(lang, &totals),
        rows,
        goes_on: found.goes_on,
        pager,
        filter: &asked,
        s,
    })
}

fn pager(w: &Words, action: &str, asked: &Asked, found: &OrderPage) -> Option<Pager> {
    let first = (!asked.after.is_empty()).then(|| asked.href(action, &[("after", "")]));
    let after = |at: Cursor| asked.href(action, &[("after", &format!("{}-{}", at.created_at, at.id))]);
    let (note, next_text) = match found.goes_on {
        true => (w.orders.goes_on, w.orders.go_on),
        false => (w.orders.page_size, w.kit.next_page),
    };
    let shown = !found.rows.is_empty() || found.goes_on || first.is_some();
    shown.then(|| Pager { note, first, next: found.next.map(after), next_text })
}

impl Asked {
    fn filter(&self) -> Filter {
        let day = |text: &str| Day::parse(text).map(|day| day.0);
        // Not every database can be asked for a control character; with another in its place nothing is found.
        let given =
            |text: &str| Some(text.trim().replace(char::is_control, "\u{fffd}")).filter(|t| !t.is_empty());
        Filter {
            from: day(&self.from),
            to: day(&self.to),
            number: given(&self.id),
            state: OrderState::parse(&self.state),
            merchant: given(&self.merchant),
        }
    }
    fn cursor(&self) -> Option<Cursor> {
        let (created_at, id) = self.after.split_once('-')?;
        Some(Cursor { created_at: created_at.parse().ok()?, id: OrderId::new(id.parse().ok()?) })
    }
    fn is_filtered(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.is_empty())
    }
    fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("from", &self.from),
            ("to", &self.to),
            ("state", &self.state),
            ("merchant", &self.merchant),
            ("id", &self.id),
        ]
    }
    /// The same filter with some fields changed, on its first page unless `after` is among them.
    fn href(&self, action: &str, changed: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields() {
            let value = changed.iter().find(|(field, _)| *field == name).map_or(value, |(_, new)| new);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some((_, after)) = changed.iter().find(|(field, after)| *field == "after" && !after.is_empty())
        {
            query.append_pair("after", after);
        }
        let query = query.finish();
        if query.is_empty() { action.to_owned() } else { format!("{action}?{query}") }
    }
}

fn of(row: &orders::OrderRow, action: &str, w: &Words) -> Row {
    Row {
        href: format!("{action}/{}", row.order.order_no),
        order_no: Ident(row.order.order_no.clone()),
        out_trade_no: Ident(row.order.out_trade_no.clone()),
        inst_order_no: row.inst_order_no.clone().map(Ident),
        merchant: row.merchant.clone(),
        merchant_name: row.merchant_name.clone(),
        at: When(row.order.created_at),
        amount: Yuan(row.paid.unwrap_or(row.order.amount)),
        channel: paid_by(&row.order, w),
        tags: vec![state_tag(row.state, w)],
    }
}

/// Whose wallet pays an order, and how.
#[must_use]
pub fn paid_by(order: &Order, w: &Words) -> String {
    let channel = match order.channel {
        ChannelName::Wechat => w.orders.wechat,
        ChannelName::Alipay => w.orders.alipay,
    };
    let known = [
        (Product::NATIVE, w.orders.native),
        (Product::JSAPI, w.orders.jsapi),
        (Product::APP, w.orders.app),
        (Product::H5, w.orders.h5),
        (Product::CODEPAY, w.orders.codepay),
    ];
    let product = known.iter().find(|(product, _)| *product == order.product);
    format!("{channel} · {}", product.map_or(order.product.as_str(), |(_, text)| text))
}

/// An order's state in a word.
#[must_use]
pub fn state_tag(state: OrderState, w: &Words) -> Tag {
    let mood = match state {
        OrderState::Created | OrderState::Closed => Mood::Plain,
        OrderState::Paying => Mood::Waits,
        OrderState::Unknown => Mood::Bad,
        OrderState::Paid => Mood::Ok,
    };
    Tag::new(mood, state_name(state, w))
}

/// A state in words.
#[must_use]
pub fn state_name(state: OrderState, w: &Words) -> &'static str {
    match state {
        OrderState::Created => w.orders.state_created,
        OrderState::Paying => w.orders.state_paying,
        OrderState::Unknown => w.orders.state_unknown,
        OrderState::Paid => w.orders.state_paid,
        OrderState::Closed => w.orders.state_closed,
    }
}

fn states(w: &Words, chosen: &str) -> Vec<Choice> {
    let all = OrderState::ALL.iter().map(|state| (state.as_str(), state_name(*state, w)));
    let all = std::iter::once(("", w.orders.any_state)).chain(all);
    all.map(|(value, text)| Choice { value, text, chosen: value == chosen }).collect()
}

fn quick(w: &'static Words, action: &str, asked: &Asked, today: BusinessDay) -> Vec<Quick> {
    let text = |day: BusinessDay| Day(day).to_string();
    let week = (0..6).fold(today, |day, _| day.prev());
    let (now, before) = (text(today), text(today.prev()));
    let ranges = [
        (w.orders.range_today, now.clone(), now.clone()),
        (w.orders.range_yesterday, before.clone(), before),
        (w.orders.range_week, text(week), now),
        (w.orders.range_all, String::new(), String::new()),
    ];
    let link = |(name, from, to): (&'static str, String, String)| Quick {
        text: name,
        href: asked.href(action, &[("from", &from), ("to", &to)]),
        current: asked.from == from && asked.to == to,
    };
    ranges.into_iter().map(link).collect()
}

fn chips(w: &'static Words, action: &str, asked: &Asked) -> Vec<Chip> {
    let state = states(w, &asked.state).into_iter().find(|state| state.chosen).map_or("", |state| state.text);
    let said = [
        (w.orders.from_day, "from", asked.from.as_str()),
        (w.orders.to_day, "to", asked.to.as_str()),
        (w.terms.state, "state", if asked.state.is_empty() { "" } else { state }),
        (w.terms.merchant_no, "merchant", asked.merchant.as_str()),
        (w.terms.any_number, "id", asked.id.as_str()),
    ];
    let named = said.into_iter().filter(|(.., value)| !value.is_empty());
    let chip = |(name, field, value): (&str, &str, &str)| Chip {
        text: format!("{name} {value}"),
        href: asked.href(action, &[(field, "")]),
    };
    named.map(chip).collect()
}

/// How many orders, with a `+` when more were not counted.
#[must_use]
pub fn how_many(lang: Lang, totals: &Totals) -> String {
    Counted::Orders(Count(totals.count), if totals.bounded { "+" } else { "" }).say(lang)
}

/// What they add up to, in the same way.
#[must_use]
pub fn how_much(totals: &Totals) -> String {
    let more = if totals.bounded { "+" } else { "" };
    totals.amount.map_or_else(String::new, |amount| format!("{}{more}", Yuan(amount)))
}

fn sentence(lang: Lang, totals: &Totals) -> String {
    let parts = [how_many(lang, totals), how_much(totals)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(lang.words().kit.comma)
}

//! Orders on screen: pages by key, filters, and that nobody sees another's.
use mingfen::db::columns::{CredentialId, InstitutionId, OrderId};
use mingfen::error::Error;
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::money::Fen;
use mingfen::kernel::state::OrderState;
use mingfen::merchants;
use mingfen::orders::{self, Cause, Cursor, Event, EventReason, Filter, OrderPage, Request};
use mingfen::people::Scope;
use mingfen::protocol::language::Language;

use crate::support::fact::paid_in_full;
use crate::support::shop::Shop;

/// An order of `merchant`, stored directly; our number and internal key.
async fn order(shop: &Shop, merchant: &str, number: &str, at: &str) -> (String, OrderId) {
    let (merchant, number) = (merchant.to_owned(), number.to_owned());
    let at = mingfen::clock::micros(Instant::parse(at).unwrap());
    let stored = shop.app.db.write(move |tx| {
        let merchant = merchants::by_number(tx, &merchant)?.unwrap();
        let request = Request {
            platform_merchant_id: merchant.platform_merchant_id,
            credential_id: CredentialId::new(1),
            merchant,
            order_prefix: "SB".to_owned(),
            channel: ChannelName::Wechat,
            product: Product::NATIVE,
            language: Language::WechatPartner,
            out_trade_no: number,
            content_sha256: Digest::ZERO,
            tags: Tags::default(),
            parties: Parties::default(),
            amount: Fen::new(100),
            description: "one".to_owned(),
            attach: String::new(),
            carried: None,
            notify_url: "https://example.com/".to_owned(),
            time_expire: None,
        };
        let order = orders::create(tx, &request, at)?.0.order;
        Ok((order.order_no, order.id))
    });
    stored.await.unwrap()
}

async fn page(shop: &Shop, scope: Scope, filter: Filter, after: Option<Cursor>) -> OrderPage {
    shop.app.db.read(move |tx| orders::list(tx, &scope, &filter, after)).await.unwrap()
}

fn numbers(page: &OrderPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.order.out_trade_no.as_str()).collect()
}

#[actix_web::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let shop = Shop::open().await;
    // Three a second: the key breaks the tie.
    for n in 0..120 {
        let at = format!("2026-03-01T10:{:02}:00+08:00", n / 3);
        order(&shop, "M1001", &format!("ORDER-{n:03}"), &at).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = page(&shop, Scope::Platform, Filter::default(), after).await;
        seen.extend(numbers(&page).into_iter().map(str::to_owned));
        after = page.next;
        if after.is_none() {
            break;
        }
        assert_eq!(page.rows.len(), 50);
    }
    let expected: Vec<String> = (0..120).rev().map(|n| format!("ORDER-{n:03}")).collect();
    assert_eq!(seen, expected);
}

#[actix_web::test]
async fn filters_hold_together_and_days_are_shanghais() {
    let shop = Shop::open().await;
    let day = |text| BusinessDay::parse(text);
    order(&shop, "M1001", "BEFORE", "2026-02-28T23:59:59+08:00").await;
    let (first, _) = order(&shop, "M1001", "FIRST-1", "2026-03-01T00:00:00+08:00").await;
    let (paid, _) = order(&shop, "M1001", "PAID-01", "2026-03-01T12:00:00+08:00").await;
    let (_, closed) = order(&shop, "M2001", "CLOSED", "2026-03-01T23:59:59+08:00").await;
    order(&shop, "M2001", "AFTER-1", "2026-03-02T00:00:00+08:00").await;
    shop.app
        .db
        .write(move |tx| orders::record(tx, closed, 1, &Event::Closed(Cause::of(EventReason::ByMerchant))))
        .await
        .unwrap();
    let of = (shop.institution_id, ChannelName::Wechat);
    let mut fact = paid_in_full(of, &paid, "4200000001", &shop.inst_merchant_no, Fen::new(100), "x");
    fact.said.paid_at = Instant::parse("2026-03-01T12:01:00+08:00").unwrap();
    shop.app.intake.submit(fact).await.unwrap();

    let of_day = Filter { from: day("20260301"), to: day("20260301"), ..Filter::default() };
    let found = page(&shop, Scope::Platform, of_day.clone(), None).await;
    assert_eq!(numbers(&found), ["CLOSED", "PAID-01", "FIRST-1"]);
    assert_eq!(found.rows[1].paid, Some(Fen::new(100)));
    for (filter, expected) in [
        (Filter { state: Some(OrderState::Paid), ..of_day.clone() }, "PAID-01"),
        (Filter { state: Some(OrderState::Closed), ..of_day.clone() }, "CLOSED"),
        (Filter { state: Some(OrderState::Created), ..of_day.clone() }, "FIRST-1"),
        (Filter { merchant: Some("M2001".to_owned()), ..of_day.clone() }, "CLOSED"),
        (Filter { number: Some(first), ..of_day.clone() }, "FIRST-1"),
        (Filter { number: Some("4200000001".to_owned()), ..of_day.clone() }, "PAID-01"),
        (Filter { number: Some("CLOSED".to_owned()), ..of_day.clone() }, "CLOSED"),
    ] {
        assert_eq!(
            numbers(&page(&shop, Scope::Platform, filter.clone(), None).await),
            [expected],
            "{filter:?}"
        );
    }
    let none = Filter { number: Some("BEFORE".to_owned()), ..of_day };
    assert!(page(&shop, Scope::Platform, none, None).await.rows.is_empty());
}

#[actix_web::test]
async fn nobody_sees_anothers_orders() {
    let shop = Shop::open().await;
    let (mine, _) = order(&shop, "M1001", "MINE-01", "2026-03-01T00:00:00+08:00").await;
    let (other, _) = order(&shop, "M2001", "OTHERS", "2026-03-01T00:00:00+08:00").await;
    let me = shop.app.db.read(|tx| Ok(merchants::by_number(tx, "M1001")?.unwrap().id)).await.unwrap();
    for (scope, visible) in [
        (Scope::Merchant(me), vec!["MINE-01"]),
        (Scope::Institution(shop.institution_id), vec!["OTHERS", "MINE-01"]),
        (Scope::Institution(InstitutionId::new(shop.institution_id.get() + 1)), vec![]),
        (Scope::Platform, vec!["OTHERS", "MINE-01"]),
    ] {
        let found = page(&shop, scope, Filter::default(), None).await;
        assert_eq!(numbers(&found), visible, "{scope:?}");
        for (order_no, number) in [(&mine, "MINE-01"), (&other, "OTHERS")] {
            let order_no = order_no.clone();
            let detail = shop.app.db.read(move |tx| orders::detail(tx, &scope, &order_no)).await;
            match detail {
                Ok(detail) => assert_eq!(detail.standing.order.out_trade_no, number),
                Err(Error::NotFound) => assert!(!visible.contains(&number), "{scope:?} {number}"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

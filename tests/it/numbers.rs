//! Numbers of payments are an institution's and channel's own: two that give the same number do not meet.
use diesel::prelude::*;
use mingfen::db::columns::InstitutionId;
use mingfen::db::columns::MerchantId;
use mingfen::db::schema::pay_order;
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::money::Fen;
use mingfen::merchants;
use mingfen::orders::{self, Outcome, PaymentFact, Standing};
use mingfen::protocol::language::Language;

use crate::support::fact::paid_in_full;
use crate::support::shop::{Shop, set_up, sub_merchant};

const NUMBER: &str = "4200000000000000000000000001";

/// A payment of an order, as the institution that carries it says.
fn fact(order: &orders::Order, inst_merchant_no: &str, channel: ChannelName) -> PaymentFact {
    let of = (order.institution_id, channel);
    let body = format!("{channel} {}", order.order_no);
    paid_in_full(of, &order.order_no, NUMBER, inst_merchant_no, order.amount, &body)
}

async fn standing(shop: &Shop, order_no: &str) -> Standing {
    let order_no = order_no.to_owned();
    let read = shop.app.db.read(move |tx| {
        let order = orders::by_order_no(tx, &order_no)?.unwrap();
        orders::standing(tx, order)
    });
    read.await.unwrap()
}

/// An order of a merchant at an institution, stored and not sent.
async fn stored(
    shop: &Shop,
    institution: InstitutionId,
    merchant: &str,
    number: &str,
    amount: i64,
) -> orders::Order {
    let (merchant, number, credential) = (merchant.to_owned(), number.to_owned(), shop.signer.clone());
    let (master, now) = (shop.app.master_key.clone(), shop.app.clock.now());
    let write = shop.app.db.write(move |tx| {
        let id = merchants::by_number(tx, &merchant)?.unwrap().id;
        let merchant = merchants::enrolled(tx, id, institution)?;
        let mchid = &credential.mchid;
        let credential = merchants::credentials::find(tx, &master, mchid, &credential.serial)?.unwrap();
        let request = orders::Request {
            platform_merchant_id: merchant.platform_merchant_id,
            credential_id: credential.id,
            merchant,
            order_prefix: "SB".to_owned(),
            out_trade_no: number,
            content_sha256: Digest::ZERO,
            channel: ChannelName::Wechat,
            product: Product::NATIVE,
            language: Language::WechatPartner,
            tags: Tags::default(),
            parties: Parties::default(),
            amount: Fen::new(amount),
            description: "x".to_owned(),
            attach: String::new(),
            carried: None,
            notify_url: "http://127.0.0.1:9/".to_owned(),
            time_expire: None,
        };
        Ok(orders::create(tx, &request, now)?.0.order)
    });
    write.await.unwrap()
}

#[actix_web::test]
async fn two_institutions_with_one_number_do_not_collide() {
    let shop = Shop::open().await;
    let other = set_up(&shop.app, "SECOND", &shop.institution);
    sub_merchant(&shop.app, other, "M1001", shop.tenant_id, "290001");
    sub_merchant(&shop.app, other, "M1005", shop.tenant_id, "290005");
    let first = stored(&shop, shop.institution_id, "M1001", "FIRST-1", 100).await;
    let second = stored(&shop, other, "M1001", "SECOND-1", 200).await;
    let third = stored(&shop, other, "M1005", "THIRD-1", 300).await;
    let submit = |fact: PaymentFact| shop.app.intake.submit(fact);
    // Both in one batch, and one of them again after that.
    let (a, b) = tokio::join!(
        submit(fact(&first, "190001", ChannelName::Wechat)),
        submit(fact(&second, "290001", ChannelName::Wechat))
    );
    assert_eq!((a.unwrap(), b.unwrap()), (Outcome::Stored, Outcome::Stored));
    assert_eq!(submit(fact(&first, "190001", ChannelName::Wechat)).await.unwrap(), Outcome::Known);
    // Within one institution and channel a number is there once.
    let taken = submit(fact(&third, "290005", ChannelName::Wechat)).await.unwrap();
    assert_eq!(taken, Outcome::Conflict);
    for (order, amount) in [(&first, 100), (&second, 200)] {
        let payment = standing(&shop, &order.order_no).await.payment.unwrap();
        assert_eq!((payment.inst_order_no.as_str(), payment.paid.get()), (NUMBER, amount));
    }
    assert_eq!(standing(&shop, &third.order_no).await.payment, None);

    // The merchant asks by it: another merchant's payment of that number is not in the way.
    let m1005 = shop.app.db.read(|tx| Ok(merchants::by_number(tx, "M1005")?.unwrap().id)).await.unwrap();
    let m1001 = first.sub_merchant_id;
    let find = |id: MerchantId| shop.app.db.read(move |tx| orders::by_inst_order_no(tx, id, NUMBER));
    assert_eq!(find(m1005).await.unwrap(), None);
    assert_eq!(find(m1001).await.unwrap().unwrap().order_no, second.order_no);
    assert_eq!(
        mingfen::check::breaks(&shop.app).unwrap_or_default().iter().filter(|b| b.contains("number")).count(),
        0
    );
}

#[actix_web::test]
async fn two_channels_of_an_institution_with_one_number_do_not_collide() {
    let shop = Shop::open().await;
    let by_wechat = stored(&shop, shop.institution_id, "M1001", "WECHAT-1", 100).await;
    let by_alipay = stored(&shop, shop.institution_id, "M1001", "ALIPAY-1", 200).await;
    // No gateway places orders for the other wallet yet: the order is written as one that did.
    let id = by_alipay.id;
    let copy = shop.app.db.write(move |tx| {
        let row = pay_order::table.find(id).select((
            pay_order::platform_merchant_id,
            pay_order::sub_merchant_id,
            pay_order::institution_id,
            pay_order::credential_id,
        ));
        let (tenant, merchant, institution, credential): (i64, i64, i64, i64) = row.first(tx.conn())?;
        diesel::insert_into(pay_order::table)
            .values((
                pay_order::order_no.eq("SBALIPAY000000000000000001"),
                pay_order::platform_merchant_id.eq(tenant),
                pay_order::out_trade_no.eq("ALIPAY-2"),
                pay_order::content_sha256.eq("0".repeat(64)),
                pay_order::sub_merchant_id.eq(merchant),
                pay_order::institution_id.eq(institution),
                pay_order::credential_id.eq(credential),
                pay_order::channel.eq("alipay"),
                pay_order::product.eq("native"),
                pay_order::tags.eq(""),
                pay_order::parties.eq(""),
                pay_order::amount.eq(200_i64),
                pay_order::description.eq("x"),
                pay_order::attach.eq(""),
                pay_order::notify_url.eq("http://127.0.0.1:9/"),
                pay_order::created_at.eq(1_i64),
            ))
            .execute(tx.conn())?;
        Ok(orders::by_order_no(tx, "SBALIPAY000000000000000001")?.unwrap())
    });
    let by_alipay = copy.await.unwrap();
    let submit = |fact: PaymentFact| shop.app.intake.submit(fact);
    assert_eq!(submit(fact(&by_wechat, "190001", ChannelName::Wechat)).await.unwrap(), Outcome::Stored);
    // A payment is taken for an order of its own channel only.
    let stray = submit(fact(&by_alipay, "190001", ChannelName::Wechat)).await.unwrap();
    assert_eq!(stray, Outcome::Conflict);
    assert_eq!(submit(fact(&by_alipay, "190001", ChannelName::Alipay)).await.unwrap(), Outcome::Stored);
    assert_eq!(submit(fact(&by_alipay, "190001", ChannelName::Alipay)).await.unwrap(), Outcome::Known);
    let read = shop.app.db.read(|tx| {
        let channels = mingfen::db::schema::payment::table.select(mingfen::db::schema::payment::channel);
        Ok(channels.order(mingfen::db::schema::payment::channel).load::<String>(tx.conn())?)
    });
    assert_eq!(read.await.unwrap(), ["alipay", "wechat"]);
}

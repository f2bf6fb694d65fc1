//! Keys are replaced while everything serves: what another process wrote counts at the next use.
use mingfen::app::App;
use mingfen::exchange::Incoming;
use mingfen::institutions::{self, NewKey, NewOwnKey, OurPurpose, Purpose};
use mingfen::kernel::channel::ChannelName;
use mingfen::kernel::file::Stage;
use mingfen::kernel::file::ret::{RetCode, RetStatus};
use mingfen::people::Actor;
use mingfen::protocol::crypto::PrivateKey;
use mingfen::protocol::wechat::certificates;
use mingfen::protocol::wechat::notification::ApiV3Key;
use reqwest::Method;

use crate::settle::Hand;
use crate::support::finished_day::FinishedDay;
use crate::support::shop::{Shop, other_key};

const HOUR: i64 = 3_600 * 1_000_000;

/// The same platform in another process.
fn elsewhere(shop: &Shop) -> App {
    let config = mingfen::config::Config { ..(*shop.app.config).clone() };
    App::open(config, shop.app.clock.clone(), mingfen::db::Create::No).unwrap()
}

/// Enters a key of the institution's channel from another process.
fn enter(app: &App, shop: &Shop, serial: &str, key: &PrivateKey) {
    let pem = key.public_key().unwrap().to_pem().unwrap();
    let new = NewKey {
        purpose: Purpose::Channel,
        channel: Some(ChannelName::Wechat),
        key_id: Some(serial),
        public_key_pem: &pem,
        overlap: HOUR,
    };
    let (id, at, actor) = (shop.institution_id, app.clock.now(), Actor::shell());
    app.db.write_blocking(|tx| institutions::add_key(tx, at, &actor, id, &new)).unwrap();
}

#[actix_web::test]
async fn a_new_answer_key_counts_at_once_and_the_old_one_until_its_end() {
    let mut shop = Shop::open().await;
    let (first, second, third) =
        (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await, shop.placed("ORDER-3").await);
    let (old_key, old_serial) = (shop.institution.key.clone(), shop.institution.serial.clone());
    let (new_key, new_serial) = (other_key(), "77AA77AA");
    // Unknown still: refused.
    shop.institution.key = new_key.clone();
    shop.institution.serial = new_serial.to_owned();
    let early = shop.institution.pay(&first);
    assert_eq!(shop.notify(&early).await.status, 401);

    enter(&elsewhere(&shop), &shop, new_serial, &new_key);
    assert_eq!(shop.notify(&shop.institution.pay(&first)).await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    // The old one beside it.
    shop.institution.key = old_key.clone();
    shop.institution.serial = old_serial.clone();
    assert_eq!(shop.notify(&shop.institution.pay(&second)).await.status, 204);
    // Until its end, which nobody has to write.
    shop.app.clock.advance(3_601);
    let late = shop.institution.pay(&third);
    assert_eq!(shop.notify(&late).await.status, 401);
    assert_eq!(shop.state("ORDER-3").await, "PAYING");
    // A key does not sign under another's name.
    shop.institution.serial = new_serial.to_owned();
    assert_eq!(shop.notify(&shop.institution.pay(&third)).await.status, 401);
}

#[actix_web::test]
async fn during_a_switch_to_its_public_key_notifications_signed_by_either_are_taken() {
    let mut shop = Shop::open().await;
    let by_certificate = (shop.institution.serial.clone(), shop.institution.key.clone());
    let by_public_key = ("PUB_KEY_ID_0119000000012026010100382026".to_owned(), other_key());
    enter(&elsewhere(&shop), &shop, &by_public_key.0, &by_public_key.1);
    for n in 0..4 {
        let number = format!("ORDER-{n}");
        let order_no = shop.placed(&number).await;
        let signs = if n % 2 == 0 { &by_public_key } else { &by_certificate };
        (shop.institution.serial, shop.institution.key) = signs.clone();
        assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204, "{}", signs.0);
        assert_eq!(shop.state(&number).await, "PAID");
    }
}

#[actix_web::test]
async fn a_revoked_answer_key_is_refused_at_the_next_message() {
    let shop = Shop::open().await;
    let (first, second) = (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await);
    assert_eq!(shop.notify(&shop.institution.pay(&first)).await.status, 204);
    let other = elsewhere(&shop);
    let (id, at, actor) = (shop.institution_id, other.clock.now(), Actor::shell());
    let key = (Purpose::Channel, shop.institution.serial.as_str());
    other.db.write_blocking(|tx| institutions::end_key(tx, at, &actor, id, key)).unwrap();
    assert_eq!(shop.notify(&shop.institution.pay(&second)).await.status, 401);
}

#[actix_web::test]
async fn our_key_at_the_channel_and_its_secret_are_replaced_while_serving() {
    let mut shop = Shop::open().await;
    let (first, second, third) =
        (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await, shop.placed("ORDER-3").await);
    let old = shop.institution.pay(&first);
    let (apiv3_key, other) = (ApiV3Key::generate().unwrap(), elsewhere(&shop));
    let pem = other_key().to_pem().unwrap();
    let new = NewOwnKey { serial: "0D0D", private_key_pem: &pem, apiv3_key: apiv3_key.expose() };
    let channel = (shop.institution_id, ChannelName::Wechat);
    let (at, actor) = (other.clock.now(), Actor::shell());
    let signs_by = || {
        let read = shop.app.db.read_blocking(|tx| {
            let profile = institutions::channel(tx, channel.0, channel.1)?;
            institutions::open_channel(tx, &shop.app.master_key, &profile, shop.app.clock.now())
        });
        read.unwrap().own.serial
    };
    let serial_before = signs_by();
    let prepare = |tx: &mut mingfen::db::Tx<'_>| {
        institutions::prepare_key(tx, &other.master_key, at, &actor, channel, &new)
    };
    other.db.write_blocking(prepare).unwrap();
    assert!(other.db.write_blocking(prepare).unwrap_err().to_string().contains("0D0D is there already"));
    assert_eq!(signs_by(), serial_before, "the institution does not know the new one yet");
    assert_eq!(shop.notify(&old).await.status, 204);
    let use_it =
        |tx: &mut mingfen::db::Tx<'_>| institutions::use_key(tx, at, &actor, channel, ("0D0D", HOUR));
    other.db.write_blocking(use_it).unwrap();
    other.db.write_blocking(use_it).unwrap();
    assert_eq!(signs_by(), "0D0D");
    let back =
        other.db.write_blocking(|tx| institutions::use_key(tx, at, &actor, channel, (&serial_before, HOUR)));
    assert!(back.unwrap_err().to_string().contains("does not come back"));
    let sealed_before = shop.institution.pay(&second);
    let old_key = std::mem::replace(&mut shop.institution.apiv3_key, apiv3_key);
    assert_eq!(shop.notify(&shop.institution.pay(&third)).await.status, 204);
    shop.app.clock.advance(3_601);
    assert_eq!(shop.notify(&sealed_before).await.status, 401, "too old by now");
    let new_key = std::mem::replace(&mut shop.institution.apiv3_key, old_key);
    assert_eq!(shop.notify(&shop.institution.pay(&second)).await.status, 400, "sealed with what has ended");
    shop.institution.apiv3_key = new_key;
    assert_eq!(shop.notify(&shop.institution.pay(&second)).await.status, 204);
}

#[actix_web::test]
async fn our_own_key_is_published_before_it_signs_and_answers_by_the_key_that_is_named() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let before = shop.app.known_keys().wechat.clone();
    assert_eq!(shop.query("ORDER-1").await.stamp().serial, before.serial);
    let other = elsewhere(&shop);
    let (now, actor) = (other.clock.instant(), Actor::shell());
    let rotate = |tx: &mut mingfen::db::Tx<'_>| {
        institutions::rotate(tx, &other.master_key, now, &actor, OurPurpose::Wechat, (HOUR, HOUR))
    };
    let serial = other.db.write_blocking(rotate).unwrap();
    assert_ne!(serial, before.serial);
    let listed = async |signer: &str| {
        let answer = shop.call(Method::GET, "/v3/certificates", b"").await;
        assert_eq!(answer.stamp().serial, signer);
        let opened = certificates::open(&shop.apiv3_key, &answer.body).unwrap();
        opened.into_iter().map(|certificate| certificate.serial).collect::<Vec<_>>()
    };
    // Everybody may fetch it; it does not sign yet.
    assert_eq!(listed(&before.serial).await, [serial.clone(), before.serial.clone()]);
    shop.app.clock.advance(3_601);
    assert_eq!(listed(&serial).await, [serial.clone(), before.serial.clone()]);
    shop.assert_signed(&shop.query("ORDER-1").await);
    // Who is pinned to the old one is answered by it while it counts.
    for (named, answered) in [
        (before.serial.as_str(), before.serial.as_str()),
        (before.public_key_id.as_str(), before.public_key_id.as_str()),
        ("PUB_KEY_ID_0000", serial.as_str()),
    ] {
        let answer = shop.call_naming(Method::GET, "/v3/certificates", named).await;
        assert_eq!(answer.stamp().serial, answered);
    }
    shop.app.clock.advance(3_601);
    assert_eq!(listed(&serial).await, std::slice::from_ref(&serial));
    let late = shop.call_naming(Method::GET, "/v3/certificates", &before.serial).await;
    assert_eq!(late.stamp().serial, serial);
    // What is delivered to merchants is signed by it, too, and files by the other key still.
    let keys = shop.app.keys().await.unwrap();
    assert_eq!(keys.wechat.serial, serial);
}

#[actix_web::test]
async fn an_overlap_of_more_than_ninety_days_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let (now, actor, master) = (shop.app.clock.instant(), Actor::shell(), shop.app.master_key.clone());
    let refused = shop.app.db.write_blocking(|tx| {
        institutions::rotate(tx, &master, now, &actor, OurPurpose::Files, (0, 91 * 24 * HOUR))
    });
    assert!(refused.unwrap_err().to_string().contains("overlap"), "named");
    assert_eq!(shop.rows().await, before);
}

/// Enters a key of the institution of a finished day, for one purpose, beside the one before it for an hour.
fn enter_for(f: &FinishedDay, purpose: Purpose, key: &PrivateKey) {
    let pem = key.public_key().unwrap().to_pem().unwrap();
    let new = NewKey { purpose, channel: None, key_id: None, public_key_pem: &pem, overlap: HOUR };
    let (id, at, actor) = (f.world.institution, f.world.app.clock.now(), Actor::shell());
    f.world.app.db.write_blocking(|tx| institutions::add_key(tx, at, &actor, id, &new)).unwrap();
}

#[actix_web::test]
async fn results_are_believed_by_keys_of_files_alone_and_the_old_one_until_its_end() {
    let f = FinishedDay::new(4).await;
    let day = f.world.app.clock.today();
    let old = Hand::over(&f);
    let (files, approvals) = (other_key(), PrivateKey::generate().unwrap());
    let (new, wrong) = (Hand::holding(&f, files.clone()), Hand::holding(&f, approvals.clone()));
    f.world.app.clock.set(day.next().start().plus(10 * 3_600));
    let spl = old.cut(day).await;
    let first = |hand: &Hand<'_>| hand.result(&spl, Stage::First, RetCode::Accepted, &[]);
    let refused = |hand: &Hand<'_>, result: &Incoming| {
        let told = hand.receive(result).unwrap_err().to_string();
        assert!(told.contains("E_SIGN") && told.contains("files"), "{told}");
    };
    refused(&new, &first(&new));
    enter_for(&f, Purpose::Approvals, &approvals);
    refused(&wrong, &first(&wrong));
    enter_for(&f, Purpose::Files, &files);
    let pending =
        old.all_succeed(&spl).into_iter().map(|(n, ..)| (n, RetStatus::Pending, 0)).collect::<Vec<_>>();
    old.receive(&first(&old)).unwrap();
    new.receive(&new.result(&spl, Stage::Final(1), RetCode::Accepted, &pending)).unwrap();
    f.world.app.clock.advance(3_601);
    let last =
        |hand: &Hand<'_>| hand.result(&spl, Stage::Final(2), RetCode::Accepted, &hand.all_succeed(&spl));
    refused(&old, &last(&old));
    new.receive(&last(&new)).unwrap();
    f.stop().await;
}

#[actix_web::test]
async fn files_are_signed_by_our_new_key_and_those_before_stay_as_they_are() {
    let f = FinishedDay::new(4).await;
    let (app, day) = (&f.world.app, f.day());
    let master = app.master_key.clone();
    let spl = f.out(&format!("SPL_SANDBOX_DEMO_{day}_0001.txt"));
    let signature = |path: &std::path::Path| std::fs::read(format!("{}.sig", path.display())).unwrap();
    let before = signature(&spl);
    let rotate = |tx: &mut mingfen::db::Tx<'_>| {
        institutions::rotate(tx, &master, app.clock.instant(), &Actor::shell(), OurPurpose::Files, (0, HOUR))
    };
    app.db.write_blocking(rotate).unwrap();
    let today = app.clock.today();
    app.clock.set(today.next().start().plus(10 * 3_600));
    let hand = Hand::holding(&f, other_key());
    let newer = f.out(&hand.cut(today).await.name);
    let keys = app.keys().await.unwrap();
    let is_signed_by_the_new = |path: &std::path::Path| {
        let decoded =
            mingfen::protocol::crypto::from_base64(std::str::from_utf8(&signature(path)).unwrap().trim());
        keys.files.public_key.verify(&std::fs::read(path).unwrap(), &decoded.unwrap())
    };
    assert!(is_signed_by_the_new(&newer) && !is_signed_by_the_new(&spl));
    assert_eq!(signature(&spl), before);
    app.clock.advance(3_601);
    assert_eq!(mingfen::check::breaks(app).unwrap(), Vec::<String>::new());
    f.stop().await;
}

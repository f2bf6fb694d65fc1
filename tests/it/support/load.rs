//! Notifications of many payments at once, and what must hold of them whatever happened meanwhile.
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use futures_util::stream;
use mingfen::app::App;
use mingfen::check;
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::money::Fen;
use mingfen::merchants;
use mingfen::merchants::credentials;
use mingfen::orders;
use mingfen::protocol::language::Language;
use mingfen::protocol::wechat::CNY;
use mingfen::protocol::wechat::shapes::{OrderAmount, OrderView, TradeState};

use super::database::Raw;
use super::sandbox_process::eventually;
use super::shop::Shop;

/// Senders at a time.
const SENDERS: usize = 16;

/// Paid orders of a shop that it was not told of yet.
#[derive(Default)]
pub struct Load {
    /// The institution's numbers, each with what it says.
    views: Vec<(String, OrderView)>,
    /// Numbers that were answered with 204.
    acknowledged: Mutex<Vec<String>>,
    statuses: Mutex<BTreeMap<u16, usize>>,
    stopped: AtomicBool,
}

impl Load {
    /// So many orders, placed and paid, and told of by nobody.
    pub async fn prepare(shop: &Shop, orders: usize) -> Self {
        let (sub_mchid, signer) = (shop.sub_mchid.clone(), shop.signer.clone());
        let (master, now) = (shop.app.master_key.clone(), shop.app.clock.now());
        let placed = shop.app.db.write(move |tx| {
            let merchant = merchants::by_number(tx, &sub_mchid)?.unwrap();
            let credential = credentials::find(tx, &master, &signer.mchid, &signer.serial)?.unwrap();
            let mut numbers = Vec::new();
            for n in 0..orders {
                let request = orders::Request {
                    platform_merchant_id: merchant.platform_merchant_id,
                    credential_id: credential.id,
                    merchant: merchant.clone(),
                    order_prefix: "SB".to_owned(),
                    channel: ChannelName::Wechat,
                    product: Product::NATIVE,
                    language: Language::WechatPartner,
                    out_trade_no: format!("LOAD-{n}"),
                    content_sha256: Digest::ZERO,
                    tags: Tags::default(),
                    parties: Parties::default(),
                    amount: Fen::new(100 + n as i64),
                    description: "load".to_owned(),
                    attach: String::new(),
                    carried: None,
                    notify_url: "http://127.0.0.1:9/notify".to_owned(),
                    time_expire: None,
                };
                numbers.push(orders::create(tx, &request, now)?.0.order.order_no);
            }
            Ok(numbers)
        });
        let views = placed.await.unwrap().into_iter().enumerate();
        let views = views.map(|(n, order_no)| view(shop, n, order_no)).collect();
        Load { views, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Their numbers.
    pub fn acknowledged_numbers(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// How often a status was answered.
    pub fn answered(&self, status: u16) -> usize {
        self.statuses.lock().unwrap().get(&status).copied().unwrap_or(0)
    }

    /// The same payments, told of by nobody.
    pub fn again(&self) -> Self {
        Load { views: self.views.clone(), ..Self::default() }
    }

    /// Tells each payment once; whoever is refused stays so.
    pub async fn tell_once(&self, shop: &Shop) {
        self.tell_once_at(shop, &shop.base_url).await;
    }

    /// [`Load::tell_once`] at another site of the same platform.
    pub async fn tell_once_at(&self, shop: &Shop, base_url: &str) {
        let told = stream::iter(&self.views).map(|(number, view)| self.tell(shop, base_url, number, view));
        told.buffer_unordered(SENDERS).for_each(|()| async {}).await;
    }

    /// Tells each payment until it is acknowledged.
    pub async fn tell_until_acknowledged(&self, shop: &Shop) {
        let told = stream::iter(&self.views).map(async |(number, view)| {
            eventually("the payment is taken", async || {
                self.tell(shop, &shop.base_url, number, view).await;
                self.acknowledged.lock().unwrap().contains(number).then_some(())
            })
            .await;
        });
        told.buffer_unordered(SENDERS).for_each(|()| async {}).await;
    }

    /// [`Load::tell_some`] begins with no further payment; what is under way is waited for.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Tells these payments, counted on from the beginning again, to a platform that may be killed meanwhile.
    pub async fn tell_some(&self, shop: &Shop, from: usize, count: usize) {
        self.stopped.store(false, Ordering::SeqCst);
        let some = self.views.iter().cycle().skip(from % self.views.len()).take(count);
        let told = stream::iter(some).map(async |(number, view)| {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok(answer) = shop.try_notify(&shop.institution.notice_of(view)).await else { return };
            assert!(matches!(answer.status, 204 | 503), "{}", answer.status);
            if answer.status == 204 {
                self.acknowledged.lock().unwrap().push(number.clone());
            }
        });
        told.buffer_unordered(SENDERS).for_each(|()| async {}).await;
    }

    /// Tells each payment once, whatever is answered; how many were not taken.
    pub async fn tell_to_the_end(&self, shop: &Shop) -> usize {
        let told = stream::iter(&self.views).map(async |(number, view)| {
            let taken = shop.notify(&shop.institution.notice_of(view)).await.status == 204;
            if taken {
                self.acknowledged.lock().unwrap().push(number.clone());
            }
            usize::from(!taken)
        });
        told.buffer_unordered(SENDERS).fold(0, async |all, one| all + one).await
    }

    async fn tell(&self, shop: &Shop, base_url: &str, number: &str, view: &OrderView) {
        let answer = shop.notify_site(base_url, &shop.institution.notice_of(view)).await;
        *self.statuses.lock().unwrap().entry(answer.status).or_default() += 1;
        match answer.status {
            204 => self.acknowledged.lock().unwrap().push(number.to_owned()),
            503 => assert!(answer.headers.contains_key("retry-after")),
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    /// Every acknowledged payment is there once, no other more than once, and none by half.
    pub fn assert_kept(&self, database: &mut Raw) {
        let mut acknowledged = self.acknowledged.lock().unwrap().clone();
        acknowledged.sort();
        acknowledged.dedup();
        let kept = database.texts("SELECT inst_order_no AS v FROM payment ORDER BY 1");
        let mut once = kept.clone();
        once.dedup();
        assert_eq!(once, kept);
        for number in acknowledged {
            assert!(kept.binary_search(&number).is_ok(), "{number}");
        }
        let keys = database.texts("SELECT inst_order_no AS v FROM payment_key ORDER BY 1");
        assert_eq!(keys, kept);
        for table in ["outbox", "raw_message"] {
            assert_eq!(database.count(table), kept.len() as i64, "{table}");
        }
    }

    /// Tells all again until all are taken: each is there once, and nothing is broken.
    pub async fn assert_all_is_well(&self, shop: &Shop, database: &mut Raw) {
        self.assert_kept(database);
        self.tell_until_acknowledged(shop).await;
        self.assert_kept(database);
        assert_eq!(database.count("payment"), self.len() as i64);
        let app = App::clone(&shop.app);
        let breaks = tokio::task::spawn_blocking(move || check::breaks(&app)).await.unwrap();
        assert_eq!(breaks.unwrap(), Vec::<String>::new());
    }
}

fn view(shop: &Shop, n: usize, order_no: String) -> (String, OrderView) {
    let number = format!("4300{n:024}");
    let view = OrderView {
        sp_appid: "wx00000000000000ff".to_owned(),
        sp_mchid: "1800000001".to_owned(),
        sub_appid: None,
        sub_mchid: shop.inst_merchant_no.clone(),
        out_trade_no: order_no,
        transaction_id: Some(number.clone()),
        trade_type: Some("NATIVE".to_owned()),
        trade_state: TradeState::Success,
        trade_state_desc: "支付成功".to_owned(),
        bank_type: Some("OTHERS".to_owned()),
        attach: None,
        success_time: Some(shop.app.clock.instant().to_cst()),
        payer: None,
        promotion_detail: None,
        amount: Some(OrderAmount {
            total: Fen::new(100 + n as i64),
            payer_total: Some(Fen::new(100 + n as i64)),
            currency: Some(CNY.to_owned()),
            payer_currency: None,
        }),
    };
    (number, view)
}

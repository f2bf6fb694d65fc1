//! A merchant's system in front of our gateway, with a licensed institution behind it.
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use mingfen::app::App;
use mingfen::channels::http::{Guarded, Limits};
use mingfen::config::Config;
use mingfen::db::columns::{InstitutionId, TenantId};
use mingfen::institutions::{self, NewKey, Purpose};
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::digest::Digest;
use mingfen::merchants;
use mingfen::merchants::credentials::{self, AnswerMode, NewCredential};
use mingfen::merchants::founding::{
    ChannelPart, Founded, Founding, InstitutionPart, MerchantPart, TenantPart,
};
use mingfen::merchants::tenants;
use mingfen::orders::{self, Detail};
use mingfen::people::{Actor, Scope};
use mingfen::protocol::crypto::PrivateKey;
use mingfen::protocol::language::Language;
use mingfen::protocol::wechat::notification::ApiV3Key;
use mingfen::protocol::wechat::sign::{AnswerKey, Authorization, SERIAL, Signer, Stamp};
use mingfen::web::site;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::TestApp;
use super::bundle;
use super::institution::{Institution, Notice};

/// The merchant's key, made once for all tests.
pub static MERCHANT_KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());
/// Our number at the institution.
const CHANNEL_SP_MCHID: &str = "1800000001";

/// The running platform, seen by one merchant.
pub struct Shop {
    pub app: TestApp,
    pub institution: Institution,
    pub institution_id: InstitutionId,
    pub tenant_id: TenantId,
    pub signer: Signer,
    pub apiv3_key: ApiV3Key,
    /// Approved by the institution.
    pub sub_mchid: String,
    pub inst_merchant_no: String,
    /// Approved, but of another tenant.
    pub foreign_sub_mchid: String,
    /// Of this tenant, approved for a time that is over.
    pub idle_sub_mchid: String,
    pub base_url: String,
    http: reqwest::Client,
    server: ServerHandle,
}

impl Drop for Shop {
    fn drop(&mut self) {
        // The order to stop is sent at once; nobody needs to wait for it.
        drop(self.server.stop(false));
    }
}

struct Wishes {
    settings: Box<dyn FnOnce(&mut Config)>,
    limits: Option<Limits>,
    mode: AnswerMode,
}

impl Shop {
    /// A platform with one institution, whose bundle lets `sub_mchid` trade.
    pub async fn open() -> Self {
        Self::on(str::to_owned).await
    }

    /// Stands on the database that this makes of the URL of a fresh one.
    pub async fn on(url: impl FnOnce(&str) -> String + 'static) -> Self {
        let settings = Box::new(|config: &mut Config| config.database_url = url(&config.database_url));
        Self::with(Wishes { settings, limits: None, mode: AnswerMode::Certificate }).await
    }

    /// As in production: no private addresses.
    pub async fn open_strict() -> Self {
        let settings = Box::new(|config: &mut Config| config.allow_private_addresses = false);
        Self::with(Wishes { settings, limits: None, mode: AnswerMode::Certificate }).await
    }

    /// Gives the institution little time to answer.
    pub async fn open_impatient() -> Self {
        let limits = Limits { total: Duration::from_millis(500), ..Limits::default() };
        let mode = AnswerMode::Certificate;
        Self::with(Wishes { settings: Box::new(|_| {}), limits: Some(limits), mode }).await
    }

    /// Answers are signed as the public-key pair.
    pub async fn open_in_public_key_mode() -> Self {
        let mode = AnswerMode::PublicKey;
        Self::with(Wishes { settings: Box::new(|_| {}), limits: None, mode }).await
    }

    async fn with(wishes: Wishes) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let mut app = TestApp::configured(|config| {
            config.public_url = base_url.clone();
            (wishes.settings)(config);
        });
        if let Some(limits) = wishes.limits {
            app.http = Guarded::new(limits, true).unwrap();
        }
        let institution = Institution::start(&app.clock).await;
        let institution_id = set_up_institution(&app, &institution);
        let apiv3_key = ApiV3Key::generate().unwrap();
        let tenant_id = tenant(&app, "1900000001");
        let other_tenant = tenant(&app, "1900000002");
        for (merchant, tenant, number) in [
            ("M1001", tenant_id, "190001"),
            ("M2001", other_tenant, "190002"),
            ("M1009", tenant_id, "190009"),
        ] {
            sub_merchant(&app, institution_id, merchant, tenant, number);
        }
        let signer = Signer {
            mchid: "1900000001".to_owned(),
            serial: "3775B6A45ACD588826D15E583A95F5DD00AABBCC".to_owned(),
            key: MERCHANT_KEY.clone(),
        };
        credential(&app, tenant_id, &signer, &apiv3_key, wishes.mode);
        bundle::approve(
            &app,
            &institution,
            institution_id,
            &[("M1001", "190001"), ("M2001", "190002"), ("M1009", "190009")],
        );
        let server = serve(&app, listener);
        Self {
            app,
            institution,
            institution_id,
            tenant_id,
            signer,
            apiv3_key,
            sub_mchid: "M1001".to_owned(),
            inst_merchant_no: "190001".to_owned(),
            foreign_sub_mchid: "M2001".to_owned(),
            idle_sub_mchid: "M1009".to_owned(),
            base_url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            server,
        }
    }
}

fn serve(app: &App, listener: std::net::TcpListener) -> ServerHandle {
    let state = Data::new(app.clone());
    let server = HttpServer::new(move || site(state.clone())).workers(1).disable_signals();
    let server = server.listen(listener).unwrap().run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    handle
}

/// Makes a platform merchant.
pub fn tenant(app: &App, number: &str) -> TenantId {
    establish(app, Founding { tenant: vec![tenant_part(number)], ..Founding::default() });
    app.db.read_blocking(|tx| tenants::by_number(tx, number)).unwrap().unwrap().id
}

fn tenant_part(number: &str) -> TenantPart {
    TenantPart {
        sp_mchid: number.to_owned(),
        sp_appid: "wx0000000000000001".to_owned(),
        name: "服务商".to_owned(),
    }
}

/// Makes a sub-merchant.
pub fn sub_merchant(
    app: &App,
    institution_id: InstitutionId,
    merchant: &str,
    tenant: TenantId,
    number: &str,
) {
    let names = app.db.read_blocking(|tx| {
        Ok((institutions::by_id(tx, institution_id)?.code, tenants::by_id(tx, tenant)?.sp_mchid))
    });
    let (institution, tenant) = names.unwrap();
    let part = MerchantPart {
        merchant: merchant.to_owned(),
        name: "一家店".to_owned(),
        tenant,
        institution: Some(institution),
        inst_merchant_no: number.to_owned(),
    };
    establish(app, Founding { merchant: vec![part], ..Founding::default() });
}

/// Enters a founding document.
pub fn establish(app: &App, founding: Founding) -> Founded {
    let at = app.clock.now();
    let entered = app.db.write_blocking(|tx| founding.establish(tx, &app.master_key, at, &Actor::shell()));
    entered.unwrap()
}

/// What the tenant's systems sign with from now on.
pub fn credential(
    app: &App,
    tenant: TenantId,
    signer: &Signer,
    apiv3_key: &ApiV3Key,
    answer_mode: AnswerMode,
) {
    let pem = signer.key.public_key().unwrap().to_pem().unwrap();
    let new = NewCredential {
        platform_merchant_id: tenant,
        serial: &signer.serial,
        public_key_pem: &pem,
        apiv3_key: apiv3_key.expose(),
        answer_mode,
    };
    let at = app.clock.now();
    app.db.write_blocking(|tx| credentials::create(tx, &app.master_key, at, &Actor::shell(), &new)).unwrap();
}

/// Makes the institution known to a platform.
pub fn set_up_institution(app: &App, institution: &Institution) -> InstitutionId {
    set_up(app, "SANDBOX", institution)
}

/// Makes an institution known to a platform under a code.
pub fn set_up(app: &App, code: &str, institution: &Institution) -> InstitutionId {
    let public = institution.key.public_key().unwrap().to_pem().unwrap();
    let founding = Founding {
        institution: Some(InstitutionPart {
            code: code.to_owned(),
            name: "测试机构".to_owned(),
            platform_code: "DEMO".to_owned(),
            order_prefix: "SB".to_owned(),
            result_encoding: "ASCII".to_owned(),
            documents: "channel".to_owned(),
        }),
        channel: vec![ChannelPart {
            institution: None,
            channel: "wechat".to_owned(),
            language: "wechat_v3".to_owned(),
            base_url: institution.base_url.clone(),
            sp_mchid: CHANNEL_SP_MCHID.to_owned(),
            sp_appid: "wx00000000000000ff".to_owned(),
            serial: Some("0BADCAFE".to_owned()),
            private_key: Some(MERCHANT_KEY.to_pem().unwrap()),
            apiv3_key: Some(institution.apiv3_key.expose().to_owned()),
        }],
        ..Founding::default()
    };
    establish(app, founding.with_keys(&public, (&institution.serial, &public)));
    app.db.read_blocking(|tx| institutions::by_code(tx, code)).unwrap().id
}

/// From now on the platform believes this key's files only.
pub fn believe_files_of(app: &App, institution: InstitutionId, key: &PrivateKey) {
    let pem = key.public_key().unwrap().to_pem().unwrap();
    let (id, at, actor) = (institution, app.clock.now(), Actor::shell());
    let entered = app.db.write_blocking(|tx| {
        for purpose in [Purpose::Approvals, Purpose::Files] {
            let new = NewKey { purpose, channel: None, key_id: None, public_key_pem: &pem, overlap: 0 };
            institutions::add_key(tx, at, &actor, id, &new)?;
        }
        Ok(())
    });
    entered.unwrap();
}

/// An answer of the gateway.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn stamp(&self) -> Stamp {
        Stamp::read(|name| self.headers.get(name).and_then(|value| value.to_str().ok())).unwrap()
    }
}

/// A request before it is signed; a test changes what it likes.
pub struct Call {
    pub method: Method,
    pub target: String,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl Shop {
    pub fn sp_mchid(&self) -> &str {
        &self.signer.mchid
    }

    /// The body of a good order.
    pub fn order(&self, number: &str) -> Value {
        json!({
            "sp_appid": "wx0000000000000001",
            "sp_mchid": self.sp_mchid(),
            "sub_mchid": self.sub_mchid,
            "description": "商品 one",
            "out_trade_no": number,
            "notify_url": "http://127.0.0.1:9/notify",
            "attach": "own",
            "goods_tag": "mingfen:food,promo;agent=agent:A1",
            "amount": {"total": 12345, "currency": "CNY"},
        })
    }

    /// Sends a request signed by the merchant.
    pub async fn call(&self, method: Method, target: &str, body: &[u8]) -> Answered {
        let authorization = self.authorize(method.as_str(), target, body);
        self.send(Call {
            method,
            target: target.to_owned(),
            body: body.to_vec(),
            headers: vec![("Authorization", authorization.to_string())],
        })
        .await
    }

    /// [`Shop::call`] without a body, asking to be answered by a key of ours.
    pub async fn call_naming(&self, method: Method, target: &str, key: &str) -> Answered {
        let authorization = self.authorize(method.as_str(), target, b"").to_string();
        let headers = vec![("Authorization", authorization), (SERIAL, key.to_owned())];
        self.send(Call { method, target: target.to_owned(), body: Vec::new(), headers }).await
    }

    pub fn authorize(&self, method: &str, target: &str, body: &[u8]) -> Authorization {
        Authorization::sign(&self.signer, self.app.clock.instant(), method, target, body).unwrap()
    }

    /// Delivers it to a site of this platform.
    pub async fn notify_site(&self, base_url: &str, notice: &Notice) -> Answered {
        self.send_to(base_url, told_at("/notify/SANDBOX/wechat", notice)).await
    }

    pub async fn send(&self, call: Call) -> Answered {
        self.send_to(&self.base_url, call).await
    }

    async fn send_to(&self, base_url: &str, call: Call) -> Answered {
        self.try_send_to(base_url, call).await.unwrap()
    }

    /// The same where the platform may be gone.
    async fn try_send_to(&self, base_url: &str, call: Call) -> Result<Answered, reqwest::Error> {
        let mut request =
            self.http.request(call.method, format!("{base_url}{}", call.target)).body(call.body);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answered { status, headers, body: answer.bytes().await?.to_vec() })
    }

    pub async fn place(&self, order: &Value) -> Answered {
        self.call(Method::POST, "/v3/pay/partner/transactions/native", order.to_string().as_bytes()).await
    }

    /// [`Shop::place`] where the platform may be gone.
    pub async fn try_place(&self, order: &Value) -> Result<Answered, reqwest::Error> {
        let (target, body) = ("/v3/pay/partner/transactions/native", order.to_string().into_bytes());
        let authorization = self.authorize("POST", target, &body).to_string();
        let headers = vec![("Authorization", authorization)];
        let call = Call { method: Method::POST, target: target.to_owned(), body, headers };
        self.try_send_to(&self.base_url, call).await
    }

    /// Places a good order and returns our number for it.
    pub async fn placed(&self, number: &str) -> String {
        let answer = self.place(&self.order(number)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        self.order_no(number).await
    }

    /// Our number of the merchant's order.
    pub async fn order_no(&self, number: &str) -> String {
        let (tenant, number) = (self.tenant_id, number.to_owned());
        let order = self.app.db.read(move |tx| mingfen::orders::by_out_trade_no(tx, tenant, &number)).await;
        order.unwrap().unwrap().order_no
    }

    /// The derived state of the merchant's order.
    pub async fn state(&self, number: &str) -> &'static str {
        let (tenant, number) = (self.tenant_id, number.to_owned());
        let state = self.app.db.read(move |tx| {
            let order = mingfen::orders::by_out_trade_no(tx, tenant, &number)?.unwrap();
            Ok(mingfen::orders::standing(tx, order)?.state)
        });
        state.await.unwrap().as_str()
    }

    pub async fn query(&self, number: &str) -> Answered {
        self.call(Method::GET, &self.query_target(number), b"").await
    }

    pub fn query_target(&self, number: &str) -> String {
        format!(
            "/v3/pay/partner/transactions/out-trade-no/{number}?sp_mchid={}&sub_mchid={}",
            self.sp_mchid(),
            self.sub_mchid
        )
    }

    pub async fn close(&self, number: &str) -> Answered {
        let target = format!("/v3/pay/partner/transactions/out-trade-no/{number}/close");
        let body = json!({"sp_mchid": self.sp_mchid(), "sub_mchid": self.sub_mchid});
        self.call(Method::POST, &target, body.to_string().as_bytes()).await
    }

    /// Delivers a notification of the institution.
    pub async fn notify(&self, notice: &Notice) -> Answered {
        self.notify_at("/notify/SANDBOX/wechat", notice).await
    }

    pub async fn notify_at(&self, target: &str, notice: &Notice) -> Answered {
        self.send(told_at(target, notice)).await
    }

    /// Delivers a notification to a platform that may be gone.
    pub async fn try_notify(&self, notice: &Notice) -> Result<Answered, reqwest::Error> {
        self.try_send_to(&self.base_url, told_at("/notify/SANDBOX/wechat", notice)).await
    }

    /// What the pages show of the merchant's order.
    pub async fn detail(&self, number: &str) -> Detail {
        let order_no = self.order_no(number).await;
        self.app.db.read(move |tx| orders::detail(tx, &Scope::Platform, &order_no)).await.unwrap()
    }

    /// An answer of ours is signed, whatever it says.
    pub fn assert_signed(&self, answer: &Answered) {
        assert!(answer.stamp().verify(&self.app.known_keys().wechat.public_key, &answer.body));
        assert_eq!(answer.headers["wechatpay-signature-type"], "WECHATPAY2-SHA256-RSA2048");
    }

    /// To whom nothing is proven nothing is signed.
    pub fn assert_unsigned(answer: &Answered) {
        assert!(!answer.headers.contains_key("wechatpay-signature"), "{answer:?}");
    }

    /// The key by which a merchant knows us.
    pub fn answer_keys(&self) -> Vec<AnswerKey> {
        let ours = &self.app.known_keys().wechat;
        vec![AnswerKey { serial: ours.serial.clone(), key: ours.public_key.clone() }]
    }

    /// An order that was stored when the process died before it was sent; our number for it.
    pub async fn left_behind(&self, number: &str) -> String {
        let (sub_mchid, credential) = (self.sub_mchid.clone(), self.signer.clone());
        let (master, number, now) = (self.app.master_key.clone(), number.to_owned(), self.app.clock.now());
        let stored = self.app.db.write(move |tx| {
            let merchant = merchants::by_number(tx, &sub_mchid)?.unwrap();
            let credential = credentials::find(tx, &master, &credential.mchid, &credential.serial)?.unwrap();
            let request = orders::Request {
                platform_merchant_id: merchant.platform_merchant_id,
                credential_id: credential.id,
                merchant,
                order_prefix: "SB".to_owned(),
                channel: ChannelName::Wechat,
                product: Product::NATIVE,
                language: Language::WechatPartner,
                out_trade_no: number,
                content_sha256: Digest::ZERO,
                tags: Tags::default(),
                parties: Parties::default(),
                amount: mingfen::kernel::money::Fen::new(12345),
                description: "left behind".to_owned(),
                attach: String::new(),
                carried: None,
                notify_url: "http://127.0.0.1:9/notify".to_owned(),
                time_expire: None,
            };
            Ok(orders::create(tx, &request, now)?.0.order.order_no)
        });
        stored.await.unwrap()
    }

    /// Rows of every table but the nonces, which are kept for minutes only.
    pub async fn rows(&self) -> BTreeMap<String, i64> {
        let mut rows = self.app.row_counts();
        // A refusal leaves this trace, a moment later.
        rows.remove("security_event");
        rows.remove("request_nonce");
        rows
    }

    /// Asks for an answer signed by a certain key.
    pub async fn query_with_serial(&self, number: &str, serial: &str) -> Answered {
        let target = self.query_target(number);
        let authorization = self.authorize("GET", &target, b"");
        self.send(Call {
            method: Method::GET,
            target,
            body: Vec::new(),
            headers: vec![("Authorization", authorization.to_string()), (SERIAL, serial.to_owned())],
        })
        .await
    }
}

fn told_at(target: &str, notice: &Notice) -> Call {
    Call {
        method: Method::POST,
        target: target.to_owned(),
        body: notice.body.clone(),
        headers: notice.headers.clone(),
    }
}

/// A key of somebody else.
pub fn other_key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

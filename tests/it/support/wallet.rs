//! Alipay's gateway at an institution, as far as days need it: its trade bill, signed and fetched as documented.
use std::sync::{Arc, Mutex};

use actix_web::{App as Site, HttpResponse, HttpServer, web};
use mingfen::app::App;
use mingfen::merchants::founding::{ChannelPart, Founding, KeyPart};
use mingfen::protocol::alipay::Method;
use mingfen::protocol::alipay::answer::{Answer, AnswerSigner, sign};
use mingfen::protocol::alipay::answers::BillAt;
use mingfen::protocol::alipay::charset::Charset;
use mingfen::protocol::crypto::PrivateKey;

use super::institution::Institution;
use super::shop::establish;

/// Whose account the bills are of.
pub const ACCOUNT: &str = "2088021000000000";

/// The running gateway.
#[derive(Clone)]
pub struct Wallet {
    pub base_url: String,
    key: PrivateKey,
    bill: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Wallet {
    /// Starts it on a free port of the loopback, down until it has a bill.
    pub async fn start(institution: &Institution) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let wallet = Self { base_url, key: institution.key.clone(), bill: Arc::default() };
        let state = web::Data::new(wallet.clone());
        let server = HttpServer::new(move || {
            Site::new()
                .app_data(state.clone())
                .route("/gateway.do", web::post().to(answer))
                .route("/bill", web::get().to(download))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        actix_web::rt::spawn(server);
        wallet
    }

    /// From now on this is its bill of every day; without one it is down.
    pub fn set_bill(&self, bytes: Option<Vec<u8>>) {
        *self.bill.lock().unwrap() = bytes;
    }

    /// A document that makes it a channel of the institution.
    pub fn channel(&self) -> Founding {
        let public = self.key.public_key().unwrap().to_pem().unwrap();
        Founding {
            channel: vec![ChannelPart {
                institution: Some("SANDBOX".to_owned()),
                channel: "alipay".to_owned(),
                language: "alipay_openapi".to_owned(),
                base_url: self.base_url.clone(),
                sp_mchid: ACCOUNT.to_owned(),
                sp_appid: "2021000000000001".to_owned(),
                serial: Some("0A11".to_owned()),
                private_key: Some(self.key.to_pem().unwrap()),
                apiv3_key: Some("0123456789abcdef0123456789abcdef".to_owned()),
            }],
            key: vec![KeyPart {
                institution: Some("SANDBOX".to_owned()),
                purpose: "channel".to_owned(),
                channel: Some("alipay".to_owned()),
                key_id: Some("0A12".to_owned()),
                public_key: public,
                overlap_days: 0,
            }],
            ..Founding::default()
        }
    }

    /// Makes it a channel of the institution.
    pub fn join(&self, app: &App) {
        establish(app, self.channel());
    }
}

async fn answer(this: web::Data<Wallet>) -> HttpResponse {
    if this.bill.lock().unwrap().is_none() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let found = Answer::success(BillAt { bill_download_url: format!("{}/bill", this.base_url) });
    let who = AnswerSigner { key: &this.key, certificate: None };
    let body = sign(who, Some(Method::BillDownload.as_str()), Charset::Utf8, &found).unwrap();
    HttpResponse::Ok().content_type("application/json").body(body)
}

async fn download(this: web::Data<Wallet>) -> HttpResponse {
    HttpResponse::Ok().body(this.bill.lock().unwrap().clone().unwrap())
}

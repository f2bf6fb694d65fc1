//! A merchant's notify_url: keeps what arrives and answers what the test wants.
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use mingfen::protocol::wechat::sign::Stamp;

/// A notification as it arrived.
pub struct Arrived {
    pub stamp: Stamp,
    pub body: Vec<u8>,
}

struct Inner {
    status: u16,
    arrived: Vec<Arrived>,
}

/// The merchant's server.
pub struct Receiver {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
    server: ServerHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Receiver {
    /// Starts it; it answers `status`.
    pub fn start(status: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { status, arrived: Vec::new() }));
        let state = web::Data::from(inner.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).route("/notify", web::post().to(take))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, inner, server: handle }
    }

    pub fn answer(&self, status: u16) {
        self.inner.lock().unwrap().status = status;
    }

    /// What arrived since the last call.
    pub fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.inner.lock().unwrap().arrived)
    }
}

async fn take(inner: web::Data<Mutex<Inner>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let stamp =
        Stamp::read(|name| request.headers().get(name).and_then(|value| value.to_str().ok())).unwrap();
    let mut inner = inner.lock().unwrap();
    inner.arrived.push(Arrived { stamp, body: body.to_vec() });
    HttpResponse::build(StatusCode::from_u16(inner.status).unwrap()).finish()
}

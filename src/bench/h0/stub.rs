//! An institution that answers every order at once and stores nothing.
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::http::is_whole;
use super::super::world::{ANSWER_SERIAL, World};
use crate::protocol::wechat::sign::Stamp;

/// Listens on threads of its own until the process ends.
pub(super) struct Stub {
    pub url: String,
    answer: Answer,
}

/// The whole answer as it is sent.
type Answer = Arc<Mutex<Arc<Vec<u8>>>>;

impl Stub {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        listener.set_nonblocking(true)?;
        let answer = Answer::default();
        let shown = Arc::clone(&answer);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let shown = Arc::clone(&shown);
                // The platform closes what it does not need any more.
                tokio::spawn(async move { drop(answer_all(stream, shown).await) });
            }
        };
        thread::Builder::new().name("institution".to_owned()).spawn(move || {
            let ended: std::io::Result<()> = runtime.block_on(serve);
            if let Err(error) = ended {
                tracing::error!(%error, "the institution of the bench ended");
            }
        })?;
        Ok(Stub { url, answer })
    }

    /// Signs what it answers from now on: a signature holds for five minutes.
    pub fn sign(&self, world: &World) -> anyhow::Result<()> {
        let body = br#"{"code_url":"weixin://wxpay/bizpayurl?pr=bench"}"#;
        let stamp = Stamp::sign(ANSWER_SERIAL, &world.key, world.app.clock.instant(), body)?;
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in stamp.headers() {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        let mut answer = answer.into_bytes();
        answer.extend_from_slice(body);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answer);
        Ok(())
    }
}

async fn answer_all(mut stream: TcpStream, shown: Answer) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(2_048);
    loop {
        request.clear();
        while !is_whole(&request) {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let answer = Arc::clone(&shown.lock().unwrap_or_else(PoisonError::into_inner));
        stream.write_all(&answer).await?;
    }
}

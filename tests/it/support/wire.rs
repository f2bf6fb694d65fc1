//! A caller who writes HTTP by hand, and stops where no client would.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Far longer than anything here takes; only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection.
pub struct Wire(TcpStream);

impl Wire {
    /// Connects to a base URL.
    pub async fn to(base_url: &str) -> Self {
        Wire(TcpStream::connect(base_url.strip_prefix("http://").unwrap()).await.unwrap())
    }

    /// Whether all of it could be sent.
    pub async fn send(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.is_ok()
    }

    /// Sends a byte now and then until the other side is gone.
    pub async fn drip(&mut self) -> String {
        let mut said = Vec::new();
        let read = async {
            loop {
                tokio::select! {
                    read = self.0.read_buf(&mut said) => if read.unwrap_or(0) == 0 { return },
                    () = tokio::time::sleep(Duration::from_millis(300)) => drop(self.0.write_all(b"x").await),
                }
            }
        };
        timeout(PATIENCE, read).await.expect("the connection is still held");
        String::from_utf8(said).unwrap()
    }

    /// What is said until the head of an answer is whole.
    pub async fn head(&mut self) -> String {
        let mut said = Vec::new();
        let read = async {
            while !said.windows(4).any(|end| end == b"\r\n\r\n") {
                assert_ne!(self.0.read_buf(&mut said).await.unwrap(), 0, "closed without an answer");
            }
        };
        timeout(PATIENCE, read).await.expect("no answer");
        String::from_utf8_lossy(&said).into_owned()
    }

    /// What is said until the other side closes.
    pub async fn rest(&mut self) -> String {
        let mut said = Vec::new();
        let read = async { while self.0.read_buf(&mut said).await.unwrap_or(0) > 0 {} };
        timeout(PATIENCE, read).await.expect("the connection is still held");
        String::from_utf8(said).unwrap()
    }
}

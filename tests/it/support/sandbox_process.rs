//! The sandbox institution as a process of its own, and what a test does to it over its control API.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Wall};

use mingfen::clock::Clock;
use mingfen::sandbox::{PublicIdentity, Registration};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

/// How long a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `happened` gives something; a test that waits in vain fails with `what`.
pub async fn eventually<T>(what: &str, mut happened: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Wall::now() + PATIENCE;
    loop {
        if let Some(value) = happened().await {
            return value;
        }
        assert!(Wall::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A running sandbox. It ends with the test.
pub struct SandboxProcess {
    child: Child,
    pub identity: PublicIdentity,
    data: PathBuf,
    exchange: PathBuf,
    http: reqwest::Client,
}

impl Drop for SandboxProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl SandboxProcess {
    /// Starts it on a free port; notifications go out only when a test asks for it.
    pub async fn start(data: &Path, exchange: &Path) -> Self {
        let (child, identity) = spawn(data, exchange, "127.0.0.1:0");
        Self { child, identity, data: data.to_owned(), exchange: exchange.to_owned(), http: http() }
    }

    pub fn base_url(&self) -> &str {
        &self.identity.base_url
    }

    /// Ends it without a word, as a power cut does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on its directory and its port.
    pub async fn restart(&mut self) {
        let address = self.base_url().strip_prefix("http://").unwrap().to_owned();
        let (child, identity) = spawn(&self.data, &self.exchange, &address);
        assert_eq!(identity.serial, self.identity.serial, "the keys must survive");
        // Connections to the one that was killed lead nowhere.
        (self.child, self.identity, self.http) = (child, identity, http());
    }

    /// A control call that must succeed.
    pub async fn control(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.try_control(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub async fn try_control(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/sandbox/{path}", self.base_url()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> Value {
        self.control(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: impl Serialize) -> Value {
        self.control(Method::POST, path, Some(&serde_json::to_value(body).unwrap())).await
    }

    /// Registers the platform at the WeChat channel.
    pub async fn register(&self, registration: &Registration) {
        let body = serde_json::to_value(registration).unwrap();
        self.control(Method::PUT, "platform", Some(&body)).await;
    }

    /// Registers the platform at the Alipay channel.
    pub async fn register_alipay(&self, registration: &Registration) {
        let body = serde_json::to_value(registration).unwrap();
        self.control(Method::PUT, "platform/alipay", Some(&body)).await;
    }

    /// Sets its clock to this one's time.
    pub async fn follow(&self, clock: &Clock) {
        let body = json!({"now": clock.instant().to_cst()});
        self.control(Method::PUT, "clock", Some(&body)).await;
    }

    /// Switches a fault on, for `times` more times.
    pub async fn fault(&self, fault: &str, on: &str, times: u32) {
        self.post("faults", json!({"fault": fault, "on": on, "times": times})).await;
    }

    /// Switches every fault off.
    pub async fn no_faults(&self) {
        self.control(Method::DELETE, "faults", None).await;
    }

    /// Pays an order by the number that the platform sent.
    pub async fn pay(&self, order_no: &str) -> Value {
        self.post("pay", json!({"out_trade_no": order_no})).await
    }

    /// Delivers what is due: `{"due", "sent", "done"}`.
    pub async fn deliver(&self) -> Value {
        self.post("deliveries/run", json!({})).await
    }

    /// How many requests of a kind arrived about an order, also those that no answer followed.
    pub async fn requests(&self, operation: &str, order_no: &str) -> u64 {
        let log = self.get(&format!("requests?out_trade_no={order_no}")).await;
        log["counts"][operation].as_u64().unwrap_or(0)
    }

    /// An order as the institution sees it; null when it never saw it.
    pub async fn order(&self, order_no: &str) -> Value {
        self.get(&format!("orders?out_trade_no={order_no}")).await[0].clone()
    }

    /// The numbers of every order that arrived.
    pub async fn order_numbers(&self) -> Vec<String> {
        let orders = self.get("orders").await;
        let numbers = orders.as_array().unwrap().iter();
        numbers.map(|order| order["out_trade_no"].as_str().unwrap().to_owned()).collect()
    }

    /// Where the platform publishes, and where it finds results.
    pub fn folder(&self, direction: &str) -> PathBuf {
        self.exchange.join(&self.identity.institution).join(direction)
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn spawn(data: &Path, exchange: &Path, listen: &str) -> (Child, PublicIdentity) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mingfen"))
        .args(["sandbox", "--manual", "--listen", listen, "--data"])
        .arg(data)
        .arg("--exchange")
        .arg(exchange)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let identity = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the sandbox said: {line:?}"));
    (child, identity)
}

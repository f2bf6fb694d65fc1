//! A headless Chromium, driven through chromedriver, that finds fault with every page it opens.
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

const AXE: &str = include_str!("../../vendor/axe.min.js");
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/// Desk and phone.
pub const WIDTHS: [u32; 2] = [1440, 390];

pub struct Browser {
    pub client: Client,
    site: String,
    driver_url: String,
    session: String,
    http: reqwest::Client,
    driver: Child,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Opens a browser for a site.
    pub async fn open(site: &str) -> Self {
        // Free a moment ago; chromedriver itself cannot say which port it took.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver cannot be started: install Debian's chromium and chromium-driver");
        let driver_url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        await_answer(&http, &format!("{driver_url}/status")).await;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--hide-scrollbars",
        ];
        let wishes = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wishes.as_object().unwrap().clone())
            .connect(&driver_url)
            .await
            .expect("chromedriver opens no browser: does its version fit chromium's?");
        let session = client.session_id().await.unwrap().unwrap();
        Self { client, site: site.to_owned(), driver_url, session, http, driver }
    }

    /// Logs in as a browser does that asks for Chinese.
    pub async fn log_in(&self, login: &str, password: &str) {
        self.client.delete_all_cookies().await.ok();
        self.goto("/login?lang=zh").await;
        self.fill("#login", login).await;
        self.fill("#password", password).await;
        self.client.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
    }

    pub async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.site)).await.unwrap();
    }

    pub async fn fill(&self, field: &str, text: &str) {
        self.client.find(Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// What a script gives in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// The text that a reader sees in the first element, once the page has it.
    pub async fn text(&self, element: &str) -> String {
        let found = self.client.wait().for_element(Locator::Css(element)).await;
        found.unwrap_or_else(|error| panic!("{element}: {error}")).text().await.unwrap()
    }

    /// Cells of a table's body, row by row, as the page holds them.
    pub async fn rows(&self, table: &str) -> Vec<Vec<String>> {
        let script = format!(
            "return [...document.querySelectorAll('{table} tbody tr')]\
             .map(row => [...row.cells].map(cell => cell.textContent.trim().replace(/\\s+/g, ' ')))"
        );
        serde_json::from_value(self.script(&script).await).unwrap()
    }

    /// Opens a page at both widths: it fits, axe finds nothing, the console stays empty, a picture is kept.
    /// It stays open at the width of a desk.
    pub async fn visit(&self, name: &str, path: &str) {
        for width in WIDTHS.into_iter().rev() {
            self.resize(width).await;
            self.goto(path).await;
            self.keep_picture(&format!("{name}-{width}")).await;
            let fits = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
            let fits = self.script(fits).await;
            assert!(fits[0].as_u64() <= fits[1].as_u64(), "{name} is wider than {width} px: {fits}");
            let found = self.axe().await;
            assert_eq!(found, json!([]), "axe on {name} at {width} px");
            let said = self.driver("se/log", json!({"type": "browser"})).await;
            assert_eq!(said, json!([]), "console of {name} at {width} px");
        }
    }

    async fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size});
        self.driver("goog/cdp/execute", command).await;
    }

    async fn axe(&self) -> Value {
        let run = format!(
            "{AXE};const done = arguments[arguments.length - 1];\
             axe.run(document, {{runOnly: {}}}).then(found => done(found.violations\
             .map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))))",
            json!(RULES)
        );
        self.client.execute_async(&run, Vec::new()).await.unwrap()
    }

    async fn keep_picture(&self, name: &str) {
        let command = json!({
            "cmd": "Page.captureScreenshot", "params": {"format": "png", "captureBeyondViewport": true},
        });
        let picture = self.driver("goog/cdp/execute", command).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{name}.png")), bytes).unwrap();
    }

    /// A command of chromedriver's own.
    async fn driver(&self, command: &str, body: Value) -> Value {
        let url = format!("{}/session/{}/{command}", self.driver_url, self.session);
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let mut answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["value"].take()
    }

    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

/// Waits until an address answers.
pub async fn await_answer(http: &reqwest::Client, url: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while http.get(url).send().await.is_err() {
        assert!(Instant::now() < deadline, "{url} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

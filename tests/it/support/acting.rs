//! Acting users: people in front of the pages, with a cookie jar and the token of their forms.
use std::collections::BTreeMap;
use std::ops::Deref;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use mingfen::app::App;
use mingfen::people::{Role, Scope};
use mingfen::web::site;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE};

use super::{PASSWORD, TestApp};

/// A test platform that listens on a port of its own.
pub struct Site {
    pub app: TestApp,
    pub base_url: String,
    server: ServerHandle,
}

impl Deref for Site {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let stopped = self.server.stop(false);
        actix_web::rt::spawn(stopped);
    }
}

impl Site {
    /// Serves a platform by the same function as `serve`.
    pub async fn of(app: TestApp) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let state = Data::new(App::clone(&app));
        let server = HttpServer::new(move || site(state.clone())).workers(1).disable_signals();
        let server = server.listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Site { app, base_url, server: handle }
    }

    /// Somebody who has not logged in.
    pub fn anon(&self) -> Acting {
        Acting::at(&self.base_url)
    }

    /// A new user who has logged in through the page.
    pub async fn acting(&self, login: &str, role: Role, scope: Scope) -> Acting {
        self.user(login, role, scope);
        let mut acting = self.anon();
        let answer = acting.log_in(login, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        acting
    }
}

/// A person with a browser.
pub struct Acting {
    http: reqwest::Client,
    base_url: String,
    pub cookies: BTreeMap<String, String>,
    /// Of the last page that had a form.
    pub csrf: String,
}

/// A page, or another answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    /// A header as text, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Acting {
    /// Somebody who has not logged in, in front of this site.
    pub fn at(base_url: &str) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(policy).build().unwrap();
        Self { http, base_url: base_url.to_owned(), cookies: BTreeMap::new(), csrf: String::new() }
    }

    pub async fn log_in(&mut self, login: &str, password: &str) -> Page {
        self.post("/login", &[("login", login), ("password", password)]).await
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], None).await
    }

    /// Sends a form, with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from(path, fields, &[]).await
    }

    /// [`Acting::post`] with headers that a browser would add.
    pub async fn post_from(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Page {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("_csrf", &self.csrf);
        let kind = "application/x-www-form-urlencoded".to_owned();
        self.send(Method::POST, path, headers, Some((kind, form.finish().into_bytes()))).await
    }

    /// Sends a file and its signature by hand, as a multipart form.
    pub async fn upload(&mut self, path: &str, csrf: &str, name: &str, file: &[u8], sig: &[u8]) -> Page {
        const BOUNDARY: &str = "0123456789abcdef";
        let mut body = Vec::new();
        let parts = [("_csrf", "", csrf.as_bytes()), ("file", name, file), ("sig", "x.sig", sig)];
        for (field, name, content) in parts {
            let named = if name.is_empty() { String::new() } else { format!("; filename=\"{name}\"") };
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{named}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(Method::POST, path, &[], Some((kind, body))).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<(String, Vec<u8>)>,
    ) -> Page {
        let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request =
            self.http.request(method, format!("{}{path}", self.base_url)).header(COOKIE, jar.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, body)) = body {
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for cookie in headers.get_all(SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match rest.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_string(), value.to_string())),
            }
        }
        let body = answer.text().await.unwrap();
        if let Some(rest) = body.split("name=\"_csrf\" value=\"").nth(1) {
            self.csrf = rest.split('"').next().unwrap().to_string();
        }
        Page { status, headers, body }
    }
}

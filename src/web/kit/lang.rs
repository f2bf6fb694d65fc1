//! The two languages of the site: `?lang=`, then the cookie, then what the browser prefers; Chinese otherwise.
use std::future::{Ready, ready};

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT_LANGUAGE;
use actix_web::{FromRequest, HttpRequest};

use crate::web::words::{EN, Words, ZH};

/// A language that every page speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

const COOKIE: &str = "lang";

impl Lang {
    /// The catalogue of fixed texts.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
    /// For `lang=`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }
    /// The one to switch to.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }
    fn parse(text: &str) -> Option<Self> {
        let language = text.get(..2)?;
        let speaks = |lang: &Self| lang.tag().get(..2).is_some_and(|tag| tag.eq_ignore_ascii_case(language));
        [Self::Zh, Self::En].into_iter().find(speaks)
    }
    /// The language asked for in the address.
    #[must_use]
    pub fn asked(query: &str) -> Option<Self> {
        let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "lang")?;
        Self::parse(&asked.1)
    }
    /// The language in which to answer this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        let cookie = || Self::parse(request.cookie(COOKIE)?.value());
        let browser = || {
            let wishes = request.headers().get(ACCEPT_LANGUAGE)?.to_str().ok()?;
            wishes.split(',').find_map(|wish| Self::parse(wish.trim()))
        };
        Self::asked(request.query_string()).or_else(cookie).or_else(browser).unwrap_or(Self::Zh)
    }
    /// What remembers the choice for a year.
    #[must_use]
    pub fn cookie(self, secure: bool) -> Cookie<'static> {
        Cookie::build(COOKIE, self.tag())
            .path("/")
            .same_site(SameSite::Lax)
            .secure(secure)
            .http_only(true)
            .max_age(Duration::days(365))
            .finish()
    }
}

impl FromRequest for Lang {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// The same address in another language.
#[must_use]
pub fn switched(request: &HttpRequest, to: Lang) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let kept = url::form_urlencoded::parse(request.query_string().as_bytes());
    query.extend_pairs(kept.filter(|(key, _)| key != "lang")).append_pair("lang", to.tag());
    format!("{}?{}", request.path(), query.finish())
}

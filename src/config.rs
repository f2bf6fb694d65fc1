//! Settings: defaults, then a TOML file, then `MINGFEN_…` variables. A key that does not exist is refused by name.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Serialized};
use figment::value::{Dict, Value};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::disk::{self, NotPrivate};
use crate::protocol::crypto::MasterKey;

/// Every setting. The README's table lists them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the site and the gateway listen.
    pub listen: SocketAddr,
    /// How browsers and institutions reach us; no trailing slash. `https` makes the session cookie `Secure`.
    pub public_url: String,
    /// `sqlite:PATH`, a plain path, or `postgres://USER@HOST/NAME`.
    pub database_url: String,
    /// Holds `files/{institution}/in`, `taken` and `out`.
    pub data_dir: PathBuf,
    /// 32 bytes as base64 or hex that wrap the private keys in the database.
    pub master_key: Option<Secret>,
    /// A file with the master key, readable by its owner alone.
    pub master_key_file: Option<PathBuf>,
    /// May notify_urls and institutions' addresses be private or loopback ones?
    pub allow_private_addresses: bool,
    /// `text` for people, `json` for collectors.
    pub log_format: LogFormat,
    /// What is logged, as `info` or `mingfen=debug,actix_web=info`.
    pub log_filter: String,
    /// Connections that may be at the site at once; fewer where the system allows fewer descriptors.
    pub connections: u32,
    /// Connections that one address may have at once, of IPv6 one /64; one of `trusted_proxies` may have any number.
    pub connections_per_address: u32,
    /// Login attempts per minute that one login name may make from one address; the address itself five times as many.
    pub login_attempts_per_minute: u32,
    /// Our own proxies, as networks (`10.0.0.0/8`): only from them `proxy_header` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// In which header our proxies write for whom they ask; another one is never read. With `trusted_proxies` it must be
    /// named: of one that our proxies do not write themselves, the client's own would be believed.
    pub proxy_header: Option<ProxyHeader>,
}

/// The header by which a proxy says for whom it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ProxyHeader {
    /// Its name, in small letters.
    pub const fn name(self) -> &'static str {
        match self {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A setting that never shows itself in logs or errors.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: "http://127.0.0.1:8080".into(),
            database_url: "sqlite:mingfen.db".into(),
            data_dir: "mingfen-data".into(),
            master_key: None,
            master_key_file: None,
            allow_private_addresses: false,
            log_format: LogFormat::Text,
            log_filter: "info".into(),
            connections: 4096,
            connections_per_address: 256,
            login_attempts_per_minute: 10,
            trusted_proxies: Vec::new(),
            proxy_header: None,
        }
    }
}

/// Why the settings cannot be used; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that does not exist.
    #[error("{place}: there is no setting `{key}`: correct or remove it")]
    Unknown {
        /// The key as it was written.
        key: String,
        /// The file or `environment`.
        place: String,
    },
    /// A value that does not fit.
    #[error("{place}: the setting `{key}` {why}")]
    Invalid {
        /// The setting.
        key: String,
        /// The file or `environment`.
        place: String,
        /// What it must be.
        why: String,
    },
    /// The file cannot be read.
    #[error("the settings file {0} cannot be read: {1}")]
    File(String, String),
    /// The file holds a key, and others may read it.
    #[error("the settings file {0} holds the master key and is open to others: chmod 600 {0}")]
    Open(String),
    /// No master key is set.
    #[error(
        "no master key: set master_key_file to a file made by `openssl rand -base64 32` with mode 0600, \
         or MINGFEN_MASTER_KEY"
    )]
    NoMasterKey,
    /// The master key is unusable.
    #[error("the master key {0}")]
    MasterKey(String),
}

const PREFIX: &str = "MINGFEN_";
const ENVIRONMENT: &str = "environment";
/// Variables with our prefix that are no settings: of the command line, and of the test run.
const NOT_SETTINGS: [&str; 2] = ["MINGFEN_CONFIG", "MINGFEN_TEST_DATABASE_URL"];
/// Everything else stays text: a key of digits must not be read as a number.
const NOT_TEXT: [&str; 4] =
    ["allow_private_addresses", "connections", "connections_per_address", "login_attempts_per_minute"];
/// Written with commas between their values.
const LISTS: [&str; 1] = ["trusted_proxies"];

/// What is missing where proxies are trusted and nobody says in which header they write.
const HEADER_MISSING: &str = "must be set where trusted_proxies is: write x-forwarded-for or forwarded, whichever header \
     your proxies write themselves; of the other one the client's own would be believed";

impl Config {
    /// Reads the file, if one is named, and this process's environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_sources(file, std::env::vars())
    }

    /// [`Config::load`] with the environment handed in.
    pub fn from_sources(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = file {
            let place = file.display().to_string();
            let (text, is_private) =
                disk::text_and_privacy(file).map_err(|e| ConfigError::File(place.clone(), e.to_string()))?;
            let with_file = settings.clone().merge(Toml::string(&text));
            let alone = with_file.extract::<Config>().map_err(|e| explained(&e, &place))?;
            if alone.master_key.is_some() && !is_private {
                return Err(ConfigError::Open(place));
            }
            settings = with_file;
        }
        let settings = settings.merge(Serialized::defaults(environment(variables)));
        let config: Config = settings.extract().map_err(|e| explained(&e, ENVIRONMENT))?;
        config.checked()
    }

    fn checked(mut self) -> Result<Self, ConfigError> {
        let trimmed = self.public_url.trim_end_matches('/').len();
        self.public_url.truncate(trimmed);
        let usable = url::Url::parse(&self.public_url)
            .is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.path() == "/" && u.query().is_none());
        let refused = |key: &str, why: &str| ConfigError::Invalid {
            key: key.into(),
            place: "settings".into(),
            why: why.into(),
        };
        if !usable {
            return Err(refused("public_url", "must be http(s)://HOST[:PORT]"));
        }
        if !self.trusted_proxies.is_empty() && self.proxy_header.is_none() {
            return Err(refused("proxy_header", HEADER_MISSING));
        }
        Ok(self)
    }

    /// The key that wraps private keys in the database, from the variable or the file.
    pub fn master_key(&self) -> Result<MasterKey, ConfigError> {
        let text = match (&self.master_key, &self.master_key_file) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::MasterKey("is set twice: keep master_key_file only".into()));
            }
            (Some(secret), None) => secret.0.clone(),
            (None, Some(file)) => private_text(file)?,
            (None, None) => return Err(ConfigError::NoMasterKey),
        };
        let text = text.trim();
        let bytes = hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok());
        bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()).map(MasterKey::from).ok_or_else(|| {
            let place = self.master_key_file.as_ref().map(|file| format!("in {} ", file.display()));
            ConfigError::MasterKey(format!("{}must be 32 bytes as base64 or hex", place.unwrap_or_default()))
        })
    }
}

fn environment(variables: impl Iterator<Item = (String, String)>) -> Dict {
    let ours = variables.filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()));
    ours.filter_map(|(name, text)| {
        let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        let value = if NOT_TEXT.contains(&key.as_str()) {
            number_or_truth(&text)
        } else {
            LISTS.contains(&key.as_str()).then(|| list(&text))
        };
        Some((key, value.unwrap_or_else(|| Value::from(text))))
    })
    .collect()
}

fn list(text: &str) -> Value {
    let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
    Value::from(values.collect::<Vec<_>>())
}

fn number_or_truth(text: &str) -> Option<Value> {
    let text = text.trim();
    text.parse::<bool>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok()
}

/// The settings file's language, read by the same crate that reads it elsewhere in the build.
struct Toml;

impl Format for Toml {
    type Error = toml::de::Error;

    const NAME: &'static str = "TOML";

    fn from_str<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        toml::from_str(text)
    }
}

fn private_text(file: &Path) -> Result<String, ConfigError> {
    let shown = file.display();
    disk::private_text(file).map_err(|why| {
        ConfigError::MasterKey(match why {
            NotPrivate::Open => format!("file {shown} is open to others: chmod 600 {shown}"),
            NotPrivate::Io(why) => format!("file {shown} cannot be read: {why}"),
        })
    })
}

fn explained(error: &figment::Error, place: &str) -> ConfigError {
    let place = place.to_string();
    let key = error.path.join(".");
    // The found value is left out everywhere: it may be a secret.
    if let Kind::UnknownField(key, _) = &error.kind {
        return ConfigError::Unknown { key: key.clone(), place };
    }
    if key.is_empty() {
        return ConfigError::File(place, first_line(error));
    }
    let why = if LISTS.iter().any(|list| key.starts_with(list)) {
        "must be a list of networks, each as 10.0.0.0/8".to_owned()
    } else if let Kind::UnknownVariant(_, known) = &error.kind {
        format!("must be one of {}", known.join(", "))
    } else if let Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) = &error.kind {
        format!("must be {}", if expected == "u32" { "a whole number" } else { expected })
    } else {
        format!("is not usable: {}", first_line(error))
    };
    ConfigError::Invalid { key, place, why }
}

fn first_line(error: &figment::Error) -> String {
    error.kind.to_string().lines().next().unwrap_or_default().to_string()
}

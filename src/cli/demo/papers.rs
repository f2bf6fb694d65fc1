//! What the demo leaves in its directory for people: keys, credentials, logins (`cli.md`). Not for production.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::scenery::{SHOPS, SP_APPID, SP_MCHID};
use crate::config::Config;
use crate::disk::{private_dir, write_private};
use crate::institutions::PlatformKeys;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{MasterKey, PrivateKey};
use crate::protocol::wechat::notification::ApiV3Key;
use crate::protocol::wechat::sign::Signer;

/// Six lines that let a stock SDK order from the demo.
const SNIPPET: &str = r#"import json, os, time; from wechatpayv3 import WeChatPay, WeChatPayType  # pip install wechatpayv3
c = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "wechat.json"))); read = lambda key: open(c[key]).read()
pay = WeChatPay(WeChatPayType.NATIVE, c["sp_mchid"], read("merchant_private_key"), c["merchant_serial"], c["sp_appid"], c["apiv3_key"],
    c["base_url"] + "/paid", partner_mode=True, public_key=read("platform_public_key"), public_key_id=c["platform_public_key_id"])
pay._core._gate_way = c["base_url"]
print(*pay.pay("试一试", "TRY-%d" % time.time(), {"total": 100}, sub_mchid=c["sub_mchids"][0]))
"#;

/// A credential for trying a stock WeChat Pay SDK.
#[derive(Clone, Serialize, Deserialize)]
pub struct WechatCredential {
    base_url: String,
    sp_mchid: String,
    sp_appid: String,
    sub_mchids: Vec<String>,
    merchant_serial: String,
    merchant_private_key: PathBuf,
    apiv3_key: String,
    platform_serial: String,
    platform_certificate: PathBuf,
    platform_public_key_id: String,
    platform_public_key: PathBuf,
}

/// What the demo's `mingfen.toml` says; all else is as it is by default.
#[derive(Serialize)]
struct Settings {
    listen: String,
    public_url: String,
    database_url: String,
    data_dir: PathBuf,
    master_key_file: PathBuf,
    allow_private_addresses: bool,
}

/// A row of `logins.json`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// Role, as the database keeps it.
    pub role: String,
    /// Name on pages.
    pub name: String,
    /// Login.
    pub login: String,
    /// Password; empty once it is no longer so: somebody gave the user another one, or shut the user out.
    pub password: String,
    /// None yet.
    pub totp_secret: Option<String>,
    /// Where to log in.
    pub url: String,
}

/// The merchant's own secrets.
pub struct MerchantSecrets {
    /// Signs its requests.
    pub signer: Signer,
    /// Opens its notifications.
    pub apiv3_key: ApiV3Key,
    /// Its certificate, PEM.
    pub certificate: String,
}

/// The directory of a demo.
#[derive(Clone, Debug)]
pub struct Papers {
    dir: PathBuf,
}

impl Papers {
    /// Papers in `dir`, which is made if need be.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        for folder in ["keys", "credentials"] {
            private_dir(&dir.join(folder)).with_context(|| format!("{}", dir.display()))?;
        }
        Ok(Self { dir: dir.canonicalize()? })
    }

    /// The master key of the demo's database, made at the first start.
    pub fn master_key(&self) -> anyhow::Result<String> {
        let path = self.master_key_file();
        if !path.exists() {
            secret(&path, &MasterKey::generate()?.to_hex())?;
        }
        Ok(fs::read_to_string(path)?.trim_end().to_owned())
    }

    /// The public halves of the keys that sign files.
    pub fn file_keys(&self, keys: &PlatformKeys, institution: &str, pem: &str) -> anyhow::Result<()> {
        secret(&self.dir.join("keys/platform.pub.pem"), &keys.files.public_key.to_pem()?)?;
        secret(&self.dir.join(format!("keys/{institution}.pub.pem")), pem)
    }

    /// The merchant's secrets; `certify` gives a certificate for a new key at the first start.
    pub fn merchant(
        &self,
        certify: impl FnOnce(&PrivateKey) -> anyhow::Result<Certificate>,
    ) -> anyhow::Result<MerchantSecrets> {
        let (key_path, certificate_path) = (self.merchant_key(), self.merchant_certificate());
        if !self.dir.join("credentials/wechat.json").exists() {
            let key = PrivateKey::generate()?;
            secret(&key_path, &key.to_pem()?)?;
            secret(&certificate_path, &certify(&key)?.pem)?;
        }
        let key = PrivateKey::from_pem(&fs::read_to_string(&key_path)?)?;
        let certificate = Certificate::from_pem(&fs::read_to_string(&certificate_path)?)?;
        let known = fs::read(self.dir.join("credentials/wechat.json")).ok();
        let apiv3_key = match known {
            Some(json) => ApiV3Key::parse(&serde_json::from_slice::<WechatCredential>(&json)?.apiv3_key)?,
            None => ApiV3Key::generate()?,
        };
        let signer = Signer { mchid: SP_MCHID.to_owned(), serial: certificate.serial.to_uppercase(), key };
        Ok(MerchantSecrets { signer, apiv3_key, certificate: certificate.pem })
    }

    /// `credentials/wechat.json` and the files that it names.
    pub fn wechat(
        &self,
        base_url: &str,
        keys: &PlatformKeys,
        merchant: &MerchantSecrets,
    ) -> anyhow::Result<()> {
        let folder = self.dir.join("credentials");
        let (certificate, public_key) = (folder.join("platform.cert.pem"), folder.join("platform.pub.pem"));
        secret(&certificate, &keys.wechat.certificate.pem)?;
        secret(&public_key, &keys.wechat.public_key.to_pem()?)?;
        let credential = WechatCredential {
            base_url: base_url.to_owned(),
            sp_mchid: SP_MCHID.to_owned(),
            sp_appid: SP_APPID.to_owned(),
            sub_mchids: SHOPS.iter().map(|shop| shop.merchant.to_owned()).collect(),
            merchant_serial: merchant.signer.serial.clone(),
            merchant_private_key: self.merchant_key(),
            apiv3_key: merchant.apiv3_key.expose().to_owned(),
            platform_serial: keys.wechat.serial.clone(),
            platform_certificate: certificate,
            platform_public_key_id: keys.wechat.public_key_id.clone(),
            platform_public_key: public_key,
        };
        secret(&folder.join("wechat.json"), &serde_json::to_string_pretty(&credential)?)?;
        Ok(write_private(&self.snippet(), SNIPPET.as_bytes())?)
    }

    /// The six lines for a stock SDK.
    pub fn snippet(&self) -> PathBuf {
        self.dir.join("credentials/order_with_wechatpayv3.py")
    }

    /// `mingfen.toml`: the demo's own settings, for every other command on what it leaves.
    pub fn settings(&self, config: &Config) -> anyhow::Result<()> {
        let settings = Settings {
            listen: config.listen.to_string(),
            public_url: config.public_url.clone(),
            database_url: config.database_url.clone(),
            data_dir: self.dir.clone(),
            master_key_file: self.master_key_file(),
            allow_private_addresses: config.allow_private_addresses,
        };
        Ok(write_private(&self.settings_file(), toml::to_string(&settings)?.as_bytes())?)
    }

    /// Where [`Papers::settings`] writes.
    pub fn settings_file(&self) -> PathBuf {
        self.dir.join("mingfen.toml")
    }

    fn master_key_file(&self) -> PathBuf {
        self.dir.join("keys/master.key")
    }

    /// `logins.json`.
    pub fn write_logins(&self, logins: &[Login]) -> anyhow::Result<()> {
        secret(&self.dir.join("logins.json"), &serde_json::to_string_pretty(logins)?)
    }

    /// The logins of an earlier start.
    pub fn logins(&self) -> anyhow::Result<Vec<Login>> {
        Ok(serde_json::from_slice(&fs::read(self.dir.join("logins.json"))?)?)
    }

    fn merchant_key(&self) -> PathBuf {
        self.dir.join("credentials/merchant.key.pem")
    }

    fn merchant_certificate(&self) -> PathBuf {
        self.dir.join("credentials/merchant.cert.pem")
    }
}

/// Whether the directory is a demo's whose table of logins tells a password of this one.
pub fn lists_login(dir: &Path, login: &str) -> bool {
    let read = Papers { dir: dir.to_owned() }.logins();
    read.is_ok_and(|logins| logins.iter().any(|row| row.login == login && !row.password.is_empty()))
}

/// Writes a file that only its owner may read.
fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(write_private(path, format!("{}\n", text.trim_end()).as_bytes())?)
}

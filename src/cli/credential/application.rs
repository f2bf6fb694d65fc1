//! What a caller in Alipay's language is set up with: an application's number and its key pair.
use std::path::{Path, PathBuf};

use super::{check, save};
use crate::cli::settings::say;
use crate::db::Tx;
use crate::db::columns::TenantId;
use crate::error::Error;
use crate::merchants::applications;
use crate::people::Actor;
use crate::protocol::crypto::{PrivateKey, PublicKey};

/// Digits of an app_id, as Alipay's have them.
const DIGITS: usize = 16;

/// A new application and its private key.
pub(super) struct AppKey {
    app_id: String,
    key: PrivateKey,
    key_file: PathBuf,
}

impl AppKey {
    /// Makes it; nothing is written yet.
    pub(super) fn make(mchid: &str, folder: &Path) -> anyhow::Result<Self> {
        check(mchid)?;
        // The first digit is not 0: who keeps it as a number loses nothing.
        let digit = |n: usize| {
            char::from(if n == 0 { rand::random_range(b'1'..=b'9') } else { rand::random_range(b'0'..=b'9') })
        };
        let app_id: String = (0..DIGITS).map(digit).collect();
        let key_file = folder.join(format!("{mchid}_{app_id}_key.pem"));
        Ok(Self { app_id, key: PrivateKey::generate()?, key_file })
    }

    /// Before the database: a credential whose private key is nowhere would be of no use.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        save(&self.key_file, &self.key.to_pem()?)
    }

    pub(super) fn discard(&self) {
        let _ = std::fs::remove_file(&self.key_file);
    }

    pub(super) fn store(&self, tx: &mut Tx<'_>, at: i64, merchant: TenantId) -> Result<(), Error> {
        let pem = self.key.public_key().and_then(|key| key.to_pem()).map_err(Error::internal)?;
        applications::create(tx, at, &Actor::shell(), merchant, (&self.app_id, &pem)).map(drop)
    }

    /// What its SDK is set up with: beside its own key the one that our answers are verified with.
    pub(super) fn tell(&self, mchid: &str, ours: &PublicKey) -> anyhow::Result<()> {
        say(format_args!("mchid {mchid}\napp_id {}", self.app_id))?;
        say(format_args!("private key {}", self.key_file.display()))?;
        say(format_args!("platform public key\n{}", ours.to_pem()?.trim_end()))
    }
}

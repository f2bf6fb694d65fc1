//! The platform's own keys: one signs answers and notifications of merchants' systems, one signs published files.
use serde_json::json;

use super::key_store::{self as store, OurRow};
use super::{counts, lead_end, overlap_end};
use crate::clock::micros;
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::kernel::calendar::Instant;
use crate::people::{Actor, audit};
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{CryptoError, MasterKey, PrivateKey, PublicKey};
use crate::protocol::wechat::sign::{PUB_KEY_ID, same_serial};

mingfen_kernel::text_enum! {
    /// What a key of the platform is for. Others have no user yet: `api`, `ssh-host`.
    pub enum OurPurpose {
        /// Answers and notifications of merchants' systems; named after the first language that they spoke.
        Wechat = "wechat",
        /// The `.sig` beside published files.
        Files = "files",
    }
}

impl OurPurpose {
    const fn wrapped_for(self) -> &'static str {
        match self {
            OurPurpose::Wechat => "platform_key.wechat",
            OurPurpose::Files => "platform_key.files",
        }
    }
}

/// A key with its certificate.
#[derive(Clone, Debug)]
pub struct PlatformKey {
    /// The certificate's serial, upper-case hex: names the key in certificate mode.
    pub serial: String,
    /// The certificate.
    pub certificate: Certificate,
    /// `PUB_KEY_ID_…`: names the key in public-key mode.
    pub public_key_id: String,
    /// The public half.
    pub public_key: PublicKey,
    /// The private half.
    pub private_key: PrivateKey,
}

/// The keys in use.
#[derive(Clone, Debug)]
pub struct PlatformKeys {
    /// Signs what merchants' systems are answered and told, in each language.
    pub wechat: PlatformKey,
    /// Signs files.
    pub files: PlatformKey,
    /// Whatever our answers may be verified with, the newest first: what will sign soon, `wechat`, and what it took the
    /// place of.
    pub known: Vec<PlatformKey>,
    newest: Option<i64>,
    until: Option<i64>,
}

const FIVE_YEARS: i64 = 5 * 365 * 86_400;

impl PlatformKeys {
    /// The keys in use; those that are missing are made (at the first start).
    pub fn ensure(tx: &mut Tx<'_>, master: &MasterKey, now: Instant) -> Result<Self, Error> {
        for purpose in OurPurpose::ALL.iter().copied() {
            if current(tx, purpose, micros(now))?.is_empty() {
                make(tx, master, (now, micros(now)), purpose)?;
            }
        }
        Self::read(tx, master, micros(now))
    }

    /// The keys in use at `at` (unix microseconds).
    pub fn read(tx: &mut Tx<'_>, master: &MasterKey, at: i64) -> Result<Self, Error> {
        let number = store::newest_key(tx)?;
        let (wechat, files) = (current(tx, OurPurpose::Wechat, at)?, current(tx, OurPurpose::Files, at)?);
        let moments = |row: &OurRow| [row.valid_to, Some(row.valid_from).filter(|from| *from > at)];
        let until = wechat.iter().chain(&files).flat_map(moments).flatten().min();
        let opened_here = |row: &OurRow| opened(row, master, OurPurpose::Wechat);
        Ok(PlatformKeys {
            wechat: signing(&wechat, master, OurPurpose::Wechat, at)?,
            files: signing(&files, master, OurPurpose::Files, at)?,
            known: wechat.iter().map(opened_here).collect::<Result<_, _>>()?,
            newest: number,
            until,
        })
    }

    /// The key that a caller names, by its serial or its public key's id, and whether by the latter; it answers with none
    /// but these.
    pub fn named(&self, name: &str) -> Option<(&PlatformKey, bool)> {
        let by_id = name.starts_with(PUB_KEY_ID);
        let is_it =
            |key: &&PlatformKey| same_serial(name, if by_id { &key.public_key_id } else { &key.serial });
        self.known.iter().find(is_it).map(|key| (key, by_id))
    }

    /// Whether these are still the keys in use: asked before each use, because another process may replace one.
    pub fn are_current(&self, tx: &mut Tx<'_>, at: i64) -> Result<bool, Error> {
        Ok(self.are_of(store::newest_key(tx)?, at))
    }

    /// [`PlatformKeys::are_current`] where the number of the newest key is known.
    pub fn are_of(&self, newest: Option<i64>, at: i64) -> bool {
        self.newest == newest && counts(self.until, at)
    }
}

/// Makes a new key for a purpose, which is published now and signs after `lead` microseconds, so that who verifies it has
/// time to fetch it. The one before it verifies for `overlap` microseconds more than it signs.
pub fn rotate(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    now: Instant,
    actor: &Actor,
    purpose: OurPurpose,
    (lead, overlap): (i64, i64),
) -> Result<String, Error> {
    let at = micros(now);
    let from = lead_end(at, lead)?;
    let end = overlap_end(from, overlap)?;
    fits(tx, master)?;
    store::end_ours(tx, purpose, end)?;
    let serial = make(tx, master, (now, from), purpose)?;
    let object = format!("platform_key:{purpose}/{serial}");
    let after = Some(json!({"from": from, "old_until": end}));
    let entry = audit::Entry { action: "platform_key.rotate", object: &object, before: None, after };
    audit::record(tx, at, actor, entry)?;
    Ok(serial)
}

/// Whether what is sealed here opens with this master key: asked before anything is sealed with it. A database that holds
/// no key of ours yet has nothing sealed.
pub fn fits(tx: &mut Tx<'_>, master: &MasterKey) -> Result<(), Error> {
    for purpose in OurPurpose::ALL.iter().copied() {
        if let Some(row) = store::ours(tx, purpose)?.first() {
            opened(row, master, purpose)?;
        }
    }
    Ok(())
}

/// Every key that ever signed published files: files stay signed as they were published.
pub fn file_keys(tx: &mut Tx<'_>) -> Result<Vec<PublicKey>, Error> {
    let rows = store::ours(tx, OurPurpose::Files)?;
    rows.iter().map(|row| PublicKey::from_pem(&row.public_key_pem).map_err(Error::internal)).collect()
}

/// The public half, PEM, of the newest key for a purpose: it signs, or will soon.
pub(super) fn public_key(tx: &mut Tx<'_>, purpose: OurPurpose, at: i64) -> Result<String, Error> {
    let none = || Error::Internal(format!("the platform has no {purpose} key that counts: serve makes it"));
    Ok(current(tx, purpose, at)?.into_iter().next().ok_or_else(none)?.public_key_pem)
}

/// Keys that count, the newest first.
fn current(tx: &mut Tx<'_>, purpose: OurPurpose, at: i64) -> Result<Vec<OurRow>, Error> {
    let mut rows = store::ours(tx, purpose)?;
    rows.retain(|row| counts(row.valid_to, at));
    Ok(rows)
}

/// Of these, the newest that signs already; where a clock was put back, the oldest.
fn signing(rows: &[OurRow], master: &MasterKey, purpose: OurPurpose, at: i64) -> Result<PlatformKey, Error> {
    let row = rows.iter().find(|row| row.valid_from <= at).or(rows.last());
    let row = row.ok_or_else(|| Error::Internal(format!("the platform has no {purpose} key that counts")))?;
    opened(row, master, purpose)
}

fn make(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    (now, from): (Instant, i64),
    purpose: OurPurpose,
) -> Result<String, Error> {
    let before = store::ours(tx, purpose)?.first().map_or(0, |row| row.version);
    let failed = |e: CryptoError| Error::Internal(format!("the platform's {purpose} key: {e}"));
    let row = made(master, (now, from), purpose, before.saturating_add(1)).map_err(failed)?;
    store::add_ours(tx, &row)?;
    Ok(row.serial)
}

fn made(
    master: &MasterKey,
    (now, from): (Instant, i64),
    purpose: OurPurpose,
    version: i64,
) -> Result<OurRow, CryptoError> {
    let key = PrivateKey::generate()?;
    let certificate = Certificate::issue(&key, "Mingfen platform", now, now.plus(FIVE_YEARS))?;
    Ok(OurRow {
        purpose: purpose.as_str().into(),
        public_key_id: format!("PUB_KEY_ID_{}", certificate.serial),
        serial: certificate.serial,
        certificate_pem: certificate.pem,
        public_key_pem: key.public_key()?.to_pem()?,
        private_key_wrapped: master.wrap(purpose.wrapped_for(), key.to_pem()?.as_bytes())?,
        valid_from: from,
        valid_to: None,
        version,
    })
}

fn opened(row: &OurRow, master: &MasterKey, purpose: OurPurpose) -> Result<PlatformKey, Error> {
    let sealed = master
        .unwrap(purpose.wrapped_for(), &row.private_key_wrapped)
        .map_err(|_| Error::refused(Code::MasterKeyWrong, format!("the platform's {purpose} key")))?;
    let failed = |e: CryptoError| Error::Internal(format!("the platform's {purpose} key: {e}"));
    let pem = String::from_utf8(sealed).map_err(|_| failed(CryptoError::PrivateKey))?;
    Ok(PlatformKey {
        serial: row.serial.clone(),
        certificate: Certificate::from_pem(&row.certificate_pem).map_err(failed)?,
        public_key_id: row.public_key_id.clone(),
        public_key: PublicKey::from_pem(&row.public_key_pem).map_err(failed)?,
        private_key: PrivateKey::from_pem(&pem).map_err(failed)?,
    })
}

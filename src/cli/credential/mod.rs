//! `mingfen credential new | rotate | revoke`: API credentials from the shell.
mod application;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use self::application::AppKey;
use super::settings::{Settings, say};
use crate::clock::Clock;
use crate::db::Tx;
use crate::db::columns::TenantId;
use crate::disk;
use crate::error::{Code, Error};
use crate::institutions::{PlatformKey, PlatformKeys};
use crate::merchants::credentials::{self, AnswerMode, NewCredential};
use crate::merchants::tenants;
use crate::people::Actor;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{MasterKey, PrivateKey, random_nonce};
use crate::protocol::language::Language;

/// Makes, replaces and revokes the API credentials of platform merchants.
///
/// Example: `mingfen credential new --mchid 1900000001 --appid wx0000000000000001 --name 明分商城 --out keys`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a key pair, and an API v3 key or an application's number; the private key goes into a file and is stored
    /// nowhere else.
    ///
    /// Example: `mingfen credential new --mchid 1900000001 --language alipay_openapi --out keys`
    New(New),
    /// Makes a new credential in WeChat's language beside an old one, which works on until it is revoked.
    ///
    /// Example: `mingfen credential rotate --mchid 1900000001 --serial 4F01… --out keys`
    Rotate(Rotate),
    /// Refuses a credential from now on.
    ///
    /// Example: `mingfen credential revoke --mchid 1900000001 --serial 4F01…`
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct New {
    #[command(flatten)]
    settings: Settings,
    /// The platform merchant's number.
    #[arg(long)]
    mchid: String,
    /// Its application id; needed with its first credential.
    #[arg(long, requires = "name")]
    appid: Option<String>,
    /// Its name; needed with its first credential.
    #[arg(long, requires = "appid")]
    name: Option<String>,
    /// The language that the merchant's systems speak.
    #[arg(long, value_enum, default_value_t = Spoken::WechatV3)]
    language: Spoken,
    /// How answers in WeChat's language are signed: by the platform's certificate or by its public key.
    #[arg(long, value_enum, default_value_t = Mode::Cert)]
    mode: Mode,
    /// Folder for the private key and the certificate.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    settings: Settings,
    /// The platform merchant's number.
    #[arg(long)]
    mchid: String,
    /// Serial of the credential to be replaced.
    #[arg(long)]
    serial: String,
    /// Folder for the private key and the certificate.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(clap::Args)]
struct Revoke {
    #[command(flatten)]
    settings: Settings,
    /// The platform merchant's number.
    #[arg(long)]
    mchid: String,
    /// Serial of the credential, or its app_id.
    #[arg(long)]
    serial: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Spoken {
    /// WeChat Pay APIv3.
    #[value(name = Language::WechatPartner.as_str())]
    WechatV3,
    /// Alipay's gateway.do.
    #[value(name = Language::AlipayOpenapi.as_str())]
    AlipayOpenapi,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Mode {
    Cert,
    Pubkey,
}

impl From<Mode> for AnswerMode {
    fn from(mode: Mode) -> AnswerMode {
        match mode {
            Mode::Cert => AnswerMode::Certificate,
            Mode::Pubkey => AnswerMode::PublicKey,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::New(args) => match args.language {
            Spoken::WechatV3 => new(args)?,
            Spoken::AlipayOpenapi => new_application(args)?,
        },
        Command::Rotate(args) => rotate(args)?,
        Command::Revoke(args) => revoke(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn new(args: &New) -> anyhow::Result<()> {
    let (config, db) = args.settings.open()?;
    let master = config.master_key()?;
    let pair = Pair::make(&args.mchid, &args.out)?;
    pair.save()?;
    let now = Clock::system().instant();
    let stored = db.write_blocking(|tx| {
        let merchant = tenant(tx, args)?;
        pair.store(tx, &master, merchant, args.mode.into())?;
        PlatformKeys::ensure(tx, &master, now)
    });
    let ours = stored.inspect_err(|_| pair.discard())?;
    pair.tell(&args.mchid)?;
    tell_ours(&ours.wechat, args.mode.into())
}

fn new_application(args: &New) -> anyhow::Result<()> {
    let (config, db) = args.settings.open()?;
    let master = config.master_key()?;
    let made = AppKey::make(&args.mchid, &args.out)?;
    made.save()?;
    let clock = Clock::system();
    let stored = db.write_blocking(|tx| {
        let merchant = tenant(tx, args)?;
        made.store(tx, clock.now(), merchant)?;
        PlatformKeys::ensure(tx, &master, clock.instant())
    });
    let ours = stored.inspect_err(|_| made.discard())?;
    made.tell(&args.mchid, &ours.wechat.public_key)
}

/// What the caller's SDK verifies our answers with; in certificate mode it fetches the certificate itself.
fn tell_ours(ours: &PlatformKey, mode: AnswerMode) -> anyhow::Result<()> {
    match mode {
        AnswerMode::Certificate => say(format_args!("platform certificate serial {}", ours.serial)),
        AnswerMode::PublicKey => {
            say(format_args!("platform public key id {}", ours.public_key_id))?;
            say(format_args!("platform public key\n{}", ours.public_key.to_pem()?.trim_end()))
        }
    }
}

/// The platform merchant that is named; with another application or name than it has it is refused.
fn tenant(tx: &mut Tx<'_>, args: &New) -> Result<TenantId, Error> {
    if let (Some(appid), Some(name)) = (&args.appid, &args.name) {
        return Ok(tenants::add(tx, Clock::system().now(), &Actor::shell(), &args.mchid, appid, name)?.id);
    }
    let unknown = || {
        let why = format!("there is no platform merchant {}: give its --appid and --name too", args.mchid);
        Error::refused(Code::MerchantInvalid, why)
    };
    Ok(tenants::by_number(tx, &args.mchid)?.ok_or_else(unknown)?.id)
}

fn rotate(args: &Rotate) -> anyhow::Result<()> {
    let (config, db) = args.settings.open()?;
    let master = config.master_key()?;
    let old = db.read_blocking(|tx| credentials::find(tx, &master, &args.mchid, &args.serial))?;
    let unknown = || anyhow!("{} has no live credential {}: check --serial", args.mchid, args.serial);
    let old = old.ok_or_else(unknown)?;
    let pair = Pair::make(&args.mchid, &args.out)?;
    pair.save()?;
    let now = Clock::system().instant();
    let stored = db.write_blocking(|tx| {
        pair.store(tx, &master, old.platform_merchant_id, old.answer_mode)?;
        PlatformKeys::ensure(tx, &master, now)
    });
    let ours = stored.inspect_err(|_| pair.discard())?;
    pair.tell(&args.mchid)?;
    tell_ours(&ours.wechat, old.answer_mode)?;
    say(format_args!("the old one works on until `mingfen credential revoke` names {}", old.serial))
}

fn revoke(args: &Revoke) -> anyhow::Result<()> {
    let (_, db) = args.settings.open()?;
    let at = Clock::system().now();
    db.write_blocking(|tx| credentials::revoke(tx, at, &Actor::shell(), &args.mchid, &args.serial))?;
    say(format_args!("{} {} is refused from now on", args.mchid, args.serial))
}

/// What a caller's SDK is set up with.
struct Pair {
    key: PrivateKey,
    certificate: Certificate,
    apiv3_key: String,
    key_file: PathBuf,
    certificate_file: PathBuf,
}

fn check(mchid: &str) -> anyhow::Result<()> {
    if mchid.is_empty() || !mchid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(anyhow!("--mchid is 1 to 32 of 0-9 A-Z a-z"));
    }
    Ok(())
}

/// Writes a new file that only its owner reads, in a folder that is made where it is not there.
fn save(file: &Path, pem: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        disk::private_dir(folder)
            .with_context(|| format!("{} cannot be made: check --out", folder.display()))?;
    }
    let mut made = disk::create_private(file)
        .with_context(|| format!("{} cannot be made: check --out", file.display()))?;
    made.write_all(pem.as_bytes())?;
    made.sync_all()?;
    Ok(())
}

const FIVE_YEARS: i64 = 5 * 365 * 86_400;

impl Pair {
    fn make(mchid: &str, folder: &Path) -> anyhow::Result<Self> {
        check(mchid)?;
        let key = PrivateKey::generate()?;
        let now = Clock::system().instant();
        let certificate = Certificate::issue(&key, mchid, now, now.plus(FIVE_YEARS))?;
        let file = |what: &str| folder.join(format!("{mchid}_{}_{what}.pem", certificate.serial));
        Ok(Pair {
            apiv3_key: random_nonce(32)?,
            key_file: file("key"),
            certificate_file: file("cert"),
            key,
            certificate,
        })
    }

    /// Before the database: a credential whose private key is nowhere would be of no use.
    fn save(&self) -> anyhow::Result<()> {
        save(&self.key_file, &self.key.to_pem()?)?;
        save(&self.certificate_file, &self.certificate.pem)
    }

    fn discard(&self) {
        for file in [&self.key_file, &self.certificate_file] {
            let _ = std::fs::remove_file(file);
        }
    }

    fn store(
        &self,
        tx: &mut Tx<'_>,
        master: &MasterKey,
        merchant: TenantId,
        mode: AnswerMode,
    ) -> Result<(), Error> {
        let new = NewCredential {
            platform_merchant_id: merchant,
            serial: &self.certificate.serial,
            public_key_pem: &self.certificate.pem,
            apiv3_key: &self.apiv3_key,
            answer_mode: mode,
        };
        credentials::create(tx, master, Clock::system().now(), &Actor::shell(), &new).map(drop)
    }

    fn tell(&self, mchid: &str) -> anyhow::Result<()> {
        say(format_args!("mchid {mchid}\nserial {}", self.certificate.serial))?;
        say(format_args!("private key {}", self.key_file.display()))?;
        say(format_args!("certificate {}", self.certificate_file.display()))?;
        say(format_args!("API v3 key {}", self.apiv3_key))
    }
}

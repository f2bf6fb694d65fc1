//! `mingfen channel add | key`.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::{From, Secret, establish, needed, read};
use crate::cli::settings::{Settings, say};
use crate::clock::{Clock, micros};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::institutions::{self, ChannelProfile, NewOwnKey, Registration};
use crate::kernel::channel::ChannelName;
use crate::merchants::founding::{ChannelPart, Founding, KeyPart, MadeKey};
use crate::people::Actor;

/// Channels of institutions, and our keys there
///
/// Example: mingfen channel add --from institution.toml --registration registration.json
#[derive(clap::Args)]
pub struct ChannelArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sets a channel up, with a key pair and an APIv3 key of ours that are made here; the same again changes nothing
    ///
    /// Example: mingfen channel add --institution BANK --channel wechat --language wechat_v3
    /// --base-url https://api.bank.example --sp-mchid 1800000001 --sp-appid wx1800000001
    Add(Add),
    /// Makes a new key pair and APIv3 key of ours at a channel, to be told to the institution; with --use it signs
    ///
    /// Example: mingfen channel key --institution BANK --channel wechat --registration registration.json
    Key(Key),
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    from: From,
    #[arg(long, value_name = "CODE", conflicts_with = "document")]
    institution: Option<String>,
    /// wechat or alipay: whose wallet pays
    #[arg(long, conflicts_with = "document")]
    channel: Option<String>,
    /// What it speaks: wechat_v3, alipay_openapi or alipay_v3
    #[arg(long, conflicts_with = "document")]
    language: Option<String>,
    /// Its address, without a slash at the end
    #[arg(long, value_name = "URL", conflicts_with = "document")]
    base_url: Option<String>,
    /// Our number there
    #[arg(long, conflicts_with = "document")]
    sp_mchid: Option<String>,
    /// Our application there
    #[arg(long, conflicts_with = "document")]
    sp_appid: Option<String>,
    /// Writes what the institution must know of us; it holds the APIv3 key
    #[arg(long, value_name = "FILE")]
    registration: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Key {
    #[command(flatten)]
    settings: Settings,
    #[arg(long, value_name = "CODE")]
    institution: String,
    /// wechat or alipay
    #[arg(long)]
    channel: String,
    /// Writes what the institution must know of us; the new key signs nothing before --use
    #[arg(long, value_name = "FILE", required_unless_present = "serial", conflicts_with = "serial")]
    registration: Option<PathBuf>,
    /// Signs by this key from now on, once the institution has taken it
    #[arg(long = "use", value_name = "SERIAL")]
    serial: Option<String>,
    /// With --use: how many days the old keys open messages beside it, at most 90
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    overlap_days: i64,
}

/// Runs the command.
pub fn run(args: &ChannelArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => add(args)?,
        Command::Key(args) => key(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &Add) -> anyhow::Result<()> {
    let (mut channel, key) = parts(args)?;
    let (config, db) = args.settings.open()?;
    for part in &mut channel {
        // What is there keeps its keys.
        if find(&db, part.institution.as_deref().unwrap_or_default(), word(&part.channel)?)?.is_none() {
            part.fill_own_key(Clock::system().instant())?;
        }
    }
    establish(&args.settings, &Founding { channel: channel.clone(), key, ..Founding::default() })?;
    let (Some(file), Some(part)) = (&args.registration, channel.first()) else { return Ok(()) };
    let (master, now) = (config.master_key()?, Clock::system().instant());
    let of = (part.institution.as_deref().unwrap_or_default(), word(&part.channel)?);
    register(&db, file, |tx| {
        // Our keys are made at the first use, and this may be it.
        institutions::PlatformKeys::ensure(tx, &master, now)?;
        institutions::registration(tx, &master, of, None, micros(now))
    })
}

/// The channels to be set up, and the keys that sign their answers.
fn parts(args: &Add) -> anyhow::Result<(Vec<ChannelPart>, Vec<KeyPart>)> {
    if let Some(file) = &args.from.document {
        let mut founding = read(file)?;
        founding.key.retain(|part| part.purpose == institutions::Purpose::Channel.as_str());
        return Ok((founding.channel, founding.key));
    }
    let part = ChannelPart {
        institution: Some(needed(args.institution.as_ref(), "institution")?),
        channel: needed(args.channel.as_ref(), "channel")?,
        language: needed(args.language.as_ref(), "language")?,
        base_url: needed(args.base_url.as_ref(), "base-url")?,
        sp_mchid: needed(args.sp_mchid.as_ref(), "sp-mchid")?,
        sp_appid: needed(args.sp_appid.as_ref(), "sp-appid")?,
        serial: None,
        private_key: None,
        apiv3_key: None,
    };
    Ok((vec![part], Vec::new()))
}

fn word(text: &str) -> anyhow::Result<ChannelName> {
    ChannelName::parse(text).with_context(|| format!("--channel: `{text}` is neither wechat nor alipay"))
}

fn find(db: &Db, institution: &str, name: ChannelName) -> anyhow::Result<Option<ChannelProfile>> {
    let read = |tx: &mut Tx<'_>| {
        let id = institutions::by_code(tx, institution)?.id;
        institutions::channel(tx, id, name)
    };
    match db.read_blocking(read) {
        Ok(channel) => Ok(Some(channel)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn key(args: &Key) -> anyhow::Result<()> {
    let (config, db) = args.settings.open()?;
    let name = word(&args.channel)?;
    let channel = find(&db, &args.institution, name)?.with_context(|| {
        format!("there is no channel {name} of an institution `{}`: check both", args.institution)
    })?;
    let (of, at, actor) = ((channel.institution, name), Clock::system().now(), Actor::shell());
    if let Some(serial) = &args.serial {
        let used = (serial.as_str(), days(args.overlap_days));
        db.write_blocking(|tx| institutions::use_key(tx, at, &actor, of, used))?;
        return say(format_args!("{} {name}: we sign by {serial} from now on", args.institution));
    }
    let (master, made) = (config.master_key()?, MadeKey::make(&channel.sp_mchid, Clock::system().instant())?);
    let new =
        NewOwnKey { serial: &made.serial, private_key_pem: &made.private_key, apiv3_key: &made.apiv3_key };
    let file = args.registration.as_deref().context("give --registration, or --use")?;
    register(&db, file, |tx| {
        institutions::prepare_key(tx, &master, at, &actor, of, &new)?;
        institutions::registration(tx, &master, (&args.institution, name), Some(&made.serial), at)
    })?;
    say(format_args!(
        "when it has taken it: mingfen channel key --institution {} --channel {name} --use {}",
        args.institution, made.serial
    ))
}

/// Days as microseconds; too many are refused where they are used.
pub(super) const fn days(days: i64) -> i64 {
    days.saturating_mul(86_400_000_000)
}

/// Changes the record and writes what the institution must know of it: both, or neither.
fn register(
    db: &Db,
    file: &Path,
    change: impl FnOnce(&mut Tx<'_>) -> Result<Registration, Error>,
) -> anyhow::Result<()> {
    let written = db.write_blocking(|tx| {
        let registration = change(tx)?;
        let text = serde_json::to_string_pretty(&registration).map_err(Error::internal)?;
        Secret::write(file, &text).map_err(|error| Error::Internal(format!("{error:#}")))
    })?;
    written.keep()?;
    say(format_args!("for the institution: {} (it holds the APIv3 key)", file.display()))
}

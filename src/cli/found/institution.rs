//! `mingfen institution add | key | show`.
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::{From, establish, needed, read, text_of};
use crate::cli::settings::{Settings, say};
use crate::clock::Clock;
use crate::db::Tx;
use crate::error::Error;
use crate::institutions::{self, Documents, Purpose, ResultEncoding, counts};
use crate::merchants::founding::{Founding, InstitutionPart, KeyPart};
use crate::people::Actor;

/// Licensed institutions and their keys
///
/// Example: mingfen institution add --from institution.toml
#[derive(clap::Args)]
pub struct InstitutionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sets an institution up; the same again changes nothing
    ///
    /// Example: mingfen institution add --code BANK --name 某银行 --platform-code PLAT --order-prefix MF
    Add(Add),
    /// Enters a public key of an institution for one purpose, or ends one
    ///
    /// Example: mingfen institution key --institution BANK --purpose files --public-key bank.pem --overlap-days 30
    Key(Key),
    /// Says what an institution's days are cut from, from the next cut on
    ///
    /// Example: mingfen institution documents --institution BANK --documents bil
    Documents(Set),
    /// Shows an institution, its channels and its keys
    ///
    /// Example: mingfen institution show --institution BANK
    Show(Show),
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    from: From,
    /// Its code in file names
    #[arg(long, conflicts_with = "document")]
    code: Option<String>,
    /// The name shown on pages
    #[arg(long, conflicts_with = "document")]
    name: Option<String>,
    /// Our code in its file names
    #[arg(long, conflicts_with = "document")]
    platform_code: Option<String>,
    /// Begins every order number that we send to it
    #[arg(long, conflicts_with = "document")]
    order_prefix: Option<String>,
    /// How its results are encoded: ASCII or GB18030
    #[arg(long, default_value = ResultEncoding::Ascii.as_str())]
    result_encoding: String,
    /// What its days are cut from: channel (its one WeChat channel's own bill) or bil (its BIL)
    #[arg(long, default_value = Documents::Channel.as_str())]
    documents: String,
}

#[derive(clap::Args)]
struct Set {
    #[command(flatten)]
    settings: Settings,
    /// Whose days
    #[arg(long, value_name = "CODE")]
    institution: String,
    /// channel (its one WeChat channel's own bill) or bil (its BIL)
    #[arg(long)]
    documents: String,
}

#[derive(clap::Args)]
struct Key {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    from: From,
    /// Whose key
    #[arg(long, value_name = "CODE", conflicts_with = "document")]
    institution: Option<String>,
    /// approvals, files, api, ssh, sealing or channel
    #[arg(long, conflicts_with = "document")]
    purpose: Option<String>,
    /// With the purpose `channel`: wechat or alipay
    #[arg(long, conflicts_with = "document")]
    channel: Option<String>,
    /// The serial or `PUB_KEY_ID_…` that names it; needed for a channel
    #[arg(long, conflicts_with = "document")]
    key_id: Option<String>,
    /// Public key or certificate, PEM
    #[arg(long, value_name = "FILE", conflicts_with = "document")]
    public_key: Option<PathBuf>,
    /// How many days the keys before it count beside it, at most 90
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    overlap_days: i64,
    /// Ends the key that --key-id names, now
    #[arg(long, conflicts_with_all = ["public_key", "document"])]
    end: bool,
}

#[derive(clap::Args)]
struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Its code
    #[arg(long, value_name = "CODE")]
    institution: String,
}

/// Runs the command.
pub fn run(args: &InstitutionArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => add(args)?,
        Command::Key(args) if args.end => end(args)?,
        Command::Key(args) => key(args)?,
        Command::Documents(args) => set_documents(args)?,
        Command::Show(args) => show(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &Add) -> anyhow::Result<()> {
    let institution = match &args.from.document {
        Some(file) => {
            let part = read(file)?.institution;
            Some(part.with_context(|| format!("{} has no [institution]", file.display()))?)
        }
        None => Some(InstitutionPart {
            code: needed(args.code.as_ref(), "code")?,
            name: needed(args.name.as_ref(), "name")?,
            platform_code: needed(args.platform_code.as_ref(), "platform-code")?,
            order_prefix: needed(args.order_prefix.as_ref(), "order-prefix")?,
            result_encoding: args.result_encoding.clone(),
            documents: args.documents.clone(),
        }),
    };
    establish(&args.settings, &Founding { institution, ..Founding::default() })
}

fn key(args: &Key) -> anyhow::Result<()> {
    let key = match &args.from.document {
        Some(file) => {
            // What signs a channel's answers is entered with the channel.
            let mut keys = read(file)?.key;
            keys.retain(|part| part.purpose != Purpose::Channel.as_str());
            keys
        }
        None => vec![KeyPart {
            institution: Some(needed(args.institution.as_ref(), "institution")?),
            purpose: needed(args.purpose.as_ref(), "purpose")?,
            channel: args.channel.clone(),
            key_id: args.key_id.clone(),
            public_key: text_of(&needed(args.public_key.as_ref(), "public-key")?)?,
            overlap_days: args.overlap_days,
        }],
    };
    establish(&args.settings, &Founding { key, ..Founding::default() })
}

fn end(args: &Key) -> anyhow::Result<()> {
    let code = needed(args.institution.as_ref(), "institution")?;
    let (purpose, key_id) =
        (needed(args.purpose.as_ref(), "purpose")?, needed(args.key_id.as_ref(), "key-id")?);
    let purpose =
        Purpose::parse(&purpose).with_context(|| format!("--purpose: there is no purpose `{purpose}`"))?;
    let (_, db) = args.settings.open()?;
    let id = db.read_blocking(|tx| institutions::by_code(tx, &code))?.id;
    let (at, actor) = (Clock::system().now(), Actor::shell());
    db.write_blocking(|tx| institutions::end_key(tx, at, &actor, id, (purpose, &key_id)))?;
    say(format_args!("the {purpose} key {key_id} does not count any more"))
}

fn set_documents(args: &Set) -> anyhow::Result<()> {
    let documents = Documents::parse(&args.documents)
        .with_context(|| format!("--documents: channel or bil, not `{}`", args.documents))?;
    let (_, db) = args.settings.open()?;
    let id = db.read_blocking(|tx| institutions::by_code(tx, &args.institution))?.id;
    let (at, actor) = (Clock::system().now(), Actor::shell());
    let is_new = db.write_blocking(|tx| institutions::set_documents(tx, at, &actor, id, documents))?;
    let done = if is_new { "are" } else { "were already" };
    say(format_args!("the days of {} {done} cut from `{documents}`", args.institution))
}

fn show(args: &Show) -> anyhow::Result<()> {
    let (_, db) = args.settings.open()?;
    let lines = db.read_blocking(|tx| lines(tx, &args.institution))?;
    lines.into_iter().try_for_each(say)
}

fn lines(tx: &mut Tx<'_>, code: &str) -> Result<Vec<String>, Error> {
    let (it, at) = (institutions::by_code(tx, code)?, Clock::system().now());
    let id = it.id;
    let mut lines = vec![format!(
        "institution {} {} platform {} orders {}… results {} documents {}",
        it.code,
        it.name,
        it.platform_code,
        it.order_prefix,
        it.result_encoding.as_str(),
        it.documents
    )];
    for one in institutions::channels(tx, id)? {
        let (name, language) = (one.name, one.language);
        lines
            .push(format!("channel {name} {language} {} as {} {}", one.base_url, one.sp_mchid, one.sp_appid));
    }
    for purpose in Purpose::ALL.iter().copied() {
        for key in institutions::keys(tx, id, purpose)? {
            let state = if counts(key.valid_to, at) { "ACTIVE" } else { "ended" };
            let until = key.valid_to.map(|end| format!(" until {}", crate::clock::instant(end).to_cst()));
            lines.push(format!("key {purpose} {} {state}{}", key.key_id, until.unwrap_or_default()));
        }
    }
    Ok(lines)
}

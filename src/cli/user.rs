//! `mingfen user add | reset | disable`: people from the shell.
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;

use super::demo;
use super::settings::{Settings, say};
use crate::clock::Clock;
use crate::db::{Backend, Db, Tx};
use crate::error::Error;
use crate::institutions;
use crate::merchants;
use crate::people::{Actor, Role, Scope, password, users};
use crate::protocol::crypto::random_nonce;

/// Makes users, gives them new passwords, shuts them out.
///
/// Example: `mingfen user add --login ops --name 运营 --role admin`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a user and prints the password, once.
    ///
    /// Example: `mingfen user add --login m1001 --name 小店 --role merchant --merchant M1001`
    Add(Add),
    /// Gives a user a new password, prints it once, and ends the user's sessions.
    ///
    /// Example: `mingfen user reset --login ops`
    Reset(Named),
    /// Shuts a user out for good and ends the user's sessions.
    ///
    /// Example: `mingfen user disable --login ops`
    Disable(Named),
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    settings: Settings,
    /// 3 to 32 of 0-9 a-z . _ -
    #[arg(long)]
    login: String,
    /// The name shown on pages.
    #[arg(long)]
    name: String,
    /// What the user may do.
    #[arg(long, value_enum)]
    role: RoleName,
    /// The institution that an inst-maker or inst-checker belongs to.
    #[arg(long, value_name = "CODE", conflicts_with = "merchant")]
    institution: Option<String>,
    /// The sub-merchant that a merchant belongs to.
    #[arg(long, value_name = "NUMBER")]
    merchant: Option<String>,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    settings: Settings,
    /// The name that the user logs in with.
    #[arg(long)]
    login: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum RoleName {
    Admin,
    Checker,
    Merchant,
    InstMaker,
    InstChecker,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Admin => Role::Admin,
            RoleName::Checker => Role::Checker,
            RoleName::Merchant => Role::Merchant,
            RoleName::InstMaker => Role::InstMaker,
            RoleName::InstChecker => Role::InstChecker,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => add(args)?,
        Command::Reset(args) => reset(args)?,
        Command::Disable(args) => disable(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &Add) -> anyhow::Result<()> {
    let (_, db) = args.settings.open()?;
    let scope = db.read_blocking(|tx| Ok(scope(tx, args)))??;
    let (password, hash) = new_password()?;
    let user = users::NewUser {
        login: &args.login,
        name: &args.name,
        role: args.role.into(),
        scope,
        password_hash: &hash,
    };
    db.write_blocking(|tx| users::add(tx, Clock::system().now(), &Actor::shell(), &user))?;
    say(format_args!("login {}\npassword {password}", args.login))
}

fn scope(tx: &mut Tx<'_>, args: &Add) -> anyhow::Result<Scope> {
    if let Some(code) = &args.institution {
        return Ok(Scope::Institution(institutions::by_code(tx, code)?.id));
    }
    if let Some(number) = &args.merchant {
        let found = merchants::by_number(tx, number)?;
        let found = found.ok_or_else(|| anyhow!("there is no sub-merchant `{number}`: check --merchant"))?;
        return Ok(Scope::Merchant(found.id));
    }
    Ok(Scope::Platform)
}

fn reset(args: &Named) -> anyhow::Result<()> {
    let (_, db) = args.settings.open()?;
    let (password, hash) = new_password()?;
    of_user(&db, &args.login, |tx, at, actor| users::reset(tx, at, actor, &args.login, &hash))?;
    say(format_args!("login {}\npassword {password}", args.login))?;
    tell_of_demo(&db, &args.login)
}

/// A demo's table of logins knows what the demo made itself, not what became of it.
fn tell_of_demo(db: &Db, login: &str) -> anyhow::Result<()> {
    let dir = match db.backend() {
        Backend::Sqlite(path) => path.parent().unwrap_or(Path::new("")),
        Backend::Postgres(_) => return Ok(()),
    };
    if !demo::lists_login(dir, login) {
        return Ok(());
    }
    let table = dir.join("logins.json");
    say(format_args!(
        "{} still tells the password before; the demo leaves it out from its next start on",
        table.display()
    ))
}

fn disable(args: &Named) -> anyhow::Result<()> {
    let (_, db) = args.settings.open()?;
    of_user(&db, &args.login, |tx, at, actor| users::disable(tx, at, actor, &args.login))?;
    say(format_args!("the user `{}` is shut out", args.login))?;
    tell_of_demo(&db, &args.login)
}

fn of_user(
    db: &Db,
    login: &str,
    command: impl FnOnce(&mut Tx<'_>, i64, &Actor) -> Result<(), Error>,
) -> anyhow::Result<()> {
    let done = db.write_blocking(|tx| command(tx, Clock::system().now(), &Actor::shell()));
    match done {
        Err(Error::NotFound) => Err(anyhow!("there is no user `{login}`: check --login")),
        other => Ok(other?),
    }
}

/// 20 characters of 62, and their hash.
fn new_password() -> anyhow::Result<(String, String)> {
    let password = random_nonce(20)?;
    let hash = password::hash(&password)?;
    Ok((password, hash))
}

//! Commands of the `mingfen` binary, one file per sub-command (`cli.md`).
pub mod backup;
pub mod check;
pub mod credential;
pub mod day;
pub mod demo;
pub mod found;
pub mod logs;
pub mod migrate;
pub mod restore;
pub mod sandbox;
pub mod serve;
pub mod settings;
pub mod split;
pub mod user;
pub mod work;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// `mingfen`: compute, publish and verify splits of a licensed institution's payments.
#[derive(Parser)]
#[command(name = "mingfen", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Backup(backup::Args),
    Bench(crate::bench::Args),
    Channel(found::ChannelArgs),
    Check(check::Args),
    Credential(credential::Args),
    Migrate(migrate::Args),
    Day(day::Args),
    Demo(demo::Args),
    Institution(found::InstitutionArgs),
    Keys(found::KeysArgs),
    Merchant(found::MerchantArgs),
    Receiver(found::ReceiverArgs),
    Restore(restore::Args),
    Serve(serve::Args),
    Work(work::Args),
    Sandbox(sandbox::Args),
    Split(split::Args),
    Tenant(found::TenantArgs),
    Verify(mingfen_verify::Args),
    User(user::Args),
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Backup(args) => backup::run(&args),
            Command::Bench(args) => crate::bench::run(args),
            Command::Channel(args) => found::channel(&args),
            Command::Institution(args) => found::institution(&args),
            Command::Keys(args) => found::keys(&args),
            Command::Merchant(args) => found::merchant(&args),
            Command::Receiver(args) => found::receiver(&args),
            Command::Tenant(args) => found::tenant(&args),
            Command::Check(args) => check::run(&args),
            Command::Credential(args) => credential::run(&args),
            Command::Migrate(args) => migrate::run(&args),
            Command::Day(args) => day::run(args),
            Command::Demo(args) => demo::run(args),
            Command::Restore(args) => restore::run(&args),
            Command::Serve(args) => serve::run(args),
            Command::Work(args) => work::run(&args),
            Command::Sandbox(args) => sandbox::run(args),
            Command::Split(args) => split::run(args),
            Command::Verify(args) => mingfen_verify::run(args),
            Command::User(args) => user::run(&args),
        }
    }
}

/// Exit status 0 = yes, 1 = it ran and the answer is no, 2 = it could not run.
pub fn main() -> ExitCode {
    Cli::parse().command.run().unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{error:#}");
        ExitCode::from(2)
    })
}

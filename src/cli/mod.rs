//! Commands of the `mingfen` binary, one file per sub-command (`cli.md`).
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
enum Command {}

/// Exit status 0 = yes, 1 = it ran and the answer is no, 2 = it could not run.
pub fn main() -> ExitCode {
    match Cli::parse().command {}
}

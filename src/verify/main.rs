//! `mingfen-verify`: what an institution builds to recompute the platform's days on its own machine.
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Recompute a platform's day from the institution's own bill and approvals
#[derive(Parser)]
#[command(name = "mingfen-verify", version)]
struct Cli {
    #[command(flatten)]
    args: mingfen_verify::Args,
}

/// Exit status 0 = every fen is explained, 1 = violations, 2 = an input is unusable.
fn main() -> ExitCode {
    mingfen_verify::run(Cli::parse().args).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{error:#}");
        ExitCode::from(2)
    })
}

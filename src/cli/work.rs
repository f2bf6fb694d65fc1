//! `mingfen work`: the jobs without the site, for a further process on PostgreSQL.
use std::process::ExitCode;

use actix_web::web::Data;

use super::logs;
use super::settings::{self, Settings};
use crate::tasks::Jobs;
use crate::web::door;

/// The jobs without the site: a further process on the same database
///
/// Every process, `serve` too, runs the jobs; leases in the database see to it that no two do the same at a time.
/// Example: `mingfen work --config mingfen.toml`
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
}

/// Works until it is told to stop, then lets every job finish what it has begun.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    logs::start(&config)?;
    door::raise_descriptors();
    let app = settings::open_to_stay(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let jobs = Jobs::start(&Data::new(app));
        tracing::info!("working");
        super::sandbox::told_to_stop().await;
        jobs.stop().await;
        tracing::info!("stopped");
    });
    settings::leave(runtime);
    Ok(ExitCode::SUCCESS)
}

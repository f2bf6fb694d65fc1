//! `mingfen serve`: the site and the jobs in one process.
use std::net::TcpListener;
use std::process::ExitCode;

use actix_web::web::Data;
use anyhow::Context;

use super::logs;
use super::settings::{self, Settings};
use crate::app::App;
use crate::tasks::Jobs;
use crate::web::door;

/// Seconds that open requests get to finish after SIGTERM or SIGINT.
const GRACE: u64 = 20;

/// The site, the gateway and the jobs.
///
/// It refuses to start on unknown settings, on a database that is missing, and on one that lacks migrations.
/// Example: `mingfen serve --config mingfen.toml`
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
}

/// Serves until it is told to stop, then lets open requests and jobs finish.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    logs::start(&config)?;
    door::raise_descriptors();
    let app = settings::open_to_stay(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(app));
    settings::leave(runtime);
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(app: App) -> anyhow::Result<()> {
    let listen = app.config.listen;
    let app = Data::new(app);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let server = TcpListener::bind(listen)
        .and_then(|listener| door::open(&app, listener, threads, GRACE))
        .with_context(|| format!("{listen} cannot be listened on: choose another `listen`"))?;
    // Whoever cannot have the port has no business delivering and settling beside the process that holds it.
    let jobs = Jobs::start(&app);
    tracing::info!(%listen, "serving");
    let handle = server.handle();
    let mut serving = tokio::spawn(server);
    let outcome = tokio::select! {
        ended = &mut serving => ended,
        () = super::sandbox::told_to_stop() => {
            handle.stop(true).await;
            serving.await
        }
    };
    jobs.stop().await;
    if let Err(error) = app.guard.write(&app.db).await {
        tracing::error!(%error, "the last security events are in the log alone");
    }
    tracing::info!("stopped");
    Ok(outcome??)
}

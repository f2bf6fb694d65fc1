//! Structured logs on stderr: one line an event, the request's id on everything that belongs to a request; in colours where
//! a person reads them.
use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::config::{Config, LogFormat};

/// Starts logging for the whole process.
pub fn start(config: &Config) -> anyhow::Result<()> {
    let filter: Targets = (config.log_filter.parse())
        .map_err(|error| anyhow::anyhow!("the setting `log_filter` is not usable: {error}"))?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    match config.log_format {
        LogFormat::Text => registry().with(lines).with(filter).try_init(),
        LogFormat::Json => {
            registry().with(lines.json().flatten_event(true).with_span_list(false)).with(filter).try_init()
        }
    }
    .map_err(|error| anyhow::anyhow!("logs could not be started: {error}"))
}

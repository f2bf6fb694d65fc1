//! H1: signed notifications become durable facts.
use super::{Args, Report};

pub(super) fn run(_args: &Args) -> anyhow::Result<Report> {
    anyhow::bail!("not measured yet")
}

//! Lists and details at size.
use super::{Args, Report};

pub(super) fn run(_args: &Args) -> anyhow::Result<Report> {
    anyhow::bail!("not measured yet")
}

//! Lists and details at size: a platform filled with orders, its real site, and people who read every page.
mod asked;
mod fill;
mod platform;
mod store;
mod visits;

use super::{Args, Report};

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let platform = platform::stand(args)?;
    visits::run(&platform)
}

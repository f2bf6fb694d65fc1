//! Lists and details at size: a platform filled with orders, its real site, and people who read every page.
mod asked;
mod fill;
mod platform;
mod store;
mod visits;

pub(super) use asked::{Asked, Visit};
pub(super) use fill::Dialect;
pub(super) use platform::{LOGINS, PASSWORD};
pub(super) use store::{Filler, dialect};
pub(super) use visits::Readers;

use super::{Args, Report};

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let platform = platform::stand(args)?;
    visits::run(&platform)
}

//! Founding from the shell: institutions, channels, tenants, merchants, receivers, and the keys of both sides. What pages
//! enter is entered by the same functions, with the same checks and the same audit rows.
mod channel;
mod institution;
mod keys;
mod parties;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::settings::{Settings, say};
use crate::clock::Clock;
use crate::merchants::founding::Founding;
use crate::people::Actor;

pub use channel::{ChannelArgs, run as channel};
pub use institution::{InstitutionArgs, run as institution};
pub use keys::{KeysArgs, run as keys};
pub use parties::{MerchantArgs, ReceiverArgs, TenantArgs, merchant, receiver, tenant};

/// Reads a founding document.
fn read(path: &Path) -> anyhow::Result<Founding> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut founding: Founding =
        toml::from_str(&text).with_context(|| format!("{} is not a founding document", path.display()))?;
    founding.name_institution();
    Ok(founding)
}

/// Enters a document, and says of each object whether it was made or was there.
fn establish(settings: &Settings, founding: &Founding) -> anyhow::Result<()> {
    ensure!(*founding != Founding::default(), "there is nothing to enter: give --from FILE, or the flags");
    let (config, db) = settings.open()?;
    let (master, now) = (config.master_key()?, Clock::system().instant());
    let founded = db.write_blocking(|tx| founding.establish(tx, &master, now, &Actor::shell()))?;
    for (object, is_new) in founded.objects {
        say(format_args!(
            "{object}: {}",
            if is_new { "entered" } else { "is there already, nothing changed" }
        ))?;
    }
    Ok(())
}

/// Where a document lies, as an alternative to flags.
#[derive(clap::Args)]
struct From {
    /// TOML with the parts to be entered; others in it are left alone
    #[arg(long = "from", value_name = "FILE")]
    document: Option<PathBuf>,
}

/// A flag that is needed where no file is given.
fn needed<T: Clone>(value: Option<&T>, flag: &str) -> anyhow::Result<T> {
    value.cloned().with_context(|| format!("give --{flag}, or --from FILE"))
}

/// A PEM file.
fn pem(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file that only its owner may read.
fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = opened.with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(writeln!(file, "{}", text.trim_end())?)
}

//! Founding from the shell: institutions, channels, tenants, merchants, receivers, and the keys of both sides. What pages
//! enter is entered by the same functions, with the same checks and the same audit rows.
mod channel;
mod institution;
mod keys;
mod parties;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::NamedTempFile;

use super::settings::{Settings, say};
use crate::clock::Clock;
use crate::merchants::founding::Founding;
use crate::people::Actor;

pub use channel::{ChannelArgs, run as channel};
pub use institution::{InstitutionArgs, run as institution};
pub use keys::{KeysArgs, run as keys};
pub use parties::{MerchantArgs, ReceiverArgs, TenantArgs, merchant, receiver, tenant};

/// Bytes of a document or a key at most.
const MOST: u64 = 1 << 20;

/// Reads a founding document.
fn read(path: &Path) -> anyhow::Result<Founding> {
    let text = text_of(path)?;
    let mut founding: Founding =
        toml::from_str(&text).with_context(|| format!("{} is not a founding document", path.display()))?;
    founding.name_institution();
    Ok(founding)
}

/// Enters a document, and says of each object whether it was made or was there.
fn establish(settings: &Settings, founding: &Founding) -> anyhow::Result<()> {
    ensure!(*founding != Founding::default(), "there is nothing to enter: give --from FILE, or the flags");
    let (config, db) = settings.open()?;
    let (master, at) = (config.master_key()?, Clock::system().now());
    let founded = db.write_blocking(|tx| founding.establish(tx, &master, at, &Actor::shell()))?;
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

/// The text of a plain file of at most [`MOST`] bytes.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let found = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(found.is_file() && found.len() <= MOST, "{} is no plain file of at most 1 MiB", path.display());
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A file that only its owner may read, on disk beside its place until it is kept there: whatever lies there before is
/// replaced, not written into, be it a link.
struct Secret {
    file: NamedTempFile,
    place: PathBuf,
}

impl Secret {
    fn write(place: &Path, text: &str) -> anyhow::Result<Self> {
        let cannot = || format!("{} cannot be made", place.display());
        let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(dir).with_context(cannot)?;
        writeln!(file, "{}", text.trim_end()).with_context(cannot)?;
        file.as_file().sync_all().with_context(cannot)?;
        Ok(Self { file, place: place.to_owned() })
    }

    fn keep(self) -> anyhow::Result<()> {
        let place = self.place.display().to_string();
        self.file.persist(&self.place).with_context(|| format!("{place} cannot be made"))?;
        Ok(())
    }
}

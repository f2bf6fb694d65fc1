//! Without signatures: the commands with which the institution checks each of them itself.
use std::path::{Path, PathBuf};

use mingfen_kernel::verify::SignatureCheck;

use crate::Args;

/// What stays to be done by hand.
pub(crate) struct Keys(Vec<String>);

/// A command for each file that carries a signature, under the key of whoever signed it.
pub(crate) fn of(args: &Args) -> anyhow::Result<Keys> {
    let none = PathBuf::from("KEY.pem");
    let platform = args.platform_key.as_ref().unwrap_or(&none);
    let institution = args.institution_key.as_ref().unwrap_or(&none);
    let theirs = [&args.spl, &args.previous, &args.void].into_iter().flatten().map(|file| (platform, file));
    let own =
        [&args.approvals, &args.bill, &args.results].into_iter().flatten().map(|file| (institution, file));
    Ok(Keys(theirs.chain(own).map(|(key, file)| command(key, file)).collect()))
}

fn command(key: &Path, file: &Path) -> String {
    let (key, file) = (quoted(key), quoted(file));
    format!("base64 -d {file}.sig | openssl dgst -sha256 -verify {key} -signature /dev/stdin {file}")
}

/// As a POSIX shell takes it literally.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

impl Keys {
    /// For the kernel: nothing is checked.
    pub(crate) fn check(&self) -> Option<&dyn SignatureCheck> {
        None
    }

    /// The commands.
    pub(crate) fn by_hand(&self) -> Vec<String> {
        self.0.clone()
    }
}

/// Nobody here reads a signature.
pub(crate) fn decoded(_: &[u8]) -> Vec<u8> {
    Vec::new()
}

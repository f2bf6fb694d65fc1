//! With signatures: the keys that check them.
use std::path::Path;

use anyhow::Context;
use mingfen_kernel::verify::SignatureCheck;
use mingfen_protocol::crypto::{PublicKey, from_base64};

use crate::Args;
use crate::evidence::FileKeys;

/// What the signatures are checked with; nothing where the caller wants none checked.
pub(crate) struct Keys(Option<FileKeys>);

/// Reads the keys that the arguments name.
pub(crate) fn of(args: &Args) -> anyhow::Result<Keys> {
    Ok(Keys(match (&args.platform_key, &args.institution_key) {
        (Some(platform), Some(institution)) => {
            Some(FileKeys { platform: public_key(platform)?, institution: public_key(institution)? })
        }
        _ => None,
    }))
}

impl Keys {
    /// For the kernel.
    pub(crate) fn check(&self) -> Option<&dyn SignatureCheck> {
        match &self.0 {
            Some(keys) => Some(keys),
            None => None,
        }
    }

    /// What is left to be checked by hand: nothing.
    pub(crate) fn by_hand(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The bytes of a `.sig`; text that is no base64 is a signature that fits nothing.
pub(crate) fn decoded(sig: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(sig).unwrap_or_default();
    from_base64(text.trim_end()).unwrap_or_default()
}

/// Reads a key.
pub fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKey::from_pem(&pem)
        .with_context(|| format!("{} is not a public key; give an RSA key in PEM", path.display()))
}

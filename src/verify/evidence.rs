//! What the kernel's `verify` is handed: keys that check signatures over files, and a channel's own bill as evidence.
use std::io::{self, BufRead};

use mingfen_kernel::bill::BillRow;
use mingfen_kernel::digest::{Digest, Hashed};
use mingfen_kernel::verify::{Bill, ChannelBill, Given, MerchantByNo};
#[cfg(feature = "signatures")]
use mingfen_kernel::verify::{SignatureCheck, Signer};
#[cfg(feature = "signatures")]
use mingfen_protocol::crypto::PublicKey;
use mingfen_protocol::wechat::bill::{BillFault, Reader, may_begin, unpacked};

/// The keys that sign files: the platform's for SPL, the institution's for bundles, results and its bill.
#[cfg(feature = "signatures")]
#[derive(Debug, Clone)]
pub struct FileKeys {
    /// The platform's.
    pub platform: PublicKey,
    /// The institution's.
    pub institution: PublicKey,
}

#[cfg(feature = "signatures")]
impl SignatureCheck for FileKeys {
    fn ok(&self, signer: Signer, digest: &Digest, signature: &[u8]) -> bool {
        match signer {
            Signer::Platform => self.platform.verify_digest(digest, signature),
            Signer::Institution => self.institution.verify_digest(digest, signature),
        }
    }
}

/// A bill as evidence, by its content: WeChat's trade bill or a BIL; anything else is no bill, so that nothing can be
/// said: Alipay's own neither.
pub fn bill(mut given: Given<'_>) -> io::Result<Bill<'_>> {
    let begins = given.content.fill_buf()?;
    if begins.starts_with(b"H|") {
        return Ok(Bill::Bil(given));
    }
    if !may_begin(begins) {
        let what = match begins {
            [] => "it is empty; fetch it again",
            // What Alipay gives is a zip.
            [b'P', b'K', ..] => {
                "it is a zip, as Alipay's own bill is: that names neither merchants nor tags; the institution's own \
                 bill of the day, BIL, is needed in its place"
            }
            _ => "it is neither a BIL nor WeChat's trade bill; fetch it again",
        };
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let Given { name, content, signature } = given;
    Ok(Bill::Channel { name, bill: Box::new(WechatBill(content)), signature })
}

struct WechatBill<R>(R);

impl<R: BufRead> ChannelBill for WechatBill<R> {
    fn read(
        self: Box<Self>,
        merchant: MerchantByNo<'_>,
        each: &mut dyn FnMut(u64, BillRow),
    ) -> Result<Digest, (u64, String)> {
        let placed = |fault: BillFault| match fault {
            BillFault::Io(error) => (0, error.to_string()),
            BillFault::Form { line, why } => (line, why.to_owned()),
            BillFault::Value { line, column, why } => (line, format!("{column}: {why}")),
        };
        let mut hashed = Hashed::new(self.0);
        let text = unpacked(&mut hashed).map_err(|error| (0, error.to_string()))?;
        let rows = Reader::new(text, merchant).map_err(placed)?;
        // The header is line 1, and every row one line.
        for (line, row) in (2..).zip(rows) {
            each(line, row.map_err(placed)?);
        }
        // The signature is over every byte, also over those that the reader does not need.
        hashed.finish().map_err(|error| (0, error.to_string()))
    }
}

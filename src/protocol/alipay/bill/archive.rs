//! The zip around a bill: two entries, of which one holds the rows. Nothing of it is written anywhere, and neither its
//! directory nor what it unpacks to is read beyond bounds.
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{BillFault, Reader};
use crate::alipay::charset::Charset;

/// First bytes of an archive.
const MAGIC: &[u8] = b"PK\x03\x04";
/// The record with which an archive ends, where it says nothing of its own.
const END_MAGIC: &[u8] = b"PK\x05\x06";
/// What stands before it in an archive of 64 bits.
const WIDE_MAGIC: &[u8] = b"PK\x06\x07";
/// Both.
const END_BYTES: i64 = 42;
/// The most bytes of an archive.
pub const MAX_PACKED: u64 = 512 * 1024 * 1024;
/// The most bytes that its rows unpack to.
pub const MAX_UNPACKED: u64 = 4 * 1024 * 1024 * 1024;
/// The most entries of an archive.
pub const MAX_ENTRIES: u16 = 16;
/// What the name of the entry with the rows has, and that of the other one besides.
const DETAILS: &str = "业务明细";
const SUMMARY: &str = "汇总";

/// Whether these can be the first bytes of a bill: an error page or an empty body cannot.
#[must_use]
pub fn may_begin(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A bill as it is fetched.
pub struct Archive<R> {
    zip: ZipArchive<R>,
    details: usize,
}

impl<R: Read + Seek> Archive<R> {
    /// Finds the entry with the rows.
    pub fn open(mut source: R) -> Result<Self, BillFault> {
        check_end(&mut source)?;
        source.rewind()?;
        let mut zip = ZipArchive::new(source).map_err(damaged)?;
        let mut details = None;
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(damaged)?;
            if !is_details(entry.name_raw()) {
                continue;
            }
            if entry.encrypted() || entry.size() > MAX_UNPACKED {
                return Err(BillFault::Archive("the archive's rows are encrypted or too long"));
            }
            if details.replace(index).is_some() {
                return Err(BillFault::Archive("the archive has rows twice"));
            }
        }
        let details = details.ok_or(BillFault::Archive("the archive has no 业务明细"))?;
        Ok(Self { zip, details })
    }

    /// Reads the rows; what was changed or cut short is a fault at the latest at their end.
    pub fn rows(&mut self) -> Result<Reader<impl BufRead + '_>, BillFault> {
        let entry = self.zip.by_index(self.details).map_err(damaged)?;
        let left = entry.size();
        Reader::new(BufReader::with_capacity(1 << 16, Bounded { source: entry, left }))
    }
}

/// Names are in GBK, or in UTF-8 where the archive's maker was newer.
fn is_details(name: &[u8]) -> bool {
    [Charset::Utf8, Charset::Gbk]
        .iter()
        .filter_map(|charset| charset.decode(name))
        .any(|name| name.ends_with(".csv") && name.contains(DETAILS) && !name.contains(SUMMARY))
}

fn damaged(fault: ZipError) -> BillFault {
    BillFault::Io(io::Error::other(fault))
}

/// The last record counts the entries: more of them than a bill has are not even looked at, and the one before it that
/// would count them otherwise is none of a bill.
fn check_end(source: &mut (impl Read + Seek)) -> Result<(), BillFault> {
    if source.seek(SeekFrom::End(0))? > MAX_PACKED {
        return Err(BillFault::Archive("the archive is too long"));
    }
    let fault = BillFault::Archive("no archive of a bill, or cut short");
    if source.seek(SeekFrom::End(-END_BYTES)).is_err() {
        return Err(fault);
    }
    let (mut before, mut end) = ([0; 20], [0; 22]);
    source.read_exact(&mut before)?;
    source.read_exact(&mut end)?;
    let [.., low, high, _, _, _, _, _, _, _, _, 0, 0] = end else { return Err(fault) };
    let entries = u16::from_le_bytes([low, high]);
    if before.starts_with(WIDE_MAGIC) || !end.starts_with(END_MAGIC) || entries > MAX_ENTRIES {
        return Err(fault);
    }
    Ok(())
}

/// Reads no more than the directory says that there is: more is a fault.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let left = u64::try_from(read).ok().and_then(|read| self.left.checked_sub(read));
        self.left = left.ok_or_else(|| io::Error::other("the archive unpacks to more than it says"))?;
        Ok(read)
    }
}

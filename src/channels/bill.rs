//! Bills of a day, a channel's own and the institution's, read as the same rows.
use std::io::BufRead;

use super::http::Downloaded;
use crate::kernel::bill::BillRow;
use crate::kernel::file::bil::BilReader;
use crate::kernel::money::Fen;
use crate::protocol::wechat::bill::Reader;

/// What came of asking for a day's bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Billed {
    /// The bill.
    Bill(Downloaded),
    /// The institution says for certain that there is none; its signature headers and the body that it signed.
    Nothing(Vec<u8>),
}

/// Reads a bill row by row in bounded memory. Rows count for nothing before the last of them was read.
pub trait ReadBill {
    /// The next row; none after the last one of a sound bill. The error says in words what is wrong, and where.
    fn next_row(&mut self) -> Result<Option<BillRow>, String>;

    /// What was ordered in the payment read last, in fen, where the bill says it: what is settled of it may be less.
    fn ordered(&self) -> Option<Fen>;
}

impl<R: BufRead> ReadBill for BilReader<R> {
    fn next_row(&mut self) -> Result<Option<BillRow>, String> {
        BilReader::next_row(self).map_err(|fault| fault.to_string())
    }

    fn ordered(&self) -> Option<Fen> {
        None
    }
}

impl<R: BufRead> ReadBill for Reader<'_, R> {
    fn next_row(&mut self) -> Result<Option<BillRow>, String> {
        self.next().transpose().map_err(|fault| fault.to_string())
    }

    fn ordered(&self) -> Option<Fen> {
        Reader::ordered(self)
    }
}

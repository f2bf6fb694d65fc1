//! What must be found again by a number, however much of it there is: beyond a bound it is dealt out by a keyed hash into
//! parts of the scratch room, and each part is looked at by itself. The key is drawn anew for every run, so that nobody
//! can choose numbers that all fall into one part; numbers are compared in full.
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};

use super::{Bounds, Piece, Scratch, Unusable};

/// Parts into which a pile is dealt out, `2^PART_BITS`.
const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 6;
/// A part that is still too large is dealt out again by the next bits of the hash, at most this often. A part that is
/// too large even then holds one and the same number over and over.
const MAX_DEPTH: u32 = 9;
/// Bytes of a record before its key: hash, kind, four numbers, length of the key.
const FIXED: usize = 8 + 1 + 4 * 8 + 2;

/// A number and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'p> {
    /// The number.
    pub key: &'p str,
    /// What kind of entry this is, for whoever put it in.
    pub kind: u8,
    /// Of its kind.
    pub numbers: [u64; 4],
    /// Of its kind.
    pub text: &'p str,
}

/// Entries, to be had again number by number.
pub(super) struct Pile<'s> {
    scratch: &'s dyn Scratch,
    bounds: Bounds,
    keys: RandomState,
    depth: u32,
    /// All entries, while they are few.
    memory: Vec<u8>,
    /// Where they went when they were too many.
    parts: Vec<Dealt>,
}

#[derive(Default)]
struct Dealt {
    buffer: Vec<u8>,
    piece: Option<Box<dyn Piece>>,
}

impl<'s> Pile<'s> {
    pub fn new(scratch: &'s dyn Scratch, bounds: Bounds) -> Self {
        let (keys, memory, parts) = (RandomState::new(), Vec::new(), Vec::new());
        Self { scratch, bounds, keys, depth: 0, memory, parts }
    }

    /// What was put in so far.
    pub fn take(&mut self) -> Self {
        let empty = Self::new(self.scratch, self.bounds);
        std::mem::replace(self, empty)
    }

    /// Puts an entry in.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), Unusable> {
        let hash = self.keys.hash_one(entry.key);
        let spilled = !self.parts.is_empty();
        let part = self.parts.get_mut(part_of(hash, self.depth)).map(|part| &mut part.buffer);
        entry.write(hash, part.unwrap_or(&mut self.memory));
        self.settle(spilled.then_some(hash)).map_err(Unusable::Scratch)
    }

    /// Puts an entry in that was written before.
    fn put(&mut self, record: &[u8]) -> io::Result<()> {
        let hash = hash_of(record);
        let spilled = !self.parts.is_empty();
        let part = self.parts.get_mut(part_of(hash, self.depth)).map(|part| &mut part.buffer);
        let room = part.unwrap_or(&mut self.memory);
        room.extend_from_slice(&length(record.len()));
        room.extend_from_slice(record);
        self.settle(spilled.then_some(hash))
    }

    /// Keeps within the bound after an entry was added.
    fn settle(&mut self, spilled: Option<u64>) -> io::Result<()> {
        let Some(hash) = spilled else {
            let fits = self.memory.len() <= self.bounds.memory || self.depth >= MAX_DEPTH;
            return if fits { Ok(()) } else { self.deal() };
        };
        let most = self.bounds.memory / PARTS;
        match self.parts.get_mut(part_of(hash, self.depth)) {
            Some(part) if part.buffer.len() > most => part.flush(self.scratch),
            Some(_) | None => Ok(()),
        }
    }

    fn deal(&mut self) -> io::Result<()> {
        self.parts.resize_with(PARTS, Dealt::default);
        let memory = std::mem::take(&mut self.memory);
        for record in records(&memory) {
            self.put(record)?;
        }
        Ok(())
    }

    /// Gives `each` all entries of one number, for one number after the other, in no order that means anything; entries
    /// of a number come by kind and numbers.
    pub fn groups(self, each: &mut dyn FnMut(&[Entry<'_>]) -> Result<(), Unusable>) -> Result<(), Unusable> {
        let Self { scratch, bounds, keys, depth, memory, parts } = self;
        if parts.is_empty() {
            return sorted(&memory, each);
        }
        for Dealt { buffer, piece } in parts {
            let (keys, depth) = (keys.clone(), depth.saturating_add(1));
            let mut inner = Pile { scratch, bounds, keys, depth, memory: Vec::new(), parts: Vec::new() };
            inner.refill(piece, &buffer).map_err(Unusable::Scratch)?;
            drop(buffer);
            inner.groups(each)?;
        }
        Ok(())
    }

    fn refill(&mut self, piece: Option<Box<dyn Piece>>, rest: &[u8]) -> io::Result<()> {
        if let Some(piece) = piece {
            let (mut source, mut record) = (piece.read()?, Vec::new());
            while read_record(&mut source, &mut record)? {
                self.put(&record)?;
            }
        }
        records(rest).try_for_each(|record| self.put(record))
    }
}

impl Dealt {
    fn flush(&mut self, scratch: &dyn Scratch) -> io::Result<()> {
        let mut piece = match self.piece.take() {
            Some(piece) => piece,
            None => scratch.piece()?,
        };
        piece.write_all(&self.buffer)?;
        self.piece = Some(piece);
        self.buffer.clear();
        Ok(())
    }
}

fn part_of(hash: u64, depth: u32) -> usize {
    let place = hash.rotate_left(depth.saturating_add(1).saturating_mul(PART_BITS));
    usize::try_from(place).unwrap_or(usize::MAX) % PARTS
}

fn sorted(memory: &[u8], each: &mut dyn FnMut(&[Entry<'_>]) -> Result<(), Unusable>) -> Result<(), Unusable> {
    let mut all: Vec<(u64, &[u8])> = records(memory).map(|record| (hash_of(record), record)).collect();
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| by_key(a.1).cmp(&by_key(b.1))));
    let same = |a: &(u64, &[u8]), b: &(u64, &[u8])| a.0 == b.0 && key_of(a.1) == key_of(b.1);
    let mut group = Vec::new();
    for records in all.chunk_by(same) {
        group.clear();
        group.extend(records.iter().filter_map(|(_, record)| Entry::read(record)));
        each(&group)?;
    }
    Ok(())
}

fn key_of(record: &[u8]) -> Option<&str> {
    Entry::read(record).map(|entry| entry.key)
}

fn by_key(record: &[u8]) -> Option<(&str, u8, [u64; 4])> {
    Entry::read(record).map(|entry| (entry.key, entry.kind, entry.numbers))
}

impl<'p> Entry<'p> {
    fn write(&self, hash: u64, room: &mut Vec<u8>) {
        let Self { key, kind, numbers, text } = self;
        let size = FIXED.saturating_add(key.len()).saturating_add(text.len());
        room.extend_from_slice(&length(size));
        room.extend_from_slice(&hash.to_le_bytes());
        room.push(*kind);
        for number in numbers {
            room.extend_from_slice(&number.to_le_bytes());
        }
        room.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        room.extend_from_slice(key.as_bytes());
        room.extend_from_slice(text.as_bytes());
    }

    fn read(record: &'p [u8]) -> Option<Self> {
        let (_, rest) = record.split_first_chunk::<8>()?;
        let (kind, mut rest) = rest.split_first()?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let bytes;
            (bytes, rest) = rest.split_first_chunk::<8>()?;
            *number = u64::from_le_bytes(*bytes);
        }
        let (size, rest) = rest.split_first_chunk::<2>()?;
        let (key, text) = rest.split_at_checked(usize::from(u16::from_le_bytes(*size)))?;
        Some(Self { key: str::from_utf8(key).ok()?, kind: *kind, numbers, text: str::from_utf8(text).ok()? })
    }
}

fn hash_of(record: &[u8]) -> u64 {
    record.first_chunk().map_or(0, |hash| u64::from_le_bytes(*hash))
}

/// What stands before a record in memory and in the scratch room.
pub(super) fn length(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

/// The records of such a text, without their lengths.
pub(super) fn records(mut memory: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (size, rest) = memory.split_first_chunk::<4>()?;
        let record;
        (record, memory) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*size)).ok()?)?;
        Some(record)
    })
}

/// Reads the next record of the scratch room; false at its end.
pub(super) fn read_record(source: &mut dyn io::BufRead, record: &mut Vec<u8>) -> io::Result<bool> {
    if source.fill_buf()?.is_empty() {
        return Ok(false);
    }
    let mut size = [0; 4];
    source.read_exact(&mut size)?;
    record.clear();
    let wanted = u64::from(u32::from_le_bytes(size));
    let read = Read::take(&mut *source, wanted).read_to_end(record)?;
    if u64::try_from(read).is_ok_and(|read| read == wanted) {
        return Ok(true);
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "what was put aside is not there any more"))
}

//! The L lines of one order in one text: `path|role|receiver|amount` of each, one below the other. They belong to their
//! order and are never looked for without it, so that a database keeps them with it.
use super::SplLine;
use super::body::push_number;
use crate::file::field;

/// Appends a line as it stands behind `L|n|`.
pub fn push_share(out: &mut Vec<u8>, line: &SplLine<'_>) {
    for text in [line.path, line.role, line.receiver] {
        out.extend_from_slice(text.as_bytes());
        out.push(b'|');
    }
    push_number(out, line.amount.get());
}

/// The lines of order `n`, one a line of `text`; `None` where one is no L line.
pub fn shares(n: u32, text: &str) -> Option<Vec<SplLine<'_>>> {
    text.lines()
        .map(|line| {
            let [path, role, receiver, amount] = field::split::<4>(line, b'|')?;
            Some(SplLine { n, path, role, receiver, amount: field::total(amount)? })
        })
        .collect()
}

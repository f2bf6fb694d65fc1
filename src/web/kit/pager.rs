//! Where a list goes on: links that keep the filter, never page numbers.
use crate::web::words::Words;

/// What stands under a list.
pub struct Pager {
    /// What the reader should know of this page; may be empty.
    pub note: &'static str,
    /// Back to the beginning, unless this is it.
    pub first: Option<String>,
    /// On to what comes after.
    pub next: Option<String>,
    /// What that link says.
    pub next_text: &'static str,
}

impl Pager {
    /// Of a list that only leads on, to what is older.
    #[must_use]
    pub fn older(w: &Words, href: Option<String>) -> Option<Self> {
        let next_text = w.kit.next_page;
        href.map(|href| Self { note: "", first: None, next: Some(href), next_text })
    }
}

/// The key of the last row where the page is full, so that there may be more.
pub fn last_of<T, K>(rows: &[T], limit: i64, key: impl FnOnce(&T) -> K) -> Option<K> {
    rows.last().filter(|_| i64::try_from(rows.len()) == Ok(limit)).map(key)
}

//! Tags and parties travel as the channel's whole `attach`, `{tags};{parties};` (`files.md`); what the caller gave as its
//! own stays with the platform. In a bill there may be more behind them: older orders had it so.
use std::collections::BTreeMap;
use thiserror::Error;

use mingfen_kernel::text;

/// Longest `attach` in all, in bytes.
pub const MAX: usize = 128;
/// The most tags, and the most parties, of one order (`split.md`).
pub const MAX_ENTRIES: usize = 8;

/// What begins a declaration in `goods_tag` (`counter.md`, "In"); any other is a mark of the channel's own.
const OURS: &str = "mingfen:";

/// What the platform declares about an order; the institution sees it in the order itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Ascending, none twice.
    pub tags: Vec<String>,
    /// Party name to receiver.
    pub parties: BTreeMap<String, String>,
}

/// Why a declaration or an `attach` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AttachFault {
    /// Tags and parties, with what stands behind them, are over [`MAX`] bytes.
    #[error("the declared tags and parties are over 128 bytes")]
    TooLong,
    /// A control character or a backtick: it would break the institution's bill.
    #[error("attach holds a control character or a backtick")]
    Character,
    /// A tag that is not of the documented form.
    #[error("a tag is not 1 to 16 characters of 0-9 A-Z a-z _ -")]
    Tag,
    /// A party that is not of the documented form.
    #[error("a party is not name=receiver with a name of 1 to 16 letters a-z and a receiver key")]
    Party,
    /// Something stands twice, or not in ascending order.
    #[error("tags or parties stand twice or are not ascending")]
    Order,
    /// More than eight tags or parties.
    #[error("more than 8 tags or parties")]
    TooMany,
    /// No prefix at all.
    #[error("attach does not begin with the prefix of tags and parties")]
    NoPrefix,
}

impl Declared {
    /// The declaration that a caller's `goods_tag` is; none where it is a mark of the channel's, which goes there as it is.
    pub fn of_goods_tag(goods_tag: &str) -> Result<Option<Self>, AttachFault> {
        let Some(declared) = goods_tag.strip_prefix(OURS) else { return Ok(None) };
        if goods_tag.len() > MAX {
            return Err(AttachFault::TooLong);
        }
        Self::parse(declared).map(Some)
    }

    /// Reads a caller's declaration, after its beginning: `tag1,tag2` or `tag1;agent=agent:A1,store=store:G1`.
    /// The caller may write in any order.
    pub fn parse(goods_tag: &str) -> Result<Self, AttachFault> {
        let (tags, parties) = goods_tag.split_once(';').unwrap_or((goods_tag, ""));
        let mut tags = entries(tags)?;
        tags.sort_unstable();
        let mut parties = entries(parties)?;
        parties.sort_unstable();
        Self::read(&tags, &parties)
    }

    /// The prefix, `;;` for an empty declaration.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{};{};", self.tags.join(","), self.parties_text())
    }

    /// Tags as they stand in files: ascending, joined by `,`.
    #[must_use]
    pub fn tags_text(&self) -> String {
        self.tags.join(",")
    }

    /// Parties as they stand in files: `name=receiver`, ascending, joined by `,`.
    #[must_use]
    pub fn parties_text(&self) -> String {
        let each: Vec<String> = self.parties.iter().map(|(name, to)| format!("{name}={to}")).collect();
        each.join(",")
    }

    /// Entries that must already be ascending, as they stand in an order.
    fn read(tags: &[&str], parties: &[&str]) -> Result<Self, AttachFault> {
        if tags.len() > MAX_ENTRIES || parties.len() > MAX_ENTRIES {
            return Err(AttachFault::TooMany);
        }
        if !tags.iter().all(|tag| text::is_tag(tag)) {
            return Err(AttachFault::Tag);
        }
        let parties = parties.iter().map(|p| {
            p.split_once('=').filter(|(name, to)| text::is_party_name(name) && text::is_receiver(to))
        });
        let parties: Vec<(&str, &str)> = parties.collect::<Option<_>>().ok_or(AttachFault::Party)?;
        if !tags.is_sorted_by(|a, b| a < b) || !parties.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(AttachFault::Order);
        }
        Ok(Self {
            tags: tags.iter().map(|&t| t.to_owned()).collect(),
            parties: parties.into_iter().map(|(name, to)| (name.to_owned(), to.to_owned())).collect(),
        })
    }
}

/// Puts the prefix before the caller's own text.
pub fn join(declared: &Declared, own: &str) -> Result<String, AttachFault> {
    let text = declared.prefix() + own;
    if text.len() > MAX {
        return Err(AttachFault::TooLong);
    }
    // What we send is what we must be able to read back.
    cut(&text)?;
    Ok(text)
}

/// Cuts the prefix off again: the declaration, and the caller's own text.
pub fn cut(attach: &str) -> Result<(Declared, &str), AttachFault> {
    if attach.len() > MAX {
        return Err(AttachFault::TooLong);
    }
    if attach.chars().any(|c| c.is_control() || c == '`') {
        return Err(AttachFault::Character);
    }
    let (tags, rest) = attach.split_once(';').ok_or(AttachFault::NoPrefix)?;
    let (parties, own) = rest.split_once(';').ok_or(AttachFault::NoPrefix)?;
    Ok((Declared::read(&entries(tags)?, &entries(parties)?)?, own))
}

fn entries(list: &str) -> Result<Vec<&str>, AttachFault> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<&str> = list.split(',').take(MAX_ENTRIES + 1).collect();
    if found.len() > MAX_ENTRIES { Err(AttachFault::TooMany) } else { Ok(found) }
}

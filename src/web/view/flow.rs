//! The picture "where each fen goes": laid out on the server in whole pixels, drawn by `flow.html`.
use crate::kernel::money::Fen;
use crate::kernel::text_enum;
use crate::web::kit::format::{Yuan, percent_of};

/// Somebody who gets a part, or the channel's fee.
pub struct Part {
    /// Who.
    pub name: String,
    /// The colour class of the role.
    pub color: &'static str,
    /// How much; parts of 0 are not drawn.
    pub amount: Fen,
}

/// One part, placed in both pictures.
pub struct Node {
    /// Who, in full.
    pub name: String,
    /// Who, short enough to stand in the picture.
    pub label: String,
    /// The colour class.
    pub color: &'static str,
    /// How much.
    pub amount: Yuan,
    /// Its part of the whole.
    pub share: String,
    /// Top and height of the wide picture's bar, and the base line of its text.
    pub y: i64,
    /// Height of the bar.
    pub height: i64,
    /// Base line of the text.
    pub base: i64,
    /// The ribbon from the source to the bar.
    pub ribbon: String,
    /// Left edge in the narrow picture.
    pub x: i64,
    /// Width in the narrow picture.
    pub width: i64,
    /// Row of the narrow picture's list.
    pub row: i64,
}

/// The placed picture.
pub struct Flow {
    /// What the payer paid, and marketing money: label, amount, base line of the text.
    pub sources: Vec<(String, Yuan, i64)>,
    /// Σ of the parts, and of the sources.
    pub total: Yuan,
    /// Top of the source bar.
    pub source_y: i64,
    /// Its height.
    pub source_height: i64,
    /// The parts, in order.
    pub nodes: Vec<Node>,
    /// Height of the wide picture.
    pub height: i64,
    /// Height of the narrow picture.
    pub narrow_height: i64,
}

const TOP: i64 = 32;
const INNER: i64 = 220;
const SLOT: i64 = 24;
const GAP: i64 = 8;
const LEFT: i64 = 152;
const RIGHT: i64 = 372;
const NARROW: i64 = 340;
const MOST_NODES: usize = 10;

/// Places the parts of a whole. `rest` names the sum of the smallest when they are too many to draw.
#[must_use]
pub fn lay_out(sources: Vec<(String, Fen)>, parts: Vec<Part>, rest: &str) -> Flow {
    let total = Fen::sum(sources.iter().map(|(_, fen)| *fen)).unwrap_or(Fen::ZERO);
    let parts = folded(parts, rest);
    let heights: Vec<i64> = parts.iter().map(|part| scaled(part.amount, total, INNER, 3)).collect();
    let widths = narrow_widths(&parts, total);
    let (source_height, slots) =
        (heights.iter().sum(), heights.iter().map(|h| SLOT.max(*h) + GAP).sum::<i64>());
    let height = TOP + slots.max(source_height + GAP);
    let source_y = TOP + (height - TOP - source_height) / 2;
    let (mut slot_y, mut from_y, mut x) = (TOP, source_y, 0);
    let mut nodes = Vec::with_capacity(parts.len());
    for (row, ((part, h), width)) in (0i64..).zip(parts.into_iter().zip(heights).zip(widths)) {
        let slot = SLOT.max(h);
        let y = slot_y + (slot - h) / 2;
        nodes.push(Node {
            label: shortened(&part.name),
            name: part.name,
            color: part.color,
            amount: Yuan(part.amount),
            share: percent_of(part.amount, total),
            y,
            height: h,
            base: slot_y + slot / 2 + 5,
            ribbon: ribbon(from_y, y, h),
            x,
            width,
            row: 66 + row * 40,
        });
        slot_y += slot + GAP;
        from_y += h;
        x += width + 3;
    }
    let narrow_height = nodes.last().map_or(60, |last| last.row + 32);
    let lines = i64::try_from(sources.len()).unwrap_or(1);
    let base = source_y + source_height / 2 - lines * 20 + 14;
    let placed = (0i64..).zip(sources).map(|(i, (name, fen))| (name, Yuan(fen), base + i * 40));
    Flow {
        sources: placed.collect(),
        total: Yuan(total),
        source_y,
        source_height,
        nodes,
        height,
        narrow_height,
    }
}

fn folded(parts: Vec<Part>, rest: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = parts.into_iter().filter(|part| part.amount > Fen::ZERO).collect();
    if parts.len() <= MOST_NODES {
        return parts;
    }
    let mut sizes: Vec<Fen> = parts.iter().map(|part| part.amount).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let least = sizes.get(MOST_NODES - 2).copied().unwrap_or(Fen::ZERO);
    let small: Vec<Fen> = parts.iter().map(|part| part.amount).filter(|fen| *fen < least).collect();
    parts.retain(|part| part.amount >= least);
    let amount = Fen::sum(small).unwrap_or(Fen::ZERO);
    parts.push(Part { name: rest.to_owned(), color: "fee", amount });
    parts
}

fn scaled(part: Fen, total: Fen, length: i64, least: i64) -> i64 {
    let (part, total) = (i128::from(part.get()), i128::from(total.get()).max(1));
    i64::try_from(part * i128::from(length) / total).unwrap_or(least).max(least)
}

fn narrow_widths(parts: &[Part], total: Fen) -> Vec<i64> {
    let gaps = i64::try_from(parts.len()).unwrap_or(1).saturating_sub(1) * 3;
    let mut widths: Vec<i64> =
        parts.iter().map(|part| scaled(part.amount, total, NARROW - gaps, 3)).collect();
    let over = widths.iter().sum::<i64>() + gaps - NARROW;
    if let Some(widest) = widths.iter_mut().max() {
        *widest -= over;
    }
    widths
}

fn ribbon(from: i64, to: i64, h: i64) -> String {
    let (left, right, mid) = (LEFT + 12, RIGHT, i64::midpoint(LEFT + 12, RIGHT));
    let (from_end, to_end) = (from + h, to + h);
    format!(
        "M{left} {from}C{mid} {from} {mid} {to} {right} {to}V{to_end}C{mid} {to_end} {mid} {from_end} {left} {from_end}Z"
    )
}

fn shortened(name: &str) -> String {
    let mut room = 24usize;
    let mut out = String::new();
    for c in name.chars() {
        let wide = if c.is_ascii() { 1 } else { 2 };
        if room < wide + 1 {
            out.push('…');
            return out;
        }
        room -= wide;
        out.push(c);
    }
    out
}

text_enum! {
    /// Roles that have a colour; a rule may give any other.
    enum Colored {
        /// Who sold.
        Merchant = "merchant",
        /// The platform.
        Platform = "platform",
        /// Who brought the merchant.
        Agent = "agent",
        /// Whose goods they were.
        Supplier = "supplier",
        /// Who brings them.
        Delivery = "delivery",
        /// A branch of the merchant.
        Store = "store",
        /// Whose name it trades under.
        Brand = "brand",
        /// Who pays for a discount.
        Funder = "funder",
    }
}

/// The colour of a role; the same on every page.
#[must_use]
pub fn color(role: &str) -> &'static str {
    match Colored::parse(role) {
        Some(Colored::Merchant) => "merchant",
        Some(Colored::Platform) => "platform",
        Some(Colored::Agent) => "agent",
        Some(Colored::Supplier | Colored::Delivery) => "supplier",
        Some(Colored::Store | Colored::Brand | Colored::Funder) => "store",
        None => "other",
    }
}

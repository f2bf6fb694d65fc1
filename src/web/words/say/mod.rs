//! Sentences that have data in them. Each is one variant of a type; `zh.rs` and `en.rs` render them by exhaustive
//! matches, so that neither language can lack one. What is put together of several says them one by one.
mod en;
mod zh;

use crate::error::Code;
use crate::kernel::state::SettlementState;
use crate::notices::Failure;
use crate::settlement::Need;
use crate::web::kit::format::{Count, Day, Yuan};
use crate::web::kit::lang::Lang;

/// Declares how a type is said, from the function of the same name in `zh.rs` and `en.rs`.
macro_rules! said {
    ($($type:ty, $function:ident;)*) => {$(
        impl $type {
            /// In the reader's language.
            #[must_use]
            pub fn say(&self, lang: Lang) -> String {
                match lang {
                    Lang::Zh => zh::$function(self),
                    Lang::En => en::$function(self),
                }
            }
        }
    )*};
}

said! {
    Refusal<'_>, refusal;
    Counted<'_>, counted;
    Deadline, deadline;
    Brief, brief;
    Told<'_>, told;
    Basis<'_>, basis;
    How<'_>, how;
    Term<'_>, term;
    Stands<'_>, stands;
    Waits, waits;
    Pace, pace;
    Failure, failure;
}

/// Why something was refused, and what to do about it (`error.rs`).
pub enum Refusal<'a> {
    /// The sentence of a code.
    Why(Code),
    /// The sentence, with what exactly.
    WhyExactly(Code, &'a str),
    /// What to do.
    Next(Code),
    /// Both in one sentence.
    Whole(Code),
    /// What happened, and after how many minutes to try again.
    Later(Code, i64),
}

/// How many.
pub enum Counted<'a> {
    /// So many orders; the mark says that there may be more.
    Orders(Count, &'a str),
    /// Orders of a split file, and its lines.
    Split(Count, Count),
    /// Lines that a result answers, and what of them succeeded.
    Result(Count, Yuan),
    /// How far the parts of an order are from the whole, in fen.
    Off(u64),
}

/// What must be done next on the platform.
pub enum Deadline {
    /// The bill of this day is fetched, then the day is cut.
    Bill(Day),
}

/// How the lines of a file stand.
pub enum Stands<'a> {
    /// So many are in this state.
    Part(SettlementState, Count),
    /// All of them, and their parts.
    Whole(Count, &'a str),
    /// One line, what it is of, and its state.
    Line(i32, &'a str, SettlementState),
    /// A settlement that came to its end: lines that succeeded, and those that did not.
    Outcome(Count, Count),
}

/// What a day waits for.
pub enum Waits {
    /// What is missing, and how many orders have no success.
    For(Need, Count),
    /// So many things more.
    More(Count),
}

/// How often a job runs, and how late it is.
pub enum Pace {
    /// So many seconds from one run to the next.
    Every(u64),
    /// So many minutes behind.
    Late(i64),
}

/// What a file is and holds.
pub enum Brief {
    /// Splits of a day: orders, lines, total.
    Splits(Day, Count, Count, Yuan),
    /// The settlement of a day: lines, total.
    Settlement(Day, Count, Yuan),
    /// The institution's approvals.
    Approvals(Day),
    /// The institution's result.
    Result(Day),
    /// The institution's bill: orders, total.
    Bill(Day, Count, Yuan),
}

/// What happened to an order.
pub enum Told<'a> {
    /// So much was paid.
    Paid(Yuan),
    /// The notification to the merchant was sent so often.
    Sent(i32),
    /// The institution refused the file, with this code.
    FileRefused(&'a str),
}

/// What the amounts of an order rest on.
pub enum Basis<'a> {
    /// A rule's version, and the order's place in the split file.
    File {
        /// The rule.
        rule: &'a str,
        /// Its version.
        version: i64,
        /// The file.
        file: &'a str,
        /// The order's number in it.
        n: i32,
    },
    /// Not cut yet: the version in force when it was paid.
    Preview {
        /// The rule.
        rule: &'a str,
        /// Its version.
        version: i64,
    },
    /// The fee as the contract's rate has it.
    ExpectedFee(&'a str),
    /// How that fee is computed of what was paid.
    FeeHow(Yuan, &'a str),
}

/// How a line came about (`split.md`, "Computing a split").
pub enum How<'a> {
    /// So much of it goes to nested shares.
    Nested(Yuan),
    /// It bears so much of the channel's fee.
    BearsFee(Yuan),
    /// A part of what is divided by weight: the whole, the weight, all weights.
    Divided(Yuan, u32, u32),
    /// The merchant's: the splittable amount less all shares.
    Rest(Yuan, Yuan),
    /// To the merchant's comes the fee that others bear.
    FeeOfOthers(Yuan),
    /// The tier that begins at this amount.
    Tier(Yuan),
    /// Nothing: this condition does not hold.
    Unmet(&'a str),
    /// A rate of an amount: its name, the amount, the rate, the exact product.
    Rate(&'a str, Yuan, &'a str, &'a str),
    /// A fixed amount.
    Fixed(Yuan),
    /// Raised to the least.
    Raised(Yuan),
    /// Capped at the most.
    Capped(Yuan),
    /// Cut from the first to the second, which is what was left.
    Cut(Yuan, Yuan),
}

/// What a rule says of a share (`split.md`, "Rule version").
pub enum Term<'a> {
    /// The party of this name that the order brings along.
    Party(&'a str),
    /// For orders from this amount on: what.
    Tier(Yuan, &'a str),
    /// A percentage of an amount, by the amount's name.
    Percent(&'a str, &'a str),
    /// A fixed amount.
    Fixed(Yuan),
    /// At least.
    Least(Yuan),
    /// At most.
    Most(Yuan),
}

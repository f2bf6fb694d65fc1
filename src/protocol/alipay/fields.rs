//! `biz_content` field by field: every value is read from its own text, so that no amount ever becomes a float, and what
//! we do not use goes on as it was written.
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use crate::decimal;
use crate::wechat::carried::is_plain;
pub use crate::wechat::shapes::FieldFault;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// The most that one order may take: 100,000,000 yuan, in fen.
pub const MAX_AMOUNT: Fen = Fen::new(10_000_000_000);
/// The most bytes that are carried of one order.
pub const MAX_CARRIED: usize = 16 * 1024;

/// What is wrong with an amount.
const AMOUNT: &str = "yuan with at most two decimals, from 0.01 to 100000000";

/// Fields of an object that nobody has read yet.
#[derive(Debug)]
pub struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// Reads `biz_content`: one object, no key twice at any depth, nothing before it or behind it.
    pub fn parse(json: &str) -> Result<Self, FieldFault> {
        let fault =
            FieldFault { field: "biz_content", issue: "one JSON object without a key that stands twice" };
        crate::json::parse(json.as_bytes()).map_err(|_| fault)?;
        serde_json::from_str(json).map(Self).map_err(|_| fault)
    }

    /// Takes a field out; `null` is none.
    fn take(&mut self, field: &str) -> Option<Box<RawValue>> {
        self.0.remove(field).filter(|raw| raw.get() != "null")
    }

    /// A text of at most `max` characters, none of control or invisible; an empty one is none. A whole number is taken as
    /// its digits: languages without types write `123` for `"123"`.
    pub fn text(&mut self, field: &'static str, max: usize) -> Result<Option<String>, FieldFault> {
        let Some(raw) = self.take(field) else { return Ok(None) };
        let is_number = raw.get().bytes().all(|byte| byte.is_ascii_digit());
        let value = if is_number { Some(raw.get().to_owned()) } else { serde_json::from_str(raw.get()).ok() };
        let fits = |value: &String| value.chars().count() <= max && text::is_plain(value);
        let value = value.filter(fits).ok_or(FieldFault { field, issue: "too long, or no plain text" })?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// A text that must be there.
    pub fn need(&mut self, field: &'static str, max: usize) -> Result<String, FieldFault> {
        self.text(field, max)?.ok_or(FieldFault { field, issue: "missing" })
    }

    /// A number of the caller's: letters, digits, `_` and `-`.
    pub fn number(&mut self, field: &'static str) -> Result<Option<String>, FieldFault> {
        let value = self.text(field, 64)?;
        if value.as_deref().is_some_and(|value| !text::is_inst_order_no(value)) {
            return Err(FieldFault { field, issue: "1 to 64 characters of 0-9 A-Z a-z _ -" });
        }
        Ok(value)
    }

    /// Yuan, as JSON number or text, as fen in `1 ..= `[`MAX_AMOUNT`].
    pub fn amount(&mut self, field: &'static str) -> Result<Fen, FieldFault> {
        let raw = self.take(field).ok_or(FieldFault { field, issue: "missing" })?;
        let fen = match serde_json::from_str::<String>(raw.get()) {
            Ok(text) => yuan(&text),
            Err(_) => yuan(raw.get()),
        };
        let fits = |fen: &Fen| *fen > Fen::ZERO && *fen <= MAX_AMOUNT;
        fen.filter(fits).ok_or(FieldFault { field, issue: AMOUNT })
    }

    /// Texts of a list; none where there is no list.
    pub fn texts(&mut self, field: &'static str) -> Result<Vec<String>, FieldFault> {
        let Some(raw) = self.take(field) else { return Ok(Vec::new()) };
        let list: Option<Vec<String>> = serde_json::from_str(raw.get()).ok();
        let fits = |list: &Vec<String>| list.len() <= 32 && list.iter().all(|one| text::is_plain(one));
        list.filter(fits).ok_or(FieldFault { field, issue: "a list of at most 32 texts" })
    }

    /// The fields of an object.
    pub fn object(&mut self, field: &'static str) -> Result<Option<Self>, FieldFault> {
        let Some(raw) = self.take(field) else { return Ok(None) };
        let object = serde_json::from_str(raw.get());
        object.map(|fields| Some(Self(fields))).map_err(|_| FieldFault { field, issue: "an object" })
    }

    /// Puts an object back of which fields were taken; nothing when none is left.
    pub(super) fn put_back(&mut self, field: &'static str, object: Self) -> Result<(), FieldFault> {
        if object.0.is_empty() {
            return Ok(());
        }
        let raw = serde_json::value::to_raw_value(&object.0);
        self.0.insert(field.to_owned(), raw.map_err(|_| FieldFault { field, issue: "an object" })?);
        Ok(())
    }

    /// Whether a field is there.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|raw| raw.get() != "null")
    }

    /// What nobody has read: it goes to the channel as it came.
    pub fn rest(mut self) -> Result<Carried, FieldFault> {
        self.0.retain(|_, raw| raw.get() != "null");
        let size = self.0.iter().map(|(name, raw)| name.len().saturating_add(raw.get().len()));
        if size.fold(0, usize::saturating_add) > MAX_CARRIED {
            return Err(FieldFault { field: "biz_content", issue: "too long" });
        }
        let plain = |raw: &RawValue| serde_json::from_str(raw.get()).is_ok_and(|value| is_plain(&value));
        if !self.0.iter().all(|(name, raw)| text::is_plain(name) && plain(raw)) {
            return Err(FieldFault { field: "biz_content", issue: "a control or invisible character" });
        }
        Ok(Carried(self.0))
    }
}

/// What of a merchant's order is the channel's business alone, each value as it was written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Carried(BTreeMap<String, Box<RawValue>>);

impl Carried {
    /// Whether nothing is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// JSON of one field, as it was written.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(|raw| raw.get())
    }

    /// `biz_content` of `own` fields and of what is carried besides; ours stand where both have one.
    pub fn content(&self, own: &impl Serialize) -> Result<String, serde_json::Error> {
        let own: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&serde_json::to_string(own)?)?;
        let mut all = self.0.clone();
        all.extend(own);
        serde_json::to_string(&all)
    }
}

/// Yuan as Alipay takes them: digits, and at most two behind a point. No sign, exponent or leading zero.
#[must_use]
pub fn yuan(text: &str) -> Option<Fen> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let numeric = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading = whole.len() > 1 && whole.starts_with('0');
    if !numeric(whole) || !numeric(part) || leading || whole.len() > 11 || part.len() > 2 {
        return None;
    }
    decimal::yuan(text)
}

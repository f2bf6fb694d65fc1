//! Text to [`Json`].
use std::collections::BTreeMap;

use super::Json;

/// Deeper nesting than any document of ours has is refused instead of read.
const MAX_DEPTH: usize = 64;
/// Integers lie within ± this, so that every JSON library reads them alike.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Text that is no JSON, or in which an object has a key twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON from this byte on.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// This key stands twice in one object.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// Nested deeper than 64 levels.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads one JSON document and nothing beside it.
pub fn read(text: &str) -> Result<Json, Unreadable> {
    let mut reader = Reader { text, at: 0 };
    let json = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.syntax()) } else { Ok(json) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(_) | None => Err(self.syntax()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Unreadable> {
        let mut entries = BTreeMap::new();
        self.items(b'}', |reader| {
            let key = reader.string()?;
            reader.skip_space();
            if !reader.eat(b':') {
                return Err(reader.syntax());
            }
            let value = reader.value(depth.saturating_add(1))?;
            match entries.insert(key.clone(), value) {
                None => Ok(()),
                Some(_) => Err(Unreadable::DuplicateKey(key)),
            }
        })?;
        Ok(Json::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Json, Unreadable> {
        let mut items = Vec::new();
        self.items(b']', |reader| {
            items.push(reader.value(depth.saturating_add(1))?);
            Ok(())
        })?;
        Ok(Json::List(items))
    }

    /// From the opening bracket to `close`, `one` for each of the items between.
    fn items(
        &mut self,
        close: u8,
        mut one: impl FnMut(&mut Self) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.at = self.at.saturating_add(1);
        self.skip_space();
        if self.eat(close) {
            return Ok(());
        }
        loop {
            self.skip_space();
            one(self)?;
            self.skip_space();
            if self.eat(close) {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.syntax());
            }
        }
    }

    /// Finds the end of the string; what stands in it is serde_json's.
    fn string(&mut self) -> Result<String, Unreadable> {
        let start = self.at;
        if !self.eat(b'"') {
            return Err(self.syntax());
        }
        loop {
            match self.peek() {
                None => return Err(self.syntax()),
                Some(b'"') => break,
                Some(b'\\') => self.at = self.at.saturating_add(2),
                Some(_) => self.at = self.at.saturating_add(1),
            }
        }
        self.at = self.at.saturating_add(1);
        let quoted = self.text.get(start..self.at).ok_or(Unreadable::Syntax(start))?;
        serde_json::from_str(quoted).map_err(|_| Unreadable::Syntax(start))
    }

    fn number(&mut self) -> Result<Json, Unreadable> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let whole = self.at;
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let integer =
            text.parse().ok().filter(|n| self.at == whole && (-MAX_INTEGER..=MAX_INTEGER).contains(n));
        Ok(integer.map_or_else(|| Json::OtherNumber(text.to_owned()), Json::Integer))
    }

    fn digits(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at = self.at.saturating_add(1);
        }
        if self.at == start { Err(self.syntax()) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Unreadable> {
        match self.text.get(self.at..) {
            Some(rest) if rest.starts_with(word) => {
                self.at = self.at.saturating_add(word.len());
                Ok(value)
            }
            Some(_) | None => Err(self.syntax()),
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax(&self) -> Unreadable {
        Unreadable::Syntax(self.at)
    }
}

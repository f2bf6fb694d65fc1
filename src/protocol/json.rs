//! JSON of others, read as it is documented: no key twice in one object, and no list where an object must stand, which
//! serde's own structs would take for their fields in order.
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Error, Value};

/// Parses a text. Of two values under one key nobody knows which one was meant: that is an error.
pub fn parse(text: &[u8]) -> Result<Value, Error> {
    let value: Value = serde_json::from_slice(text)?;
    // The parser keeps the last of two: one of the written entries is missing then.
    if entries(&value) != colons(text) {
        return Err(Error::custom("a key stands twice in one object"));
    }
    Ok(value)
}

/// A value as the shape `T`.
pub fn read<T: DeserializeOwned + Serialize>(value: &Value) -> Result<T, Error> {
    let shape = T::deserialize(value)?;
    fits(value, &shape)?;
    Ok(shape)
}

/// Whether what was read of a value stands there as it is documented: objects as objects.
pub fn fits(value: &Value, shape: &impl Serialize) -> Result<(), Error> {
    match misfit(value, shape)? {
        None => Ok(()),
        Some(path) => Err(Error::custom(format!("a list stands where an object must: {path}"))),
    }
}

/// The first place, as `amount` or `detail.goods[0]`, where a list stands and an object must, of what was read.
pub fn misfit(value: &Value, shape: &impl Serialize) -> Result<Option<String>, Error> {
    Ok(unlike(value, &serde_json::to_value(shape)?, ""))
}

/// A text as the shape `T`.
pub fn from_slice<T: DeserializeOwned + Serialize>(text: &[u8]) -> Result<T, Error> {
    read(&parse(text)?)
}

/// Entries of all objects.
fn entries(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(entries).fold(object.len(), usize::saturating_add),
        Value::Array(list) => list.iter().map(entries).fold(0, usize::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Colons outside of strings: one for each entry that is written.
fn colons(json: &[u8]) -> usize {
    let (mut in_string, mut escaped, mut colons) = (false, false, 0_usize);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons = colons.saturating_add(1),
            _ => {}
        }
    }
    colons
}

/// Where an object was not read from an object, or a list not from a list, first.
fn unlike(written: &Value, read: &Value, path: &str) -> Option<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => read.iter().find_map(|(key, read)| {
            let dot = if path.is_empty() { "" } else { "." };
            unlike(written.get(key)?, read, &format!("{path}{dot}{key}"))
        }),
        (Value::Array(written), Value::Array(read)) => (written.iter().zip(read).enumerate())
            .find_map(|(at, (written, read))| unlike(written, read, &format!("{path}[{at}]"))),
        (Value::Array(_), Value::Object(_)) => Some(path.to_owned()),
        _ => None,
    }
}

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
    if alike(value, &serde_json::to_value(shape)?) {
        return Ok(());
    }
    Err(Error::custom("a list stands where an object must"))
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

/// Whether objects were read from objects and lists from lists, wherever something was read.
fn alike(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            read.iter().all(|(key, read)| written.get(key).is_none_or(|written| alike(written, read)))
        }
        (Value::Array(written), Value::Array(read)) => {
            written.iter().zip(read).all(|(written, read)| alike(written, read))
        }
        (Value::Array(_), Value::Object(_)) => false,
        _ => true,
    }
}

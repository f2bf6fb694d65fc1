//! Rows of a bill whose names may hold anything: in quotes as RFC 4180 has them, or bare.
use super::{COLUMN_COUNT, NAME};

/// What a text is, as a row.
pub enum Split {
    /// The values, without the blanks around them.
    Whole(Box<[String; COLUMN_COUNT]>),
    /// A quoted value goes on in the next line.
    Open,
    /// Too few values.
    Short,
}

/// Splits a row. Names that were written bare may hold separators: the columns that are too many are the name's.
pub fn split(text: &str) -> Split {
    match quoted(text) {
        Some(values) => fitted(values),
        // A quote that is never closed is a character of a bare name, if the row is whole without it.
        None => match fitted(text.split(',').map(str::to_owned).collect()) {
            whole @ Split::Whole(_) => whole,
            Split::Open | Split::Short => Split::Open,
        },
    }
}

/// Values of which one that begins with a quote ends at the next single one; `None` when it does not end.
fn quoted(text: &str) -> Option<Vec<String>> {
    let (mut values, mut value, mut chars) = (Vec::new(), String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            ',' => values.push(std::mem::take(&mut value)),
            '"' if value.is_empty() => loop {
                match chars.next()? {
                    '"' if chars.next_if_eq(&'"').is_some() => value.push('"'),
                    '"' => break,
                    c => value.push(c),
                }
            },
            c => value.push(c),
        }
    }
    values.push(value);
    Some(values)
}

fn fitted(mut values: Vec<String>) -> Split {
    let Some(more) = values.len().checked_sub(COLUMN_COUNT) else { return Split::Short };
    let name: Vec<String> = values.splice(NAME..=NAME.saturating_add(more), [String::new()]).collect();
    if let Some(place) = values.get_mut(NAME) {
        *place = name.join(",");
    }
    let trimmed: Vec<String> =
        values.iter().map(|value| value.trim_matches(['\t', ' ', '\n', '\r']).to_owned()).collect();
    trimmed.try_into().map_or(Split::Short, |values| Split::Whole(Box::new(values)))
}

/// A value as it is written: what would end it stands in quotes, and a tab behind it keeps tables from counting with it.
pub fn written(value: &str) -> String {
    let plain: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.contains([',', '"']) {
        format!("\"{}\"\t", plain.replace('"', "\"\""))
    } else {
        format!("{plain}\t")
    }
}

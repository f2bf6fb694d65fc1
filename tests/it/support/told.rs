//! What a published split file says, read by its separators alone: neither our queries nor our reader are asked.
use std::collections::BTreeMap;

/// An order of a split file, as its own lines tell it.
#[derive(Debug, Clone)]
pub struct Told {
    pub order_no: String,
    pub paid: i64,
    /// Of an X.
    pub reason: Option<String>,
    /// Of an O.
    pub merchant: String,
    pub fee: i64,
    /// Receiver and amount, in order.
    pub lines: Vec<(String, i64)>,
}

impl Told {
    /// What the merchant itself gets.
    pub fn merchants_own(&self) -> i64 {
        let own = format!("merchant:{}", self.merchant);
        self.lines.iter().filter(|(receiver, _)| *receiver == own).map(|(_, fen)| fen).sum()
    }
}

/// The orders of a split file, in its order.
pub fn read_spl(text: &str) -> Vec<Told> {
    let mut orders: BTreeMap<u32, Told> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let number = |i: usize| fields[i].parse::<i64>().unwrap();
        let n = || fields[1].parse::<u32>().unwrap();
        let told = |paid, reason, merchant: &str, fee| Told {
            order_no: fields[2].to_owned(),
            paid,
            reason,
            merchant: merchant.to_owned(),
            fee,
            lines: Vec::new(),
        };
        match fields[0] {
            "O" => drop(orders.insert(n(), told(number(10), None, fields[4], number(11)))),
            "X" => drop(orders.insert(n(), told(number(5), Some(fields[6].to_owned()), "", 0))),
            "L" => orders.get_mut(&n()).unwrap().lines.push((fields[4].to_owned(), number(5))),
            _ => {}
        }
    }
    orders.into_values().collect()
}

/// Fen as people read them.
pub fn yuan(fen: i64) -> String {
    let mut whole = (fen / 100).to_string();
    let mut at = whole.len();
    while at > 3 {
        at -= 3;
        whole.insert(at, ',');
    }
    format!("¥{whole}.{:02}", fen % 100)
}

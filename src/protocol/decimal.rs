//! Amounts and rates as people and protocols write them: exact or nothing.
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use mingfen_kernel::money::Fen;
use mingfen_kernel::rate::Ppm;

/// Reads yuan (`12.3`, `¥` not included); `None` unless it is whole fen.
pub fn yuan(text: &str) -> Option<Fen> {
    let fen = Decimal::from_str(text).ok()?.checked_mul(Decimal::ONE_HUNDRED)?;
    if !fen.is_integer() {
        return None;
    }
    fen.to_i64().map(Fen::new)
}

/// Reads `0.38%`; `None` when it is no whole ppm or lies outside `0% ..= 100%`.
pub fn percent(text: &str) -> Option<Ppm> {
    let percent = Decimal::from_str(text.strip_suffix('%')?).ok()?;
    let ppm = percent.checked_mul(Decimal::from(10_000))?;
    if !ppm.is_integer() {
        return None;
    }
    Ppm::new(ppm.to_u32()?)
}

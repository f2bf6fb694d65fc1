//! Rates in whole parts per million, and the only two divisions that money knows: [`floor`] and [`half_up`].
use crate::money::Fen;

/// Parts per million in the whole.
pub const MILLION: u32 = 1_000_000;

/// A rate of `0 ..= 1_000_000` parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppm(u32);

impl Ppm {
    /// Nothing of the whole.
    pub const ZERO: Ppm = Ppm(0);

    /// `ppm` as a rate, `None` above the whole.
    pub fn new(ppm: u32) -> Option<Ppm> {
        (ppm <= MILLION).then_some(Ppm(ppm))
    }

    /// Parts per million.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// `floor(amount × ppm / 10^6)` in fen.
    pub fn floor_of(self, amount: Fen) -> Option<Fen> {
        floor(self.product(amount)?, i128::from(MILLION))
    }

    /// `half_up(amount × ppm / 10^6)` in fen.
    pub fn half_up_of(self, amount: Fen) -> Option<Fen> {
        half_up(self.product(amount)?, i128::from(MILLION))
    }

    fn product(self, amount: Fen) -> Option<i128> {
        i128::from(amount.get()).checked_mul(i128::from(self.0))
    }
}

/// The greatest whole number of fen not above `product / by`; `None` when `by` is not positive or the result leaves 64 bits.
pub fn floor(product: i128, by: i128) -> Option<Fen> {
    if by <= 0 {
        return None;
    }
    i64::try_from(product.checked_div_euclid(by)?).ok().map(Fen::new)
}

/// `product / by` to the nearest fen, a half upwards; `None` as for [`floor`].
pub fn half_up(product: i128, by: i128) -> Option<Fen> {
    floor(product.checked_mul(2)?.checked_add(by)?, by.checked_mul(2)?)
}

//! Step 5: an amount by weights, exact in each order and fair over many.
use crate::digest::Hasher;
use crate::money::Fen;
use crate::rate::floor;

/// Deals an amount out to one receiver after the other.
pub(super) struct Shared {
    amount: i128,
    total: i128,
    running: i128,
    dealt: Fen,
}

/// Begins to divide `amount` by weights that add up to `total`; order number and path seed who gets the odd fen.
pub(super) fn divide(amount: Fen, total: u32, inst_order_no: &str, path: &str) -> Shared {
    let total = i128::from(total);
    let start = if amount == Fen::ZERO { 0 } else { seed(inst_order_no, path).rem_euclid(total.max(1)) };
    Shared { amount: i128::from(amount.get()), total, running: start, dealt: Fen::ZERO }
}

impl Shared {
    /// What the next receiver gets. `q_i + floor((s_i + u) / W) − floor((s_{i−1} + u) / W)` is how far the floor of
    /// the running `(amount × weights + u) / W` advances, since `amount × w_i = q_i × W + r_i` and `floor(u / W) = 0`.
    pub(super) fn next(&mut self, weight: u32) -> Option<Fen> {
        self.running = self.amount.checked_mul(i128::from(weight))?.checked_add(self.running)?;
        let reached = floor(self.running, self.total)?;
        let got = reached.checked_sub(self.dealt)?;
        self.dealt = reached;
        Some(got)
    }
}

fn seed(inst_order_no: &str, path: &str) -> i128 {
    let mut hasher = Hasher::new();
    hasher.update(inst_order_no.as_bytes());
    hasher.update(b"|");
    hasher.update(path.as_bytes());
    let digest = hasher.finish();
    let (first, _) = digest.as_bytes().split_at(8);
    first.iter().fold(0, |number, byte| number << 8 | i128::from(*byte))
}

//! Sorted streams, merged.
use crate::calendar::Instant;

/// What SPL and bills are sorted by: `paid_at` and `inst_order_no`.
pub(super) type Key<'k> = (Instant, &'k str);

/// Something that stands at an order, until it has ended.
pub(super) trait Stream {
    /// The order at which it stands.
    fn key(&self) -> Option<Key<'_>>;
}

/// Streams by the order at which each stands. One that is not sorted after all breaks nothing: its orders only come
/// later than they should.
pub(super) struct Front<S> {
    streams: Vec<S>,
    /// Those that have not ended; the last is the next.
    standing: Vec<usize>,
}

impl<S: Stream> Front<S> {
    /// Of streams that stand at their first orders.
    pub fn new(streams: Vec<S>) -> Self {
        let mut standing: Vec<usize> = (0..streams.len()).collect();
        let key = |index: &usize| streams.get(*index).and_then(S::key).map(|key| (key, *index));
        standing.retain(|index| key(index).is_some());
        standing.sort_by(|a, b| key(b).cmp(&key(a)));
        Self { streams, standing }
    }

    /// Where the first stands.
    pub fn key(&self) -> Option<Key<'_>> {
        self.first().and_then(S::key)
    }

    /// The stream that stands first.
    pub fn first(&self) -> Option<&S> {
        self.standing.last().and_then(|index| self.streams.get(*index))
    }

    /// The same, to be moved on.
    pub fn first_mut(&mut self) -> Option<&mut S> {
        self.standing.last().and_then(|index| self.streams.get_mut(*index))
    }

    /// All streams, as they were given.
    pub fn into_streams(self) -> Vec<S> {
        self.streams
    }

    /// After the first was moved on: puts it where it stands now.
    pub fn moved(&mut self) {
        let Some(moved) = self.standing.pop() else { return };
        let key = |index: usize| self.streams.get(index).and_then(S::key).map(|key| (key, index));
        if key(moved).is_some() {
            let at = self.standing.partition_point(|other| key(*other) > key(moved));
            self.standing.insert(at, moved);
        }
    }
}

//! Why a merchant did not take what it was told, read from what was kept of it.
use crate::channels::http::SendFault;

/// What its system answered is kept as this with the status.
const ANSWERED: &str = "answered ";

/// Why a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure<'a> {
    /// Its system answered this status.
    Answered(u16),
    /// It did not answer in time.
    Timeout,
    /// It was not reached, or lost.
    Connection,
    /// It answered more than anybody reads.
    TooLarge,
    /// Something else, as it was kept.
    Other(&'a str),
}

impl<'a> Failure<'a> {
    /// What was kept of it.
    pub fn of(kept: &'a str) -> Self {
        if let Some(status) = kept.strip_prefix(ANSWERED).and_then(|status| status.parse().ok()) {
            return Self::Answered(status);
        }
        let known = [
            (SendFault::Timeout, Self::Timeout),
            (SendFault::Connection, Self::Connection),
            (SendFault::TooLarge, Self::TooLarge),
        ];
        let found = known.into_iter().find(|(fault, _)| fault.to_string() == kept);
        found.map_or(Self::Other(kept), |(_, failure)| failure)
    }
}

/// What is kept of an answer of this status.
pub(super) fn answered(status: u16) -> String {
    format!("{ANSWERED}{status}")
}

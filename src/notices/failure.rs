//! Why a merchant did not take what it was told: kept with its notification, and read again for people.
use std::fmt;

use crate::channels::http::SendFault;
use crate::kernel::text_enum;

text_enum! {
    /// Why a delivery failed, as it is kept.
    pub enum FailureReason {
        /// With the status.
        Answered = "ANSWERED",
        /// Alone.
        Unsaid = "UNSAID",
        /// With what is wrong with the address.
        Address = "ADDRESS",
        /// Alone.
        Timeout = "TIMEOUT",
        /// Alone.
        Connection = "CONNECTION",
        /// Alone.
        TooLarge = "TOO_LARGE",
        /// With what happened.
        Other = "OTHER",
    }
}

/// Why a delivery failed. It is kept as its reason, followed by a colon and its parameter where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Its system answered this status.
    Answered(u16),
    /// It answered 200 and not the word that says that it has the notification.
    Unsaid,
    /// The platform may not call this address, for that reason.
    Address(String),
    /// It did not answer in time.
    Timeout,
    /// It was not reached, or lost.
    Connection,
    /// It answered more than anybody reads.
    TooLarge,
    /// Something else: what happened, or prose as an older version kept it.
    Other(String),
}

impl Failure {
    /// What was kept of it.
    pub fn of(kept: &str) -> Self {
        let (reason, parameter) = kept.split_once(':').unwrap_or((kept, ""));
        let other = || Self::Other(kept.to_owned());
        match FailureReason::parse(reason) {
            Some(FailureReason::Answered) => parameter.parse().map_or_else(|_| other(), Self::Answered),
            Some(FailureReason::Unsaid) => Self::Unsaid,
            Some(FailureReason::Address) => Self::Address(parameter.to_owned()),
            Some(FailureReason::Timeout) => Self::Timeout,
            Some(FailureReason::Connection) => Self::Connection,
            Some(FailureReason::TooLarge) => Self::TooLarge,
            Some(FailureReason::Other) => Self::Other(parameter.to_owned()),
            None => other(),
        }
    }

    const fn reason(&self) -> FailureReason {
        match self {
            Self::Answered(_) => FailureReason::Answered,
            Self::Unsaid => FailureReason::Unsaid,
            Self::Address(_) => FailureReason::Address,
            Self::Timeout => FailureReason::Timeout,
            Self::Connection => FailureReason::Connection,
            Self::TooLarge => FailureReason::TooLarge,
            Self::Other(_) => FailureReason::Other,
        }
    }
}

/// As it is kept.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason();
        match self {
            Self::Answered(status) => write!(f, "{reason}:{status}"),
            Self::Address(what) | Self::Other(what) => write!(f, "{reason}:{what}"),
            Self::Unsaid | Self::Timeout | Self::Connection | Self::TooLarge => write!(f, "{reason}"),
        }
    }
}

impl From<SendFault> for Failure {
    fn from(fault: SendFault) -> Self {
        match fault {
            SendFault::Address(what) => Self::Address(what),
            SendFault::Timeout => Self::Timeout,
            SendFault::Connection => Self::Connection,
            SendFault::TooLarge => Self::TooLarge,
            SendFault::Disk(_) => Self::Other(fault.to_string()),
        }
    }
}

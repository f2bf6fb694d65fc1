//! Faults that can be switched on: what an institution, or the line to it, really does on a bad day.
use serde::{Deserialize, Serialize};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// What was asked is done at once; the answer comes `millis` later, or when the fault is switched off.
    Delay,
    /// The request is never answered, and nothing is done.
    Timeout,
    /// What was asked is done, then the connection drops before the answer.
    LostAnswer,
    /// 500 `SYSTEM_ERROR`, at Alipay `isp.unknow-error`; nothing is done.
    ServerError,
    /// 429 `FREQUENCY_LIMITED`, at Alipay `isv.app-call-limited`; nothing is done.
    TooManyRequests,
    /// The answer, or the notification, carries a signature that does not count.
    BadSignature,
    /// Every notification is sent twice.
    DuplicateNotifications,
    /// Due notifications go out newest first.
    ReorderNotifications,
}

/// What a fault strikes. `notification` is what goes out; the others are calls that come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Placing an order.
    Place,
    /// Asking for an order by either number.
    Query,
    /// Closing an order.
    Close,
    /// Platform certificates.
    Certificates,
    /// Asking for, or downloading, a day's bill.
    Bill,
    /// A payment notification to the platform.
    Notification,
    /// Any other call.
    Unknown,
}

impl Operation {
    /// Its name in the request log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Query => "query",
            Self::Close => "close",
            Self::Certificates => "certificates",
            Self::Bill => "bill",
            Self::Notification => "notification",
            Self::Unknown => "unknown",
        }
    }
}

impl Fault {
    /// Its name in the request log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Timeout => "timeout",
            Self::LostAnswer => "lost_answer",
            Self::ServerError => "server_error",
            Self::TooManyRequests => "too_many_requests",
            Self::BadSignature => "bad_signature",
            Self::DuplicateNotifications => "duplicate_notifications",
            Self::ReorderNotifications => "reorder_notifications",
        }
    }

    const fn fits(self, operation: Operation) -> bool {
        let outgoing = matches!(operation, Operation::Notification);
        match self {
            Self::Delay | Self::Timeout | Self::LostAnswer | Self::ServerError | Self::TooManyRequests => {
                !outgoing
            }
            Self::BadSignature => true,
            Self::DuplicateNotifications | Self::ReorderNotifications => outgoing,
        }
    }
}

/// A fault that is switched on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Which.
    pub fault: Fault,
    /// Only here; everywhere when left out.
    #[serde(default)]
    pub on: Option<Operation>,
    /// How many more times; until switched off when left out.
    #[serde(default)]
    pub times: Option<u32>,
    /// Of a delay; until it is switched off when left out.
    #[serde(default)]
    pub millis: Option<u64>,
    /// How often it struck so far.
    #[serde(default)]
    pub struck: u32,
}

/// The faults that are switched on, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Switch>);

impl Faults {
    pub(super) fn list(&self) -> Vec<Switch> {
        self.0.clone()
    }

    pub(super) fn switch_on(&mut self, switch: Switch) {
        self.0.push(switch);
    }

    /// Switches one kind of fault off, or all.
    pub(super) fn switch_off(&mut self, fault: Option<Fault>) {
        self.0.retain(|switch| fault.is_some_and(|fault| switch.fault != fault));
    }

    /// Whether a kind of fault is in the list, struck out or not.
    pub(super) fn lists(&self, fault: Fault) -> bool {
        self.0.iter().any(|switch| switch.fault == fault)
    }

    /// The first fault that strikes a call which comes in; counts it.
    pub(super) fn strike(&mut self, operation: Operation) -> Option<Switch> {
        self.take(|switch| switch.fault.fits(operation) && switch.on.is_none_or(|on| on == operation))
    }

    /// Whether this fault strikes a notification that goes out; counts it.
    pub(super) fn strike_notification(&mut self, fault: Fault) -> bool {
        let on = |switch: &Switch| switch.on.is_none_or(|on| on == Operation::Notification);
        self.take(|switch| switch.fault == fault && on(switch)).is_some()
    }

    fn take(&mut self, strikes: impl Fn(&Switch) -> bool) -> Option<Switch> {
        let switch = self.0.iter_mut().find(|switch| switch.times != Some(0) && strikes(switch))?;
        switch.times = switch.times.map(|left| left.saturating_sub(1));
        switch.struck = switch.struck.saturating_add(1);
        Some(switch.clone())
    }
}

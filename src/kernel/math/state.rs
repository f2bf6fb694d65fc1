//! States and the transitions that are allowed (`domain.md` 7.1). Money states move only by signed evidence.

/// Makes a state: its text, reading it back, and where it may go.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$state_doc:meta])* $state:ident = $text:literal => [$($next:ident),*],)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$state_doc])* $state,)+
        }

        impl $name {
            /// Every state, in the order of its life.
            pub const ALL: &[$name] = &[$($name::$state),+];

            /// The state's stable text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$state => $text,)+
                }
            }

            /// Reads what `as_str` writes.
            pub fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|state| state.as_str() == text)
            }

            /// The states that may follow.
            pub const fn next(self) -> &'static [$name] {
                match self {
                    $($name::$state => &[$($name::$next),*],)+
                }
            }

            /// Whether `to` may follow.
            pub fn may_become(self, to: $name) -> bool {
                self.next().contains(&to)
            }
        }
    };
}

states! {
    /// Where an order stands with its payer.
    OrderState {
        /// Accepted from the merchant, not yet sent to the institution.
        Created = "CREATED" => [Paying, Unknown, Paid, Closed],
        /// The institution gave a code to pay.
        Paying = "PAYING" => [Unknown, Paid, Closed],
        /// No certain answer from the institution: left only by a query, a signed payment or the bill.
        Unknown = "UNKNOWN" => [Paying, Paid, Closed],
        /// Paid, by a signed message or the bill.
        Paid = "PAID" => [],
        /// Closed unpaid; a payment that the institution signs later still counts.
        Closed = "CLOSED" => [Paid],
    }
}

states! {
    /// Where a published file stands with the institution; an answer that asks for the same bytes again moves nothing.
    FileState {
        /// Written, signed and marked `.ok`.
        Published = "PUBLISHED" => [Accepted, Rejected],
        /// The FIRST result took it; no FINAL yet.
        Accepted = "ACCEPTED" => [PartlyAnswered, Executed, ExecutedWithFailures],
        /// The FIRST result refused it for good: the file is void.
        Rejected = "REJECTED" => [],
        /// FINAL results came, and some of its lines are pending or not spoken of.
        PartlyAnswered = "PARTLY_ANSWERED" => [PartlyAnswered, Executed, ExecutedWithFailures, Bounced],
        /// Every line succeeded.
        Executed = "EXECUTED" => [Bounced],
        /// Every line has come to its end, some without success.
        ExecutedWithFailures = "EXECUTED_WITH_FAILURES" => [Bounced],
        /// Every line has come to its end, and the money of some came back after success.
        Bounced = "BOUNCED" => [Bounced],
    }
}

impl FileState {
    /// Whether the institution has still to answer: the file was not looked at, or lines are pending or not spoken of.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Published | Self::Accepted | Self::PartlyAnswered => true,
            Self::Rejected | Self::Executed | Self::ExecutedWithFailures | Self::Bounced => false,
        }
    }

    /// Whether the institution took the file.
    pub const fn is_taken(self) -> bool {
        match self {
            Self::Published | Self::Rejected => false,
            Self::Accepted
            | Self::PartlyAnswered
            | Self::Executed
            | Self::ExecutedWithFailures
            | Self::Bounced => true,
        }
    }
}

states! {
    /// Where a settlement line stands (`files.md`, "Results").
    SettlementState {
        /// Stands in a published STL.
        Sent = "SENT" => [Success, Failed, Pending],
        /// The institution has it in hand; it may say so again.
        Pending = "PENDING" => [Pending, Success, Failed],
        /// Paid out.
        Success = "SUCCESS" => [Bounced],
        /// Not paid out: requeued.
        Failed = "FAILED" => [],
        /// Came back after success: requeued.
        Bounced = "BOUNCED" => [],
    }
}

states! {
    /// Where a custody day stands in the memo ledger (`domain.md` 7.1); reconciled is what opens its gate.
    CustodyState {
        /// It takes postings.
        Open = "OPEN" => [Cut],
        /// The institution's bill is posted, its proposals are made; results may still come.
        Cut = "CUT" => [Closed],
        /// Locked: what comes later is posted to the next open day.
        Closed = "CLOSED" => [],
    }
}

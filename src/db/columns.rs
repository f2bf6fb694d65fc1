//! Kernel types and typed keys as columns, written once: no word of the record is spelt a second time.
//!
//! A row is read into kernel types as it is: what is no such value is an error, not a guess. To compare or to write one,
//! wrap it: `exchanged_file::kind.eq(As(FileKind::Spl))` (Diesel lets only types of one's own be bound). Keys are types of
//! our own and need no wrapping.
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::internal::derives::as_expression::Bound;
use diesel::pg::Pg;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Integer, Nullable, SingleValue, SqlType, Text};
use diesel::sqlite::Sqlite;

use super::conn::MultiBackend;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::file::FileKind;
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::file::stl::CarryReason;
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::state::{CustodyState, FileState, OrderState, SettlementState};

/// How a type is stored.
pub trait Stored: Sized {
    /// The database's own type.
    type Base: SqlType + SingleValue + Default;
    /// What that type is in Rust.
    type Raw;

    /// As it is stored.
    fn raw(&self) -> Self::Raw;

    /// Reads what [`Stored::raw`] writes; `None` when it is no such value.
    fn of_raw(raw: Self::Raw) -> Option<Self>;
}

/// A value to be compared with a column or written into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct As<T>(pub T);

impl<T> From<T> for As<T> {
    fn from(value: T) -> Self {
        As(value)
    }
}

/// Binding and reading for types of our own, by their [`Stored`] form.
macro_rules! bound {
    ($base:ty, $raw:ty, [$($generic:tt)*], $type:ty) => {
        impl<$($generic)*> AsExpression<$base> for $type {
            type Expression = Bound<$base, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }

        impl<'a, $($generic)*> AsExpression<$base> for &'a $type {
            type Expression = Bound<$base, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }

        impl<$($generic)*> AsExpression<Nullable<$base>> for $type {
            type Expression = Bound<Nullable<$base>, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }

        impl<'a, $($generic)*> AsExpression<Nullable<$base>> for &'a $type {
            type Expression = Bound<Nullable<$base>, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }

        impl<$($generic)*> ToSql<$base, Sqlite> for $type {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.raw());
                Ok(IsNull::No)
            }
        }

        impl<$($generic)*> ToSql<$base, Pg> for $type {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<$base, Pg>::to_sql(&self.raw(), &mut out.reborrow())
            }
        }

        impl<$($generic)*> ToSql<$base, MultiBackend> for $type {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value((<$base>::default(), self));
                Ok(IsNull::No)
            }
        }

        impl<DB: Backend, $($generic)*> ToSql<Nullable<$base>, DB> for $type
        where
            Self: ToSql<$base, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<$base, DB>::to_sql(self, out)
            }
        }

        impl<DB: Backend, $($generic)*> FromSql<$base, DB> for $type
        where
            $raw: FromSql<$base, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                Self::of_raw(<$raw>::from_sql(bytes)?).ok_or_else(|| not_a::<Self>())
            }
        }

        impl<DB: Backend, $($generic)*> Queryable<$base, DB> for $type
        where
            $raw: FromSql<$base, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

fn not_a<T>() -> Box<dyn std::error::Error + Send + Sync> {
    format!("the record holds what is no {}", std::any::type_name::<T>()).into()
}

impl<T: Stored> Stored for As<T> {
    type Base = T::Base;
    type Raw = T::Raw;
    fn raw(&self) -> T::Raw {
        self.0.raw()
    }
    fn of_raw(raw: T::Raw) -> Option<Self> {
        T::of_raw(raw).map(As)
    }
}

bound!(Text, String, [T: Stored<Base = Text, Raw = String> + std::fmt::Debug + Send + Sync + 'static], As<T>);
bound!(BigInt, i64, [T: Stored<Base = BigInt, Raw = i64> + std::fmt::Debug + Send + Sync + 'static], As<T>);
bound!(Integer, i32, [T: Stored<Base = Integer, Raw = i32> + std::fmt::Debug + Send + Sync + 'static], As<T>);

/// Reading straight into a type that is [`Stored`].
macro_rules! read {
    ($($type:ty),+ $(,)?) => {$(
        impl diesel::deserialize::FromSql<<$type as $crate::db::columns::Stored>::Base, $crate::db::MultiBackend> for $type {
            fn from_sql(
                bytes: <$crate::db::MultiBackend as diesel::backend::Backend>::RawValue<'_>,
            ) -> diesel::deserialize::Result<Self> {
                <$crate::db::columns::As<$type> as diesel::deserialize::FromSql<
                    <$type as $crate::db::columns::Stored>::Base,
                    $crate::db::MultiBackend,
                >>::from_sql(bytes).map(|read| read.0)
            }
        }

        impl diesel::deserialize::Queryable<<$type as $crate::db::columns::Stored>::Base, $crate::db::MultiBackend> for $type {
            type Row = Self;
            fn build(row: Self) -> diesel::deserialize::Result<Self> {
                Ok(row)
            }
        }

        impl From<$crate::db::columns::As<$type>> for $type {
            fn from(value: $crate::db::columns::As<$type>) -> Self {
                value.0
            }
        }
    )+};
}
pub(crate) use read;

/// Types that are stored as their word, by `as_str` and `parse`: those of the kernel below, and a room's own in its store.
macro_rules! words {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::db::columns::Stored for $type {
            type Base = diesel::sql_types::Text;
            type Raw = String;
            fn raw(&self) -> String {
                self.as_str().to_owned()
            }
            fn of_raw(raw: String) -> Option<Self> {
                <$type>::parse(&raw)
            }
        })+
        $crate::db::columns::read!($($type),+);
    };
}
pub(crate) use words;

impl Stored for Fen {
    type Base = BigInt;
    type Raw = i64;
    fn raw(&self) -> i64 {
        self.get()
    }
    fn of_raw(raw: i64) -> Option<Self> {
        Some(Fen::new(raw))
    }
}

impl Stored for BusinessDay {
    type Base = Integer;
    type Raw = i32;
    fn raw(&self) -> i32 {
        self.to_i32()
    }
    fn of_raw(raw: i32) -> Option<Self> {
        BusinessDay::from_i32(raw)
    }
}

impl Stored for Digest {
    type Base = Text;
    type Raw = String;
    fn raw(&self) -> String {
        self.to_string()
    }
    fn of_raw(raw: String) -> Option<Self> {
        raw.parse().ok()
    }
}

read!(Fen, BusinessDay, Digest);
words!(
    FileKind,
    CarryReason,
    FileState,
    RetStatus,
    OrderState,
    CustodyState,
    SettlementState,
    RetCode,
    Reason,
    ChannelName,
    Product
);

/// What orders declare; the text that was read is kept, not copied.
macro_rules! declared {
    ($($type:ident),+) => {
        $(impl Stored for $type {
            type Base = Text;
            type Raw = String;
            fn raw(&self) -> String {
                self.as_str().to_owned()
            }
            fn of_raw(raw: String) -> Option<Self> {
                $type::of_text(raw)
            }
        })+
        read!($($type),+);
    };
}
declared!(Tags, Parties);

/// A flag, as 0 or 1.
impl Stored for bool {
    type Base = Integer;
    type Raw = i32;
    fn raw(&self) -> i32 {
        i32::from(*self)
    }
    fn of_raw(raw: i32) -> Option<Self> {
        match raw {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl FromSql<Integer, MultiBackend> for bool {
    fn from_sql(bytes: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <As<bool> as FromSql<Integer, MultiBackend>>::from_sql(bytes).map(|read| read.0)
    }
}

/// Makes the type of a table's key.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The key of this number.
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The number, for cursors and logs; it never leaves the platform.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Stored for $name {
            type Base = BigInt;
            type Raw = i64;
            fn raw(&self) -> i64 {
                self.0
            }
            fn of_raw(raw: i64) -> Option<Self> {
                Some(Self(raw))
            }
        }

        bound!(BigInt, i64, [], $name);
    )+};
}

keys! {
    /// A person who logs in.
    UserId,
    /// A platform merchant: whose systems call us.
    TenantId,
    /// What a tenant's system signs with.
    CredentialId,
    /// A licensed institution.
    InstitutionId,
    /// A channel of an institution.
    ChannelId,
    /// A merchant at an institution.
    EnrolmentId,
    /// An exchanged file.
    FileId,
    /// A result over a file.
    ResultId,
    /// A sub-merchant.
    MerchantId,
    /// An approved rule version.
    RuleId,
    /// An order.
    OrderId,
    /// Something that goes out.
    OutboxId,
    /// A bill as it was fetched.
    BillId,
    /// A difference between bill and record.
    DifferenceId,
    /// An entry of the ledger.
    EntryId,
    /// A piece of work that takes its time.
    TaskId,
}

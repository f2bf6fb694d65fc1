//! Users, roles and scopes, login and sessions, and the audit trail.
pub mod address;
pub mod audit;
pub mod device;
pub mod login;
pub mod password;
pub mod rights;
pub mod security;
pub mod sessions;
pub mod throttle;
pub mod users;

mod security_store;
mod store;
mod throttle_store;
mod workers;

pub use audit::Actor;

use crate::db::columns::{InstitutionId, MerchantId, UserId};
use crate::kernel::text_enum;

text_enum! {
    /// What somebody is; what that allows stands in [`rights`].
    pub enum Role {
        /// Runs the platform.
        Admin = "ADMIN",
        /// Checks what an admin has prepared.
        Checker = "CHECKER",
        /// Works for a sub-merchant.
        Merchant = "MERCHANT",
        /// Prepares at the licensed institution.
        InstMaker = "INST_MAKER",
        /// Checks at the licensed institution.
        InstChecker = "INST_CHECKER",
    }
}

/// Whose objects a principal sees: a parameter of every list and detail query. What lies outside does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    Platform,
    /// One licensed institution.
    Institution(InstitutionId),
    /// One sub-merchant.
    Merchant(MerchantId),
}

/// A user of the browser pages as the handlers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's key.
    pub user: UserId,
    /// The name that the user logs in with.
    pub login: String,
    /// The name shown on pages.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Whose objects the user sees.
    pub scope: Scope,
}

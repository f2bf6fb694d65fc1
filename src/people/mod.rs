//! Users, roles and scopes, login and sessions, and the audit trail.
pub mod audit;
pub mod login;
pub mod password;
pub mod sessions;
pub mod users;

mod store;

pub use audit::Actor;

/// What a user may do (`ux.md` 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the platform.
    Admin,
    /// Checks what an admin has prepared.
    Checker,
    /// Works for a sub-merchant.
    Merchant,
    /// Prepares at the licensed institution.
    InstMaker,
    /// Checks at the licensed institution.
    InstChecker,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] =
        [Role::Admin, Role::Checker, Role::Merchant, Role::InstMaker, Role::InstChecker];

    /// As the database keeps it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "ADMIN",
            Role::Checker => "CHECKER",
            Role::Merchant => "MERCHANT",
            Role::InstMaker => "INST_MAKER",
            Role::InstChecker => "INST_CHECKER",
        }
    }

    /// Reads what [`Role::as_str`] writes.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether this role belongs into that scope.
    pub const fn fits(self, scope: Scope) -> bool {
        match self {
            Role::Admin | Role::Checker => matches!(scope, Scope::Platform),
            Role::Merchant => matches!(scope, Scope::Merchant(_)),
            Role::InstMaker | Role::InstChecker => matches!(scope, Scope::Institution(_)),
        }
    }
}

/// Whose objects a principal sees: a parameter of every list and detail query. What lies outside does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    Platform,
    /// One licensed institution, by its internal id.
    Institution(i64),
    /// One sub-merchant, by its internal id.
    Merchant(i64),
}

/// A user of the browser pages as the handlers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's internal id.
    pub user: i64,
    /// The name that the user logs in with.
    pub login: String,
    /// The name shown on pages.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Whose objects the user sees.
    pub scope: Scope,
}

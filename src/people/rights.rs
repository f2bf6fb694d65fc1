//! The one matrix of rights (`ux.md`, section 5.4): who may view, manage or approve what, and on whose behalf.
//! Handlers, the navigation and the test that walks every address ask nothing else.
use super::{Role, Scope};

/// What somebody may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// See it. Whoever manages or approves something may see it too.
    View,
    /// Prepare and change it.
    Manage,
    /// Decide what somebody else has prepared.
    Approve,
}

impl Right {
    /// Every right.
    pub const ALL: [Right; 3] = [Right::View, Right::Manage, Right::Approve];
}

/// What there is a page or a command of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The first page: today, and what waits for a person.
    Desk,
    /// Orders, with their splits.
    Orders,
    /// Rules in force.
    Rules,
    /// Orders that were not split, and differences of a bill.
    Exceptions,
    /// Files exchanged between the platform and an institution.
    Files,
    /// What a merchant is credited.
    Settlements,
    /// Jobs and work in progress.
    Tasks,
    /// What merchants are told of their orders.
    Notices,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Resource; 8] = [
        Resource::Desk,
        Resource::Orders,
        Resource::Rules,
        Resource::Exceptions,
        Resource::Files,
        Resource::Settlements,
        Resource::Tasks,
        Resource::Notices,
    ];
}

/// On whose behalf somebody acts: the kind of a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// The platform.
    Platform,
    /// One licensed institution.
    Institution,
    /// One sub-merchant.
    Merchant,
}

impl Scope {
    /// Its kind.
    #[must_use]
    pub const fn tenant(self) -> Tenant {
        match self {
            Scope::Platform => Tenant::Platform,
            Scope::Institution(_) => Tenant::Institution,
            Scope::Merchant(_) => Tenant::Merchant,
        }
    }
}

/// A role's row of the matrix. What somebody manages or approves need not be named among what is viewed.
struct Row {
    tenant: Tenant,
    view: &'static [Resource],
    manage: &'static [Resource],
    approve: &'static [Resource],
}

/// The matrix. Nothing that exists now is approved in the browser: rules and merchants are approved by an institution's
/// signed files.
const fn row(role: Role) -> Row {
    use Resource::{Desk, Exceptions, Files, Notices, Orders, Rules, Settlements, Tasks};
    use Tenant::{Institution, Merchant, Platform};
    match role {
        Role::Admin => Row {
            tenant: Platform,
            view: &[Desk, Orders, Rules, Exceptions, Files],
            manage: &[Exceptions, Tasks, Notices],
            approve: &[],
        },
        Role::Checker => Row {
            tenant: Platform,
            view: &[Desk, Orders, Rules, Exceptions, Files, Tasks, Notices],
            manage: &[],
            approve: &[],
        },
        Role::Merchant => {
            Row { tenant: Merchant, view: &[Desk, Orders, Settlements], manage: &[Notices], approve: &[] }
        }
        // Both may send results: which of them counts is for the institution to order, its signature decides.
        Role::InstMaker | Role::InstChecker => {
            Row { tenant: Institution, view: &[], manage: &[Files], approve: &[] }
        }
    }
}

impl Role {
    /// On whose behalf people of this role act.
    #[must_use]
    pub const fn tenant(self) -> Tenant {
        row(self).tenant
    }
    /// Whether this role has that right to it, within its own scope.
    #[must_use]
    pub fn may(self, right: Right, resource: Resource) -> bool {
        let Row { view, manage, approve, .. } = row(self);
        match right {
            Right::View => [view, manage, approve].into_iter().any(|of| of.contains(&resource)),
            Right::Manage => manage.contains(&resource),
            Right::Approve => approve.contains(&resource),
        }
    }
    /// Whether this role belongs into that scope.
    #[must_use]
    pub fn fits(self, scope: Scope) -> bool {
        self.tenant() == scope.tenant()
    }
}

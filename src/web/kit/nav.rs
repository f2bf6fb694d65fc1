//! The navigation: the places of the site, each shown to those whom the matrix of rights lets see it.
use crate::people::Role;
use crate::people::rights::{Resource, Right, Tenant};
use crate::web::words::Words;

/// Some links under one heading.
pub struct Group {
    /// Empty for the first.
    pub title: &'static str,
    /// In order.
    pub links: Vec<Link>,
}

/// A place in the navigation.
pub struct Link {
    /// Its address.
    pub href: &'static str,
    /// Its symbol in the sprite.
    pub icon: &'static str,
    /// Its name.
    pub text: &'static str,
    /// Whether the reader is there.
    pub current: bool,
    /// How much waits there for a person.
    pub waiting: i64,
}

/// A text of the catalogue.
type Text = fn(&Words) -> &'static str;

/// A page to go to, and whom it is for.
struct Place {
    tenant: Tenant,
    resource: Resource,
    href: &'static str,
    icon: &'static str,
    group: Text,
    text: Text,
}

impl Place {
    const fn new(
        to: (Tenant, Resource),
        href: &'static str,
        icon: &'static str,
        group: Text,
        text: Text,
    ) -> Self {
        Self { tenant: to.0, resource: to.1, href, icon, group, text }
    }
    fn is_for(&self, role: Role) -> bool {
        role.tenant() == self.tenant && role.may(Right::View, self.resource)
    }
}

const NO_GROUP: Text = |_| "";
const TRADE: Text = |w| w.shell.group_trade;
const SETTLE: Text = |w| w.shell.group_settle;

/// Every place, in order; a role's first one is its home.
static PLACES: [Place; 10] = {
    use Resource::{Desk, Exceptions, Files, Orders, Rules, Settlements, Tasks};
    use Tenant::{Institution, Merchant, Platform};
    [
        Place::new((Platform, Desk), "/admin", "layout-dashboard", NO_GROUP, |w| w.places.desk),
        Place::new((Platform, Orders), "/admin/orders", "receipt", TRADE, |w| w.places.orders),
        Place::new((Platform, Rules), "/admin/rules", "git-fork", TRADE, |w| w.places.rules),
        Place::new((Platform, Exceptions), "/admin/exceptions", "alert-triangle", TRADE, |w| {
            w.places.exceptions
        }),
        Place::new((Platform, Files), "/admin/files", "stack-2", SETTLE, |w| w.places.files),
        Place::new((Platform, Tasks), "/admin/tasks", "history", SETTLE, |w| w.places.tasks),
        Place::new((Merchant, Desk), "/merchant", "layout-dashboard", NO_GROUP, |w| w.places.desk),
        Place::new((Merchant, Orders), "/merchant/orders", "receipt", TRADE, |w| w.places.orders),
        Place::new((Merchant, Settlements), "/merchant/settlements", "building-bank", TRADE, |w| {
            w.places.settlements
        }),
        Place::new((Institution, Files), "/institution", "inbox", NO_GROUP, |w| w.places.inbox),
    ]
};

fn places(role: Role) -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(move |place| place.is_for(role))
}

/// A role's first page.
#[must_use]
pub fn home(role: Role) -> &'static str {
    places(role).next().map_or("/login", |place| place.href)
}

/// Where a role's search box leads; empty without one.
#[must_use]
pub fn search(role: Role) -> &'static str {
    places(role).find(|place| place.resource == Resource::Orders).map_or("", |place| place.href)
}

/// The role's navigation, with the place marked that `path` belongs to.
#[must_use]
pub fn nav(role: Role, path: &str, w: &Words) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for place in places(role) {
        let below = path.strip_prefix(place.href).is_some_and(|rest| rest.starts_with('/'));
        let current = path == place.href || (below && place.href != home(role));
        let Place { href, icon, .. } = *place;
        let link = Link { href, icon, text: (place.text)(w), current, waiting: 0 };
        let title = (place.group)(w);
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.links.push(link),
            None => groups.push(Group { title, links: vec![link] }),
        }
    }
    groups
}

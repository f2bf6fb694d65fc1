//! What surrounds every page: language, navigation, who is logged in.
use actix_web::HttpRequest;

use super::lang::{Lang, switched};
use super::words::Words;
use crate::people::Role;

/// The frame of a page without a person: login and errors.
pub struct Frame {
    /// The page's language.
    pub lang: Lang,
    /// Its fixed texts.
    pub w: &'static Words,
    /// This very page in the other language.
    pub other_language: String,
}

impl Frame {
    /// For this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        let lang = Lang::of(request);
        Self { lang, w: lang.words(), other_language: switched(request, lang.other()) }
    }
    /// The address of a static file.
    #[must_use]
    pub fn asset(&self, path: &str) -> &'static str {
        super::assets::address(path)
    }
}

/// The frame of a page behind the login.
pub struct Shell {
    /// The page's language.
    pub lang: Lang,
    /// Its fixed texts.
    pub w: &'static Words,
    /// This very page in the other language.
    pub other_language: String,
    /// For every form.
    pub csrf: String,
    /// The person's name.
    pub name: String,
    /// What the person is.
    pub role: &'static str,
    /// Whose console this is.
    pub console: &'static str,
    /// The role's first page.
    pub home: &'static str,
    /// Where the search box leads; empty without one.
    pub search: &'static str,
    /// The navigation.
    pub nav: Vec<Group>,
}

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

impl Shell {
    /// The address of a static file.
    #[must_use]
    pub fn asset(&self, path: &str) -> &'static str {
        super::assets::address(path)
    }
    /// The first character of the name.
    #[must_use]
    pub fn initial(&self) -> String {
        self.name.chars().take(1).collect()
    }
    /// Shows how much waits behind a link.
    #[must_use]
    pub fn waiting(mut self, href: &str, waiting: i64) -> Self {
        let links = self.nav.iter_mut().flat_map(|group| &mut group.links);
        links.filter(|link| link.href == href).for_each(|link| link.waiting = waiting);
        self
    }
}

/// A role's first page.
#[must_use]
pub fn home(role: Role) -> &'static str {
    match role {
        Role::Admin | Role::Checker => "/admin",
        Role::Merchant => "/merchant",
        Role::InstMaker | Role::InstChecker => "/institution",
    }
}

/// The role's name.
#[must_use]
pub fn role_name(role: Role, w: &'static Words) -> &'static str {
    match role {
        Role::Admin => w.role_admin,
        Role::Checker => w.role_checker,
        Role::Merchant => w.role_merchant,
        Role::InstMaker => w.role_inst_maker,
        Role::InstChecker => w.role_inst_checker,
    }
}

/// Whose console a role uses.
#[must_use]
pub fn console(role: Role, w: &'static Words) -> &'static str {
    match role {
        Role::Admin | Role::Checker => w.console_admin,
        Role::Merchant => w.console_merchant,
        Role::InstMaker | Role::InstChecker => w.console_institution,
    }
}

/// The role's navigation, with the place marked that `path` belongs to.
#[must_use]
pub fn nav(role: Role, path: &str, w: &'static Words) -> Vec<Group> {
    let link = |href: &'static str, icon, text| {
        let below = path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
        Link { href, icon, text, current: path == href || (below && href != home(role)), waiting: 0 }
    };
    match role {
        Role::Admin | Role::Checker => vec![
            Group { title: "", links: vec![link("/admin", "layout-dashboard", w.desk)] },
            Group {
                title: w.group_trade,
                links: vec![
                    link("/admin/orders", "receipt", w.orders),
                    link("/admin/rules", "git-fork", w.rules),
                    link("/admin/exceptions", "alert-triangle", w.exceptions),
                ],
            },
            Group {
                title: w.group_settle,
                links: vec![
                    link("/admin/files", "stack-2", w.files),
                    link("/admin/tasks", "history", w.tasks),
                ],
            },
        ],
        Role::Merchant => vec![
            Group { title: "", links: vec![link("/merchant", "layout-dashboard", w.desk)] },
            Group {
                title: w.group_trade,
                links: vec![
                    link("/merchant/orders", "receipt", w.orders),
                    link("/merchant/settlements", "building-bank", w.settlements),
                ],
            },
        ],
        Role::InstMaker | Role::InstChecker => {
            vec![Group { title: "", links: vec![link("/institution", "inbox", w.inbox)] }]
        }
    }
}

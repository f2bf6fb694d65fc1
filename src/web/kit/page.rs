//! What surrounds every page: language, navigation, who is logged in.
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::fault::Fault;
use super::lang::{Lang, switched};
use super::nav::Group;
use crate::people::Role;
use crate::people::rights::Tenant;
use crate::web::words::Words;

/// A written page.
pub fn page(template: &impl Template) -> Result<HttpResponse, Fault> {
    Ok(HttpResponse::Ok().content_type(ContentType::html()).body(template.render()?))
}

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

impl Shell {
    /// The address of a static file.
    #[must_use]
    pub fn asset(&self, path: &str) -> &'static str {
        super::assets::address(path)
    }
    /// The name of the place where the reader is.
    #[must_use]
    pub fn here(&self) -> &'static str {
        let mut links = self.nav.iter().flat_map(|group| &group.links);
        links.find(|link| link.current).map_or("", |link| link.text)
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

/// The role's name.
#[must_use]
pub fn role_name(role: Role, w: &'static Words) -> &'static str {
    match role {
        Role::Admin => w.shell.role_admin,
        Role::Checker => w.shell.role_checker,
        Role::Merchant => w.shell.role_merchant,
        Role::InstMaker => w.shell.role_inst_maker,
        Role::InstChecker => w.shell.role_inst_checker,
    }
}

/// Whose console a role uses.
#[must_use]
pub fn console(role: Role, w: &'static Words) -> &'static str {
    match role.tenant() {
        Tenant::Platform => w.shell.console_admin,
        Tenant::Merchant => w.shell.console_merchant,
        Tenant::Institution => w.shell.console_institution,
    }
}

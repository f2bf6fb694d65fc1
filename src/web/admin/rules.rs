//! Rules in force, as their institutions approved them.
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use askama::Template;

use crate::app::App;
use crate::db::columns::InstitutionId;
use crate::web::fault::Fault;
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::rule::{self, RuleCard};
use crate::web::visitor::Visitor;
use crate::{institutions, merchants, rules};

#[derive(Template)]
#[template(path = "admin/rules.html")]
struct RulesPage {
    s: Shell,
    rules: Vec<RuleCard>,
}

#[get("/admin/rules")]
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    visitor.platform()?;
    let (lang, now) = (visitor.lang, app.clock.instant());
    let rules = app
        .db
        .read(move |tx| {
            let mut cards = Vec::new();
            for institution in institutions::all(tx)? {
                let standing = rules::in_force(tx, InstitutionId::new(institution.id), now)?;
                let receivers =
                    standing.iter().flat_map(|approved| rule::receivers(&approved.rule)).collect();
                let names = merchants::receiver_names(tx, institution.id, &receivers)?;
                cards.extend(standing.iter().map(|approved| rule::card(lang, approved, &names)));
            }
            Ok(cards)
        })
        .await?;
    page(&RulesPage { s: visitor.shell(), rules })
}

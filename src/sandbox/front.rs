//! The sandbox's front page: what can be paid, and which faults are switched on.
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use askama::Template;

use super::trade;
use super::{Sandbox, SandboxError};
use crate::kernel::money::Fen;

/// The most open orders that the page lists.
const SHOWN: usize = 50;

/// Looks like the back office, of which the sandbox knows nothing else.
const STYLE: &str = include_str!("../../static/css/app.css");

#[derive(Template)]
#[template(path = "sandbox/front.html")]
struct Front {
    institution: String,
    orders: Vec<OpenOrder>,
    more: bool,
    faults: Vec<FaultRow>,
}

struct OpenOrder {
    description: String,
    wallet: (&'static str, &'static str),
    out_trade_no: String,
    yuan: String,
    code: String,
}

struct FaultRow {
    name: &'static str,
    place: &'static str,
    left: String,
    struck: u32,
}

/// Open orders, newest first, and faults.
#[get("/")]
pub(super) async fn show(sandbox: Data<Sandbox>) -> Result<HttpResponse, SandboxError> {
    let now = sandbox.now().get();
    let limit = i64::try_from(SHOWN).unwrap_or(0).saturating_add(1);
    let mut open = sandbox.0.store.run(move |tx| trade::store::open(tx, now, limit)).await?;
    let more = open.len() > SHOWN;
    open.truncate(SHOWN);
    let orders = open.into_iter().map(|trade| {
        Ok(OpenOrder {
            description: trade::subject(&trade)?,
            wallet: trade::wallet_name(trade.wallet()?),
            out_trade_no: trade.out_trade_no,
            yuan: Fen::new(trade.total).yuan(),
            code: trade.code,
        })
    });
    let faults = sandbox.faults(|faults| faults.list()).into_iter().map(|switch| FaultRow {
        name: switch.fault.as_str(),
        place: switch.on.map_or("*", super::faults::Operation::as_str),
        left: switch.times.map_or_else(|| "∞".to_owned(), |times| times.to_string()),
        struck: switch.struck,
    });
    page(&Front {
        institution: sandbox.0.settings.institution.clone(),
        orders: orders.collect::<Result<_, SandboxError>>()?,
        more,
        faults: faults.collect(),
    })
}

/// The stylesheet of the sandbox's pages.
#[get("/sandbox/app.css")]
pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/css; charset=utf-8")).body(STYLE)
}

/// A page of the sandbox, which loads nothing but its stylesheet.
pub(super) fn page(template: &impl Template) -> Result<HttpResponse, SandboxError> {
    let html = template.render().map_err(|error| SandboxError::Internal(error.to_string()))?;
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'";
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(html))
}

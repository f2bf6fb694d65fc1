//! The page behind a code_url: where a person pays the sandbox's make-believe money.
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use askama::Template;

use super::pay::Pay;
use super::store;
use crate::kernel::money::Fen;
use crate::protocol::wechat::order::OrderRequest;
use crate::protocol::wechat::shapes::TradeState;
use crate::sandbox::{Sandbox, SandboxError, front};

#[derive(Template)]
#[template(path = "sandbox/cashier.html")]
struct Cashier {
    institution: String,
    description: String,
    yuan: String,
    out_trade_no: String,
    code: String,
    payable: bool,
    paid: bool,
}

/// Shows an order and, while it can be paid, a button.
#[get("/sandbox/cashier/{code}")]
pub(in crate::sandbox) async fn show(
    sandbox: Data<Sandbox>,
    code: Path<String>,
) -> Result<HttpResponse, SandboxError> {
    page(&sandbox, code.into_inner()).await
}

/// Pays, and shows the order again.
#[post("/sandbox/cashier/{code}")]
pub(in crate::sandbox) async fn pay(
    sandbox: Data<Sandbox>,
    code: Path<String>,
) -> Result<HttpResponse, SandboxError> {
    let code = code.into_inner();
    sandbox.pay(Pay { code_url: Some(code.clone()), notify: true, ..Pay::default() }).await?;
    page(&sandbox, code).await
}

async fn page(sandbox: &Sandbox, code: String) -> Result<HttpResponse, SandboxError> {
    let (key, now) = (code.clone(), sandbox.now().get());
    let work = move |tx: &mut crate::sandbox::store::Tx<'_>| match store::number_of_code(tx, &key)? {
        Some(number) => store::trade(tx, &number),
        None => Ok(None),
    };
    let found = sandbox.0.store.run(work).await?;
    let (trade, payment) = found.ok_or_else(|| SandboxError::NotFound("no such code_url".to_owned()))?;
    let request: OrderRequest = serde_json::from_str(&trade.body)?;
    let state = super::state(&trade, payment.as_ref(), now);
    let page = Cashier {
        institution: sandbox.0.settings.institution.clone(),
        description: request.description,
        yuan: Fen::new(trade.total).yuan(),
        out_trade_no: trade.out_trade_no,
        code,
        payable: state == TradeState::NotPay,
        paid: state == TradeState::Success,
    };
    front::page(&page)
}

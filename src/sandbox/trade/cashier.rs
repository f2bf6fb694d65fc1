//! The page behind a code_url: where a person pays the sandbox's make-believe money.
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use askama::Template;

use super::pay::Pay;
use super::{alipay, store};
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::protocol::wechat::shapes::TradeState;
use crate::sandbox::store::Tx;
use crate::sandbox::{Sandbox, SandboxError, front};

#[derive(Template)]
#[template(path = "sandbox/cashier.html")]
struct Cashier {
    institution: String,
    /// Whose wallet it plays.
    wallet: (&'static str, &'static str),
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
    let (key, at) = (code.clone(), sandbox.now());
    let work = move |tx: &mut Tx<'_>| {
        let Some(number) = store::number_of_code(tx, &key)? else { return Ok(None) };
        let found = store::trade(tx, &number)?;
        // Who opens it has scanned it.
        if let Some((trade, None)) = &found
            && trade.wallet()? == ChannelName::Alipay
            && super::state(trade, None, at.get()) == TradeState::NotPay
        {
            alipay::order::scanned(tx, trade, at)?;
        }
        Ok(found)
    };
    let found = sandbox.0.store.run(work).await?;
    let (trade, payment) = found.ok_or_else(|| SandboxError::NotFound("no such code_url".to_owned()))?;
    let state = super::state(&trade, payment.as_ref(), at.get());
    let page = Cashier {
        institution: sandbox.0.settings.institution.clone(),
        wallet: super::wallet_name(trade.wallet()?),
        description: super::subject(&trade)?,
        yuan: Fen::new(trade.total).yuan(),
        out_trade_no: trade.out_trade_no,
        code,
        payable: state == TradeState::NotPay,
        paid: state == TradeState::Success,
    };
    front::page(&page)
}

//! Who calls: a request is accepted only when its signature covers it as it travelled (`channels.md` 0.10).
use std::sync::Arc;

use super::fault::Fault;
use crate::app::App;
use crate::db::Tx;
use crate::db::columns::TenantId;
use crate::error::Error;
use crate::gateway::placing;
use crate::institutions::PlatformKeys;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::Instant;
use crate::kernel::channel::{ChannelName, Product};
use crate::merchants::applications::{self, Application};
use crate::merchants::nonces::Nonce;
use crate::merchants::{self, Known, Signatory, SubMerchant, Whom};
use crate::orders::{self, Standing};
use crate::protocol::alipay::Method;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::form::Form;
use crate::protocol::alipay::request::{Refusal, Request};
use crate::protocol::alipay::shapes::{Order, Which};

/// What a request asks for.
pub enum Asked {
    /// An order that is paid afterwards.
    Place(Product, Box<Order>),
    /// Where an order stands.
    Query(Which),
    /// To close an order.
    Close(Which),
    /// To undo one.
    Cancel(Which),
    /// A day's bill.
    Bill,
    /// A refund.
    Refund,
    /// Nothing that we do.
    Nothing,
}

impl Asked {
    fn read(request: &Request, now: Instant) -> Result<Self, Fault> {
        let content = &request.biz_content;
        let order = || Order::read(content, now).map(Box::new);
        Ok(match Method::parse(&request.method) {
            Some(Method::Precreate) => Self::Place(Product::NATIVE, order()?),
            Some(Method::Create) => Self::Place(Product::JSAPI, order()?),
            Some(Method::Query) => Self::Query(Which::read(content)?),
            Some(Method::Close) => Self::Close(Which::read(content)?),
            Some(Method::Cancel) => Self::Cancel(Which::read(content)?),
            Some(Method::BillDownload) => Self::Bill,
            Some(Method::Refund) => Self::Refund,
            Some(Method::Pay) | None => Self::Nothing,
        })
    }

    /// For whom, before anything of it is proven.
    fn whom(&self) -> Whom {
        match self {
            Self::Place(_, order) => order.merchant.clone().map_or(Whom::Only, Whom::Number),
            Self::Query(_) | Self::Close(_) | Self::Cancel(_) | Self::Bill | Self::Refund | Self::Nothing => {
                Whom::Nobody
            }
        }
    }

    fn which(&self) -> Option<&Which> {
        match self {
            Self::Query(which) | Self::Close(which) | Self::Cancel(which) => Some(which),
            Self::Place(..) | Self::Bill | Self::Refund | Self::Nothing => None,
        }
    }
}

/// A verified request: whose it is, and what one look at our record says about what it names.
pub struct Admitted {
    /// The credential whose key verified the signature.
    pub application: Application,
    /// The request.
    pub request: Request,
    /// To be spent in the transaction of what the request changes.
    pub nonce: Nonce,
    /// Our own keys, as they counted when it was admitted.
    pub keys: Arc<PlatformKeys>,
    /// The sub-merchant that it names, or the only one, whosever that is.
    pub merchant: Option<SubMerchant>,
    /// What that one's institution has approved, of an order to be placed.
    pub approved: Option<Arc<Bundle>>,
    /// Version of that institution's channel.
    pub channel: Option<i64>,
    /// The order that it names, of its tenant.
    pub found: Option<Standing>,
}

/// Verifies a request. What it asks for, or what is wrong with that, is said to the caller alone.
pub async fn admit(app: &App, form: Form) -> Result<(Admitted, Result<Asked, Fault>), Fault> {
    let request = Request::read(form).map_err(|refusal| Fault::unproven("header", refusal))?;
    let now = app.clock.instant();
    if !request.is_fresh(now) {
        return Err(unproven("clock", SubCode::InvalidTimestamp, "timestamp 与服务器时间相差超过 5 分钟"));
    }
    let asked = Asked::read(&request, now);
    let by = merchants::Asked {
        by: Signatory::Application(request.app_id.clone()),
        merchant: asked.as_ref().map_or(Whom::Nobody, Asked::whom),
        channel: ChannelName::Alipay,
        at: app.clock.now(),
    };
    let which = asked.as_ref().ok().and_then(Asked::which).cloned();
    let look = move |tx: &mut Tx<'_>| {
        let Some(known) = merchants::look_up(tx, &by)? else { return Ok(None) };
        let found = which.as_ref().map(|which| find(tx, known.tenant(), which)).transpose()?;
        Ok(Some((known, found.flatten())))
    };
    let stranger = || unproven("stranger", SubCode::InvalidAppId, "app_id 不存在或已吊销");
    let (known, found) = app.db.look(look).await?.ok_or_else(stranger)?;
    let application = applications::of(&known)?.ok_or_else(stranger)?;
    if !request.verify(&application.public_key) {
        let why = "请核对应用私钥、签名字符串与 charset";
        let fault = unproven("signature", SubCode::InvalidSignature, why);
        return Err(fault.of_caller(format!("merchant:{}", application.sp_mchid)));
    }
    let keys = app.keys_of(known.newest_key).await?;
    let approved = placing::approved(app, &known).await?;
    let nonce = Nonce::of_signature(application.id, request.signature());
    let Known { merchant, channel, .. } = known;
    Ok((Admitted { application, request, nonce, keys, merchant, approved, channel, found }, asked))
}

fn unproven(why: &'static str, code: SubCode, parameter: &'static str) -> Fault {
    Fault::unproven(why, Refusal { code, parameter })
}

/// The tenant's order: by the channel's number, and where we have none under that, by the caller's.
fn find(tx: &mut Tx<'_>, tenant: TenantId, which: &Which) -> Result<Option<Standing>, Error> {
    let mut order = None;
    if let Some(number) = &which.trade_no {
        order = orders::of_tenant_by_inst_order_no(tx, tenant, number)?;
    }
    if let (None, Some(number)) = (&order, &which.out_trade_no) {
        order = orders::by_out_trade_no(tx, tenant, number)?;
    }
    order.map(|order| orders::standing(tx, order)).transpose()
}

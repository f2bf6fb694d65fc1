//! Orders of the Alipay channel in its language (`channels.md`, section 2).
pub(in crate::sandbox) mod bill;
pub(in crate::sandbox) mod order;
pub(super) mod told;

use serde::{Deserialize, Serialize};

use super::pay;
use super::store::Trade;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::fields::{Carried, FieldFault};
use crate::protocol::alipay::request::Request;
use crate::protocol::alipay::shapes::Order;
use crate::sandbox::platform::Platform;
use crate::sandbox::{Sandbox, SandboxError};

/// A call whose signature is right.
pub(in crate::sandbox) struct Verified<'a> {
    pub sandbox: &'a Sandbox,
    pub platform: &'a Platform,
    pub request: &'a Request,
}

/// An order as it was sent: what a repetition must equal.
#[derive(Serialize, Deserialize)]
struct Sent {
    notify_url: Option<String>,
    content: Carried,
}

impl Sent {
    fn of(request: &Request) -> Result<Self, SandboxError> {
        let object = FieldFault { field: "biz_content", issue: "one JSON object" };
        let content = serde_json::from_str(&request.biz_content).map_err(|_| fault(object))?;
        Ok(Self { notify_url: request.notify_url.clone(), content })
    }
}

/// An order as it was sent, read again.
pub(in crate::sandbox) struct Placed {
    pub order: Order,
    pub notify_url: Option<String>,
}

impl Placed {
    /// What the order was placed with.
    pub fn of(trade: &Trade) -> Result<Self, SandboxError> {
        let Sent { notify_url, content } = serde_json::from_str(&trade.body)?;
        let order = Order::read(&serde_json::to_string(&content)?, pay::instant(trade.created_at));
        Ok(Self { order: order.map_err(fault)?, notify_url })
    }
}

fn fault(fault: FieldFault) -> SandboxError {
    refused(SubCode::BizParameter, format!("{}: {}", fault.field, fault.issue))
}

fn refused(code: SubCode, detail: impl Into<String>) -> SandboxError {
    SandboxError::Alipay(code, detail.into())
}

//! The one look at the record by which a signed request is admitted.
use diesel::prelude::*;

use super::SubMerchant;
use super::credential_store::{CREDENTIAL, CredentialRow, of_applications};
use super::store::{COLUMNS, Row, made};
use crate::db::Tx;
use crate::db::columns::{As, TenantId};
use crate::db::schema::{
    approvals_bundle, channel, credential, enrolment, platform_key, platform_merchant, sub_merchant,
};
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::kernel::digest::Digest;
use crate::protocol::language::Language;

/// How a request names the credential that signed it, in its language.
#[derive(Clone, Debug)]
pub enum Signatory {
    /// WeChat's: the tenant's number, and the serial of the credential.
    Tenant(String, String),
    /// Alipay's: the application.
    Application(String),
}

/// Who asks, and for whom.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub by: Signatory,
    /// For whom.
    pub merchant: Whom,
    /// By whose wallet.
    pub channel: ChannelName,
    /// When, unix microseconds.
    pub at: i64,
}

/// For whom a request asks.
#[derive(Clone, Debug)]
pub enum Whom {
    /// The sub-merchant of this number.
    Number(String),
    /// The only one that the tenant has.
    Only,
    /// Nobody.
    Nobody,
}

/// What the record says at one moment: who may ask, whom it names, and the versions of what is kept in memory.
pub struct Known {
    /// Live or revoked.
    pub(super) credential: CredentialRow,
    /// The sub-merchant, whosever it is.
    pub merchant: Option<SubMerchant>,
    /// Digest of what its institution has approved.
    pub approvals: Option<Digest>,
    /// Version of its institution's channel.
    pub channel: Option<i64>,
    /// Number of the newest key of ours.
    pub newest_key: Option<i64>,
}

impl Known {
    /// Whose credential it is.
    pub fn tenant(&self) -> TenantId {
        self.credential.platform_merchant_id
    }
}

type Found = (CredentialRow, Option<Row>, Option<As<Digest>>, Option<i64>, Option<i64>);

/// What is known of who asks; `None` where there is no such credential.
pub fn look_up(tx: &mut Tx<'_>, asked: &Asked) -> Result<Option<Known>, Error> {
    let number = match &asked.merchant {
        Whom::Number(number) => number.clone(),
        Whom::Only => only_merchant(tx, &asked.by)?.unwrap_or_default(),
        Whom::Nobody => String::new(),
    };
    let institution = enrolment::institution_id.nullable();
    let approvals = approvals_bundle::table
        .filter(approvals_bundle::institution_id.nullable().eq(institution))
        .filter(approvals_bundle::issued_at.le(asked.at))
        .order((approvals_bundle::issued_at.desc(), approvals_bundle::id.desc()))
        .select(approvals_bundle::sha256)
        .limit(1);
    let version = channel::table
        .filter(channel::institution_id.nullable().eq(institution))
        .filter(channel::name.eq(asked.channel.as_str()))
        .select(channel::version);
    let newest_key = platform_key::table.select(diesel::dsl::max(platform_key::id));
    let known = credential::table
        .inner_join(platform_merchant::table)
        .left_join(sub_merchant::table.on(sub_merchant::merchant.eq(number)))
        .left_join(enrolment::table.on(enrolment::sub_merchant_id.nullable().eq(sub_merchant::id.nullable())))
        .order(enrolment::id)
        .select((
            CREDENTIAL,
            COLUMNS.nullable(),
            approvals.single_value(),
            version.single_value(),
            newest_key.single_value(),
        ));
    let found: Option<Found> = match &asked.by {
        Signatory::Tenant(sp_mchid, serial) => known
            .filter(platform_merchant::sp_mchid.eq(sp_mchid))
            .filter(credential::serial.eq(serial.to_ascii_uppercase()))
            .filter(credential::language.eq(As(Language::WechatPartner)))
            .first(tx.conn()),
        Signatory::Application(app_id) => {
            known.filter(credential::serial.eq(app_id)).filter(of_applications()).first(tx.conn())
        }
    }
    .optional()?;
    Ok(found.map(|(credential, merchant, approvals, channel, newest_key)| Known {
        credential,
        merchant: merchant.map(made),
        approvals: approvals.map(|digest| digest.0),
        channel,
        newest_key,
    }))
}

/// The number of a tenant's merchant where it has one alone.
fn only_merchant(tx: &mut Tx<'_>, by: &Signatory) -> Result<Option<String>, Error> {
    let merchants = sub_merchant::table.select(sub_merchant::merchant).limit(2);
    let mut numbers: Vec<String> = match by {
        Signatory::Tenant(sp_mchid, _) => merchants
            .inner_join(platform_merchant::table)
            .filter(platform_merchant::sp_mchid.eq(sp_mchid))
            .load(tx.conn())?,
        Signatory::Application(app_id) => {
            let tenant = credential::table
                .filter(credential::serial.eq(app_id))
                .filter(of_applications())
                .select(credential::platform_merchant_id);
            merchants.filter(sub_merchant::platform_merchant_id.eq_any(tenant)).load(tx.conn())?
        }
    };
    let last = numbers.pop();
    Ok(last.filter(|_| numbers.is_empty()))
}

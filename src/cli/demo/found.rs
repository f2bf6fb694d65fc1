//! Founding the demo: the institution, the merchants, the credential and the people of a new directory.
use super::papers::{Login, MerchantSecrets};
use super::scenery::{self, INSTITUTION, PARTIES, PLATFORM, SHOPS, SP_APPID, SP_MCHID};
use super::world::World;
use crate::app::App;
use crate::clock::micros;
use crate::error::Error;
use crate::institutions::{self, Documents, Registration, ResultEncoding};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::merchants::credentials::{self, AnswerMode, NewCredential};
use crate::merchants::founding::{
    ChannelPart, Founding, InstitutionPart, MerchantPart, ReceiverPart, TenantPart,
};
use crate::merchants::{self, tenants};
use crate::people::users::{self, NewUser};
use crate::people::{Actor, Role, Scope, password};
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{PrivateKey, random_nonce};
use crate::sandbox::PublicIdentity;

/// The platform's own number at the institution.
const CHANNEL_SP_MCHID: &str = "1800000001";

/// A certificate of a key.
pub fn certify(key: &PrivateKey, name: &str, from: Instant, until: Instant) -> anyhow::Result<Certificate> {
    Ok(Certificate::issue(key, name, from, until)?)
}

/// What the demo is founded with.
fn document(identity: &PublicIdentity) -> Founding {
    let founding = Founding {
        institution: Some(InstitutionPart {
            code: INSTITUTION.to_owned(),
            name: "沙箱支付机构".to_owned(),
            platform_code: PLATFORM.to_owned(),
            order_prefix: "MF".to_owned(),
            result_encoding: ResultEncoding::Ascii.as_str().to_owned(),
            documents: Documents::Channel.as_str().to_owned(),
        }),
        channel: vec![ChannelPart {
            institution: None,
            channel: "wechat".to_owned(),
            language: "wechat_v3".to_owned(),
            base_url: identity.base_url.clone(),
            sp_mchid: CHANNEL_SP_MCHID.to_owned(),
            sp_appid: SP_APPID.to_owned(),
            serial: None,
            private_key: None,
            apiv3_key: None,
        }],
        tenant: vec![TenantPart {
            sp_mchid: SP_MCHID.to_owned(),
            sp_appid: SP_APPID.to_owned(),
            name: "明分演示平台商户".to_owned(),
        }],
        merchant: SHOPS.iter().map(merchant).collect(),
        receiver: PARTIES.iter().map(receiver).collect(),
        ..Founding::default()
    };
    founding.with_keys(&identity.file_public_key, (&identity.serial, &identity.certificate))
}

fn merchant(shop: &scenery::Shop) -> MerchantPart {
    MerchantPart {
        merchant: shop.merchant.to_owned(),
        name: shop.name.to_owned(),
        tenant: SP_MCHID.to_owned(),
        institution: None,
        inst_merchant_no: shop.inst_merchant_no.to_owned(),
    }
}

fn receiver(party: &scenery::Party) -> ReceiverPart {
    ReceiverPart {
        institution: None,
        receiver: party.receiver.to_owned(),
        role: party.role.to_owned(),
        name: party.name.to_owned(),
    }
}

/// Stores the institution with its channel, the merchants and the merchant's credential; gives the platform's
/// registration at the institution.
pub async fn platform(
    world: &World,
    identity: &PublicIdentity,
    merchant: &MerchantSecrets,
) -> anyhow::Result<Registration> {
    let (app, now) = (world.app.clone(), world.app.clock.instant());
    let mut founding = document(identity);
    for channel in &mut founding.channel {
        channel.fill_own_key(now)?;
    }
    let (serial, certificate_pem) = (merchant.signer.serial.clone(), merchant.certificate.clone());
    let (merchant_apiv3, master) = (merchant.apiv3_key.clone(), app.master_key.clone());
    let registration = app.db.write(move |tx| {
        let actor = Actor::shell();
        founding.establish(tx, &master, micros(now), &actor)?;
        let tenant = tenants::by_number(tx, SP_MCHID)?.ok_or(Error::NotFound)?;
        let credential = NewCredential {
            platform_merchant_id: tenant.id,
            serial: &serial,
            public_key_pem: &certificate_pem,
            apiv3_key: merchant_apiv3.expose(),
            answer_mode: AnswerMode::Certificate,
        };
        credentials::create(tx, &master, micros(now), &actor, &credential)?;
        institutions::registration(tx, &master, (INSTITUTION, ChannelName::Wechat), None, micros(now))
    });
    Ok(registration.await?)
}

/// Makes one user a role, each with a password of its own, and one for the merchant whose orders no rule splits.
pub async fn logins(world: &World) -> anyhow::Result<Vec<Login>> {
    let app = &world.app;
    let (shop, stuck) = app
        .db
        .read(|tx| {
            let [shop, .., stuck] = &SHOPS;
            let mut merchant =
                |shop: &scenery::Shop| merchants::by_number(tx, shop.merchant)?.ok_or(Error::NotFound);
            Ok((merchant(shop)?, merchant(stuck)?))
        })
        .await?;
    let institution = shop.institution_id;
    let people = [
        (Role::Admin, "平台运营·陈明", "admin", Scope::Platform),
        (Role::Checker, "平台复核·周敏", "checker", Scope::Platform),
        (Role::Merchant, shop.name.as_str(), "merchant", Scope::Merchant(shop.id)),
        (Role::Merchant, stuck.name.as_str(), "merchant-stuck", Scope::Merchant(stuck.id)),
        (Role::InstMaker, "机构经办·吴帆", "maker", Scope::Institution(institution)),
        (Role::InstChecker, "机构复核·郑岚", "inst-checker", Scope::Institution(institution)),
    ];
    let mut logins = Vec::new();
    for (role, name, login, scope) in people {
        let secret = random_nonce(16)?;
        let (hash, at) = (password::hash(&secret)?, app.clock.now());
        let row = Login {
            role: role.as_str().to_owned(),
            name: name.to_owned(),
            login: login.to_owned(),
            password: secret,
            totp_secret: None,
            url: format!("{}/login", world.site_url),
        };
        let (name, login) = (row.name.clone(), row.login.clone());
        app.db
            .write(move |tx| {
                let user = NewUser { login: &login, name: &name, role, scope, password_hash: &hash };
                users::add(tx, at, &Actor::shell(), &user)
            })
            .await?;
        logins.push(row);
    }
    Ok(logins)
}

/// Takes the passwords away with which nobody is let in any more.
pub async fn only_true(app: &App, logins: &mut [Login]) -> anyhow::Result<()> {
    for row in logins.iter_mut().filter(|row| !row.password.is_empty()) {
        if !app.doorkeeper.knows(&app.db, &row.login, row.password.clone()).await? {
            row.password.clear();
        }
    }
    Ok(())
}

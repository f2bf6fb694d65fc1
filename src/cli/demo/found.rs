//! Founding the demo: the institution, the merchants, the credential and the people of a new directory.
use serde_json::{Value, json};

use super::papers::{Login, MerchantSecrets};
use super::scenery::{INSTITUTION, PARTIES, PLATFORM, SHOPS, SP_APPID, SP_MCHID};
use super::world::World;
use crate::db::columns::{InstitutionId, MerchantId};
use crate::institutions::{self, NewInstitution, ResultEncoding};
use crate::kernel::calendar::Instant;
use crate::merchants::{self, NewSubMerchant};
use crate::people::credentials::{self, AnswerMode, NewCredential};
use crate::people::users::{self, NewUser};
use crate::people::{Actor, Role, Scope, password};
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{PrivateKey, random_nonce};
use crate::protocol::wechat::notification::ApiV3Key;
use crate::sandbox::PublicIdentity;

/// The platform's own number at the institution.
const CHANNEL_SP_MCHID: &str = "1800000001";

/// A certificate of a key.
pub fn certify(key: &PrivateKey, name: &str, from: Instant, until: Instant) -> anyhow::Result<Certificate> {
    Ok(Certificate::issue(key, name, from, until)?)
}

/// Stores the institution with its channel, the merchants and the merchant's credential; gives the platform's
/// registration at the institution.
pub async fn platform(
    world: &World,
    identity: &PublicIdentity,
    merchant: &MerchantSecrets,
) -> anyhow::Result<Value> {
    let (app, now) = (world.app.clone(), world.app.clock.now());
    let channel_key = PrivateKey::generate()?;
    let (from, apiv3_key) = (world.app.clock.instant(), ApiV3Key::generate()?);
    let certificate = certify(&channel_key, "Demo Platform", from, from.plus(5 * 365 * 86_400))?;
    let registration = json!({
        "sp_mchid": CHANNEL_SP_MCHID, "sp_appid": SP_APPID, "serial": certificate.serial,
        "public_key": certificate.pem, "apiv3_key": apiv3_key.expose(),
        "file_public_key": app.keys.files.public_key.to_pem()?,
    });
    let (identity, key_pem) = (identity.clone(), channel_key.to_pem()?);
    let (serial, certificate_pem) = (merchant.signer.serial.clone(), merchant.certificate.clone());
    let merchant_apiv3 = merchant.apiv3_key.clone();
    let (database, master) = (app.db.clone(), app.master_key.clone());
    let store = database.write(move |tx| {
        let (master, actor) = (&master, Actor::shell());
        let institution = NewInstitution {
            code: INSTITUTION,
            name: "沙箱支付机构",
            platform_code: PLATFORM,
            order_prefix: "MF",
            channel_base_url: &identity.base_url,
            channel_sp_mchid: CHANNEL_SP_MCHID,
            channel_sp_appid: SP_APPID,
            channel_merchant_serial: &certificate.serial,
            channel_private_key_pem: &key_pem,
            channel_apiv3_key: apiv3_key.expose(),
            channel_answer_serial: &identity.serial,
            channel_answer_key_pem: &identity.certificate,
            file_public_key_pem: &identity.file_public_key,
            result_encoding: ResultEncoding::Ascii,
        };
        let institution = institutions::create(tx, master, now, &actor, &institution)?;
        let tenant =
            credentials::add_platform_merchant(tx, now, &actor, SP_MCHID, SP_APPID, "明分演示平台商户")?;
        let credential = NewCredential {
            platform_merchant_id: tenant,
            serial: &serial,
            public_key_pem: &certificate_pem,
            apiv3_key: merchant_apiv3.expose(),
            answer_mode: AnswerMode::Certificate,
        };
        credentials::create(tx, master, now, &actor, &credential)?;
        for shop in &SHOPS {
            let new = NewSubMerchant {
                merchant: shop.merchant,
                platform_merchant_id: tenant,
                institution_id: institution,
                inst_merchant_no: shop.inst_merchant_no,
                name: shop.name,
            };
            merchants::create(tx, now, &actor, &new)?;
        }
        for party in &PARTIES {
            merchants::name_receiver(tx, institution, party.receiver, party.role, party.name)?;
        }
        Ok(())
    });
    store.await?;
    Ok(registration)
}

/// Makes one user a role, each with a password of its own.
pub async fn logins(world: &World) -> anyhow::Result<Vec<Login>> {
    let app = &world.app;
    let (institution, shop) = app
        .db
        .read(|tx| {
            let [shop, ..] = &SHOPS;
            let shop = merchants::by_number(tx, shop.merchant)?.ok_or(crate::error::Error::NotFound)?;
            Ok((shop.institution_id, shop))
        })
        .await?;
    let people = [
        (Role::Admin, "平台运营·陈明", "admin", Scope::Platform),
        (Role::Checker, "平台复核·周敏", "checker", Scope::Platform),
        (Role::Merchant, shop.name.as_str(), "merchant", Scope::Merchant(MerchantId::new(shop.id))),
        (Role::InstMaker, "机构经办·吴帆", "maker", Scope::Institution(InstitutionId::new(institution))),
        (
            Role::InstChecker,
            "机构复核·郑岚",
            "inst-checker",
            Scope::Institution(InstitutionId::new(institution)),
        ),
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

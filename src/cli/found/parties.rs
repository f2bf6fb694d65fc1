//! `mingfen tenant add`, `merchant add`, `receiver add`.
use std::process::ExitCode;

use super::{From, establish, needed, read};
use crate::cli::settings::Settings;
use crate::merchants::founding::{Founding, MerchantPart, ReceiverPart, TenantPart};

/// Tenants: the platform merchants whose systems call us
///
/// Example: mingfen tenant add --sp-mchid 1900000001 --sp-appid wx1900000001 --name 明分商城
#[derive(clap::Args)]
pub struct TenantArgs {
    #[command(subcommand)]
    command: Tenant,
}

#[derive(clap::Subcommand)]
enum Tenant {
    /// Makes a tenant; the same again changes nothing
    ///
    /// Example: mingfen tenant add --sp-mchid 1900000001 --sp-appid wx1900000001 --name 明分商城
    Add {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        from: From,
        /// Its number in requests
        #[arg(long, conflicts_with = "document")]
        sp_mchid: Option<String>,
        /// Its application in requests
        #[arg(long, conflicts_with = "document")]
        sp_appid: Option<String>,
        /// The name shown on pages
        #[arg(long, conflicts_with = "document")]
        name: Option<String>,
    },
}

/// Sub-merchants: who sells
///
/// Example: mingfen merchant add --from merchants.toml
#[derive(clap::Args)]
pub struct MerchantArgs {
    #[command(subcommand)]
    command: Merchant,
}

#[derive(clap::Subcommand)]
enum Merchant {
    /// Makes a sub-merchant of a tenant and enrols it at an institution; the same again changes nothing
    ///
    /// Example: mingfen merchant add --merchant M1001 --name 小店 --tenant 1900000001 --institution BANK
    /// --inst-merchant-no 8001
    Add {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        from: From,
        /// Its number: `sub_mchid` in requests, `merchant` in files
        #[arg(long, conflicts_with = "document")]
        merchant: Option<String>,
        /// The name shown on pages
        #[arg(long, conflicts_with = "document")]
        name: Option<String>,
        /// Its tenant's number
        #[arg(long, value_name = "SP_MCHID", conflicts_with = "document")]
        tenant: Option<String>,
        /// Where it is enrolled
        #[arg(long, value_name = "CODE", conflicts_with = "document")]
        institution: Option<String>,
        /// Its number there
        #[arg(long, conflicts_with = "document")]
        inst_merchant_no: Option<String>,
    },
}

/// Receivers: who else gets a share
///
/// Example: mingfen receiver add --institution BANK --receiver agent:A1 --role agent --name 渠道服务部
#[derive(clap::Args)]
pub struct ReceiverArgs {
    #[command(subcommand)]
    command: Receiver,
}

#[derive(clap::Subcommand)]
enum Receiver {
    /// Names a receiver at an institution; the same again changes nothing
    ///
    /// Example: mingfen receiver add --institution BANK --receiver agent:A1 --role agent --name 渠道服务部
    Add {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        from: From,
        /// Where it has its account
        #[arg(long, value_name = "CODE", conflicts_with = "document")]
        institution: Option<String>,
        /// As rules name it: `agent:A1`
        #[arg(long, conflicts_with = "document")]
        receiver: Option<String>,
        /// Its role there
        #[arg(long, conflicts_with = "document")]
        role: Option<String>,
        /// The name shown on pages
        #[arg(long, conflicts_with = "document")]
        name: Option<String>,
    },
}

/// Runs the command.
pub fn tenant(args: &TenantArgs) -> anyhow::Result<ExitCode> {
    let Tenant::Add { settings, from, sp_mchid, sp_appid, name } = &args.command;
    let tenant = match &from.document {
        Some(file) => read(file)?.tenant,
        None => vec![TenantPart {
            sp_mchid: needed(sp_mchid.as_ref(), "sp-mchid")?,
            sp_appid: needed(sp_appid.as_ref(), "sp-appid")?,
            name: needed(name.as_ref(), "name")?,
        }],
    };
    establish(settings, &Founding { tenant, ..Founding::default() })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the command.
pub fn merchant(args: &MerchantArgs) -> anyhow::Result<ExitCode> {
    let Merchant::Add { settings, from, merchant, name, tenant, institution, inst_merchant_no } =
        &args.command;
    let merchant = match &from.document {
        Some(file) => read(file)?.merchant,
        None => vec![MerchantPart {
            merchant: needed(merchant.as_ref(), "merchant")?,
            name: needed(name.as_ref(), "name")?,
            tenant: needed(tenant.as_ref(), "tenant")?,
            institution: Some(needed(institution.as_ref(), "institution")?),
            inst_merchant_no: needed(inst_merchant_no.as_ref(), "inst-merchant-no")?,
        }],
    };
    establish(settings, &Founding { merchant, ..Founding::default() })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the command.
pub fn receiver(args: &ReceiverArgs) -> anyhow::Result<ExitCode> {
    let Receiver::Add { settings, from, institution, receiver, role, name } = &args.command;
    let receiver = match &from.document {
        Some(file) => read(file)?.receiver,
        None => vec![ReceiverPart {
            institution: Some(needed(institution.as_ref(), "institution")?),
            receiver: needed(receiver.as_ref(), "receiver")?,
            role: needed(role.as_ref(), "role")?,
            name: needed(name.as_ref(), "name")?,
        }],
    };
    establish(settings, &Founding { receiver, ..Founding::default() })?;
    Ok(ExitCode::SUCCESS)
}

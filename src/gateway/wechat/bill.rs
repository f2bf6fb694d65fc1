//! `GET /v3/bill/tradebill` and its download: a day's payments of the tenant's own orders, once the institutions' bills
//! have confirmed them (`counter.md`, "In"; `channels.md` 1.8).
//!
//! The bill is written to a file of its own before its hash is signed, and sent from it: the bytes are those of the hash.
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use actix_web::web::{self, Bytes, Query};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::JSON;
use super::answer::AsItIs;
use super::fault::Fault;
use super::signed::Signed;
use crate::app::App;
use crate::clock;
use crate::db::columns::{MerchantId, OrderId, TenantId};
use crate::db::{Db, Tx};
use crate::disk;
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::merchants;
use crate::merchants::credentials::Credential;
use crate::protocol::crypto::{Sha1, random_nonce};
use crate::protocol::wechat::bill::{Entry, Settled, Writer};
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::shapes::{Particulars, TradeBillAnswer};
use crate::protocol::wechat::trade_type_of;
use crate::reconciliation::{self, OfTenant, TenantDay, TenantPayment};

/// How long a bill can be fetched.
const LIFE: Duration = Duration::from_secs(300);
/// Bills that are written at the same time, and of those one tenant's.
const AT_ONCE: (usize, usize) = (4, 1);
/// The only way in which a bill is packed.
const GZIP: &str = "GZIP";
/// The type of bill with every column.
const ALL: &str = "ALL";
/// Letters and digits of a download's token.
const TOKEN: usize = 32;
/// Bytes that are sent at once.
const CHUNK: usize = 64 * 1024;

/// What is asked for.
#[derive(Deserialize)]
pub struct Asked {
    bill_date: Option<String>,
    bill_type: Option<String>,
    sub_mchid: Option<String>,
    tar_type: Option<String>,
}

/// Which bill.
#[derive(Deserialize)]
pub struct Fetching {
    token: Option<String>,
}

/// Writes the bill of a day and answers where it can be fetched, with its hash.
pub async fn offer(app: web::Data<App>, request: HttpRequest, signed: Signed) -> Result<HttpResponse, Fault> {
    let asked: Asked = in_query(&request)?;
    let tar_type = asked.tar_type.as_deref().filter(|kind| !kind.is_empty());
    if tar_type.is_some_and(|kind| kind != GZIP) {
        return Err(Fault::in_query("tar_type", "只能为 GZIP 或不填"));
    }
    if asked.bill_type.as_deref().is_some_and(|kind| !kind.is_empty() && kind != ALL) {
        return Err(Fault::in_query("bill_type", "目前只提供 ALL"));
    }
    let is_gzip = tar_type.is_some();
    let tenant = signed.credential.platform_merchant_id;
    let merchant = merchant(&app, tenant, asked.sub_mchid.as_deref()).await?;
    let day = day(&app, asked.bill_date.as_deref())?;
    let of = OfTenant { tenant, merchant, channel: ChannelName::Wechat, day };
    match app.db.read(move |tx| reconciliation::tenant_day(tx, &of)).await? {
        TenantDay::Billed => {}
        TenantDay::Nothing => return Err(Fault::new(WechatCode::NoStatementExist, "当日没有交易，没有账单")),
        TenantDay::Open => {
            return Err(Fault::new(WechatCode::InvalidRequest, "账单尚未生成，请于次日机构账单核对后再获取"));
        }
    }
    let shares = [("bills".to_owned(), AT_ONCE.0), (format!("bills of {tenant}"), AT_ONCE.1)];
    let turn = app.turns.take(&shares).map_err(|_| Fault::busy())?;
    let token = random_nonce(TOKEN).map_err(Error::internal)?;
    let (db, place, credential) = (app.db.clone(), place(&app), signed.credential.clone());
    let path = place.join(name(tenant, &token));
    let made = web::block(move || {
        let _turn = turn;
        disk::private_dir(&place)?;
        forget(&place)?;
        make(&db, &of, &credential, &path, is_gzip)
    });
    let hash = made.await.map_err(Error::internal)??;
    let end = if is_gzip { "&tartype=gzip" } else { "" };
    Ok(HttpResponse::Ok().content_type(JSON).json(TradeBillAnswer {
        hash_type: Some("SHA1".to_owned()),
        hash_value: Some(hash),
        download_url: format!("{}/v3/billdownload/file?token={token}{end}", app.config.public_url),
    }))
}

/// Sends a bill to the tenant for which it was written.
pub async fn download(
    app: web::Data<App>,
    request: HttpRequest,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let asked: Fetching = in_query(&request)?;
    let gone = || Fault::new(WechatCode::ResourceNotExists, "下载地址无效或已过期，请重新获取账单");
    let is_token = |text: &&str| text.len() == TOKEN && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let token = asked.token.as_deref().filter(is_token).ok_or_else(gone)?;
    let path = place(&app).join(name(signed.credential.platform_merchant_id, token));
    let opened = web::block(move || if is_over(&path) { None } else { File::open(path).ok() });
    let file = opened.await.map_err(Error::internal)?.ok_or_else(gone)?;
    let chunks = stream::try_unfold(file, |mut file| async move {
        let read = web::block(move || {
            let mut chunk = Vec::with_capacity(CHUNK);
            let most = u64::try_from(CHUNK).unwrap_or(u64::MAX);
            Read::by_ref(&mut file).take(most).read_to_end(&mut chunk)?;
            Ok::<_, io::Error>((Bytes::from(chunk), file))
        });
        let (chunk, file) = read.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>(if chunk.is_empty() { None } else { Some((chunk, file)) })
    });
    let mut answer = HttpResponse::Ok().content_type("application/octet-stream").streaming(chunks);
    answer.extensions_mut().insert(AsItIs);
    Ok(answer)
}

fn in_query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Fault> {
    let asked = Query::<T>::from_query(request.query_string());
    Ok(asked.map_err(|_| Fault::in_query("query", "每个参数最多出现一次"))?.into_inner())
}

fn place(app: &App) -> PathBuf {
    app.config.data_dir.join("statements")
}

/// Names the tenant, so that a token opens nothing of another's.
fn name(tenant: TenantId, token: &str) -> String {
    format!("{tenant}-{token}")
}

/// Whether a bill was written too long ago, or is not there.
fn is_over(path: &Path) -> bool {
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LIFE))
}

/// Removes what can be fetched no longer.
fn forget(place: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        if is_over(&path) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A day that is over.
fn day(app: &App, date: Option<&str>) -> Result<BusinessDay, Fault> {
    let wrong = || Fault::in_query("bill_date", "须为 yyyy-MM-dd 格式的日期");
    let date = date.filter(|date| date.len() == 10).ok_or_else(wrong)?;
    let day = BusinessDay::parse(&date.replace('-', "")).ok_or_else(wrong)?;
    if day.date().to_string() != date {
        return Err(wrong());
    }
    if day < app.clock.today() { Ok(day) } else { Err(Fault::in_query("bill_date", "须早于今天")) }
}

/// The tenant's merchant of this number.
async fn merchant(app: &App, tenant: TenantId, number: Option<&str>) -> Result<Option<MerchantId>, Fault> {
    let Some(number) = number.filter(|number| !number.is_empty()).map(str::to_owned) else { return Ok(None) };
    let known = match super::owner::is_number(&number) {
        true => app.db.read(move |tx| merchants::by_number(tx, &number)).await?,
        false => None,
    };
    let own = known.filter(|merchant| merchant.platform_merchant_id == tenant);
    let none = || Fault::new(WechatCode::NoAuth, "sub_mchid 不存在或不属于该服务商，请核对特约商户号");
    own.map(|merchant| Some(merchant.id)).ok_or_else(none)
}

/// Writes the bill; its SHA-1, of what is in it before it is packed.
fn make(
    db: &Db,
    of: &OfTenant,
    credential: &Credential,
    path: &Path,
    is_gzip: bool,
) -> Result<String, Error> {
    let file = BufWriter::new(disk::create_private(path)?);
    let mut hash = Sha1::default();
    if is_gzip {
        let packed = GzEncoder::new(file, Compression::default());
        let packed = write(db, of, credential, Hashing { into: packed, hash: &mut hash })?;
        packed.into.finish()?.flush()?;
    } else {
        write(db, of, credential, Hashing { into: file, hash: &mut hash })?.into.flush()?;
    }
    Ok(hash.hex())
}

struct Hashing<'a, W> {
    into: W,
    hash: &'a mut Sha1,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.into.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

fn write<W: Write>(db: &Db, of: &OfTenant, credential: &Credential, into: W) -> Result<W, Error> {
    let mut writer = Writer::new(into)?;
    let mut after = OrderId::new(0);
    loop {
        let read = |tx: &mut Tx<'_>| reconciliation::tenant_payments(tx, of, after);
        let (payments, last) = db.read_blocking(read)?;
        for payment in &payments {
            entry(&mut writer, credential, payment)?;
        }
        match last {
            Some(last) => after = last,
            None => return Ok(writer.finish()?),
        }
    }
}

fn entry<W: Write>(
    writer: &mut Writer<W>,
    credential: &Credential,
    payment: &TenantPayment,
) -> io::Result<()> {
    let said = payment.particulars.as_deref();
    let said: Particulars = said.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default();
    let payer = said.payer.unwrap_or_default();
    writer.write(&Entry {
        at: clock::instant(payment.paid_at),
        appid: &credential.sp_appid,
        mchid: &credential.sp_mchid,
        sub_mchid: &payment.merchant,
        inst_order_no: &payment.inst_order_no,
        order_no: &payment.out_trade_no,
        openid: payer.sp_openid.or(payer.sub_openid).as_deref().unwrap_or_default(),
        trade_type: &trade_type_of(&payment.product),
        bank: said.bank_type.as_deref().unwrap_or_default(),
        description: &payment.description,
        attach: &payment.attach,
        fee: payment.fee,
        // By which rate the institution came to its fee is said in its own bill alone.
        rate: "",
        settled: Settled::Paid { paid: payment.paid, ordered: payment.ordered },
    })
}

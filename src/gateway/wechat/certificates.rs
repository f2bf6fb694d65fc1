//! `GET /v3/certificates`: the platform certificates in force, sealed with the caller's APIv3 key.
use actix_web::{HttpResponse, web};

use super::JSON;
use super::fault::Fault;
use super::signed::Signed;
use crate::app::App;
use crate::error::Error;
use crate::protocol::wechat::certificates;

/// The caller opens them with its APIv3 key and verifies our answers with them.
pub async fn certificates(app: web::Data<App>, signed: Signed) -> Result<HttpResponse, Fault> {
    let keys = app.keys().await?;
    let certificates: Vec<_> = keys.known.iter().map(|key| key.certificate.clone()).collect();
    let body = certificates::seal(&signed.credential.apiv3_key, &certificates).map_err(Error::internal)?;
    Ok(HttpResponse::Ok().content_type(JSON).body(body))
}

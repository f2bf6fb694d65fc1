//! Takes a result or an approvals bundle that the institution's user sends, with its signature.
use actix_multipart::form::bytes::Bytes;
use actix_multipart::form::text::Text;
use actix_multipart::form::{MultipartForm, MultipartFormConfig};
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::exchange::Incoming;
use crate::inbox::{self, Received};
use crate::kernel::text_enum;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::form::{same_origin, token_fits};
use crate::web::kit::visitor::Visitor;

/// A whole form, in bytes: a file of at most 32 MiB, its signature and the token.
const FORM_MAX: usize = 33 << 20;

/// Bounds of the form; the extractor's own would refuse every file over 2 MiB.
pub(in crate::web) fn limits() -> MultipartFormConfig {
    MultipartFormConfig::default().total_limit(FORM_MAX).memory_limit(FORM_MAX)
}

text_enum! {
    /// What became of an upload, as the address of the page after it says it.
    pub(super) enum Taken {
        /// A bundle: it is in force.
        Approvals = "approvals",
        /// The institution's own bill.
        Bill = "bill",
        /// A result of a file of ours.
        Result = "result",
        /// The very same file had been taken before.
        Again = "again",
    }
}

impl From<&Received> for Taken {
    fn from(received: &Received) -> Self {
        match received {
            Received::Approvals => Self::Approvals,
            Received::Bill => Self::Bill,
            Received::Result(_) => Self::Result,
            Received::Again => Self::Again,
        }
    }
}

#[derive(MultipartForm)]
pub(in crate::web) struct Upload {
    #[multipart(rename = "_csrf", limit = "1 KiB")]
    csrf: Text<String>,
    #[multipart(limit = "32 MiB")]
    file: Bytes,
    #[multipart(limit = "16 KiB")]
    sig: Bytes,
}

pub(in crate::web) async fn take(
    visitor: Visitor,
    app: Data<App>,
    request: HttpRequest,
    form: MultipartForm<Upload>,
) -> Result<HttpResponse, Fault> {
    let (_, id) = visitor.institution(Right::Manage, Resource::Files)?;
    let Upload { csrf, file, sig } = form.into_inner();
    if !same_origin(&request) || !token_fits(&visitor, &csrf) {
        return Err(Fault::Forged);
    }
    let name = file.file_name.clone().unwrap_or_default();
    let signature = String::from_utf8_lossy(&sig.data);
    let incoming = Incoming::new(&name, file.data.to_vec(), &signature)?;
    let actor = visitor.actor();
    let (data_dir, now) = (app.config.data_dir.clone(), app.clock.now());
    let received =
        app.db.write_alone(move |tx| inbox::upload(tx, &data_dir, id, &incoming, &actor, now)).await?;
    let told = Taken::from(&received);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, format!("/institution?told={told}"))).finish())
}

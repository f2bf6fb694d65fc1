//! For whoever watches over the process.
use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::app::App;
use crate::institutions;

/// The process answers.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The process can do its work: the database answers.
pub(super) async fn ready(app: Data<App>) -> HttpResponse {
    match app.db.read(|tx| institutions::all(tx).map(drop)).await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            HttpResponse::ServiceUnavailable().content_type("text/plain").body("database not reachable\n")
        }
    }
}

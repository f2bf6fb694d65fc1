//! What every call goes through, whatever language it is in: it is logged, struck by a fault if one is on, and answered.
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::faults::{Fault, Operation, Switch};
use super::store::{self, NewRequest};
use super::{Sandbox, SandboxError};
use crate::protocol::coding::is_coded;

/// How often a delayed answer looks whether it may go.
const POLL: Duration = Duration::from_millis(10);

/// What of a call the log tells besides its address.
pub(super) struct Arrived {
    pub operation: Operation,
    pub out_trade_no: Option<String>,
}

/// A fault that answers in place of the work.
pub(super) enum Instead {
    ServerError,
    TooManyRequests,
}

/// Around everything: no body is taken in another coding than the signature covers.
pub(super) async fn uncoded(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if is_coded(request.headers().get_all(CONTENT_ENCODING).map(HeaderValue::as_bytes)) {
        return Ok(request.into_response(HttpResponse::UnsupportedMediaType().finish()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Lets a call be worked on and answered, unless a fault strikes. `answer` is told whether to sign badly.
pub(super) async fn pass<T>(
    sandbox: &Sandbox,
    request: &HttpRequest,
    arrived: Arrived,
    refusal: fn(Instead) -> SandboxError,
    work: impl Future<Output = Result<T, SandboxError>>,
    answer: impl FnOnce(Result<T, SandboxError>, bool) -> HttpResponse,
) -> HttpResponse {
    let fault = sandbox.faults(|faults| faults.strike(arrived.operation));
    let log = log(sandbox, request, arrived, fault.as_ref()).await;
    let outcome = match instead(fault.as_ref()).await {
        Some(instead) => Err(refusal(instead)),
        None => work.await,
    };
    if let Some(late) = fault.as_ref().filter(|switch| switch.fault == Fault::Delay) {
        delay(sandbox, late.millis).await;
    }
    let kind = fault.map(|switch| switch.fault);
    let response = answer(outcome, kind == Some(Fault::BadSignature));
    if let Ok(id) = log {
        let status = i32::from(response.status().as_u16());
        let _ = sandbox.0.store.run(move |tx| store::log_answer(tx, id, status)).await;
    }
    if kind == Some(Fault::LostAnswer) { dropped() } else { response }
}

async fn log(
    sandbox: &Sandbox,
    request: &HttpRequest,
    arrived: Arrived,
    fault: Option<&Switch>,
) -> Result<i64, SandboxError> {
    let at = sandbox.now().get();
    let (method, target) = (request.method().to_string(), target(request));
    let fault = fault.map(|switch| switch.fault.as_str());
    sandbox
        .0
        .store
        .run(move |tx| {
            store::log_request(
                tx,
                &NewRequest {
                    at,
                    method: &method,
                    target: &target,
                    operation: arrived.operation.as_str(),
                    out_trade_no: arrived.out_trade_no.as_deref(),
                    fault,
                },
            )
        })
        .await
}

async fn delay(sandbox: &Sandbox, millis: Option<u64>) {
    match millis {
        Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        None => {
            while sandbox.faults(|faults| faults.lists(Fault::Delay)) {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

/// Plays the faults that come before the work.
async fn instead(fault: Option<&Switch>) -> Option<Instead> {
    match fault?.fault {
        Fault::Timeout => std::future::pending().await,
        Fault::ServerError => Some(Instead::ServerError),
        Fault::TooManyRequests => Some(Instead::TooManyRequests),
        Fault::Delay
        | Fault::LostAnswer
        | Fault::BadSignature
        | Fault::DuplicateNotifications
        | Fault::ReorderNotifications => None,
    }
}

/// Method target as the caller signed it: raw path and query.
pub(super) fn target(request: &HttpRequest) -> String {
    request.uri().path_and_query().map_or_else(|| request.path().to_owned(), ToString::to_string)
}

/// An answer whose connection drops before its first byte.
fn dropped() -> HttpResponse {
    let broken = std::io::Error::other("the answer is lost");
    HttpResponse::Ok().streaming(stream::iter([Err::<Bytes, _>(broken)]))
}

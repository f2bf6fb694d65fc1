//! How request bodies come in, on every address: as they are, and in time.
//!
//! A body that is coded is refused before a byte of it is read. All others are read against a clock that stands still
//! while we are the ones who are waited for; a connection whose body was not read to its end is closed.
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};

use super::fault::{self, Fault};
use crate::gateway;
use crate::protocol::coding;
use crate::web::door::Caller;

/// How long a body may be waited for whatever its length.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes a second that a longer one must come with.
const LEAST_RATE: u64 = 32 * 1024;
/// The longest that any body is waited for.
const DEADLINE: Duration = Duration::from_secs(20 * 60);

/// Around everything: see the module.
pub(in crate::web) async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let busy = request.request().conn_data::<Rc<Caller>>().map(Caller::begin);
    let headers = request.headers().get_all(CONTENT_ENCODING);
    let coded = coding::is_coded(headers.map(actix_web::http::header::HeaderValue::as_bytes));
    let payload = request.take_payload();
    let body = match payload {
        Payload::None => None,
        payload @ (Payload::H1 { .. } | Payload::Stream { .. }) => {
            Some(Rc::new(RefCell::new(Arrival::new(payload))))
        }
    };
    let answer = if coded {
        let refusal = refusal(request.request(), &Fault::Coded);
        request.into_response(refusal)
    } else {
        if let Some(body) = &body {
            request.set_payload(Payload::Stream { payload: Box::pin(Reader(Rc::clone(body))) });
        }
        next.call(request).await?.map_into_boxed_body()
    };
    let late = body.as_ref().is_some_and(|body| body.borrow().state == State::Late);
    let answer = if late {
        let refusal = refusal(answer.request(), &Fault::Slow);
        answer.into_response(refusal)
    } else {
        answer
    };
    let unread = body.filter(|body| body.borrow().state != State::Whole);
    Ok(answer.map_body(|_, body| BoxBody::new(Held { body, _busy: busy, _unread: unread })))
}

/// In the language of whoever is served there.
fn refusal(request: &HttpRequest, fault: &Fault) -> HttpResponse {
    let status = actix_web::ResponseError::status_code(fault);
    let written = match gateway::body_refused(request.path(), status) {
        Some(answer) => Ok(answer),
        None => fault::written(request, status, Some(fault)),
    };
    written.unwrap_or_else(|_| HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Where a body stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Whole,
    Late,
}

/// A body on its way, and how long we have waited for it.
struct Arrival {
    payload: Payload,
    state: State,
    received: u64,
    waited: Duration,
    /// Since when we wait for the next bytes.
    since: Option<Instant>,
    /// Made when there is something to wait for.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Arrival {
    fn new(payload: Payload) -> Self {
        let (state, waited) = (State::Coming, Duration::ZERO);
        Self { payload, state, received: 0, waited, since: None, alarm: None }
    }

    /// How long so many bytes may have been waited for.
    fn allowed(received: u64) -> Duration {
        GRACE.saturating_add(Duration::from_millis(received.saturating_mul(1_000) / LEAST_RATE)).min(DEADLINE)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if let Poll::Ready(chunk) = Pin::new(&mut self.payload).poll_next(cx) {
            self.waited =
                self.waited.saturating_add(self.since.take().map_or(Duration::ZERO, |since| since.elapsed()));
            match &chunk {
                Some(Ok(bytes)) => {
                    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.received = self.received.saturating_add(bytes);
                }
                Some(Err(_)) => {}
                None => self.state = State::Whole,
            }
            return Poll::Ready(chunk);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = Self::allowed(self.received).saturating_sub(self.waited);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(left)));
        alarm.as_mut().reset(since + left);
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.state = State::Late;
        Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into()))))
    }
}

/// What extractors read.
struct Reader(Rc<RefCell<Arrival>>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll(cx)
    }
}

/// An answer that its caller is still reading. While it holds the rest of the request's body the server will not read that
/// to its end, for which it has no clock, but closes the connection behind the answer.
struct Held {
    body: BoxBody,
    _busy: Option<crate::web::door::Busy>,
    _unread: Option<Rc<RefCell<Arrival>>>,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

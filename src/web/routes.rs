//! Every address of the browser, on one screen. What is not here is the error page "no such page".
use actix_web::Resource;
use actix_web::guard::{self, Guard};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::kit::{assets, fault, headers};
use super::{admin, health, institution, login, merchant};

/// An address and who answers it. Who may call it, the handler says first.
pub struct Address {
    /// The method; another one is not found.
    pub method: Method,
    /// The path, with `{names}` for what varies.
    pub path: &'static str,
    answer: fn(Resource) -> Resource,
}

macro_rules! addresses {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every address of the browser; the site is made of this list, and the tests walk it.
        pub static ADDRESSES: &[Address] = &[$(
            Address { method: Method::$method, path: $path, answer: |at| at.to($handler) },
        )*];
    };
}

addresses! {
    // whoever watches over the process
    GET  "/healthz" => health::alive;
    GET  "/readyz" => health::ready;
    // everybody
    GET  "/static/{digest}/{path:.*}" => assets::serve;
    GET  "/" => login::start;
    GET  "/login" => login::ask;
    POST "/login" => login::enter;
    POST "/logout" => login::leave;
    // the platform
    GET  "/admin" => admin::desk::show;
    GET  "/admin/orders" => admin::orders::show;
    GET  "/admin/orders/{order_no}" => admin::order::show;
    POST "/admin/orders/{order_no}/tell" => admin::order::tell;
    GET  "/admin/rules" => admin::rules::show;
    GET  "/admin/exceptions" => admin::exceptions::show;
    POST "/admin/exceptions/{order_no}/ask" => admin::exceptions::ask;
    POST "/admin/apart/{institution}/{channel}/{number}/again" => admin::apart::again;
    POST "/admin/apart/{institution}/{channel}/{number}/end" => admin::apart::end;
    GET  "/admin/files" => admin::files::show;
    GET  "/admin/files/{name}" => admin::file::get;
    GET  "/admin/tasks" => admin::tasks::show;
    POST "/admin/tasks/{id}/cancel" => admin::tasks::cancel;
    // a sub-merchant
    GET  "/merchant" => merchant::desk::show;
    GET  "/merchant/orders" => merchant::orders::show;
    GET  "/merchant/orders/{order_no}" => merchant::order::show;
    POST "/merchant/orders/{order_no}/tell" => merchant::order::tell;
    GET  "/merchant/settlements" => merchant::settlements::show;
    // an institution
    GET  "/institution" => institution::inbox::show;
    GET  "/institution/files/{name}" => institution::file::get;
    POST "/institution/files" => institution::upload::take;
}

impl Address {
    /// Asked by machines that want no page.
    fn is_probe(&self) -> bool {
        matches!(self.path, "/healthz" | "/readyz")
    }
    fn resource(&self) -> Resource {
        let method: Box<dyn Guard> = match self.method {
            // The same answer; the server leaves out its body.
            Method::GET => Box::new(guard::Any(guard::Get()).or(guard::Head())),
            _ => Box::new(guard::Method(self.method.clone())),
        };
        (self.answer)(web::resource(self.path).guard(guard::fn_guard(move |context| method.check(context))))
    }
}

/// Adds the pages to an application whose state holds an [`App`](crate::app::App); last, for it takes what is left.
pub fn configure(config: &mut ServiceConfig) {
    for address in ADDRESSES.iter().filter(|address| address.is_probe()) {
        config.service(address.resource());
    }
    let mut pages = web::scope("").wrap(from_fn(fault::explain)).wrap(from_fn(headers::remember_language));
    for address in ADDRESSES.iter().filter(|address| !address.is_probe()) {
        pages = pages.service(address.resource());
    }
    config.service(pages.default_service(web::route().to(fault::nowhere)));
}

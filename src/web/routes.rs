//! Every address of the browser, on one screen. What is not here is the error page "no such page".
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, ServiceConfig};

use super::{admin, assets, fault, headers, health, institution, login, merchant};

/// Adds the pages to an application whose state holds an [`App`](crate::app::App); last, for it takes what is left.
pub fn configure(config: &mut ServiceConfig) {
    config.service(health::alive).service(health::ready).service(
        web::scope("")
            .wrap(from_fn(fault::explain))
            .wrap(from_fn(headers::protect))
            .app_data(institution::upload::limits())
            .service(web::scope("/static").wrap(Compress::default()).service(assets::serve))
            .service(login::start)
            .service(login::ask)
            .service(login::enter)
            .service(login::leave)
            // the platform: ADMIN, CHECKER
            .service(admin::desk::show) //                  GET  /admin
            .service(admin::orders::show) //                GET  /admin/orders
            .service(admin::order::show) //                 GET  /admin/orders/{order_no}
            .service(admin::rules::show) //                 GET  /admin/rules
            .service(admin::exceptions::show) //            GET  /admin/exceptions
            .service(admin::files::show) //                 GET  /admin/files
            .service(admin::file::get) //                   GET  /admin/files/{name}
            .service(admin::tasks::show) //                 GET  /admin/tasks
            .service(admin::tasks::cancel) //               POST /admin/tasks/{id}/cancel
            // a sub-merchant: MERCHANT
            .service(merchant::desk::show) //               GET  /merchant
            .service(merchant::orders::show) //             GET  /merchant/orders
            .service(merchant::order::show) //              GET  /merchant/orders/{order_no}
            .service(merchant::settlements::show) //        GET  /merchant/settlements
            // an institution: INST_MAKER, INST_CHECKER
            .service(institution::inbox::show) //           GET  /institution
            .service(institution::file::get) //             GET  /institution/files/{name}
            .service(institution::upload::take) //          POST /institution/files
            .default_service(web::route().to(fault::nowhere)),
    );
}

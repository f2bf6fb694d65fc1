//! Files of `static/`, inside the binary, under an address that changes with their content.
use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web::Path};
use rust_embed::RustEmbed;

use super::fault::Fault;
use crate::kernel::text_enum;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

static ADDRESSES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let address = |path: &str| {
        let digest = Files::get(path)?.metadata.sha256_hash();
        let start: String = hex::encode(digest).chars().take(16).collect();
        Some((path.to_owned(), format!("/static/{start}/{path}")))
    };
    Files::iter().filter_map(|path| address(&path)).collect()
});

/// The address of a file of `static/`; a name that does not exist leads nowhere.
#[must_use]
pub fn address(path: &str) -> &'static str {
    ADDRESSES.get(path).map_or("", String::as_str)
}

pub(in crate::web) async fn serve(path: Path<(String, String)>) -> Result<HttpResponse, Fault> {
    let (_, path) = path.into_inner();
    let file = Files::get(&path).ok_or(Fault::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((CONTENT_TYPE, kind(&path)))
        .body(file.data.into_owned()))
}

text_enum! {
    /// Endings of files that a browser must know by their kind.
    enum Ending {
        /// A style sheet.
        Css = "css",
        /// A drawing.
        Svg = "svg",
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().and_then(Ending::parse) {
        Some(Ending::Css) => "text/css; charset=utf-8",
        Some(Ending::Svg) => "image/svg+xml",
        None => "text/plain; charset=utf-8",
    }
}

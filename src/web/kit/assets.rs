//! Files of `static/`, inside the binary, under an address that changes with their content.
use std::sync::LazyLock;

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, Encoding, Header, VARY,
};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::fault::Fault;
use crate::kernel::digest::Digest;
use crate::kernel::text_enum;

// Made at build time: the path, the bytes, the same as gzip.
include!(concat!(env!("OUT_DIR"), "/static.rs"));

struct Asset {
    path: &'static str,
    address: String,
    plain: &'static [u8],
    gzip: &'static [u8],
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |&(path, plain, gzip): &(&'static str, &'static [u8], &'static [u8])| {
        let start: String = Digest::of(plain).to_string().chars().take(16).collect();
        Asset { path, address: format!("/static/{start}/{path}"), plain, gzip }
    };
    FILES.iter().map(asset).collect()
});

/// The address of a file of `static/`; a name that does not exist leads nowhere.
#[must_use]
pub fn address(path: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.path == path).map_or("", |asset| asset.address.as_str())
}

/// A file under the address that belongs to its content. Another digest is another file, which may not be kept for ever
/// as if it were this one.
pub(in crate::web) async fn serve(
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Fault> {
    let (digest, path) = path.into_inner();
    let address = format!("/static/{digest}/{path}");
    let asset = ASSETS.iter().find(|asset| asset.address == address).ok_or(Fault::NotFound)?;
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((CONTENT_TYPE, kind(asset.path)))
        .insert_header((VARY, "Accept-Encoding"));
    if takes_gzip(&request) && asset.gzip.len() < asset.plain.len() {
        return Ok(answer.insert_header((CONTENT_ENCODING, "gzip")).body(asset.gzip));
    }
    Ok(answer.body(asset.plain))
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let known = [Encoding::gzip(), Encoding::identity()];
    let wishes = AcceptEncoding::parse(request).ok();
    wishes.and_then(|wishes| wishes.negotiate(known.iter())) == Some(Encoding::gzip())
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

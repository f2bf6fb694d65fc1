//! Takes a result or an approvals bundle that the institution's user sends, with its signature. Who may not send one, or
//! holds no token of the session, has nothing read of the file; one that is read goes to disk.
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use actix_multipart::{Field, Multipart};
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::TryStreamExt;

use crate::app::App;
use crate::db::Tx;
use crate::db::columns::{InstitutionId, UserId};
use crate::disk;
use crate::error::Error;
use crate::exchange::Incoming;
use crate::inbox::{self, Received};
use crate::kernel::text_enum;
use crate::people::rights::{Resource, Right};
use crate::turns::Share;
use crate::web::kit::fault::Fault;
use crate::web::kit::form::{same_origin, token_fits};
use crate::web::kit::visitor::Visitor;

/// Uploads of one institution that may be on their way at once.
const AT_ONCE: usize = 2;
/// The longest file, in bytes.
const FILE_MAX: usize = 32 << 20;
/// The longest signature or token, in bytes.
const TEXT_MAX: usize = 16 << 10;

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

text_enum! {
    /// Parts of the form, in the order of our own page.
    enum Part {
        /// The token of the session.
        Csrf = "_csrf",
        /// The file.
        File = "file",
        /// Its `.sig`.
        Sig = "sig",
    }
}

pub(in crate::web) async fn take(
    visitor: Visitor,
    app: Data<App>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    let (_, id) = visitor.institution(Right::Manage, Resource::Files)?;
    if !same_origin(&request) {
        return Err(Fault::Forged);
    }
    let mut form = Multipart::new(request.headers(), body);
    proven(&visitor, &mut form).await?;
    // Only now: whoever could hold a turn without the token could keep out everybody else of the institution.
    let turn = app.turns.take(&shares(id, visitor.principal.user)).map_err(|_| Fault::Busy)?;
    let data_dir = app.config.data_dir.clone();
    let sent = Sent::read(&mut form, data_dir.clone()).await?;
    // Read and digested before anybody waits for this write.
    let read = tokio::task::spawn_blocking(move || sent.incoming().map(|incoming| (incoming, turn)));
    let (incoming, turn) = read.await.map_err(Error::internal)??;
    let (actor, now) = (visitor.actor(), app.clock.now());
    let command = move |tx: &mut Tx<'_>| {
        let received = inbox::upload(tx, &data_dir, id, &incoming, &actor, now);
        // Until here the bytes are held, whether or not somebody waits for the answer.
        drop(turn);
        received
    };
    let told = Taken::from(&app.db.write_alone(command).await?);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, format!("/institution?told={told}"))).finish())
}

/// Each upload holds a part of the disk and then of the memory: a few of one institution may be on their way, and one of
/// each of its users, so that nobody alone takes all.
fn shares(institution: InstitutionId, user: UserId) -> [Share; 2] {
    let of_institution = (format!("uploads of institution {institution}"), AT_ONCE);
    [of_institution, (format!("uploads of user {user}"), 1)]
}

/// The first part must be the session's token, as our own page sends it.
async fn proven(visitor: &Visitor, form: &mut Multipart) -> Result<(), Fault> {
    let first = form.try_next().await.map_err(broken)?.ok_or(Fault::Forged)?;
    if part(&first) != Some(Part::Csrf) || !token_fits(visitor, &text(first).await?) {
        return Err(Fault::Forged);
    }
    Ok(())
}

/// What was sent, not judged yet: the file lies in a file without a name.
struct Sent {
    name: String,
    file: File,
    signature: String,
}

impl Sent {
    async fn read(form: &mut Multipart, folder: PathBuf) -> Result<Self, Fault> {
        let (mut file, mut signature) = (None, None);
        while let Some(field) = form.try_next().await.map_err(broken)? {
            match part(&field) {
                Some(Part::File) if file.is_none() => {
                    let disposition = field.content_disposition();
                    let name =
                        disposition.and_then(|told| told.get_filename()).unwrap_or_default().to_owned();
                    file = Some((name, to_disk(field, folder.clone()).await?));
                }
                Some(Part::Sig) if signature.is_none() => signature = Some(text(field).await?),
                Some(Part::Csrf | Part::File | Part::Sig) | None => return Err(Fault::Form("parts")),
            }
        }
        let ((name, file), signature) = file.zip(signature).ok_or(Fault::Form("file, sig"))?;
        Ok(Self { name, file, signature })
    }

    fn incoming(&self) -> Result<Incoming, Error> {
        let (mut file, mut bytes) = (&self.file, Vec::new());
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Incoming::new(&self.name, bytes, &self.signature)
    }
}

fn part(field: &Field) -> Option<Part> {
    field.name().and_then(Part::parse)
}

fn broken(_: actix_multipart::MultipartError) -> Fault {
    Fault::Form("multipart")
}

/// A short part.
async fn text(mut field: Field) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.try_next().await.map_err(broken)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > TEXT_MAX {
            return Err(Fault::Form("_csrf, sig: 16 KiB"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A long part, piece by piece.
async fn to_disk(mut field: Field, folder: PathBuf) -> Result<File, Fault> {
    let made = move || {
        disk::private_dir(&folder)?;
        tempfile::tempfile_in(&folder)
    };
    let mut file = blocking(made).await?;
    let mut length = 0_usize;
    while let Some(chunk) = field.try_next().await.map_err(broken)? {
        length = length.saturating_add(chunk.len());
        if length > FILE_MAX {
            return Err(Fault::Form("file: 32 MiB"));
        }
        file = blocking(move || file.write_all(&chunk).map(|()| file)).await?;
    }
    Ok(file)
}

async fn blocking(work: impl FnOnce() -> std::io::Result<File> + Send + 'static) -> Result<File, Fault> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    Ok(done.map_err(Error::Io)?)
}

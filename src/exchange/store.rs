//! Queries of the file exchange.
use diesel::prelude::*;

use super::{Direction, DocumentKind};
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, institution};
use crate::db::{Conn, Tx};
use crate::error::{Code, Error};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;

/// Names of one statement.
const NAMES: usize = 500;

/// A file that was published or imported; nothing of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = exchanged_file, check_for_backend(crate::db::MultiBackend))]
pub struct ExchangedFile {
    /// Internal key.
    pub id: FileId,
    /// Whose exchange directory.
    pub institution_id: InstitutionId,
    /// Whose it is.
    pub direction: Direction,
    /// What it is.
    pub kind: DocumentKind,
    /// File name, extension included.
    pub name: String,
    /// The business day in its name.
    pub business_date: BusinessDay,
    /// 1 ..= 9999 within kind and day.
    pub seq: i32,
    /// Over the whole file.
    pub sha256: Digest,
    /// Bytes.
    pub size: i64,
    /// Orders, or S lines of an STL.
    pub orders: i64,
    /// Lines, or C lines of an STL.
    pub lines: i64,
    /// Of its lines.
    pub total: Fen,
    /// The previous file of its chain.
    pub previous_sha256: Option<Digest>,
    /// The bundle it was made under.
    pub approvals_sha256: Option<Digest>,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// When we took note, unix microseconds.
    pub recorded_at: i64,
}

/// What is recorded of a new file.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Whose exchange directory.
    pub institution_id: InstitutionId,
    /// Whose it is.
    pub direction: Direction,
    /// What it is.
    pub kind: DocumentKind,
    /// File name, extension included.
    pub name: String,
    /// The business day in its name.
    pub business_date: BusinessDay,
    /// 1 ..= 9999 within kind and day.
    pub seq: i32,
    /// Over the whole file.
    pub sha256: Digest,
    /// Bytes.
    pub size: i64,
    /// Orders, or S lines of an STL.
    pub orders: i64,
    /// Lines, or C lines of an STL.
    pub lines: i64,
    /// Of its lines.
    pub total: Fen,
    /// The previous file of its chain.
    pub previous_sha256: Option<Digest>,
    /// The bundle it was made under.
    pub approvals_sha256: Option<Digest>,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// When we took note, unix microseconds.
    pub recorded_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = exchanged_file, treat_none_as_default_value = false)]
struct FileRow<'a> {
    institution_id: InstitutionId,
    direction: As<Direction>,
    kind: As<DocumentKind>,
    name: &'a str,
    business_date: As<BusinessDay>,
    seq: i32,
    sha256: As<Digest>,
    size: i64,
    orders: i64,
    lines: i64,
    total: As<Fen>,
    previous_sha256: Option<As<Digest>>,
    approvals_sha256: Option<As<Digest>>,
    created_at: i64,
    recorded_at: i64,
}

impl<'a> From<&'a NewFile> for FileRow<'a> {
    fn from(file: &'a NewFile) -> Self {
        Self {
            institution_id: file.institution_id,
            direction: As(file.direction),
            kind: As(file.kind),
            name: &file.name,
            business_date: As(file.business_date),
            seq: file.seq,
            sha256: As(file.sha256),
            size: file.size,
            orders: file.orders,
            lines: file.lines,
            total: As(file.total),
            previous_sha256: file.previous_sha256.map(As),
            approvals_sha256: file.approvals_sha256.map(As),
            created_at: file.created_at,
            recorded_at: file.recorded_at,
        }
    }
}

/// One of ours is never dated before the one that it follows: after the clock was set back it would rest on an older
/// bundle, too.
fn follows(tx: &mut Tx<'_>, file: &NewFile) -> Result<(), Error> {
    match last(tx, file.institution_id, file.kind)? {
        Some(before) if file.direction == Direction::Out && before.created_at > file.created_at => {
            Err(Error::refused(Code::ClockBehind, before.name))
        }
        Some(_) | None => Ok(()),
    }
}

/// Records a file.
pub fn record(tx: &mut Tx<'_>, file: &NewFile) -> Result<ExchangedFile, Error> {
    follows(tx, file)?;
    diesel::insert_into(exchanged_file::table).values(FileRow::from(file)).execute(tx.conn())?;
    by_name(tx, file.institution_id, &file.name)?.ok_or(Error::NotFound)
}

/// Records a file under a key that was reserved for it (`db::reserve_id`).
pub(super) fn record_as(tx: &mut Tx<'_>, id: FileId, file: &NewFile) -> Result<ExchangedFile, Error> {
    follows(tx, file)?;
    diesel::insert_into(exchanged_file::table)
        .values((exchanged_file::id.eq(id), FileRow::from(file)))
        .execute(tx.conn())?;
    by_id(tx, id)
}

/// The file of this name.
pub fn by_name(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    name: &str,
) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::name.eq(name))
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The file of this key.
pub fn by_id(tx: &mut Tx<'_>, id: FileId) -> Result<ExchangedFile, Error> {
    Ok(exchanged_file::table.find(id).select(ExchangedFile::as_select()).first(tx.conn())?)
}

/// Until the transaction ends no other writer reads the end of this institution's chains: on PostgreSQL two could
/// follow the same file. SQLite has one writer anyway. Rows that only name the institution are not kept waiting.
pub fn lock_chain(tx: &mut Tx<'_>, id: InstitutionId) -> Result<(), Error> {
    match tx.conn() {
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(conn) => {
            let _: i64 =
                institution::table.find(id).select(institution::id).for_no_key_update().first(conn)?;
            Ok(())
        }
    }
}

/// The last file of a kind in order of publication, void ones too: the next one's `prev`.
pub fn last(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.desc())
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The files of a kind and day, by seq.
pub fn of_day(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
    day: BusinessDay,
) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .filter(exchanged_file::business_date.eq(As(day)))
        .order(exchanged_file::seq.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// All files of a kind in order of publication.
pub fn chain(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// Every file of an institution, in order of record.
pub fn all(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// Which of these names are recorded: what need not be read again. In bites: a statement takes only so many names.
pub fn known(tx: &mut Tx<'_>, institution: InstitutionId, names: &[String]) -> Result<Vec<String>, Error> {
    let mut known = Vec::with_capacity(names.len());
    for names in names.chunks(NAMES) {
        let found: Vec<String> = exchanged_file::table
            .filter(exchanged_file::institution_id.eq(institution))
            .filter(exchanged_file::name.eq_any(names))
            .select(exchanged_file::name)
            .load(tx.conn())?;
        known.extend(found);
    }
    Ok(known)
}

/// Whether these very bytes came from the institution before.
pub(super) fn came_before(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    digest: &Digest,
) -> Result<bool, Error> {
    let same = exchanged_file::table
        .filter(exchanged_file::sha256.eq(As(*digest)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::direction.eq(As(Direction::In)));
    Ok(diesel::select(diesel::dsl::exists(same)).get_result(tx.conn())?)
}

/// The first file of a kind, in order of record.
pub fn first(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

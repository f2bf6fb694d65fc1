//! Whether a published file is taken: signature, form, place in the chain, bundle; and for an SPL the recomputation of
//! every order from the institution's own bill and bundles. Nothing that the platform says is believed.
use super::recompute::recompute;
use super::store::{self, Taken};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::RetCode;
use crate::kernel::file::spl::SplReader;
use crate::kernel::file::stl::StlReader;
use crate::kernel::file::{Check, Fault, FileKind, FileName, ReadError};
use crate::protocol::wechat::sign::CLOCK_TOLERANCE;
use crate::sandbox::{Sandbox, SandboxError};

/// A file that the platform published.
pub(super) struct Published {
    pub name: FileName,
    pub bytes: Vec<u8>,
    pub digest: Digest,
    /// What its header names as the file before it; `None` when it cannot be read.
    pub prev: Option<Digest>,
    pub signature: Vec<u8>,
}

/// What a header says, whatever the kind.
struct Head {
    name: FileName,
    created_at: Instant,
    approvals: Digest,
}

/// The code to answer with, and every finding that led to it.
pub(super) type Verdict = (RetCode, Vec<String>);

/// The digest that the next settlement must name. The place of an SPL is `verify`'s to judge (V04).
fn head(taken: &[Taken], kind: FileKind) -> Digest {
    let counts = |t: &&Taken| t.kind == kind.as_str() && !is_asked_again(t);
    let last = taken.iter().rev().find(counts).and_then(|t| t.sha256.parse().ok());
    last.unwrap_or(Digest::ZERO)
}

/// Whether the file before this one was answered for good, so that it is this one's turn.
pub(super) fn is_next(taken: &[Taken], file: &Published) -> bool {
    let Some(prev) = file.prev else { return false };
    let answered = taken.iter().filter(|t| t.kind == file.name.kind.as_str() && !is_asked_again(t));
    prev == Digest::ZERO || answered.into_iter().any(|t| t.sha256 == prev.to_string())
}

fn is_asked_again(taken: &Taken) -> bool {
    matches!(RetCode::parse(&taken.code), Some(RetCode::Sign | RetCode::Digest))
}

/// What the header names as the file before.
pub(super) fn prev(name: &FileName, bytes: &[u8]) -> Option<Digest> {
    if name.kind == FileKind::Stl {
        StlReader::new(bytes).ok().map(|reader| reader.header().prev)
    } else {
        SplReader::new(bytes).ok().map(|reader| reader.header().prev)
    }
}

/// Judges a file; `later` are the published files that wait behind it.
pub(super) fn judge(
    sandbox: &Sandbox,
    file: &Published,
    later: &[Published],
) -> Result<Verdict, SandboxError> {
    let refused = |code: RetCode, why: &str| Ok((code, vec![why.to_owned()]));
    let platform = sandbox.platform_file_key();
    if !platform.is_some_and(|key| key.verify_digest(&file.digest, &file.signature)) {
        return refused(RetCode::Sign, "the signature is missing or wrong");
    }
    let (head, faults) = match read(file) {
        Ok(read) => read,
        Err(ReadError::Fault(fault)) => return Ok((code_of(fault.check), vec![fault.to_string()])),
        Err(ReadError::Io(error)) => return Err(error.into()),
    };
    if let Some(first) = faults.iter().map(|fault| code_of(fault.check)).min_by_key(|code| rank(*code)) {
        return Ok((first, faults.iter().map(Fault::to_string).collect()));
    }
    let settings = &sandbox.0.settings;
    if head.name != file.name || head.name.inst != settings.institution || head.name.plat != settings.platform
    {
        return refused(RetCode::Inst, "name and header are not of this file");
    }
    let (taken, bundles) = sandbox.0.store.with(|tx| Ok((store::taken(tx)?, store::bundles(tx)?)))?;
    if file.name.kind != FileKind::Spl && file.prev != Some(self::head(&taken, file.name.kind)) {
        return refused(RetCode::Chain, "prev is not the last file that was answered");
    }
    let newest = bundles.iter().rev().find(|bundle| bundle.issued_at <= head.created_at.get());
    if newest.is_none_or(|bundle| bundle.sha256 != head.approvals.to_string()) {
        return refused(RetCode::Approval, "made under another bundle than the newest");
    }
    if head.created_at > sandbox.now().plus(CLOCK_TOLERANCE) {
        return refused(RetCode::Format, "created_at is still to come");
    }
    match file.name.kind {
        FileKind::Spl => recompute(sandbox, file, head.created_at, later),
        // What an STL settles follows from accepted SPL; its recomputation is V20 to V24.
        FileKind::Apr | FileKind::Bil | FileKind::Rtn | FileKind::Stl => Ok((RetCode::Accepted, Vec::new())),
    }
}

fn read(file: &Published) -> Result<(Head, Vec<Fault>), ReadError> {
    let bytes: &[u8] = &file.bytes;
    if file.name.kind == FileKind::Stl {
        let reader = StlReader::new(bytes)?;
        let header = reader.header();
        let head =
            Head { name: header.name.clone(), created_at: header.created_at, approvals: header.approvals };
        return Ok((head, reader.finish()?.faults));
    }
    let reader = SplReader::new(bytes)?;
    let header = reader.header();
    let head = Head { name: header.name.clone(), created_at: header.created_at, approvals: header.approvals };
    Ok((head, reader.finish()?.faults))
}

/// The institution's word for a finding.
pub(super) const fn code_of(check: Check) -> RetCode {
    match check {
        Check::V01 => RetCode::Digest,
        Check::V02 => RetCode::Sign,
        Check::V03 => RetCode::Total,
        Check::V04 => RetCode::Chain,
        Check::V08 => RetCode::Dup,
        Check::V13 => RetCode::Format,
        Check::V14 => RetCode::Inst,
        Check::V15 => RetCode::Approval,
        Check::V05
        | Check::V06
        | Check::V07
        | Check::V09
        | Check::V10
        | Check::V11
        | Check::V12
        | Check::V16 => RetCode::Verify,
    }
}

/// Which code is told when there is more than one: the more basic first.
pub(super) const fn rank(code: RetCode) -> u8 {
    match code {
        RetCode::Sign => 0,
        RetCode::Digest => 1,
        RetCode::Format => 2,
        RetCode::Inst => 3,
        RetCode::Total => 4,
        RetCode::Chain => 5,
        RetCode::Approval => 6,
        RetCode::Dup => 7,
        RetCode::Verify => 8,
        RetCode::Accepted => 9,
    }
}

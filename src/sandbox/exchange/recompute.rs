//! The institution's own recomputation of an SPL by the kernel's `verify`.
use std::fs::{self, File};
use std::io::{BufReader, Cursor};

use super::judge::{Published, Verdict, code_of, rank};
use super::results;
use super::store::{self, Taken};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::RetCode;
use crate::kernel::file::{FileKind, Stage};
use crate::kernel::verify::{Bill, Given, Inputs, SignatureCheck, Signer, Violation, verify};
use crate::protocol::crypto::PublicKey;
use crate::sandbox::{Sandbox, SandboxError, trade};
use crate::verify::scratch::ScratchDir;

struct Keys {
    platform: PublicKey,
    institution: PublicKey,
}

impl SignatureCheck for Keys {
    fn ok(&self, signer: Signer, digest: &Digest, signature: &[u8]) -> bool {
        match signer {
            Signer::Platform => self.platform.verify_digest(digest, signature),
            Signer::Institution => self.institution.verify_digest(digest, signature),
        }
    }
}

/// Recomputes the file's day from the institution's own bill, as far as it was known at `created_at`, and answers for
/// this file. What only the whole day shows (an order in no file) is held against the last file that waits.
pub(super) fn recompute(
    sandbox: &Sandbox,
    file: &Published,
    created_at: Instant,
    later: &[Published],
) -> Result<Verdict, SandboxError> {
    let unusable = |why: &dyn std::fmt::Display| SandboxError::Internal(format!("{}: {why}", file.name));
    let platform = sandbox.platform_file_key().ok_or_else(|| unusable(&"no platform is registered"))?;
    let institution = sandbox.0.identity.file_key.public_key()?;
    let keys = Keys { platform, institution };
    let same_day: Vec<&Published> = later
        .iter()
        .filter(|other| other.name.kind == FileKind::Spl && other.name.day == file.name.day)
        .collect();
    let mut inputs = evidence(sandbox, file.name.day, created_at)?;
    inputs.spl.push(given(file));
    inputs.spl.extend(same_day.iter().map(|other| given(other)));
    let report = verify(inputs, Some(&keys), &ScratchDir::default()).map_err(|error| unusable(&error))?;

    let (name, is_last) = (file.name.to_string(), same_day.is_empty());
    let ours = |v: &&Violation| {
        v.file == name || (is_last && !same_day.iter().any(|other| other.name.to_string() == v.file))
    };
    let found: Vec<&Violation> = report.violations.iter().filter(ours).collect();
    let code = found.iter().map(|v| code_of(v.check)).min_by_key(|code| rank(*code));
    Ok((code.unwrap_or(RetCode::Accepted), found.into_iter().map(show).collect()))
}

fn show(v: &Violation) -> String {
    let (line, order) = (v.line.unwrap_or(0), v.order.as_deref().unwrap_or("-"));
    format!(
        "{} {} line {line} order {order}: expected {}, found {}",
        v.check.code(),
        v.file,
        v.expected,
        v.found
    )
}

fn given(file: &Published) -> Given<'_> {
    Given {
        name: file.name.to_string(),
        content: Box::new(file.bytes.as_slice()),
        signature: Some(file.signature.clone()),
    }
}

/// Everything the institution knows for itself: its bundles, its bills of the day, and the files it answered before,
/// back to the first accepted one of the day before.
fn evidence<'a>(
    sandbox: &Sandbox,
    day: BusinessDay,
    created_at: Instant,
) -> Result<Inputs<'a>, SandboxError> {
    let mut inputs = Inputs::default();
    let mut first = None;
    let taken = sandbox.0.store.with(|tx| {
        for bundle in store::bundles(tx)? {
            first = first.or(Some(Instant::new(bundle.issued_at).business_day().to_i32()));
            inputs.approvals.push(own(sandbox, bundle.name, bundle.body.into_bytes())?);
        }
        for bill in trade::store::bills_of(tx, day.to_i32())? {
            if bill.created_at <= created_at.get() {
                let bytes = trade::bills::bil(sandbox, tx, &bill)?;
                inputs.bills.push(Bill::Bil(own(sandbox, bill.name, bytes)?));
            }
        }
        store::taken(tx)
    })?;
    let taken: Vec<&Taken> = taken.iter().filter(|t| t.kind == FileKind::Spl.as_str()).collect();
    let yesterday = day.prev().to_i32();
    let is_accepted = |t: &&&Taken| t.code == RetCode::Accepted.as_str();
    // What the day's own files name may lie before the day before: a file that came too early.
    let start = taken.iter().position(|t| t.day == day.to_i32() || (t.day == yesterday && is_accepted(&t)));
    let start = start.filter(|_| taken.iter().any(|t| t.day == yesterday && is_accepted(&t)));
    // The chain begins on the day of the first bundle, or where it did begin.
    inputs.first = taken.iter().find(is_accepted).map(|t| t.day).or(first) == Some(day.to_i32());
    for taken in taken.into_iter().skip(start.unwrap_or(0)) {
        let code = RetCode::parse(&taken.code);
        if code == Some(RetCode::Accepted) && taken.day == day.to_i32() {
            inputs.spl.push(kept(sandbox, taken)?);
            continue;
        }
        match code {
            Some(RetCode::Accepted) => inputs.previous.push(kept(sandbox, taken)?),
            Some(code) if code.makes_void() => inputs.void.push(kept(sandbox, taken)?),
            Some(_) | None => continue,
        }
        let name = results::name(taken, Stage::First)?.to_string();
        inputs.results.push(own(sandbox, name, results::first(taken)?)?);
    }
    Ok(inputs)
}

/// A file of the institution's own making.
fn own<'a>(sandbox: &Sandbox, name: String, bytes: Vec<u8>) -> Result<Given<'a>, SandboxError> {
    let signature = Some(sandbox.0.identity.file_key.sign_sha256(&bytes)?);
    Ok(Given { name, content: Box::new(Cursor::new(bytes)), signature })
}

/// A file that the institution took, from its own copy.
fn kept<'a>(sandbox: &Sandbox, taken: &Taken) -> Result<Given<'a>, SandboxError> {
    let path = sandbox.kept().join(&taken.name);
    let signature = fs::read(sandbox.kept().join(format!("{}.sig", taken.name)))?;
    Ok(Given {
        name: taken.name.clone(),
        content: Box::new(BufReader::new(File::open(path)?)),
        signature: Some(signature),
    })
}

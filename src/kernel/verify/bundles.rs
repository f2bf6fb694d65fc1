//! The given approvals bundles: V02, V13, V14, V15, and which one counts for a file.
use super::{Given, Report, Run, Signer, Unusable, read_whole};
use crate::approvals::{Bundle, check_successor};
use crate::calendar::{BusinessDay, Instant};
use crate::digest::Digest;
use crate::file::spl::SplHeader;
use crate::file::{Check, FileKind, FileName};

/// All bundles that could be read, by time of issue.
pub(super) struct Bundles {
    all: Vec<(FileName, Bundle)>,
}

impl Bundles {
    pub fn load(run: &mut Run<'_>, given: Vec<Given<'_>>) -> Result<Self, Unusable> {
        let mut all = Vec::new();
        for bundle in given {
            all.extend(read(run, bundle)?);
        }
        all.sort_by_key(|(name, bundle): &(FileName, Bundle)| (bundle.issued_at, name.clone()));
        all.dedup_by(|b, a| a.1.digest() == b.1.digest());
        let bundles = Self { all };
        for pair in bundles.all.windows(2) {
            let [(_, older), (name, newer)] = pair else { continue };
            for finding in check_successor(older, newer) {
                let expected = format!("{}: nothing of the earlier bundle changed", finding.path);
                run.report.file(Check::V15, &name.to_string(), expected, &finding.why);
            }
        }
        Ok(bundles)
    }

    /// Institution and platform.
    pub fn parties(&self) -> Option<(&str, &str)> {
        self.all.last().map(|(_, bundle)| (bundle.institution.as_str(), bundle.platform.as_str()))
    }

    /// The day on which the oldest was issued.
    pub fn oldest_day(&self) -> Option<BusinessDay> {
        self.all.first().map(|(_, bundle)| bundle.issued_at.business_day())
    }

    /// Our merchant by the institution's number, as the newest bundle knows it: a number never changes.
    pub fn merchant_by_inst_no(&self, inst_merchant_no: &str) -> Option<&str> {
        self.all.last().and_then(|(_, bundle)| bundle.merchant_by_inst_no(inst_merchant_no))
    }

    fn newest_at(&self, at: Instant) -> Option<&Bundle> {
        self.all.iter().map(|(_, bundle)| bundle).rfind(|bundle| bundle.issued_at <= at)
    }

    /// The bundle under which a file must have been made; V04 when it says another one.
    pub fn of_file(&self, report: &mut Report, file: &str, header: &SplHeader) -> Option<&Bundle> {
        let newest = self.newest_at(header.created_at);
        let digest = newest.map(Bundle::digest);
        if digest != Some(header.approvals) {
            let due = digest.as_ref().map_or_else(|| "(none is given)".to_owned(), Digest::to_string);
            let expected = format!("the newest bundle at {}: {due}", header.created_at);
            report.file(Check::V04, file, expected, &header.approvals.to_string());
        }
        newest
    }
}

fn read(run: &mut Run<'_>, given: Given<'_>) -> Result<Option<(FileName, Bundle)>, Unusable> {
    let Given { name: file, content, signature } = given;
    let bytes = read_whole(&file, content)?;
    run.signed(Signer::Institution, &file, &Digest::of(&bytes), signature.as_deref());
    let name = FileName::parse(&file).filter(|name| name.kind == FileKind::Apr);
    if name.is_none() {
        run.report.file(Check::V14, &file, "the name of an approvals bundle", &file);
    }
    let bundle = match Bundle::parse(&bytes) {
        Ok(bundle) => bundle,
        Err(findings) => {
            for finding in findings {
                let check = if finding.path.is_empty() { Check::V13 } else { Check::V15 };
                let expected = format!("{}: as files.md says", finding.path);
                run.report.file(check, &file, expected, &finding.why);
            }
            return Ok(None);
        }
    };
    let Some(name) = name else { return Ok(None) };
    if name.inst != bundle.institution || name.plat != bundle.platform {
        let found = format!("{} and {}", bundle.institution, bundle.platform);
        run.report.file(Check::V14, &file, format!("{} and {}, as the name", name.inst, name.plat), &found);
    }
    Ok(Some((name, bundle)))
}

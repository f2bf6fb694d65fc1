//! The histories of a chain of files, as links and as files before `mingfen verify`: honest ones heal by the next files
//! alone, and one that hides a day is refused.
use std::path::PathBuf;
use std::process::Command;

use mingfen::kernel::calendar::BusinessDay;
use mingfen::kernel::chain::{Beginning, Chain, Link, Place};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::bil::{BilHeader, BilWriter};
use mingfen::kernel::file::ret::RetCode;
use mingfen::kernel::file::spl::{SplHeader, SplWriter};
use mingfen::kernel::file::{FileKind, FileName};
use mingfen::kernel::money::Fen;
use mingfen::protocol::crypto::base64;
use serde_json::json;

use crate::support::honest_day::{Doc, bundle_doc, first_result, keys, name, sample};

/// A file as it was published: its day, its seq, and whether the institution refused it.
type Filed = (u32, u16, bool);

const ACCEPTED: bool = false;
const VOID: bool = true;

fn day_of(n: u32) -> BusinessDay {
    BusinessDay::parse(&format!("202606{n:02}")).unwrap()
}

fn digest(at: usize) -> Digest {
    Digest::of(format!("file {at}").as_bytes())
}

/// The chain of these files, each naming the one published before it.
fn chain(history: &[Filed]) -> Vec<Link> {
    let end = day_of(28).start();
    let link = |(at, (day, seq, void)): (usize, &Filed)| {
        let prev = if at == 0 { Digest::ZERO } else { digest(at - 1) };
        let name = FileName {
            kind: FileKind::Spl,
            inst: "SANDBOX".to_owned(),
            plat: "DEMO".to_owned(),
            day: day_of(*day),
            seq: *seq,
        };
        let created_at = end.plus(i64::try_from(at).unwrap());
        let place = if *void { Place::Void { prev: Some(prev) } } else { Place::Counts { prev, created_at } };
        Link { name, digest: digest(at), place }
    };
    history.iter().enumerate().map(link).collect()
}

/// What `verify` of a day says of the chain when it is given all of it; the first day is given `--first`.
fn broken(history: &[Filed], day: u32) -> Vec<String> {
    let first = Beginning::Here { since: Some(day_of(1)) };
    broken_from(history, day, if day == 1 { first } else { Beginning::Earlier })
}

fn broken_from(history: &[Filed], day: u32, beginning: Beginning) -> Vec<String> {
    let links = chain(history);
    let breaks = Chain::new(day_of(day), &links, beginning).breaks();
    breaks.into_iter().map(|found| format!("{}: {}; {}", found.name, found.expected, found.found)).collect()
}

/// A history as the files that an institution holds, of days without orders.
struct Files {
    folder: tempfile::TempDir,
    history: Vec<(Filed, String)>,
}

impl Files {
    /// Under a bundle of the first day.
    fn of(history: &[Filed]) -> Self {
        Self::since(history, 1)
    }

    fn since(history: &[Filed], bundle_of: u32) -> Self {
        let mut files = Self { folder: tempfile::tempdir().unwrap(), history: Vec::new() };
        let mut approvals = sample().0.first_approvals();
        approvals.issued_at = day_of(bundle_of).start();
        let bundle = bundle_doc(&approvals, 1);
        files.lay("bundle", &bundle);
        let mut prev = Digest::ZERO;
        for (at, filed @ (day, seq, void)) in history.iter().enumerate() {
            let header = SplHeader {
                name: name(FileKind::Spl, day_of(*day), *seq),
                orders: 0,
                lines: 0,
                total: Fen::ZERO,
                created_at: day_of(28).start().plus(i64::try_from(at).unwrap()),
                approvals: bundle.digest(),
                prev,
            };
            let (name, writer) = (header.name.to_string(), SplWriter::new(Vec::new(), header).unwrap());
            let doc = Doc::signed(name, writer.finish().unwrap().0, &keys().platform);
            prev = doc.digest();
            files.lay("spl", &doc);
            let code = if *void { RetCode::Chain } else { RetCode::Accepted };
            files.lay("result", &first_result(&doc, code));
            files.history.push((*filed, doc.name));
        }
        for (file, key) in [("platform.pem", &keys().platform), ("institution.pem", &keys().institution)] {
            let pem = key.public_key().unwrap().to_pem().unwrap();
            std::fs::write(files.folder.path().join(file), pem).unwrap();
        }
        files
    }

    fn lay(&self, folder: &str, doc: &Doc) {
        let folder = self.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(&doc.name), &doc.bytes).unwrap();
        let signature = base64(doc.signature.as_ref().unwrap());
        std::fs::write(folder.join(format!("{}.sig", doc.name)), signature).unwrap();
    }

    /// The institution's own bill of a day on which nobody paid.
    fn bill(&self, day: u32) -> PathBuf {
        let header = BilHeader {
            name: name(FileKind::Bil, day_of(day), 1),
            orders: 0,
            refunds: 0,
            total_paid: Fen::ZERO,
            created_at: day_of(day).next().start(),
        };
        let name = header.name.to_string();
        let writer = BilWriter::new(Vec::new(), header).unwrap();
        self.lay("bill", &Doc::signed(name.clone(), writer.finish().unwrap().0, &keys().institution));
        self.folder.path().join("bill").join(name)
    }

    fn verify(&self, day: u32, first: bool) -> (i32, String) {
        self.run(day, first, &[])
    }

    /// `mingfen verify` of a day with all that was published, and what it said.
    fn run(&self, day: u32, first: bool, more: &[&str]) -> (i32, String) {
        let at = |folder: &str, name: &str| self.folder.path().join(folder).join(name);
        let bundle = std::fs::read_dir(at("bundle", "")).unwrap().map(|entry| entry.unwrap().path());
        let bundle =
            bundle.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
        command.arg("verify").arg("--approvals").arg(bundle).arg("--bill").arg(self.bill(day)).args(more);
        command.arg("--platform-key").arg(self.folder.path().join("platform.pem"));
        command.arg("--institution-key").arg(self.folder.path().join("institution.pem"));
        if first {
            command.arg("--first");
        }
        for ((of, _, void), name) in &self.history {
            let given = match (*void, *of == day) {
                (VOID, _) => "--void",
                (ACCEPTED, true) => "--spl",
                (ACCEPTED, false) => "--previous",
            };
            command.arg(given).arg(at("spl", name));
            if given != "--spl" {
                command.arg("--results").arg(at("result", &format!("{name}.first.ret")));
            }
        }
        let ended = command.output().unwrap();
        let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        (ended.status.code().unwrap(), said)
    }
}

#[test]
fn honest_histories_heal_by_the_next_files_alone() {
    let histories: [(&str, &[Filed]); 8] = [
        ("a later day first", &[(1, 1, ACCEPTED), (3, 1, VOID), (2, 1, ACCEPTED), (3, 2, ACCEPTED)]),
        ("a mistyped day", &[(1, 1, ACCEPTED), (9, 1, VOID), (2, 1, ACCEPTED), (3, 1, ACCEPTED)]),
        ("a mistyped day first of all", &[(9, 1, VOID), (1, 1, ACCEPTED), (2, 1, ACCEPTED)]),
        ("a later file void", &[(1, 1, ACCEPTED), (2, 1, VOID), (1, 2, ACCEPTED), (2, 2, ACCEPTED)]),
        ("a late seq", &[(1, 1, ACCEPTED), (2, 1, ACCEPTED), (1, 2, ACCEPTED), (3, 1, ACCEPTED)]),
        ("the first file void", &[(1, 1, VOID), (1, 2, ACCEPTED), (2, 1, ACCEPTED)]),
        (
            "two days wrong",
            &[(1, 1, ACCEPTED), (2, 1, VOID), (3, 1, VOID), (2, 2, ACCEPTED), (3, 2, ACCEPTED)],
        ),
        (
            "two days wrong, the later one first",
            &[(1, 1, ACCEPTED), (3, 1, VOID), (2, 1, VOID), (2, 2, ACCEPTED), (3, 2, ACCEPTED)],
        ),
    ];
    for (what, history) in histories {
        let files = Files::of(history);
        for day in [1, 2, 3].into_iter().filter(|day| history.iter().any(|(of, ..)| of == day)) {
            assert_eq!(broken(history, day), Vec::<String>::new(), "{what}: verify of day {day}");
            let (status, said) = files.verify(day, day == 1);
            assert!(
                status == 0 && said.ends_with("OK: every fen is explained\n"),
                "{what}: verify of day {day}: {said}"
            );
        }
    }
}

#[test]
fn a_history_that_hides_a_day_is_refused() {
    let histories: [(&str, &[Filed], u32); 6] = [
        ("a day is left out", &[(1, 1, ACCEPTED), (3, 1, ACCEPTED)], 3),
        ("and put in after a later one", &[(1, 1, ACCEPTED), (3, 1, ACCEPTED), (2, 1, ACCEPTED)], 2),
        ("it is hidden behind its void file", &[(1, 1, ACCEPTED), (2, 1, VOID), (3, 1, ACCEPTED)], 3),
        (
            "behind void files of it and of its next day",
            &[(1, 1, ACCEPTED), (2, 1, VOID), (3, 1, VOID), (3, 2, ACCEPTED)],
            3,
        ),
        ("behind the void file of a mistyped day", &[(1, 1, ACCEPTED), (9, 1, VOID), (3, 1, ACCEPTED)], 3),
        ("the first day of all is hidden behind its void file", &[(1, 1, VOID), (2, 1, ACCEPTED)], 2),
    ];
    for (what, history, day) in histories {
        let found = broken(history, day);
        assert!(
            matches!(&found[..], [one] if one.contains("an accepted file of") && one.contains(&day_of(day).to_string())),
            "{what}: {found:?}"
        );
        let (status, said) = Files::of(history).verify(day, false);
        let told = format!("V04 SPL_SANDBOX_DEMO_{}_0", day_of(day));
        assert!(
            status == 1 && said.contains(&told) && said.ends_with("REFUSED: 1 violation\n"),
            "{what}: {said}"
        );
    }
    // Where a void file names one that is not given, the day before must still be among the given files.
    for (history, sound) in [
        (&[(1, 1, ACCEPTED), (2, 1, ACCEPTED), (3, 1, VOID), (3, 2, ACCEPTED)][..], true),
        (&[(1, 1, ACCEPTED), (3, 1, VOID), (3, 2, ACCEPTED)], false),
    ] {
        let mut links = chain(history);
        let at = links.len() - 2;
        links[at].place = Place::Void { prev: Some(Digest::of(b"not given")) };
        assert_eq!(
            Chain::new(day_of(3), &links, Beginning::Earlier).breaks().is_empty(),
            sound,
            "{history:?}"
        );
    }
}

#[test]
fn a_chain_that_is_said_to_begin_on_a_day_hides_none_before_it() {
    let histories: [(&str, &[Filed], u32); 5] = [
        ("the first day of all is hidden behind its void file", &[(1, 1, VOID), (2, 1, ACCEPTED)], 2),
        ("and behind that of a later one", &[(1, 1, VOID), (9, 1, VOID), (2, 1, ACCEPTED)], 2),
        ("it lies further back", &[(1, 1, VOID), (3, 1, ACCEPTED)], 3),
        ("it was accepted", &[(1, 1, ACCEPTED), (3, 1, ACCEPTED)], 3),
        ("it was accepted behind a void one", &[(9, 1, VOID), (1, 1, ACCEPTED), (3, 1, ACCEPTED)], 3),
    ];
    for (what, history, day) in histories {
        for since in [Some(day_of(1)), None] {
            let found = broken_from(history, day, Beginning::Here { since });
            assert!(
                matches!(&found[..], [one] if one.contains("SPL_SANDBOX_DEMO_20260601_0001.txt")),
                "{what}: {found:?}"
            );
        }
        let (status, said) = Files::of(history).verify(day, true);
        assert!(status == 1 && said.contains("with --first no file of a day before"), "{what}: {said}");
    }
    // Before there was a bundle no day is cut: a void file of such a day is a mistyped one, if that bundle was the first.
    let mistyped: &[Filed] = &[(1, 1, VOID), (2, 1, VOID), (2, 2, ACCEPTED)];
    let links = chain(mistyped);
    for (since, sound) in [(Some(day_of(2)), true), (Some(day_of(1)), false), (None, false)] {
        let chain = Chain::new(day_of(2), &links, Beginning::Here { since });
        assert_eq!(chain.breaks().is_empty(), sound, "{since:?}: {:?}", chain.breaks());
        let open = chain.open_questions();
        assert!(
            matches!(&open[..], [one] if one.contains("_20260601_0001.txt, which is void, is older")),
            "{open:?}"
        );
    }
    // The bundle of the files is of day 2 here: `verify` goes by it, and says what it rests on.
    let files = Files::since(mistyped, 2);
    let rests = "whether the given bundles begin with the very first of all: \
                 SPL_SANDBOX_DEMO_20260601_0001.txt, which is void, is older";
    let (status, said) = files.verify(2, true);
    assert!(
        status == 0 && said.ends_with(&format!("OK: every fen is explained. NOT CHECKED: {rests}\n")),
        "{said}"
    );
    let (status, said) = files.run(2, true, &["--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &told["not_checked"]), (0, &json!([{"codes": "V04", "why": rests}])));
    // What a void file names may be anything: where it is not given, nobody can look behind it.
    let mut links = chain(&[(1, 1, VOID), (1, 2, ACCEPTED)]);
    links[0].place = Place::Void { prev: Some(Digest::of(b"not given")) };
    let chain = Chain::new(day_of(1), &links, Beginning::Here { since: Some(day_of(1)) });
    assert_eq!(chain.breaks(), []);
    assert!(
        chain.open_questions()[0].contains("whether anything was told before"),
        "{:?}",
        chain.open_questions()
    );
}

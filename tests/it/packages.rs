//! What an auditor builds stays small: `mingfen-verify` is counted, and what it must never need is named.
use std::collections::BTreeSet;
use std::process::Command;

/// Databases, HTTP, TLS and what runs them: none of it is needed to recompute a day from files.
const FOREIGN: [&str; 12] = [
    "actix",
    "axum",
    "diesel",
    "h2",
    "hyper",
    "libsqlite3",
    "openssl",
    "pq-",
    "reqwest",
    "rustls",
    "sqlite",
    "tokio",
];

/// Names of all crates that a build of `mingfen-verify` compiles, its own and those of its build scripts included.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--offline", "--package", "mingfen-verify"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    // `name v1.2.3 (proc-macro) (*)`: two versions of one crate are two.
    lines
        .lines()
        .filter_map(|line| Some(line.split(" (").next()?.to_owned()))
        .filter(|line| !line.is_empty())
        .collect()
}

/// Crates that build or bind C; `linux-raw-sys` is numbers only.
fn of_c(crates: &BTreeSet<String>) -> Vec<&str> {
    let names = crates.iter().filter_map(|one| one.split(' ').next());
    names.filter(|name| name.ends_with("-sys") && *name != "linux-raw-sys").collect()
}

#[test]
fn an_auditor_builds_few_crates_without_database_and_network_and_one_piece_of_c() {
    let all = crates(&[]);
    let unsigned = crates(&["--no-default-features"]);
    // Five of them are one reader of gzip in Rust: a bill may come packed. Whoever changes a number changes the README.
    assert_eq!(all.len(), 69, "{all:?}");
    assert_eq!(unsigned.len(), 54, "{unsigned:?}");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for told in ["# 69 crates with these three", "# 54 crates, no C", "| 69, without signatures 54 |"] {
        assert!(readme.contains(told), "{told}");
    }
    assert!(unsigned.is_subset(&all));
    let ours: Vec<&str> =
        all.iter().filter_map(|one| one.split(' ').next()).filter(|n| n.starts_with("mingfen")).collect();
    assert_eq!(ours, ["mingfen-kernel", "mingfen-protocol", "mingfen-verify"]);
    for name in &all {
        assert!(!FOREIGN.iter().any(|foreign| name.starts_with(foreign)), "{name}");
    }
    assert_eq!(of_c(&all), ["aws-lc-sys"]);
    assert_eq!(of_c(&unsigned), [""; 0]);
    // Nothing that could compile C either.
    assert!(
        !unsigned.iter().any(|name| name.starts_with("cc ") || name.starts_with("cmake ")),
        "{unsigned:?}"
    );
}

//! Keeps the house as its plan has it: who may import whom, how long things get, where floats and diesel may be.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Business rooms in the order of an order's journey: each may import only those before it.
const JOURNEY: [&str; 10] = [
    "people",
    "institutions",
    "ledger",
    "merchants",
    "rules",
    "channels",
    "orders",
    "reconciliation",
    "splits",
    "settlement",
];
const FOUNDATION: [&str; 6] = ["kernel", "protocol", "db", "config", "error", "clock"];
const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_HANDLER_LINES: usize = 45;

struct Source {
    /// Path below `src`, with forward slashes.
    path: String,
    room: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let base = root().join("src");
    let mut paths = Vec::new();
    files_below(&base, ".rs", &mut paths);
    assert!(paths.len() > 50, "the walk over src found only {} files", paths.len());
    paths
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&base).unwrap().to_string_lossy().replace('\\', "/");
            let room = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            Source { text: fs::read_to_string(&file).unwrap(), path, room }
        })
        .collect()
}

/// Rooms named after `crate::` in code, `use crate::{a, b::c}` included; comments do not count.
fn imported_rooms(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => drop(rooms.insert(first_word(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut at_start = true;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => at_start = true,
                        _ if at_start && c.is_alphabetic() => {
                            rooms.insert(first_word(&group[i..]));
                            at_start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn may_import(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    match from {
        "kernel" => false,
        "protocol" => to == "kernel",
        // A transaction ends with the error of the command that it ran.
        "db" => matches!(to, "kernel" | "error"),
        "config" | "error" | "clock" => FOUNDATION.contains(&to),
        "sandbox" => matches!(to, "kernel" | "protocol" | "clock"),
        "cli" => true,
        "main" | "lib" => true,
        "app" | "jobs" | "gateway" | "web" => {
            !matches!(to, "gateway" | "web" | "cli" | "sandbox") || (from == "web" && to == "gateway")
        }
        _ => {
            let place = |room: &str| JOURNEY.iter().position(|name| *name == room);
            let here = place(from).unwrap_or_else(|| panic!("src/{from} is no room of the house"));
            FOUNDATION.contains(&to) || place(to).is_some_and(|there| there < here)
        }
    }
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rooms_import_only_what_they_may() {
    let mut complaints = Vec::new();
    for source in sources() {
        for room in imported_rooms(&source.text) {
            let is_room = root().join("src").join(&room).is_dir()
                || root().join("src").join(format!("{room}.rs")).is_file();
            if is_room && !may_import(&source.room, &room) {
                complaints.push(format!("src/{} imports {room}", source.path));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_import_rules_would_notice() {
    assert_eq!(
        imported_rooms("use crate::{db::{Tx, x}, web};\nlet a = crate::cli::main();\n// crate::jobs"),
        ["cli", "db", "web"].map(String::from).into()
    );
    assert!(!may_import("kernel", "db") && !may_import("orders", "splits") && !may_import("web", "sandbox"));
    assert!(
        may_import("splits", "orders") && may_import("jobs", "settlement") && may_import("cli", "sandbox")
    );
}

#[test]
fn files_stay_short() {
    none(
        sources()
            .iter()
            .filter(|s| s.path != "db/schema.rs" && s.text.lines().count() > MAX_FILE_LINES)
            .map(|s| format!("src/{} has {} lines", s.path, s.text.lines().count()))
            .collect(),
    );
}

/// (name, lines) of every function; rustfmt puts the closing brace at the indentation of the `fn`.
fn functions(text: &str) -> Vec<(String, bool, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split_whitespace().collect();
        let Some(at) = words.iter().position(|w| *w == "fn") else { continue };
        if code.starts_with("//")
            || at > 4
            || words[..at]
                .iter()
                .any(|w| !w.starts_with("pub") && !["async", "const", "unsafe", "extern"].contains(w))
        {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let close = format!("{indent}}}");
        let end = (start..lines.len()).find(|i| {
            lines[*i] == close
                || (lines[*i].ends_with(';') && *i == start)
                || (*i == start && line.ends_with('}'))
        });
        let name = words.get(at + 1).map(|w| first_word(w)).unwrap_or_default();
        found.push((name, words[..at].contains(&"async"), end.map_or(0, |end| end - start + 1)));
    }
    found
}

#[test]
fn functions_stay_short() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for (name, is_async, lines) in functions(&source.text) {
            seen += 1;
            let handler = is_async && matches!(source.room.as_str(), "web" | "gateway");
            let limit = if handler { MAX_HANDLER_LINES } else { MAX_FUNCTION_LINES };
            if lines > limit {
                complaints
                    .push(format!("src/{}: {name} has {lines} lines, {limit} are allowed", source.path));
            }
        }
    }
    assert!(seen > 300, "only {seen} functions found");
    none(complaints);
}

#[test]
fn no_floats_near_money() {
    let mut complaints = Vec::new();
    for source in sources() {
        let money = ["kernel", "protocol", "channels", "gateway"].contains(&source.room.as_str())
            || JOURNEY.contains(&source.room.as_str());
        for (number, line) in source.text.lines().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if money && words.iter().any(|w| matches!(*w, "f32" | "f64")) {
                complaints.push(format!("src/{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(complaints);
}

#[test]
fn diesel_lives_in_stores_only() {
    none(
        sources()
            .iter()
            .filter(|s| s.room != "db" && !s.path.ends_with("store.rs"))
            .filter(|s| s.text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains("diesel")))
            .map(|s| format!("src/{} names diesel", s.path))
            .collect(),
    );
}

#[test]
fn the_map_in_the_readme_is_the_real_tree() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let map = readme.split("## Map").nth(1).expect("README has a section '## Map'");
    let map = map.split("\n## ").next().unwrap();
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    let real: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() { format!("{name}/") } else { name }
        })
        .collect();
    assert_eq!(named, real);
}

#[test]
fn templates_hold_nothing_inline() {
    let mut paths = Vec::new();
    files_below(&root().join("templates"), ".html", &mut paths);
    assert!(!paths.is_empty());
    let mut complaints = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let handler = line.split_whitespace().any(|w| w.starts_with("on") && w.contains("=\""));
            if handler
                || ["style=\"", "<style", "<script>", "javascript:"].iter().any(|bad| line.contains(bad))
            {
                complaints.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_settings_in_the_readme_are_the_real_ones_with_their_defaults() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("## Settings").nth(1).expect("README has a section '## Settings'");
    let section = section.split("\n## ").next().unwrap();
    let told: BTreeSet<(String, String)> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, rest)| (name.to_owned(), rest.split('|').nth(1).unwrap().trim().replace('`', "")))
        .collect();
    let defaults = serde_json::to_value(mingfen::config::Config::default()).unwrap();
    let real = defaults.as_object().unwrap().iter();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    assert_eq!(told, real.map(|(name, value)| (name.clone(), text(value))).collect());
}

//! Keeps the house as its plan has it: who may import whom, how long things get, where floats and diesel may be.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// May be used by everybody, and what handlers and tasks share.
const SHARED: [&str; 5] = ["clock", "config", "disk", "error", "turns"];
/// What money and evidence pass through.
const MONEY_ROOMS: [&str; 16] = [
    "kernel",
    "protocol",
    "verify",
    "outbox",
    "institutions",
    "exchange",
    "merchants",
    "rules",
    "ledger",
    "channels",
    "orders",
    "reconciliation",
    "splits",
    "settlement",
    "notices",
    "gateway",
];
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

/// The numbered map of the house in `lib.rs`: each room with what it is.
fn map_of_the_house() -> Vec<(String, String)> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut map = Vec::new();
    for line in lib.lines().filter_map(|line| line.strip_prefix("//!")) {
        let Some((number, rest)) = line.trim().split_once(". `") else { continue };
        let (room, what) = rest.split_once("` ").unwrap();
        map.push((room.to_owned(), what.to_owned()));
        assert_eq!(number.parse(), Ok(map.len()), "the map counts from 1 without a gap");
    }
    map
}

fn may_import(from: &str, to: &str) -> bool {
    if from == to || matches!(from, "main" | "lib") {
        return true;
    }
    let map = map_of_the_house();
    let place = |room: &str| map.iter().position(|(name, _)| name == room);
    let number = |room: &str| place(room).unwrap_or_else(|| panic!("src/{room} is no room of the map"));
    match (from, to) {
        // The first rooms are packages of their own: the compiler keeps them pure.
        ("kernel" | "protocol" | "verify", _) => false,
        // A transaction ends with the error of the command that it ran.
        ("db", to) => matches!(to, "kernel" | "disk" | "error"),
        ("clock" | "config" | "disk" | "error" | "turns", to) => {
            SHARED.contains(&to) || number(to) <= number("db")
        }
        ("sandbox", to) => matches!(to, "clock" | "disk") || number(to) <= number("verify"),
        ("app", to) => SHARED.contains(&to) || number(to) < number("notices"),
        // The site serves the gateway beside its pages.
        (from, "app") => number(from) >= number("notices"),
        (from, to) => SHARED.contains(&to) || number(to) < number(from),
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
            let own = ["kernel", "protocol", "verify"].contains(&source.room.as_str());
            if is_room && !own && !may_import(&source.room, &room) {
                complaints.push(format!("src/{} imports {room}", source.path));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_import_rules_would_notice() {
    assert_eq!(
        imported_rooms("use crate::{db::{Tx, x}, web};\nlet a = crate::cli::main();\n// crate::tasks"),
        ["cli", "db", "web"].map(String::from).into()
    );
    assert!(!may_import("kernel", "db") && !may_import("orders", "splits") && !may_import("web", "sandbox"));
    assert!(
        may_import("splits", "orders") && may_import("tasks", "settlement") && may_import("cli", "sandbox")
    );
}

#[test]
fn files_and_folders_get_their_modes_in_one_place() {
    let words = ["DirBuilderExt", "OpenOptionsExt", "PermissionsExt"];
    let elsewhere = sources().into_iter().filter(|s| s.path != "disk.rs");
    let setting = elsewhere.filter(|s| words.iter().any(|word| s.text.contains(word)));
    none(setting.map(|s| format!("src/{} sets modes: disk.rs makes private files", s.path)).collect());
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
        let money = MONEY_ROOMS.contains(&source.room.as_str());
        for (number, line) in source.text.lines().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if money && words.iter().any(|w| matches!(*w, "f32" | "f64")) {
                complaints.push(format!("src/{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(complaints);
}

/// Rooms that may name a protocol: it is what they are about, they keep its keys, or they play the other side.
const SPEAKERS: [&str; 9] = [
    "protocol",
    "verify",
    "channels",
    "gateway",
    // Wrapped keys, which only a language can say what they are.
    "institutions",
    "people",
    "merchants",
    "sandbox",
    "bench",
];

/// What would name a protocol in a line of code.
fn names_a_protocol(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//")
        && ["protocol::", "channels::"].iter().any(|room| {
            ["wechat", "alipay"].iter().any(|language| code.contains(&format!("{room}{language}")))
        })
}

#[test]
fn only_channels_gateway_and_notices_name_a_protocol() {
    let mut complaints = Vec::new();
    for source in sources() {
        let speaks = SPEAKERS.contains(&source.room.as_str())
            || ["notices/alipay.rs", "notices/wechat.rs"].contains(&source.path.as_str())
            // The shop of the demo is a merchant with a stock SDK.
            || source.path.starts_with("cli/demo/");
        // What an order goes through knows no channel's name either.
        let is_deaf = ["orders", "reconciliation", "splits", "settlement", "tasks", "check", "outbox"]
            .contains(&source.room.as_str());
        for (number, line) in source.text.lines().enumerate() {
            let named = ["wechat", "alipay"].iter().any(|name| line.to_lowercase().contains(name));
            if !speaks && names_a_protocol(line) || is_deaf && named {
                complaints.push(format!("src/{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(complaints);
    assert!(
        names_a_protocol("use crate::protocol::wechat::CNY;") && names_a_protocol("channels::wechat::Client")
    );
    assert!(!names_a_protocol("// protocol::wechat") && !names_a_protocol("use crate::protocol::crypto;"));
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
fn the_map_in_the_readme_is_that_of_the_house_and_the_real_tree() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("## Map").nth(1).expect("README has a section '## Map'");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let told: Vec<(String, String)> = rows
        .map(|row| row.split_once("/` | ").unwrap())
        .map(|(room, what)| (room.to_owned(), what.to_owned()))
        .collect();
    assert_eq!(told, map_of_the_house(), "the README repeats the map of src/lib.rs");
    let folders: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, map_of_the_house().into_iter().map(|(room, _)| room).collect());
}

fn templates() -> Vec<(String, String)> {
    let base = root().join("templates");
    let mut paths = Vec::new();
    files_below(&base, ".html", &mut paths);
    assert!(paths.len() > 10, "the walk over templates found only {} files", paths.len());
    let name = |path: &Path| path.strip_prefix(&base).unwrap().to_string_lossy().replace('\\', "/");
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Characters of Chinese text, its marks and its wide forms.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// Lines of code that choose between languages or speak Chinese; comments may.
fn speaking(code: &str) -> Vec<usize> {
    let says = |line: &str| {
        let code = line.split("//").next().unwrap();
        code.contains(".pick(") || code.contains(is_chinese)
    };
    (1..).zip(code.lines()).filter(|(_, line)| says(line)).map(|(number, _)| number).collect()
}

/// Text between an opening and a closing mark gone.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut parts = text.split(open);
    let mut left = parts.next().unwrap().to_owned();
    for part in parts {
        left.push(' ');
        left.push_str(part.split_once(close).map_or("", |(_, rest)| rest));
    }
    left
}

/// Words of a template that a reader would see or hear: outside of tags and expressions, or in a spoken attribute.
fn seen_words(template: &str) -> Vec<String> {
    let mut html = template.to_owned();
    for (open, close) in [("{#", "#}"), ("{{", "}}"), ("{%", "%}")] {
        html = without(&html, open, close);
    }
    let spoken = ["aria-label=\"", "placeholder=\"", "title=\"", "alt=\"", "data-label=\""];
    let said =
        spoken.iter().flat_map(|name| html.split(*name).skip(1)).map(|rest| rest.split('"').next().unwrap());
    let mut text: String = said.collect::<Vec<_>>().join(" ");
    text.push(' ');
    text.push_str(&without(&html, "<", ">"));
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn pages_speak_through_their_words_alone() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|s| s.room == "web" && !s.path.starts_with("web/words/")) {
        let lines = speaking(&source.text);
        complaints.extend(lines.iter().map(|line| format!("src/{}:{line} speaks for itself", source.path)));
    }
    // T is the business day's name in both languages; the sandbox's own page is no page of the product.
    for (name, text) in templates().iter().filter(|(name, _)| !name.starts_with("sandbox/")) {
        let words = seen_words(text);
        let words = words.iter().filter(|word| word.as_str() != "T");
        complaints.extend(words.map(|word| format!("templates/{name} says '{word}'")));
    }
    none(complaints);
}

#[test]
fn a_page_that_speaks_for_itself_would_be_noticed() {
    assert_eq!(
        speaking("let a = lang.pick(1, 2);\n// 明分\nlet b = \"分\";\nlet c = 1; // 分\n\"，\""),
        [1, 3, 5]
    );
    assert_eq!(
        seen_words("<p class=\"x\">{{ s.a }} Paid<b>{% if b %}实付{% endif %}</b></p>"),
        ["Paid", "实付"]
    );
    assert_eq!(seen_words("<i aria-label=\"Menu {{ x }}\" class=\"y\"></i>{# a remark #}"), ["Menu"]);
}

#[test]
fn every_text_is_used() {
    let mut used = String::new();
    for source in sources().iter().filter(|s| s.room == "web" && !s.path.starts_with("web/words/")) {
        used.push_str(&source.text);
    }
    templates().iter().for_each(|(_, text)| used.push_str(text));
    // `let said = w.order;` and then `said.text`.
    let short = |key: &str| format!("said.{}", key.split_once('.').unwrap().1);
    let words = used.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    let words: BTreeSet<String> = words.map(|word| format!("{word}.")).collect();
    let is_used = |key: &str| {
        let (whole, short) = (format!(".{key}."), format!("{}.", short(key)));
        words.iter().any(|word| word.contains(&whole) || word.starts_with(&short))
    };
    let all = mingfen::web::words::every();
    assert!(all.len() > 200, "only {} texts", all.len());
    none(
        all.iter()
            .filter(|(key, ..)| !is_used(key))
            .map(|(key, ..)| format!("{key} is shown nowhere"))
            .collect(),
    );
}

#[test]
fn templates_are_laid_out_to_be_read() {
    const MAX_LINE: usize = 160;
    let mut complaints = Vec::new();
    for (name, text) in templates() {
        for (number, line) in (1..).zip(text.lines()) {
            let indent = line.len() - line.trim_start().len();
            if line.chars().count() > MAX_LINE {
                complaints.push(format!("templates/{name}:{number} is longer than {MAX_LINE} characters"));
            }
            if indent % 2 != 0 || line.trim_end() != line || line.contains('\t') {
                complaints
                    .push(format!("templates/{name}:{number} is indented otherwise, or ends in blanks"));
            }
        }
    }
    none(complaints);
}

/// Where the words of the record are spelt: where they are declared, stored, written and read.
const SPELLERS: [&str; 5] = ["kernel/", "protocol/", "verify/", "sandbox/", "db/columns.rs"];
/// SQL that makes data inside the database.
const MADE_IN_SQL: [&str; 3] = ["bench/h1/store.rs", "bench/h6/fill.rs", "bench/pages/fill.rs"];
/// What takes a text of others apart: the keys of a PostgreSQL URL.
const READS_TEXT: [&str; 1] = ["db/plain.rs"];
/// The words of the record: whatever the enums say that the database keeps and files tell.
fn words_of_the_record() -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    macro_rules! add {
        ($($type:ty),+ $(,)?) => {$(
            let all = <$type>::ALL;
            assert!(!all.is_empty());
            words.extend(all.iter().map(|value| value.as_str()));
        )+};
    }
    add!(
        mingfen::channels::RawKind,
        mingfen::exchange::AnswerStage,
        mingfen::exchange::Direction,
        mingfen::exchange::DocumentKind,
        mingfen::institutions::ResultEncoding,
        mingfen::kernel::channel::ChannelName,
        mingfen::kernel::file::FileKind,
        mingfen::kernel::file::ret::RetCode,
        mingfen::kernel::file::ret::RetStatus,
        mingfen::kernel::file::stl::CarryReason,
        mingfen::kernel::proposal::Reason,
        mingfen::kernel::state::OrderState,
        mingfen::kernel::state::FileState,
        mingfen::kernel::state::SettlementState,
        mingfen::kernel::state::CustodyState,
        mingfen::ledger::Account,
        mingfen::ledger::Kind,
        mingfen::orders::EventKind,
        mingfen::orders::EventReason,
        mingfen::outbox::Subject,
        mingfen::people::Role,
        mingfen::people::security::SecurityKind,
        mingfen::merchants::credentials::AnswerMode,
        mingfen::notices::FailureReason,
        mingfen::institutions::ChannelLanguage,
        mingfen::reconciliation::DifferenceKind,
        mingfen::settlement::LineKind,
        mingfen::tasks::JobName,
        mingfen::tasks::TaskKind,
        mingfen::tasks::TaskState,
        mingfen::tasks::TaskPhase,
    );
    words.extend(["FIRST", "FINAL"]);
    words
}

/// A line of code without its comment.
fn code(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("//") { "" } else { line.split(" // ").next().unwrap() }
}

/// Lines that spell a word: between quotes of Rust or of SQL. The declaration of an enum is none. A word of one letter or
/// in small letters stands for many things: it counts where something is compared with it.
fn spelt<'w>(text: &str, words: &BTreeSet<&'w str>) -> Vec<(usize, &'w str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = code(line);
        let declared = line.split_once(" = \"").is_some_and(|(name, rest)| {
            name.chars().all(char::is_alphanumeric) && rest.trim_end_matches(',').ends_with('"')
        });
        if declared {
            continue;
        }
        for word in words {
            let quoted = [format!("\"{word}\""), format!("'{word}'")];
            let compared = |quoted: &str| {
                ["== ", "!= ", "eq(", "= "].iter().any(|by| line.contains(&format!("{by}{quoted}")))
            };
            let is_plain = word.len() > 1 && !word.contains(|c: char| c.is_ascii_lowercase());
            if quoted.iter().any(|quoted| line.contains(quoted) && (is_plain || compared(quoted))) {
                found.push((number + 1, *word));
            }
        }
    }
    found
}

/// Lines where a `match` takes text apart: its arms are words that no compiler looks through.
fn matches_on_text(text: &str) -> Vec<usize> {
    let lines = text.lines().map(code).enumerate();
    let arms = lines.filter(|(_, line)| {
        let pattern = line.trim_start_matches("Some(").trim_start_matches("Ok(").trim_start_matches('(');
        let is_match = line.contains("match ") && line.ends_with(".as_str() {");
        is_match
            || (pattern.starts_with('"') && line.contains("\" =>")
                || line.contains("\") =>") && pattern.starts_with('"'))
    });
    arms.map(|(number, _)| number + 1).collect()
}

fn is_below(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

#[test]
fn the_words_of_the_record_are_spelt_in_one_place() {
    let words = words_of_the_record();
    let mut complaints = Vec::new();
    for source in sources() {
        let exempt =
            [&SPELLERS[..], &MADE_IN_SQL, &READS_TEXT].iter().any(|list| is_below(&source.path, list));
        if exempt {
            continue;
        }
        let lines = spelt(&source.text, &words);
        complaints
            .extend(lines.iter().map(|(line, word)| format!("src/{}:{line} spells {word}", source.path)));
        let lines = matches_on_text(&source.text);
        complaints.extend(lines.iter().map(|line| format!("src/{}:{line} matches on text", source.path)));
    }
    for (name, text) in templates().iter().filter(|(name, _)| !name.starts_with("sandbox/")) {
        let lines = spelt(text, &words);
        complaints.extend(lines.iter().map(|(line, word)| format!("templates/{name}:{line} spells {word}")));
    }
    none(complaints);
}

#[test]
fn a_word_that_is_spelt_would_be_noticed() {
    let words = words_of_the_record();
    for word in
        ["SPL", "RTN", "FIRST", "FINAL", "ACCEPTED", "E_SIGN", "PAID", "CUT", "CUSTODY_CASH", "S", "ADMIN"]
    {
        assert!(words.contains(word), "{word}");
    }
    let seen = |text: &str| spelt(text, &words).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
    assert_eq!(seen("    if file.kind == \"SPL\" {"), ["SPL"]);
    assert_eq!(seen("  \"SELECT 1 WHERE stage = 'FINAL' AND status = 'S'\""), ["FINAL", "S"]);
    assert_eq!(seen("    .filter(result_line::status.eq(\"B\"))"), ["B"]);
    assert_eq!(seen("    if line.status != \"P\" {"), ["P"]);
    assert_eq!(seen("  {% if line.kind == \"C\" %}{% else if file.direction == \"OUT\" %}"), ["C", "OUT"]);
    assert_eq!(seen("    if order.channel == \"wechat\" {"), ["wechat"]);
    // A declaration, a comment, and letters that mean something else.
    let none = Vec::<&str>::new();
    assert_eq!(
        seen(
            "        Spl = \"SPL\",\n/// `\"SPL\"` or 'STL'\n    let a = b; // \"SPL\"\n name(\"x\", \"S\")\n\
             json!({\"channels\": [\"wechat\"]})"
        ),
        none
    );
    assert_eq!(
        matches_on_text("match file.kind.as_str() {\n    \"SPL\" => 1,\n    Some(\"x\") => 2,\n    _ => 3,"),
        [1, 2, 3]
    );
    assert_eq!(
        matches_on_text(
            "let a = match kind {\n    Kind::A => \"x\",\n// \"x\" => y\nmatch known.get(name.as_str()) {"
        ),
        Vec::<usize>::new()
    );
    for place in &MADE_IN_SQL {
        assert!(root().join("src").join(place).exists(), "{place} is gone: take it off the list");
    }
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

/// Words of a test that stands on the platform's database.
const ON_A_DATABASE: [&str; 8] = [
    "FinishedDay",
    "Kind",
    "MINGFEN_TEST_DATABASE_URL",
    "Pair",
    "Shop",
    "TestApp",
    "TestDatabase",
    "of_this_run",
];

#[test]
fn what_tests_run_leaves_out_on_postgres_uses_no_database_and_nothing_else_is_left_out() {
    let run = fs::read_to_string(root().join("tests/run")).unwrap();
    let list = run.split("once=(").nth(1).unwrap().split(')').next().unwrap();
    let once: Vec<&str> = list.split_whitespace().collect();
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let modules: Vec<&str> =
        main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    assert!(once.len() > 10 && modules.len() > once.len());
    for name in &once {
        // The list goes to `--skip`, which leaves out whatever has the text in its path.
        let left_out: Vec<_> = modules.iter().filter(|module| module.ends_with(name)).collect();
        assert_eq!(left_out, [name]);
    }
    let helpers = ["honest_day", "played", "rules", "sandbox_process"];
    let files = once.iter().map(|name| format!("{name}.rs"));
    let files = files.chain(helpers.iter().map(|name| format!("support/{name}.rs")));
    for file in files.filter(|file| file != "tidy.rs") {
        let text = fs::read_to_string(root().join("tests/it").join(&file)).unwrap();
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let found: Vec<&str> = words.filter(|word| ON_A_DATABASE.contains(word)).collect();
        assert!(found.is_empty(), "tests/it/{file}: {found:?}");
        let uses = text.split("support::").skip(1).map(first_word);
        let others: Vec<String> = uses.filter(|name| !helpers.contains(&name.as_str())).collect();
        assert!(others.is_empty(), "tests/it/{file} uses support::{others:?}");
    }
}

//! `mingfen split` and the arithmetic behind it, against the vectors and by properties.
use mingfen::cli::split::answer;
use serde_json::{Value, json};

const VECTORS: &str = include_str!("../vectors/split.jsonl");

/// The answer to one line, without the optional words about an error.
fn answered(line: &str) -> Value {
    let mut answer = serde_json::to_value(answer(line.as_bytes()).answer).unwrap();
    let fields = answer.as_object_mut().unwrap();
    fields.remove("why");
    if fields.contains_key("error") {
        fields.remove("path");
    }
    answer
}

/// The texts of `case` and `answer` in a line of the vectors, untouched: a case may hold what no JSON library keeps.
fn case_and_answer(line: &str) -> (&str, Value) {
    let (case, answer) = line.split_once(",\"answer\":").unwrap();
    let answer = serde_json::from_str(answer.strip_suffix('}').unwrap()).unwrap();
    (case.strip_prefix("{\"case\":").unwrap(), answer)
}

#[test]
fn every_vector_has_exactly_the_published_answer() {
    let mut count = 0;
    for (n, line) in VECTORS.lines().enumerate() {
        let (case, expected) = case_and_answer(line);
        assert_eq!(answered(case), expected, "line {}: {case}", n + 1);
        count += 1;
    }
    assert_eq!(count, 610);
}

#[test]
fn a_line_that_is_not_json_is_invalid_input_and_counts_as_unreadable() {
    for line in ["", " ", "{", "nonsense", "{}{}", "\u{feff}{}", "{\"a\":01}", "{\"a\":1,}"] {
        let answered = answer(line.as_bytes());
        assert_eq!(
            serde_json::to_value(&answered.answer).unwrap()["error"],
            json!("INVALID_INPUT"),
            "{line:?}"
        );
        assert!(!answered.readable, "{line:?}");
    }
}

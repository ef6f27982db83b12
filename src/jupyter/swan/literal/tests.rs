//! What Python and JSON write, and what nobody should.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn what_python_and_json_write_is_read() {
    // Numbers are kept as they were written.
    let sixteen: Value = serde_json::from_str("1e+16").expect("a number");
    for (text, value) in [
        (
            "{'a': [1, -2.5, 1e+16], 'b': (True, False, None)}; rest",
            json!({ "a": [1, -2.5, sixteen], "b": [true, false, null] }),
        ),
        (
            "{\"a\": [true, false, null], }",
            json!({ "a": [true, false, null] }),
        ),
        ("\"it's\"", json!("it's")),
        (
            r"'it\'s \\ \n \xe9 \u00e9 \U0001f600 \d'",
            json!("it's \\ \n é é 😀 \\d"),
        ),
        (r#""\ud83d\ude00 \/ \ud83d""#, json!("😀 / \u{fffd}")),
        (" {1: 'x'}", json!({ "1": "x" })),
        ("[]", json!([])),
        ("()", json!([])),
        ("{ }", json!({})),
    ] {
        assert_eq!(read(text), Some(value), "{text}");
    }
}

#[test]
fn what_is_no_value_or_not_whole_is_none() {
    for text in [
        "",
        "{",
        "[",
        "(",
        "'",
        "'a",
        "[1",
        "[1 2]",
        "{'a' 1}",
        "{[1]: 2}",
        "{None: 1}",
        "[1)",
        "'\\",
        "'\\x1'",
        "'\\x+1'",
        "'\\u12é'",
        "nan",
        "inf",
        "name",
        "b'x'",
        "1-2",
        ",",
        "[,]",
        "<html>",
        "{'a'}",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read(&deep(DEEPEST)).is_some());
    for depth in [DEEPEST + 1, 1 << 20] {
        assert_eq!(read(&deep(depth)), None);
    }
}

/// As Python's `repr` writes a value.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(repr).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), repr(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\\' => quoted.push_str("\\\\"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}|['\"\\\\\n\t\u{0}\u{e9}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let table = prop::collection::btree_map("['\"a-z\\\\]{0,4}", inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            table.prop_map(|table| Value::Object(table.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written_by_python_or_json(value in any_value(), rest in "[;,} \n]?") {
        prop_assert_eq!(read(&(repr(&value) + &rest)), Some(value.clone()));
        prop_assert_eq!(read(&(value.to_string() + &rest)), Some(value));
    }

    #[test]
    fn no_text_is_the_end_of_it(text in "[\\[\\]{}():,'\"\\\\ux0-9a-dTN. é😀]{0,40}|\\PC{0,40}") {
        let _ = read(&text);
    }
}

//! Literals beside papermill's: the same text, but for the deviations that the README lists.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nbcourier::run::{Parameters, special};
use serde_json::{Value, json};

use super::{cell, count, template, values};
use crate::hub::environment;

/// A language, papermill's name of it, what stands before and after a literal, and whether the
/// README says that this value is written differently or refused.
struct Deviating {
    language: &'static str,
    kernel: &'static str,
    frame: (&'static str, &'static str),
    differs: fn(&Value) -> bool,
}

fn any(value: &Value, one: &dyn Fn(&Value) -> bool) -> bool {
    let inside = match value {
        Value::Array(items) => items.iter().any(|item| any(item, one)),
        Value::Object(entries) if special(value).is_none() => {
            let keys = entries.keys().any(|key| one(&json!(key)));
            keys || entries.values().any(|item| any(item, one))
        }
        _ => false,
    };
    inside || one(value)
}

/// A text with what isn't printable ASCII (line breaks and tabs apart), or with one of these.
fn text(value: &Value, marks: &str) -> bool {
    let plain = |c: char| matches!(c, ' '..='~' | '\n' | '\r' | '\t') && !marks.contains(c);
    value.as_str().is_some_and(|text| !text.chars().all(plain))
}

fn control(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.contains(['\n', '\r', '\t']))
}

fn non_finite(value: &Value) -> bool {
    special(value).is_some_and(|(key, _)| key == "$float")
}

/// An integer beyond so many bits; of 53, one that a float may round.
fn beyond(value: &Value, bits: u32) -> bool {
    let digits = value.as_number().map(ToString::to_string);
    let digits = digits.filter(|text| !text.contains(['.', 'e', 'E']));
    let wide = |digits: String| match (digits.parse::<i128>(), bits) {
        (Ok(int), 31) => i32::try_from(int).is_err(),
        (Ok(int), 53) => int.unsigned_abs() > 1 << 53,
        // The smallest one has digits that are beyond before the sign is seen.
        (Ok(int), _) => i64::try_from(int).is_err() || int == i128::from(i64::MIN),
        (Err(_), _) => true,
    };
    digits.is_some_and(wide)
}

/// A list whose members are not all numbers, all texts, all truth values, or all alike lists.
fn mixed(value: &Value) -> bool {
    let kind = |item: &Value| match item {
        Value::Array(_) | Value::Object(_) if special(item).is_none() => item.to_string(),
        Value::Number(_) | Value::Object(_) => "number".into(),
        Value::String(_) => "text".into(),
        other => format!("{}", other.is_boolean()),
    };
    let Value::Array(items) = value else {
        return false;
    };
    let first = items.first().map(kind);
    items.iter().any(|item| {
        item.is_null() || item.is_array() || item.is_object() || Some(kind(item)) != first
    }) || items.is_empty()
}

fn numbers_mixed(value: &Value) -> bool {
    let Value::Array(items) = value else {
        return false;
    };
    let kind = |item: &Value| match item {
        Value::Number(number) => u8::from(number.to_string().contains(['.', 'e', 'E'])),
        _ => 2,
    };
    items.iter().any(|item| kind(item) != kind(&items[0])) || mixed(value)
}

fn has_key(value: &Value, test: impl Fn(Vec<&String>) -> bool) -> bool {
    value
        .as_object()
        .filter(|_| special(value).is_none())
        .is_some_and(|map| test(map.keys().collect()))
}

const LANGUAGES: &[Deviating] = &[
    Deviating {
        language: "python",
        kernel: "python",
        frame: ("v = ", ""),
        differs: |_| false,
    },
    Deviating {
        language: "R",
        kernel: "R",
        frame: ("v = ", ""),
        differs: |value| {
            any(value, &|one| {
                text(one, "")
                    || non_finite(one)
                    || beyond(one, 53)
                    || has_key(one, |keys| keys.iter().any(|key| key.is_empty()))
            })
        },
    },
    Deviating {
        language: "scala",
        kernel: "scala",
        frame: ("val v = ", ""),
        differs: |value| {
            let long = |one: &Value| one.as_str().is_some_and(|text| text.len() > 10_000);
            any(value, &|one| {
                text(one, "")
                    || long(one)
                    || non_finite(one)
                    || beyond(one, 63)
                    || (numbers_mixed(one) && any(one, &|int| beyond(int, 53)))
            })
        },
    },
    Deviating {
        language: "julia",
        kernel: "julia",
        frame: ("v = ", ""),
        differs: |value| {
            any(value, &|one| {
                text(one, "$") || non_finite(one) || numbers_mixed(one)
            })
        },
    },
    Deviating {
        language: "matlab",
        kernel: "matlab",
        frame: ("v = ", ";"),
        differs: |value| {
            any(value, &|one| {
                text(one, "\\")
                    || control(one)
                    || one.is_null()
                    || beyond(one, 53)
                    || has_key(one, |keys| {
                        keys.is_empty() || keys.iter().any(|key| key.is_empty())
                    })
            })
        },
    },
    Deviating {
        language: "c#",
        kernel: ".net-csharp",
        frame: ("var v = ", ";"),
        differs: |value| {
            any(value, &|one| {
                text(one, "")
                    || one.is_null()
                    || non_finite(one)
                    || beyond(one, 63)
                    || mixed(one)
                    || (numbers_mixed(one) && any(one, &|int| beyond(int, 53)))
            })
        },
    },
    Deviating {
        language: "f#",
        kernel: ".net-fsharp",
        frame: ("let v = ", ""),
        differs: |value| {
            any(value, &|one| {
                text(one, "")
                    || non_finite(one)
                    || beyond(one, 63)
                    || numbers_mixed(one)
                    || (one.is_array() && any(one, &|int| beyond(int, 31)))
            })
        },
    },
    Deviating {
        language: "powershell",
        kernel: ".net-powershell",
        frame: ("$v = ", ""),
        differs: |value| {
            let alone = |one: &Value| {
                one.as_array()
                    .is_some_and(|items| items.len() == 1 && items[0].is_array())
            };
            let folded = |keys: Vec<&String>| {
                let lower: std::collections::HashSet<String> =
                    keys.iter().map(|key| key.to_lowercase()).collect();
                lower.len() < keys.len()
            };
            any(value, &|one| {
                text(one, "$`\"\\")
                    || control(one)
                    || beyond(one, 63)
                    || alone(one)
                    || has_key(one, folded)
            })
        },
    },
    Deviating {
        language: "bash",
        kernel: "bash",
        frame: ("v=", ""),
        differs: |value| {
            let nul = |one: &Value| one.as_str().is_some_and(|text| text.contains('\0'));
            let nested = |one: &Value| one.is_array() || one.is_object() || one.is_null();
            any(value, &nul)
                || value.is_object()
                || value
                    .as_array()
                    .is_some_and(|items| items.iter().any(nested))
        },
    },
];

fn papermill(kernel: &str, values: &[Value]) -> Vec<Option<String>> {
    let mut child = Command::new(environment().join("papermill/bin/python"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/real/literals/translate.py"
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    let mut stdin = child.stdin.take().expect("stdin");
    let lines: String = values
        .iter()
        .map(|value| format!("{}\n", json!([kernel, value])))
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("python");
    writer.join().expect("a writer").expect("written");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn literals_are_those_of_papermill_but_for_the_listed_deviations() {
    let dated = |value: &Value| {
        any(value, &|one| {
            special(one).is_some_and(|(key, _)| key == "$datetime")
        })
    };
    let values: Vec<Value> = values::generated(count())
        .into_iter()
        .filter(|value| !dated(value))
        .collect();
    for row in LANGUAGES {
        let template = template(row.language);
        let mut same = 0;
        for (value, theirs) in values.iter().zip(papermill(row.kernel, &values)) {
            let parameters = Parameters::from_iter([("v".to_owned(), value.clone())]);
            let ours = cell(&template, &parameters)
                .ok()
                .map(|lines| lines.last().expect("a line").clone());
            let framed = theirs.map(|text| format!("{}{text}{}\n", row.frame.0, row.frame.1));
            if ours.is_some() && ours == framed {
                same += 1;
            } else {
                assert!(
                    (row.differs)(value),
                    "{}: {value}\nours  {ours:?}\ntheirs {framed:?}",
                    row.language
                );
            }
        }
        assert!(
            same > 60,
            "{}: only {same} of {} alike",
            row.language,
            values.len()
        );
    }
}

//! Formats of one key and value per line: INI and plain `key: value`. A crate for INI would read
//! backslashes as escapes and hold each key twice, without a bound.

use serde_json::{Value, json};

use super::{MOST_PARAMETERS, Unreadable, few, scalar};
use crate::run::Parameters;

pub(super) fn ini(text: &str) -> Result<Value, Unreadable> {
    let (mut top, mut sections) = (Parameters::new(), Parameters::new());
    let mut section = None;
    for (number, line) in told(text, &['#', ';'])? {
        if let Some(name) = line.strip_prefix('[') {
            let name = section_name(name).ok_or_else(|| no_pair(number))?;
            sections.entry(name).or_insert_with(|| json!({}));
            section = Some(name);
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).unwrap_or_default();
        if key.trim().is_empty() {
            return Err(no_pair(number));
        }
        let inside = section.and_then(|name| sections.get_mut(name));
        let object = inside.and_then(Value::as_object_mut).unwrap_or(&mut top);
        object.insert(key.trim().into(), unquoted(value));
    }
    top.append(&mut sections);
    Ok(Value::Object(top))
}

fn section_name(rest: &str) -> Option<&str> {
    rest.strip_suffix(']').map(str::trim)
}

fn no_pair(line: usize) -> Unreadable {
    let what = format!("line {line} is no `[section]`, no `key = value` and no comment");
    Unreadable::at(line, 1, what)
}

/// What has no letter or digit before its value is decoration, such as a line of dashes.
pub(super) fn key_value(text: &str) -> Result<Value, Unreadable> {
    let mut all = Parameters::new();
    for (_, line) in told(text, &['#'])? {
        let (key, value) = parted(line);
        if key.contains(char::is_alphanumeric) {
            all.insert(key.trim().into(), unquoted(value));
        }
    }
    Ok(Value::Object(all))
}

/// A `:` without a blank after it separates only what has no blank before it either: the time in
/// `begin 12:30:45` belongs to the value.
fn parted(line: &str) -> (&str, &str) {
    let blank = line.find(char::is_whitespace);
    let separates = |(at, sign): &(usize, &str)| {
        let rest = &line[at + 1..];
        let apart = rest.is_empty() || rest.starts_with(char::is_whitespace);
        *sign == "=" || apart || blank.is_none_or(|blank| blank > *at)
    };
    match line.match_indices(['=', ':']).find(separates) {
        Some((at, _)) => (&line[..at], &line[at + 1..]),
        None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
    }
}

/// The lines that say something, each with its number from 1.
fn told<'t>(
    text: &'t str,
    comments: &'static [char],
) -> Result<impl Iterator<Item = (usize, &'t str)>, Unreadable> {
    few(text.lines().count(), MOST_PARAMETERS)?;
    let lines = text.lines().map(str::trim).zip(1..);
    Ok(lines
        .filter(move |(line, _)| !line.is_empty() && !line.starts_with(comments))
        .map(|(line, number)| (number, line)))
}

/// What stands in quotes is a text, whatever it looks like.
fn unquoted(value: &str) -> Value {
    let value = value.trim();
    let inside = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    inside.map_or_else(|| scalar(value), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_objects_and_quotes_go() {
        let text = "# by the DAQ\r\nrun = 007\r\nenergy: 20.50\r\n; old\r\n[beam]\r\n\
            type = 'e-'\r\npath = C:\\data=1\r\n[ZValue = 0]\r\nTiltAngle = -1.5\r\n\
            [beam]\r\non=true\r\nname = \"5\"\r\nempty =\r\n";
        let read = ini(text).expect("INI");
        let expected = json!({
            "run": "007", "energy": 20.5,
            "beam": {"type": "e-", "path": "C:\\data=1", "on": true, "name": "5", "empty": ""},
            "ZValue = 0": {"TiltAngle": -1.5}
        });
        assert_eq!(
            read.to_string(),
            expected.to_string().replace("20.5", "20.50")
        );
        for (text, line) in [("a = 1\n[b\n", 2), ("\njust words\n", 2), ("= 5", 1)] {
            assert_eq!(ini(text).expect_err(text).line, line, "{text}");
        }
        assert!(
            ini(&"a\n".repeat(300_000))
                .expect_err("long")
                .what
                .contains("200000")
        );
    }

    #[test]
    fn one_of_three_separators_parts_each_line() {
        let table = [
            (
                "DAQInterface stop time: Mon Nov 23 12:30:01",
                "DAQInterface stop time",
                "\"Mon Nov 23 12:30:01\"",
            ),
            ("run=5", "run", "5"),
            ("run:5", "run", "5"),
            ("Run number = 5", "Run number", "5"),
            ("begin 12:30:45", "begin", "\"12:30:45\""),
            ("energy\t20.0 GeV", "energy", "\"20.0 GeV\""),
            ("url: http://x?a=b", "url", "\"http://x?a=b\""),
            ("alone", "alone", "\"\""),
            ("a: 1\n# a: 2\n-----\na: 3", "a", "3"),
        ];
        for (text, key, value) in table {
            let read = key_value(text).expect("lines");
            assert_eq!(
                read,
                json!({ key: serde_json::from_str::<Value>(value).expect("JSON") })
            );
        }
    }
}

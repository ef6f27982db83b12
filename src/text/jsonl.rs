//! JSON Lines: records of a run as it went on, also as the documents of bluesky.

use serde_json::Value;

use super::{MOST_PARAMETERS, Unreadable, few, json, values};
use crate::run::Parameters;

enum Record {
    Plain(Parameters),
    /// A document of bluesky with its name.
    Document(String, Value),
}

pub(super) fn read(text: &str) -> Result<Value, Unreadable> {
    let (mut first, mut last) = (None, Parameters::new());
    let mut documents = Parameters::new();
    let mut kept = 0;
    let lines = text.lines().zip(1..);
    for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
        few(values(line, true), MOST_PARAMETERS)?;
        let record = record(line).map_err(|(column, why)| {
            let is_last = number == text.lines().count() && !text.ends_with('\n');
            unreadable(number, column, &why, is_last)
        })?;
        match record {
            Record::Plain(object) if first.is_none() => first = Some(object),
            Record::Plain(object) => last = object,
            Record::Document(name, _) if name != "stop" && documents.contains_key(&name) => {}
            Record::Document(name, document) => {
                kept += values(line, true);
                few(kept, MOST_PARAMETERS)?;
                documents.insert(name, document);
            }
        }
    }
    let mut all = first.unwrap_or_default();
    all.append(&mut last);
    all.append(&mut documents);
    Ok(Value::Object(all))
}

fn unreadable(line: usize, column: usize, why: &str, is_last: bool) -> Unreadable {
    match is_last {
        true => Unreadable::at(
            line,
            column,
            "it is being written: its last line is not whole",
        ),
        false => Unreadable::at(line, column, format!("line {line} is no record: {why}")),
    }
}

fn record(line: &str) -> Result<Record, (usize, String)> {
    let value = json(line).map_err(|error| (error.column, error.what))?;
    match value {
        Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
            Ok([Value::String(name), document @ Value::Object(_)]) => {
                Ok(Record::Document(name, document))
            }
            _ => Err((1, "a list is one only as `[\"name\", {…}]`".into())),
        },
        Value::Object(object) => Ok(document(object)),
        _ => Err((1, "an object is needed".into())),
    }
}

fn document(mut object: Parameters) -> Record {
    let named = object.len() == 2 && object.get("doc").is_some_and(Value::is_object);
    match (
        named,
        object
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_owned),
    ) {
        (true, Some(name)) => Record::Document(name, object.remove("doc").unwrap_or_default()),
        _ => Record::Plain(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_lies_over_the_first_and_documents_go_by_name() {
        let table = [
            (
                "{\"run\": 1, \"events\": 0}\n{\"events\": 5}\r\n\n{\"events\": 1.50, \"end\": true}",
                "{\"run\":1,\"events\":1.50,\"end\":true}",
            ),
            (
                "[\"start\", {\"uid\": \"a\"}]\n[\"event\", {\"n\": 1}]\n[\"event\", {\"n\": 2}]\n\
                 {\"name\": \"stop\", \"doc\": {\"n\": 1}}\n[\"stop\", {\"n\": 2}]\n",
                "{\"start\":{\"uid\":\"a\"},\"event\":{\"n\":1},\"stop\":{\"n\":2}}",
            ),
            ("", "{}"),
        ];
        for (text, expected) in table {
            let read = read(text).map(|value| value.to_string());
            assert_eq!(read.as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_half_written_last_line_is_told_as_that() {
        let table = [
            ("{\"a\": 1}\n{\"a\":", 2, "being written"),
            ("{\"a\": 1}\n{\"a\":\n", 2, "line 2 is no record"),
            ("{\"a\":\n{\"a\": 1}", 1, "line 1 is no record"),
            ("5\n", 1, "an object is needed"),
            ("[1, 2]\n", 1, "a list"),
        ];
        for (text, line, what) in table {
            let refused = read(text).expect_err(text);
            assert!(
                refused.what.contains(what) && refused.line == line,
                "{refused:?}"
            );
        }
    }
}

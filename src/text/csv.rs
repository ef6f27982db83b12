//! Tables of text: the header names what the last row holds.

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::Value;

use super::{MOST_PARAMETERS, Unreadable, few, scalar};

pub(super) fn read(text: &str) -> Result<Value, Unreadable> {
    let header = text.lines().find(|line| !line.trim().is_empty());
    let header = header.ok_or_else(|| Unreadable::at(1, 1, "it has no header"))?;
    let (delimiter, columns) = delimiter(header);
    few(columns, MOST_PARAMETERS)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(&error))?.clone();
    let (mut row, mut last) = (StringRecord::new(), None);
    while reader
        .read_record(&mut row)
        .map_err(|error| wrong(&error))?
    {
        last = Some(std::mem::take(&mut row));
    }
    let last = last.ok_or_else(|| Unreadable::at(2, 1, "it has no row below its header yet"))?;
    let cells = header.iter().zip(last.iter());
    // A delimiter at the end of each line makes a column without a name.
    let named = cells.filter(|(name, _)| !name.is_empty());
    let entries = named.map(|(name, cell)| (name.to_owned(), scalar(cell)));
    Ok(Value::Object(entries.collect()))
}

/// The one that stands most often in the header, and how often; a comma if none does.
fn delimiter(header: &str) -> (u8, usize) {
    let count = |sign: u8| header.bytes().filter(|byte| *byte == sign).count();
    let counted = [b'\t', b';', b','].map(|sign| (sign, count(sign)));
    let most = counted.into_iter().max_by_key(|(_, count)| *count);
    most.unwrap_or((b',', 0))
}

fn wrong(error: &csv::Error) -> Unreadable {
    let line = error.position().map_or(0, csv::Position::line);
    let said = error.to_string();
    let said = said.strip_prefix("CSV error: ").unwrap_or(&said);
    let line = usize::try_from(line).unwrap_or_default();
    Unreadable::at(line, 1, format!("it is no CSV: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_row_is_read_by_the_header() {
        let expected = json!({"run": "007", "energy": 20.5, "note": "a, \"b\"; c"});
        for text in [
            "run,energy,note\n1,2,3\n007, 20.5,\"a, \"\"b\"\"; c\"",
            "run;energy;note;\r\n007;20.5;\"a, \"\"b\"\"; c\";\r\n\r\n",
            "\nrun\tenergy\tnote\n007\t20.5\t\"a, \"\"b\"\"; c\"\n",
        ] {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(read("one\n5").expect("CSV"), json!({"one": 5}));
    }

    #[test]
    fn a_row_that_is_not_whole_is_told_with_its_line() {
        for (text, what, line) in [
            ("a,b\n1,2\n3", "2 fields", 3),
            ("a,b\n", "no row", 2),
            (" \n", "no header", 1),
        ] {
            let refused = read(text).expect_err(text);
            assert!(
                refused.what.contains(what) && refused.line == line,
                "{refused:?}"
            );
        }
    }
}

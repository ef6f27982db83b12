//! A notebook file as JSON: reading, and the checks that rendering needs.

use serde_json::Value;

use super::NotebookError;

/// The file's text, without a byte order mark, and whether there was one.
pub(super) fn text(bytes: &[u8]) -> Result<(&str, bool), NotebookError> {
    let again = "save it again from Jupyter, as UTF-8";
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let what = "it is UTF-16 (it begins with that byte order mark); UTF-8 is needed";
        return Err(NotebookError::template(what, again));
    }
    let unmarked = bytes.strip_prefix(MARK);
    let text = std::str::from_utf8(unmarked.unwrap_or(bytes)).map_err(|error| {
        let what = format!("it is not UTF-8 (byte {})", error.valid_up_to());
        NotebookError::template(what, again)
    })?;
    if text.as_bytes().starts_with(MARK) {
        return Err(NotebookError::template(
            "it begins with two byte order marks",
            again,
        ));
    }
    Ok((text, unmarked.is_some()))
}

/// UTF-8's byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn parse(text: &str) -> Result<Value, NotebookError> {
    serde_json::from_str(text).map_err(|error| {
        let (what, advice) = no_json(text, &error);
        NotebookError::template(what, advice)
    })
}

/// What a text that JSON's reader refused is, and what to do. The reader has no codes for most of
/// it; its own text and the file's are all there is to tell by.
fn no_json(text: &str, error: &serde_json::Error) -> (String, &'static str) {
    let (line, column) = (error.line(), error.column());
    let place = format!("line {line} column {column}");
    let said = error.to_string();
    if said.starts_with("recursion limit") {
        let what = format!("it is nested too deep ({place}); 128 levels can be read");
        return (what, "clear the outputs and save it again");
    }
    if said.contains("surrogate") || said.contains("end of hex escape") {
        let what = format!("it has half of a UTF-16 pair (`\\ud800` to `\\udfff`) at {place}");
        return (
            what,
            "remove that character, which no text can hold, and save it again",
        );
    }
    if let Some(token) = non_finite(text, line, column) {
        let what = format!("it is no JSON: `{token}` at {place} is no number in JSON");
        return (what, "clear the outputs or the metadata holding it");
    }
    (
        format!("it is no JSON: {said}"),
        "save it again from Jupyter",
    )
}

/// The `NaN` or `Infinity` at a position, which Python writes though JSON has neither.
fn non_finite(text: &str, line: usize, column: usize) -> Option<&'static str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let tail = line.get(column.saturating_sub(2)..)?;
    ["NaN", "-Infinity", "Infinity"]
        .into_iter()
        .find(|token| (0..=1).any(|at| tail.get(at..).is_some_and(|t| t.starts_with(token))))
}

/// The minor version of a notebook that can be rendered.
pub(super) fn check(document: &Value) -> Result<u64, NotebookError> {
    const CONVERT: &str = "convert it: jupyter nbconvert --to notebook --nbformat 4 --output converted.ipynb TEMPLATE";
    let no_notebook = |why: &str| {
        let what = format!("it is JSON but no notebook: {why}");
        NotebookError::template(what, "save it again from Jupyter")
    };
    let major = document.get("nbformat").and_then(Value::as_u64);
    match major.ok_or_else(|| no_notebook("`nbformat` is missing"))? {
        4 => {}
        old @ 0..=3 => {
            let what = format!("it has the notebook format {old}; format 4 is needed");
            return Err(NotebookError::template(what, CONVERT));
        }
        new => {
            let what =
                format!("it has the notebook format {new}, which this version does not know");
            return Err(NotebookError::template(what, CONVERT));
        }
    }
    let minor = document.get("nbformat_minor").and_then(Value::as_u64);
    let minor = minor.ok_or_else(|| no_notebook("`nbformat_minor` is missing"))?;
    let cells = document.get("cells").and_then(Value::as_array);
    let cells = cells.ok_or_else(|| no_notebook("`cells` is missing"))?;
    if cells.iter().any(|cell| !cell.is_object()) {
        return Err(no_notebook("a cell is no object"));
    }
    Ok(minor)
}

//! A notebook file as JSON: reading, and the checks that rendering needs.

use serde_json::Value;

use super::NotebookError;
use crate::text::{Unreadable, fits, json, utf8};

/// The file's text, without a byte order mark, and whether there was one.
pub(super) fn text(bytes: &[u8]) -> Result<(&str, bool), NotebookError> {
    utf8(bytes).map_err(unreadable)
}

/// Refuses a template as text that is larger than any program a person writes: a line takes a
/// hundred times its byte in memory.
pub(super) fn fits_as_text(text: &str) -> Result<(), NotebookError> {
    fits(text, 1 << 20).map_err(unreadable)
}

pub(super) fn parse(text: &str) -> Result<Value, NotebookError> {
    json(text).map_err(unreadable)
}

fn unreadable(error: Unreadable) -> NotebookError {
    NotebookError::template(error.what, error.advice)
}

/// What stands for the file's name in a command.
pub(super) const FILE: &str = "TEMPLATE";

/// The minor version of a notebook that can be rendered.
pub(super) fn check(document: &Value) -> Result<u64, NotebookError> {
    let convert = format!(
        "convert it: jupyter nbconvert --to notebook --nbformat 4 --output converted.ipynb {FILE}"
    );
    let no_notebook = |why: &str| {
        let what = format!("it is JSON but no notebook: {why}");
        NotebookError::template(what, "save it again from Jupyter")
    };
    let major = document.get("nbformat").and_then(Value::as_u64);
    match major.ok_or_else(|| no_notebook("`nbformat` is missing"))? {
        4 => {}
        old @ 0..=3 => {
            let what = format!("it has the notebook format {old}; format 4 is needed");
            return Err(NotebookError::template(what, &*convert));
        }
        new => {
            let what =
                format!("it has the notebook format {new}, which this version does not know");
            return Err(NotebookError::template(what, &*convert));
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

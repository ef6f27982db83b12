//! A notebook file as JSON: reading, and the checks that rendering needs.

use serde_json::Value;

use super::NotebookError;

/// The file's text, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, NotebookError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("it is not UTF-8 (byte {})", error.valid_up_to());
        NotebookError::template(what, "save it again from Jupyter")
    })
}

pub(super) fn parse(text: &str) -> Result<Value, NotebookError> {
    serde_json::from_str(text).map_err(|error| {
        NotebookError::template(
            format!("it is no JSON: {error}"),
            "save it again from Jupyter",
        )
    })
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
    check_language(document)?;
    Ok(minor)
}

fn check_language(document: &Value) -> Result<(), NotebookError> {
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let kernel = &metadata["kernelspec"];
    let named = |value: &Value| value.as_str().map(str::to_lowercase);
    let language = named(&metadata["language_info"]["name"]).or_else(|| named(&kernel["language"]));
    match language.or_else(|| named(&kernel["name"])).as_deref() {
        Some(language) if language.starts_with("python") => Ok(()),
        Some(other) => Err(NotebookError::template(
            format!("its language is {other}; this version renders Python templates"),
            "use a Python template",
        )),
        None => Err(NotebookError::template(
            "it names no kernel",
            "open it in Jupyter, choose a kernel and save it",
        )),
    }
}

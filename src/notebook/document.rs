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
        let (line, column) = (error.line(), error.column());
        let place = format!("line {line} column {column}");
        // The reader has no code for either; its text and the file's are all there is to tell by.
        if error.to_string().starts_with("recursion limit") {
            let what = format!("it is nested too deep ({place}); 128 levels can be read");
            return NotebookError::template(what, "clear the outputs and save it again");
        }
        if let Some(token) = non_finite(text, line, column) {
            let what = format!("it is no JSON: `{token}` at {place} is no number in JSON");
            return NotebookError::template(what, "clear the outputs or the metadata holding it");
        }
        NotebookError::template(
            format!("it is no JSON: {error}"),
            "save it again from Jupyter",
        )
    })
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
    check_language(document)?;
    Ok(minor)
}

fn check_language(document: &Value) -> Result<(), NotebookError> {
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let kernel = &metadata["kernelspec"];
    let language = metadata["language_info"]["name"].as_str();
    let language = language.or_else(|| kernel["language"].as_str());
    let python = |name: &str| name.to_lowercase().starts_with("python");
    let choose = "open it in Jupyter, choose a kernel and save it";
    match (language, kernel["name"].as_str()) {
        (Some(language), _) if python(language) => Ok(()),
        (None, Some(kernel)) if python(kernel) => Ok(()),
        (Some(other), _) => Err(NotebookError::template(
            format!("its language `{other}` is not supported in this version"),
            "use a Python template",
        )),
        (None, Some(kernel)) => Err(NotebookError::template(
            format!("its kernel `{kernel}` says no language"),
            choose,
        )),
        (None, None) => Err(NotebookError::template("it names no kernel", choose)),
    }
}

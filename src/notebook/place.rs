//! Where the parameters go: papermill's rules (papermill 2.7, `parameterize.py`).

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::expression::{self, Scope};
use super::{NotebookError, Stamp, sha256};
use crate::run::{Parameters, plain_entries};

const DECLARED: &str = "parameters";
const INJECTED: &str = "injected-parameters";
/// On markdown cells whose placeholders are filled.
const FILLED: &str = "nbcourier";
/// What all placeholders of a notebook may come to together, bytes.
const LARGEST_FILL: usize = 4 << 20;
/// On cells in which papermill tells of an error of an earlier execution.
const ERROR_MARKER: &str = "papermill-error-cell-tag";

/// Replaces the first injected cell where it stands; else follows the first `parameters` cell;
/// else leads the notebook. An empty set injects nothing, but empties a stale injected cell. Marks
/// of an earlier execution's errors go.
pub(super) fn inject(
    notebook: &mut Value,
    source: Vec<String>,
    empty: bool,
    minor: u64,
    seed: &str,
) {
    let Some(cells) = notebook.get_mut("cells").and_then(Value::as_array_mut) else {
        return;
    };
    // Format 4.5 wants an id on every cell, older ones forbid it.
    let with_ids = minor >= 5;
    let taken = |id: &str| cells.iter().any(|cell| has_id(cell, id));
    let cell = cell(source, with_ids.then(|| free_id(seed, "injected", taken)));
    match position(cells, INJECTED) {
        Some(stale) => cells[stale] = cell,
        None if empty => {}
        None => cells.insert(position(cells, DECLARED).map_or(0, |at| at + 1), cell),
    }
    cells.retain(|cell| !is_tagged(cell, ERROR_MARKER));
    if with_ids {
        complete_ids(cells, seed);
    }
}

/// Fills the placeholders of markdown cells that are tagged for it.
pub(super) fn fill(notebook: &mut Value, values: &Parameters) -> Result<(), NotebookError> {
    let cells = notebook.get_mut("cells").and_then(Value::as_array_mut);
    let mut room = LARGEST_FILL;
    let mut scope = None;
    for (at, cell) in cells.into_iter().flatten().enumerate() {
        if !is_filled(cell) {
            continue;
        }
        let scope = scope.get_or_insert_with(|| Scope::of(values));
        let filled = expression::fill(&text(&cell["source"]), scope, &mut room);
        let filled = filled.map_err(|error| in_cell(at, error))?;
        cell["source"] = match cell["source"] {
            Value::Array(_) => filled.split_inclusive('\n').map(Value::from).collect(),
            _ => filled.into(),
        };
    }
    Ok(())
}

/// Whether the placeholders can be read at all.
pub(super) fn check_placeholders(notebook: &Value) -> Result<(), NotebookError> {
    let cells = notebook.get("cells").and_then(Value::as_array);
    let filled = cells.into_iter().flatten().enumerate();
    for (at, cell) in filled.filter(|(_, cell)| is_filled(cell)) {
        let checked = expression::check_text(&text(&cell["source"]));
        checked.map_err(|error| in_cell(at, error))?;
    }
    Ok(())
}

fn is_filled(cell: &Value) -> bool {
    cell["cell_type"] == "markdown" && is_tagged(cell, FILLED)
}

fn in_cell(at: usize, error: NotebookError) -> NotebookError {
    NotebookError {
        what: format!("cell {}: {}", at + 1, error.what),
        ..error
    }
}

fn cell(source: Vec<String>, id: Option<String>) -> Value {
    let mut cell = Map::new();
    cell.insert("cell_type".into(), "code".into());
    cell.insert("execution_count".into(), Value::Null);
    if let Some(id) = id {
        cell.insert("id".into(), id.into());
    }
    cell.insert("metadata".into(), json!({ "tags": [INJECTED] }));
    cell.insert("outputs".into(), json!([]));
    cell.insert("source".into(), source.into());
    Value::Object(cell)
}

fn position(cells: &[Value], tag: &str) -> Option<usize> {
    cells.iter().position(|cell| is_tagged(cell, tag))
}

/// Whether a cell has a tag. Where the tags are one text instead of a list, a part of it counts, as
/// in papermill.
pub(super) fn is_tagged(cell: &Value, tag: &str) -> bool {
    match cell
        .get("metadata")
        .and_then(|metadata| metadata.get("tags"))
    {
        Some(Value::Array(tags)) => tags.iter().any(|one| one == tag),
        Some(Value::String(tags)) => tags.contains(tag),
        _ => false,
    }
}

fn has_id(cell: &Value, id: &str) -> bool {
    cell.get("id").and_then(Value::as_str) == Some(id)
}

/// An id that isn't taken: eight hex digits, the same for the same seed and purpose.
fn free_id(seed: &str, purpose: &str, taken: impl Fn(&str) -> bool) -> String {
    let id = |n: u64| sha256(format!("{seed}\n{purpose}\n{n}").as_bytes())[..8].to_owned();
    (0..).map(id).find(|id| !taken(id)).unwrap_or_default()
}

/// Gives an id to each cell that has none.
fn complete_ids(cells: &mut [Value], seed: &str) {
    let lacks = |cell: &Value| cell.is_object() && cell.get("id").is_none_or(Value::is_null);
    if !cells.iter().any(lacks) {
        return;
    }
    let own = cells.iter().filter_map(|cell| cell.get("id")?.as_str());
    let mut all: HashSet<String> = own.map(str::to_owned).collect();
    for (at, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| lacks(cell)) {
        let id = free_id(seed, &at.to_string(), |id| all.contains(id));
        all.insert(id.clone());
        cell["id"] = id.into();
    }
}

/// Writes `metadata.papermill.parameters` and `metadata.nbcourier`.
pub(super) fn describe(
    notebook: &mut Value,
    parameters: &Parameters,
    template_sha256: &str,
    stamp: &Stamp<'_>,
) -> Result<(), NotebookError> {
    let wrong = |what: &str| NotebookError::template(what, "save it again from Jupyter");
    let notebook = notebook
        .as_object_mut()
        .ok_or_else(|| wrong("it is no JSON object"))?;
    let metadata = notebook.entry("metadata").or_insert_with(|| json!({}));
    let metadata = metadata
        .as_object_mut()
        .ok_or_else(|| wrong("`metadata` is no object"))?;
    let fresh = json!({ "default_parameters": {}, "environment_variables": {} });
    let papermill = metadata.entry("papermill").or_insert(fresh);
    let papermill = papermill
        .as_object_mut()
        .ok_or_else(|| wrong("`metadata.papermill` is no object"))?;
    for (key, path) in [
        ("input_path", stamp.input_path),
        ("output_path", stamp.output_path),
    ] {
        if let Some(path) = path {
            papermill.insert(key.into(), path.into());
        }
    }
    papermill.insert(
        "parameters".into(),
        Value::Object(plain_entries(parameters)),
    );
    let mut ours = Map::new();
    for (name, value) in [
        ("job", stamp.job),
        ("run", stamp.run),
        ("watch", stamp.watch),
    ] {
        if let Some(value) = value {
            ours.insert(name.into(), value.into());
        }
    }
    ours.insert("template_sha256".into(), template_sha256.into());
    ours.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    metadata.insert("nbcourier".into(), Value::Object(ours));
    Ok(())
}

/// The source of the `parameters` cell.
pub(super) fn declaring(notebook: &Value) -> Option<String> {
    let cells = notebook.get("cells")?.as_array()?;
    Some(text(&cells.get(position(cells, DECLARED)?)?["source"]))
}

/// A source as one text; files have it as a list of lines.
pub(super) fn text(source: &Value) -> String {
    match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    }
}

/// Names another kernel; what was said of the language goes if it is `foreign` to it.
pub(super) fn kernel(notebook: &mut Value, kernel: &str, foreign: bool) {
    let Some(notebook) = notebook.as_object_mut() else {
        return;
    };
    let metadata = notebook.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let mut spec = json!({ "display_name": kernel, "name": kernel });
    if foreign {
        metadata.remove("language_info");
    } else if let Some(language) = metadata
        .get("kernelspec")
        .and_then(|old| old.get("language"))
    {
        spec["language"] = language.clone();
    }
    metadata.insert("kernelspec".into(), spec);
}

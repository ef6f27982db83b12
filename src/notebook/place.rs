//! Where the parameters go: papermill's rules (papermill 2.7, `parameterize.py`).

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::literals::is_name;
use super::{NotebookError, Stamp, Template, sha256};
use crate::run::Parameters;

const DECLARED: &str = "parameters";
const INJECTED: &str = "injected-parameters";

/// Replaces the first injected cell where it stands; else follows the first `parameters` cell;
/// else leads the notebook. An empty set injects nothing, but empties a stale injected cell.
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
    let mut ids = (minor >= 5).then(|| Ids::of(cells, seed));
    let cell = cell(source, ids.as_mut().map(|ids| ids.free("injected")));
    match position(cells, INJECTED) {
        Some(stale) => cells[stale] = cell,
        None if empty => {}
        None => cells.insert(position(cells, DECLARED).map_or(0, |at| at + 1), cell),
    }
    if let Some(ids) = &mut ids {
        ids.complete(cells);
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
    cells.iter().position(|cell| {
        let tags = cell.pointer("/metadata/tags").and_then(Value::as_array);
        tags.is_some_and(|tags| tags.iter().any(|one| one == tag))
    })
}

/// The ids that a notebook's cells have, and new ones that none of them has.
struct Ids<'a> {
    taken: HashSet<String>,
    seed: &'a str,
}

impl<'a> Ids<'a> {
    fn of(cells: &[Value], seed: &'a str) -> Self {
        let own = cells.iter().filter_map(|cell| cell.get("id")?.as_str());
        Self {
            taken: own.map(str::to_owned).collect(),
            seed,
        }
    }

    /// Eight hex digits, the same for the same seed and purpose.
    fn free(&mut self, purpose: &str) -> String {
        let id = |n: u64| sha256(format!("{}\n{purpose}\n{n}", self.seed).as_bytes());
        let mut ids = (0..).map(|n| id(n)[..8].to_owned());
        let free = ids.find(|id| !self.taken.contains(id)).unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }

    fn complete(&mut self, cells: &mut [Value]) {
        for (at, cell) in cells.iter_mut().enumerate() {
            let Some(cell) = cell.as_object_mut() else {
                continue;
            };
            if cell.get("id").is_none_or(Value::is_null) {
                cell.insert("id".into(), self.free(&at.to_string()).into());
            }
        }
    }
}

/// Writes `metadata.papermill.parameters` and `metadata.nbcourier`.
pub(super) fn describe(
    notebook: &mut Value,
    parameters: &Parameters,
    template: &Template,
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
    let papermill = metadata.entry("papermill").or_insert_with(|| json!({}));
    let papermill = papermill
        .as_object_mut()
        .ok_or_else(|| wrong("`metadata.papermill` is no object"))?;
    papermill.insert("parameters".into(), Value::Object(parameters.clone()));
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
    ours.insert("template_sha256".into(), template.sha256().into());
    ours.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    metadata.insert("nbcourier".into(), Value::Object(ours));
    Ok(())
}

/// The names that the `parameters` cell assigns at the beginning of a line.
pub(super) fn declared(notebook: &Value) -> Vec<String> {
    let cells = notebook
        .get("cells")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let Some(cell) = position(cells, DECLARED).and_then(|at| cells.get(at)) else {
        return Vec::new();
    };
    let source = match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    };
    source
        .lines()
        .filter_map(assigned)
        .map(str::to_owned)
        .collect()
}

/// `name` of `name = …` and `name: type = …`.
fn assigned(line: &str) -> Option<&str> {
    let end = line.find(|c: char| c.is_whitespace() || ":=".contains(c))?;
    let (name, rest) = line.split_at(end);
    let value = match rest.trim_start().strip_prefix(':') {
        Some(annotated) => annotated.split_once('=')?.1,
        None => rest.trim_start().strip_prefix('=')?,
    };
    (is_name(name) && !value.starts_with('=')).then_some(name)
}

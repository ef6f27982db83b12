//! What of two notebooks has to be the same.

use serde_json::{Map, Value, json};

const INJECTED: &str = "injected-parameters";
const ERROR_MARKER: &str = "papermill-error-cell-tag";
/// What rendering sets in `metadata.papermill`; paths and version aren't asked for here.
const SET: [&str; 3] = ["default_parameters", "environment_variables", "parameters"];

fn tagged(cell: &Value, tag: &str) -> bool {
    match &cell["metadata"]["tags"] {
        Value::Array(tags) => tags.iter().any(|one| one == tag),
        Value::String(tags) => tags.contains(tag),
        _ => false,
    }
}

fn cells(notebook: &Value) -> &[Value] {
    notebook["cells"].as_array().map_or(&[], Vec::as_slice)
}

fn injected(notebook: &Value) -> Option<usize> {
    let mut cells = cells(notebook).iter();
    cells.position(|cell| tagged(cell, INJECTED))
}

fn text(source: &Value) -> String {
    match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    }
}

/// What papermill's notebook and ours share.
#[derive(Debug, PartialEq)]
pub struct Essence {
    /// Type and source of each.
    cells: Vec<(Value, String)>,
    injected: Option<usize>,
    injected_metadata: Value,
    papermill: Map<String, Value>,
}

impl Essence {
    pub fn of(notebook: &Value) -> Self {
        let injected = injected(notebook);
        let cell = |cell: &Value| (cell["cell_type"].clone(), text(&cell["source"]));
        let papermill = &notebook["metadata"]["papermill"];
        let set = |key: &str| Some((key.to_owned(), papermill.get(key)?.clone()));
        Self {
            cells: cells(notebook).iter().map(cell).collect(),
            injected,
            injected_metadata: injected
                .map_or(Value::Null, |at| cells(notebook)[at]["metadata"].clone()),
            papermill: SET.into_iter().filter_map(set).collect(),
        }
    }

    /// What papermill doesn't record where an older papermill has been and there is nothing to.
    pub fn completed(mut self) -> Self {
        self.papermill
            .entry("parameters")
            .or_insert_with(|| json!({}));
        self
    }

    /// What is made of an earlier rendering where there are no parameters: papermill doesn't touch
    /// it, we leave a `comment` only.
    pub fn emptied(mut self, comment: &str) -> Self {
        if let Some(stale) = self.injected {
            self.cells[stale] = ("code".into(), comment.to_owned());
            self.injected_metadata = json!({ "tags": [INJECTED] });
        }
        self.papermill.insert("parameters".into(), json!({}));
        self
    }
}

/// The template without what rendering takes away.
pub fn kept(mut template: Value) -> Value {
    if let Some(cells) = template["cells"].as_array_mut() {
        cells.retain(|cell| !tagged(cell, ERROR_MARKER));
    }
    template
}

/// Whether a template comes back to the byte: nothing is taken away or replaced, no id is missing.
pub fn comes_back(template: &Value) -> bool {
    let with_ids = template["nbformat_minor"].as_u64() >= Some(5);
    cells(template).iter().all(|cell| {
        let id = !with_ids || cell.get("id").is_some();
        id && !tagged(cell, ERROR_MARKER) && !tagged(cell, INJECTED)
    })
}

/// A rendered notebook without what rendering adds to the template, whose `kept` part is given.
pub fn undone(mut notebook: Value, kept: &Value) -> Value {
    if let Some(at) = injected(&notebook) {
        let cells = notebook["cells"].as_array_mut().expect("cells");
        match injected(kept) {
            Some(_) => cells[at] = kept["cells"][at].clone(),
            None => drop(cells.remove(at)),
        }
    }
    let rendered = notebook["cells"].as_array_mut().expect("cells");
    for (cell, old) in rendered.iter_mut().zip(cells(kept)) {
        restore(cell, "id", old);
    }
    let old = &kept["metadata"];
    let metadata = &mut notebook["metadata"];
    for key in SET {
        restore(&mut metadata["papermill"], key, &old["papermill"]);
    }
    if metadata["papermill"] == json!({}) {
        restore(metadata, "papermill", old);
    }
    restore(metadata, "nbcourier", old);
    notebook
}

/// Gives an entry back what it was.
fn restore(object: &mut Value, key: &str, old: &Value) {
    let entries = object.as_object_mut().expect("an object");
    match old.get(key) {
        Some(value) => drop(entries.insert(key.to_owned(), value.clone())),
        None => drop(entries.shift_remove(key)),
    }
}

//! What stands above the cells: the interpreter and coding lines, and a YAML header.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::notebook::NotebookError;
use crate::text::Format;

/// What a text begins with.
pub(super) struct Header {
    /// The notebook's metadata.
    pub(super) metadata: Map<String, Value>,
    /// What the header says besides, as the raw cell that holds it.
    pub(super) cell: Option<Value>,
    /// The first line behind it.
    pub(super) next: usize,
}

/// PEP 263.
static CODING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\A[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)").ok());

fn coding(line: &str) -> bool {
    CODING.as_ref().is_some_and(|coding| coding.is_match(line))
}

fn uncommented(line: &str) -> &str {
    let bare = line.strip_prefix('#').unwrap_or(line);
    bare.strip_prefix(' ').unwrap_or(bare)
}

pub(super) fn read(lines: &[&str]) -> Result<Header, NotebookError> {
    let mut start = usize::from(lines.first().is_some_and(|line| line.starts_with("#!")));
    start += usize::from(lines.get(start).is_some_and(|line| coding(line)));
    let none = |next| Header {
        metadata: with_kernel(Map::new()),
        cell: None,
        next,
    };
    let is_rule =
        |at: &usize| lines[*at].starts_with('#') && uncommented(lines[*at]).trim_end() == "---";
    // Only empty comments may stand before it.
    let filled =
        |at: &usize| !lines[*at].starts_with('#') || !uncommented(lines[*at]).trim().is_empty();
    let open = (start..lines.len()).find(filled).filter(is_rule);
    let commented = |at: &usize| lines[*at].starts_with('#');
    let close = open.and_then(|open| (open + 1..lines.len()).take_while(commented).find(is_rule));
    let Some((open, close)) = open.zip(close) else {
        return Ok(none(start));
    };
    let (mut jupyter, mut rest, mut inside) = (Vec::new(), Vec::new(), false);
    for line in lines[open + 1..close].iter().map(|line| uncommented(line)) {
        if line
            .trim_end()
            .strip_suffix(':')
            .is_some_and(|key| key.trim_end() == "jupyter")
        {
            inside = true;
        } else if line.starts_with(|c: char| !c.is_whitespace()) {
            inside = false;
        }
        if inside {
            jupyter.push(line)
        } else {
            rest.push(line)
        }
    }
    let metadata = metadata(&jupyter, open + 1)?;
    let blank = lines
        .get(close + 1)
        .is_some_and(|line| uncommented(line).trim().is_empty());
    Ok(Header {
        metadata: with_kernel(metadata),
        cell: raw_cell(&rest),
        next: close + 1 + usize::from(blank),
    })
}

/// The notebook's metadata; what concerns the text's format alone is left out.
fn metadata(jupyter: &[&str], line: usize) -> Result<Map<String, Value>, NotebookError> {
    let advice = "write it as jupytext does: `# ---`, `# jupyter:`, `#   kernelspec:`, …, `# ---`";
    let wrong =
        |why: String| NotebookError::template(format!("the header at line {line}: {why}"), advice);
    if jupyter.is_empty() {
        return Ok(Map::new());
    }
    let read = Format::Yaml
        .read(&jupyter.join("\n"))
        .map_err(|error| wrong(error.what))?;
    match read {
        Value::Object(mut entries) => match entries.remove("jupyter") {
            Some(Value::Object(mut metadata)) => {
                metadata.remove("jupytext");
                Ok(metadata)
            }
            _ => Err(wrong("`jupyter` holds no keys".into())),
        },
        _ => Err(wrong("it holds no keys".into())),
    }
}

/// Jupytext keeps the rest of the header as a raw cell.
fn raw_cell(rest: &[&str]) -> Option<Value> {
    if rest.is_empty() {
        return None;
    }
    let lines = ["---"].into_iter().chain(rest.iter().copied());
    let mut source: Vec<Value> = lines.map(|line| format!("{line}\n").into()).collect();
    source.push("---".into());
    Some(json!({ "cell_type": "raw", "metadata": {}, "source": source }))
}

/// A Python text without a kernel is for Python's own.
fn with_kernel(mut metadata: Map<String, Value>) -> Map<String, Value> {
    let python = json!({ "display_name": "Python 3", "language": "python", "name": "python3" });
    metadata.entry("kernelspec").or_insert(python);
    metadata
}

//! Templates as text: Python in the py:percent format, as jupytext reads it.
//!
//! Of what jupytext does this leaves out: it keeps comments that merely look like a shell command
//! (`# copy the data`) or a question, and takes no metadata that it can't read. Cell ids follow from
//! the text, so that the same text gives the same notebook.

mod body;
mod header;
mod marker;

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::{NotebookError, sha256};
use body::Quotes;
use marker::{Kind, Marker};

/// Where a cell begins: `# %%` and what follows; also as older editors write it.
static BEGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let old = r"<codecell>|In\[[0-9 ]*\]:?";
    Regex::new(&format!(r"\A\s*#\s*(?:%%%*\s.*|(?:%%|{old})\s*)\z")).ok()
});

fn begins(line: &str) -> bool {
    BEGINS.as_ref().is_some_and(|begins| begins.is_match(line))
}

/// The notebook that a text stands for, in format 4.5.
///
/// # Errors
/// `TemplateInvalid` with the line: a header that is no YAML, metadata that can't be read.
pub(super) fn read(text: &str) -> Result<Value, NotebookError> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let header = header::read(&lines)?;
    let fences = body::Fences::of(&lines);
    let mut cells: Vec<Value> = header.cell.into_iter().collect();
    let mut ids = HashSet::new();
    let mut at = header.next;
    while at < lines.len() && !text.is_empty() {
        let (cell, next) = cell(&lines, at, &fences)?;
        cells.push(cell);
        at = next;
    }
    for (position, cell) in cells.iter_mut().enumerate() {
        let id = id(position, &cell["source"], &mut ids);
        // Between `execution_count` and `metadata`, where Jupyter's sorted keys have it.
        cell["id"] = id.into();
        cell.sort_all_objects();
    }
    Ok(json!({ "cells": cells, "metadata": header.metadata, "nbformat": 4, "nbformat_minor": 5 }))
}

/// Eight hex digits of position and text, the same for the same text.
fn id(position: usize, source: &Value, taken: &mut HashSet<String>) -> String {
    let ids =
        (0..).map(|n| sha256(format!("{position}\n{n}\n{source}").as_bytes())[..8].to_owned());
    let mut free = ids.filter(|id| !taken.contains(id));
    let id = free.next().unwrap_or_default();
    taken.insert(id.clone());
    id
}

/// The cell that begins at a line, and where the next one begins.
fn cell(
    lines: &[&str],
    start: usize,
    fences: &body::Fences,
) -> Result<(Value, usize), NotebookError> {
    let marked = begins(lines[start]);
    let mut marker = match marked {
        true => Marker::read(lines[start], start + 1)?,
        false => Marker::default(),
    };
    let next = end(lines, start, marker.kind, fences);
    let first = start + usize::from(marked);
    let last = trimmed(lines, start, next).max(first);
    let (kind, source) = body::source(&mut marker, &lines[first..last]);
    let mut source: Vec<Value> = source
        .iter()
        .map(|line| format!("{line}\n").into())
        .collect();
    if let Some(last) = source.last_mut() {
        *last = last
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('\n')
            .into();
    }
    Ok((written(kind, marker.metadata, source), next))
}

fn written(kind: Kind, metadata: Map<String, Value>, source: Vec<Value>) -> Value {
    match kind {
        Kind::Code => json!({
            "cell_type": "code", "execution_count": null, "metadata": metadata, "outputs": [],
            "source": source
        }),
        Kind::Markdown => {
            json!({ "cell_type": "markdown", "metadata": metadata, "source": source })
        }
        Kind::Raw => json!({ "cell_type": "raw", "metadata": metadata, "source": source }),
    }
}

/// Where the next cell begins: markers inside a quoted text or a fenced block are none.
fn end(lines: &[&str], start: usize, kind: Kind, fences: &body::Fences) -> usize {
    let mut quotes = Quotes::default();
    let mut fence = None;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let quoted = quotes.read(line);
        if quoted {
            continue;
        }
        if kind != Kind::Code {
            match fence {
                Some(open) => {
                    if fences.closes(at, open) {
                        fence = None;
                    }
                    continue;
                }
                None => fence = fences.opens(at),
            }
            if fence.is_some() {
                continue;
            }
        }
        if at > start && begins(line) {
            return at;
        }
    }
    lines.len()
}

/// Where a cell's text ends: one empty line, or two blank ones after text, only separate.
fn trimmed(lines: &[&str], start: usize, next: usize) -> usize {
    let blank = |at: usize| lines[at].trim().is_empty();
    if next >= start + 3 && !blank(next - 3) && blank(next - 2) && blank(next - 1) {
        next - 2
    } else if next > start && lines[next - 1].is_empty() {
        next - 1
    } else {
        next
    }
}

#[cfg(test)]
mod tests;

//! The notebooks that both programs get: real ones, and all arrangements of the cells that matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A file and what it holds.
pub struct Notebook {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// All notebooks below a directory, each content once.
pub fn corpus(directory: &Path) -> Vec<Notebook> {
    let mut contents = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "ipynb") {
                let bytes = std::fs::read(&path).expect("a notebook");
                let first = contents.entry(bytes).or_insert_with(|| path.clone());
                *first = path.min(first.clone());
            }
        }
    }
    let notebook = |(bytes, path)| Notebook { path, bytes };
    let mut notebooks: Vec<Notebook> = contents.into_iter().map(notebook).collect();
    notebooks.sort_by(|one, other| one.path.cmp(&other.path));
    notebooks
}

/// A kernel and its language, each with papermill's own name for one of the two.
const LANGUAGES: &[(&str, &str)] = &[
    ("python3", "python"),
    ("ir", "R"),
    ("scala", "scala"),
    ("julia-1.10", "julia"),
    ("matlab", "matlab"),
    ("bash", "bash"),
];

/// Cells by their tags: `p` parameters, `i` injected, `e` error marker, `o` another one, `-` none;
/// upper case tags a Markdown cell, `'` makes one text of the tags before it.
const ARRANGEMENTS: &[&str] = &[
    "", "-", "--", "o", "p", "-p", "-p-", "op-", "pi", "-pi-", "ip", "-i-p-", "i", "-i", "i-",
    "pp", "-p-p-", "ii", "pii", "ipi", "pip", "p'", "-p'-", "i'", "pi'", "p'i'-", "P", "-P-", "Pp",
    "I", "pI-", "IP-", "e", "ep", "e-ep-", "epi-", "eip", "pe-", "-pEi-", "e-i", "e'-p",
];

/// Every arrangement in every language and minor format, written into a directory.
pub fn generated(directory: &Path) -> Vec<Notebook> {
    let mut notebooks = Vec::new();
    for (kernel, language) in LANGUAGES {
        for minor in 0..=5 {
            for (at, arrangement) in ARRANGEMENTS.iter().enumerate() {
                let path = directory.join(format!("{language}-4.{minor}-{at:02}.ipynb"));
                let notebook = json!({
                    "cells": cells(arrangement, minor),
                    "metadata": {
                        "kernelspec": { "display_name": kernel, "name": kernel },
                        "language_info": { "name": language },
                    },
                    "nbformat": 4,
                    "nbformat_minor": minor,
                });
                let bytes = serde_json::to_vec(&notebook).expect("JSON");
                std::fs::write(&path, &bytes).expect("write");
                notebooks.push(Notebook { path, bytes });
            }
        }
    }
    notebooks
}

fn cells(arrangement: &str, minor: u64) -> Vec<Value> {
    let mut cells: Vec<Value> = Vec::new();
    for letter in arrangement.chars() {
        if letter == '\'' {
            let tags = &mut cells.last_mut().expect("a cell")["metadata"]["tags"];
            *tags = tags[0].take();
            continue;
        }
        let mut cell = cell(letter, cells.len());
        if minor >= 5 {
            cell["id"] = format!("cell-{}", cells.len()).into();
        }
        cells.push(cell);
    }
    cells
}

fn cell(letter: char, at: usize) -> Value {
    let metadata = match letter.to_ascii_lowercase() {
        'p' => json!({ "tags": ["parameters"] }),
        'i' => json!({ "tags": ["injected-parameters"] }),
        'e' => json!({ "tags": ["papermill-error-cell-tag"] }),
        'o' => json!({ "tags": ["parameter", "my-parameters", "hide-input"] }),
        _ => json!({}),
    };
    let source = json!([format!("run = {at}\n"), "beam = \"muon\""]);
    if letter.is_ascii_uppercase() {
        return json!({ "cell_type": "markdown", "metadata": metadata, "source": source });
    }
    json!({
        "cell_type": "code", "execution_count": null, "metadata": metadata, "outputs": [],
        "source": source,
    })
}

//! A value in any language: the first byte chooses the language, the rest is the value in JSON, or
//! else a text, as value, in a list, and as a key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nbcourier::notebook::{Stamp, Template, holds, render};
use nbcourier::run::Parameters;
use serde_json::{Value, json};

const LANGUAGES: [&str; 13] = [
    "python",
    "r",
    "julia",
    "scala",
    "c++",
    "matlab",
    "octave",
    "c#",
    "f#",
    "powershell",
    "bash",
    "javascript",
    "ruby",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let language = LANGUAGES[usize::from(*kind) % LANGUAGES.len()];
    let cell = json!({
        "cell_type": "code", "metadata": { "tags": ["parameters"] }, "outputs": [],
        "execution_count": null, "source": String::from_utf8_lossy(bytes)
    });
    let markdown = json!({
        "cell_type": "markdown", "metadata": { "tags": ["nbcourier"] },
        "source": String::from_utf8_lossy(bytes)
    });
    let notebook = |cells: Value| {
        json!({
            "cells": cells, "metadata": { "language_info": { "name": language } },
            "nbformat": 4, "nbformat_minor": 4
        })
    };
    let parse = |cells| Template::parse(notebook(cells).to_string().as_bytes());
    let text = String::from_utf8_lossy(bytes).into_owned();
    let value: Value = serde_json::from_slice(bytes).unwrap_or_else(|_| text.clone().into());
    let entries = json!({ "v": value, "l": [value, value], "m": { text.clone(): value } });
    let parameters: Parameters = entries.as_object().expect("a map").clone();
    let template = parse(json!([cell])).expect("a template");
    let _ = template.declared();
    if let Ok(rendered) = render(
        &template,
        &template.typed(parameters.clone()),
        &Stamp::default(),
    ) {
        let rendered: Value = serde_json::from_slice(&rendered).expect("JSON");
        let source = rendered["cells"][1]["source"].to_string();
        assert!(source.is_ascii() || language == "bash", "{source}");
    }
    let _ = holds(&text, &parameters);
    let filled = parse(json!([markdown])).expect("a template");
    let _ = render(&filled, &Parameters::new(), &Stamp::default());
    let named = Parameters::from_iter([(text, json!(1))]);
    let _ = render(&filled, &named, &Stamp::default());
});

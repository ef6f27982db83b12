//! Every literal that is written, evaluated by the language's real interpreter.
//!
//! Each program is the injected cell as it stands, and a dump of its variables in a form that says
//! the type of everything (`dump.*`); what comes back must be what was given, and no text of a
//! value may have run.

mod dumped;
mod languages;
mod papermill;
mod values;

use std::path::Path;
use std::process::Command;

use nbcourier::notebook::{Stamp, Template, render};
use nbcourier::run::Parameters;
use serde_json::{Value, json};

use dumped::Dumped;
use languages::{LANGUAGES, Spoken};

/// Values evaluated at least, per language.
fn count() -> usize {
    if std::env::var_os("NBC_TEST_LONG").is_some() {
        5000
    } else {
        300
    }
}

fn template(language: &str) -> Template {
    let notebook = json!({
        "cells": [], "metadata": { "language_info": { "name": language } },
        "nbformat": 4, "nbformat_minor": 5
    });
    Template::parse(notebook.to_string().as_bytes()).expect("a template")
}

/// The lines of the injected cell, or why the language can't hold it.
fn cell(template: &Template, parameters: &Parameters) -> Result<Vec<String>, String> {
    let bytes = render(template, parameters, &Stamp::default()).map_err(|error| error.what)?;
    let notebook: Value = serde_json::from_slice(&bytes).expect("JSON");
    let lines = notebook["cells"][0]["source"].as_array().expect("lines");
    Ok(lines
        .iter()
        .map(|line| line.as_str().expect("a line").to_owned())
        .collect())
}

/// The values that the language holds, each with its variable.
fn held(template: &Template, spoken: &Spoken) -> Vec<(String, Value)> {
    let mut held = Vec::new();
    for value in values::generated(count() * 2) {
        let name = format!("v{}", held.len());
        let parameters = Parameters::from_iter([(name.clone(), value.clone())]);
        match cell(template, &parameters) {
            Ok(_) => held.push((name, value)),
            Err(why) => assert!(
                spoken.refuses.iter().any(|known| why.contains(known)),
                "{} refuses {value}: {why}",
                spoken.name
            ),
        }
    }
    held
}

fn evaluated(spoken: &Spoken, held: &[(String, Value)], directory: &Path) -> Vec<String> {
    let template = template(spoken.name);
    let cells: Vec<(Vec<String>, Vec<&str>)> = held
        .chunks(spoken.chunk)
        .map(|chunk| {
            let parameters: Parameters = chunk.iter().cloned().collect();
            let lines = cell(&template, &parameters).expect("each alone was held");
            (lines, chunk.iter().map(|(name, _)| name.as_str()).collect())
        })
        .collect();
    std::fs::write(directory.join(spoken.file), (spoken.program)(&cells)).expect("write");
    let mut printed = String::new();
    for (step, command) in spoken.commands.iter().enumerate() {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory)
            .env("LC_ALL", "C.UTF-8")
            .stdin(std::process::Stdio::null())
            .output()
            .expect("sh");
        let said = String::from_utf8_lossy(&output.stderr)
            .chars()
            .take(3000)
            .collect::<String>();
        assert!(
            output.status.success(),
            "{} step {step}: {said}",
            spoken.name
        );
        printed = String::from_utf8(output.stdout).expect("UTF-8");
    }
    printed.lines().map(str::to_owned).collect()
}

fn check(name: &str) {
    let spoken = LANGUAGES
        .iter()
        .find(|spoken| spoken.name == name)
        .expect("a language");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let held = held(&template(name), spoken);
    assert!(held.len() >= count(), "{name}: only {} values", held.len());
    let lines = evaluated(spoken, &held, directory.path());
    assert_eq!(lines.len(), held.len(), "{name}");
    for ((_, value), line) in held.iter().zip(&lines) {
        let given = Dumped::of(&(spoken.view)(value));
        let got = Dumped::read(line).unwrap_or_else(|| panic!("{name}: {line}"));
        assert!(given.is(&got, spoken), "{name}: {value} became {line}");
    }
    assert!(
        !directory.path().join("pwned").exists(),
        "{name}: a value has run"
    );
}

macro_rules! languages {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { check($name); })*
    };
}

languages! {
    python "python"
    r "R"
    octave "octave"
    bash "bash"
    cpp "c++"
    csharp "c#"
    scala "scala"
    javascript "javascript"
    ruby "ruby"
}

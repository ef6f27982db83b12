//! Rendering beside papermill itself, over real notebooks and over every arrangement of cells.
//!
//! Where the two differ on purpose: an empty set of parameters empties a stale injected cell and
//! the recorded parameters, which papermill leaves alone; cells get no empty `tags` and `papermill`, and the notebook keeps its minor
//! format; a notebook that names a language but no kernel is rendered, as are more languages.

mod compare;
mod notebooks;

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nbcourier::notebook::{Stamp, Template, render};
use nbcourier::run::Parameters;
use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use crate::hub::environment;
use compare::{Essence, comes_back, kept, undone};
use notebooks::{Notebook, corpus, generated};

const NO_TRANSLATOR: Option<&str> = Some("PapermillException: No parameter translator ");
const NO_KERNEL: Option<&str> = Some("ValueError: No kernel name found ");
const OLD: Option<&str> = Some("it has the notebook format ");

/// How the sentences begin with which papermill and we refuse a notebook of the corpus.
const REFUSALS: &[(Option<&str>, Option<&str>)] = &[
    // papermill converts some of the old formats.
    (None, OLD),
    (NO_KERNEL, OLD),
    (Some("AttributeError: 'dict' object has no "), OLD),
    (Some("ValidationError: Notebook could not be "), OLD),
    (Some("ValidationError: The notebook is invalid "), OLD),
    (
        Some("ValidationError: The v4 notebook does not include "),
        Some("it is JSON but no notebook: `nbformat_minor` "),
    ),
    (NO_KERNEL, Some("it names no kernel")),
    // Its kernel is no object.
    (
        Some("AttributeError: 'str' object has no "),
        Some("it names no kernel"),
    ),
    (NO_TRANSLATOR, Some("its language `")),
    // We know more languages, but not how to write every value.
    (NO_TRANSLATOR, None),
    (NO_TRANSLATOR, Some("the parameter `extra`: a list or map ")),
    // The language is enough for us.
    (NO_KERNEL, None),
];

/// A rendering that is asked of both programs.
struct Job<'a> {
    notebook: &'a Notebook,
    parameters: Parameters,
    /// In place of what the notebook says.
    language: Option<&'static str>,
}

/// papermill's answer.
struct Reference {
    rendered: Result<Value, String>,
    /// Whether the template's file is laid out as Jupyter does.
    own_style: bool,
}

fn ours(job: &Job) -> Result<Vec<u8>, String> {
    let rendered = Template::parse(&job.notebook.bytes).and_then(|mut template| {
        template.ask(None, job.language);
        render(&template, &job.parameters, &Stamp::default())
    });
    rendered.map_err(|error| error.what)
}

fn theirs(jobs: &[Job]) -> Vec<Reference> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/papermill/reference.py");
    let mut python = Command::new(environment().join("papermill/bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("papermill's Python");
    let mut stdin = python.stdin.take().expect("its input");
    for job in jobs {
        let line = json!({
            "path": job.notebook.path, "parameters": job.parameters, "language": job.language,
        });
        writeln!(stdin, "{line}").expect("it reads");
    }
    drop(stdin);
    let output = python.wait_with_output().expect("its output");
    assert!(output.status.success(), "{}", output.status);
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let references: Vec<Reference> = lines.lines().map(reference).collect();
    assert_eq!(references.len(), jobs.len());
    references
}

fn reference(line: &str) -> Reference {
    let mut answer: Value = serde_json::from_str(line).expect("JSON");
    let error = answer["error"].as_str().map(str::to_owned);
    Reference {
        own_style: answer["own_style"] == true,
        rendered: error.map_or_else(|| Ok(answer["notebook"].take()), Err),
    }
}

/// Values of every kind; papermill writes no map in bash.
fn parameters(notebook: &Notebook) -> Parameters {
    let values = json!({
        "run": 1234, "name": "run_001234", "energy": 12.5, "beam": "electron",
        "flags": [true, false], "extra": { "a": 1, "b": [1, 2] }, "big": 12_345_678_901_u64,
    });
    let mut values = values.as_object().expect("an object").clone();
    let language = Template::parse(&notebook.bytes).and_then(|template| template.language());
    if language == Ok("bash") {
        values.remove("extra");
    }
    values
}

/// Each with parameters and without, and where no kernel is named, with parameters in Python.
fn jobs(notebooks: &[Notebook]) -> Vec<Job<'_>> {
    let job = |notebook, parameters, language| Job {
        notebook,
        parameters,
        language,
    };
    let mut jobs = Vec::new();
    for notebook in notebooks {
        jobs.push(job(notebook, parameters(notebook), None));
        jobs.push(job(notebook, Parameters::new(), None));
        let read: Value = serde_json::from_slice(&notebook.bytes).unwrap_or_default();
        if read.pointer("/metadata/kernelspec/name").is_none() {
            jobs.push(job(notebook, parameters(notebook), Some("python")));
        }
    }
    jobs
}

fn compare(job: &Job, theirs: &Value, ours: &[u8]) {
    let name = job.notebook.path.display();
    let ours: Value = serde_json::from_slice(ours).expect("JSON");
    let mut expected = Essence::of(theirs).completed();
    if job.parameters.is_empty() {
        expected = expected.emptied(comment(job.notebook));
    }
    assert_eq!(Essence::of(&ours), expected, "{name}, ours and papermill's");
    let template = kept(serde_json::from_slice(&job.notebook.bytes).expect("JSON"));
    assert_eq!(undone(ours, &template), template, "{name} is not kept");
}

/// What an emptied cell holds.
fn comment(notebook: &Notebook) -> &'static str {
    let language = Template::parse(&notebook.bytes).and_then(|template| template.language());
    match language {
        Ok("MATLAB") => "% Parameters\n",
        Ok("Scala") => "// Parameters\n",
        Ok(_) => "# Parameters\n",
        Err(_) => "",
    }
}

/// The row of `REFUSALS` that allows this.
fn allowed(job: &Job, theirs: Option<&str>, ours: Option<&str>) -> usize {
    let is = |said: Option<&str>, row: Option<&str>| match (said, row) {
        (Some(said), Some(row)) => said.starts_with(row),
        (said, row) => said.is_none() && row.is_none(),
    };
    let mut rows = REFUSALS.iter();
    let row = rows.position(|row| is(theirs, row.0) && is(ours, row.1));
    let name = job.notebook.path.display();
    row.unwrap_or_else(|| panic!("{name}: papermill says {theirs:?}, we say {ours:?}"))
}

/// The jobs that both have rendered alike, and how often each refusal came.
fn compared<'a>(jobs: &'a [Job<'a>]) -> (Vec<&'a Job<'a>>, BTreeMap<usize, usize>) {
    let mut alike = Vec::new();
    let mut refused = BTreeMap::new();
    for (job, reference) in jobs.iter().zip(theirs(jobs)) {
        match (reference.rendered, ours(job)) {
            (Ok(theirs), Ok(ours)) => {
                compare(job, &theirs, &ours);
                alike.push(job);
            }
            (theirs, ours) => {
                let (theirs, ours) = (theirs.err(), ours.err());
                let row = allowed(job, theirs.as_deref(), ours.as_deref());
                *refused.entry(row).or_default() += 1;
            }
        }
    }
    (alike, refused)
}

#[test]
fn real_notebooks_are_rendered_as_by_papermill() {
    let notebooks = corpus(&environment().join("corpus"));
    let jobs = jobs(&notebooks);
    let (alike, refused) = compared(&jobs);
    let (without, with): (Vec<&Job>, Vec<&Job>) =
        alike.iter().partition(|job| job.parameters.is_empty());
    let distinct: HashSet<&Path> = with.iter().map(|job| &*job.notebook.path).collect();
    let (with, without) = (distinct.len(), without.len());
    eprintln!(
        "{} notebooks, {with} alike with parameters, {without} without",
        notebooks.len()
    );
    for (row, (theirs, ours)) in REFUSALS.iter().enumerate() {
        let times = refused.get(&row).copied().unwrap_or_default();
        eprintln!("{times} times papermill says {theirs:?}, we say {ours:?}");
        assert!(times > 0, "nothing is refused like this any more");
    }
    assert!(notebooks.len() >= 150 && with >= 100 && without >= 150);
}

#[test]
fn every_arrangement_of_cells_is_rendered_as_by_papermill() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let notebooks = generated(directory.path());
    let jobs = jobs(&notebooks);
    let (alike, refused) = compared(&jobs);
    assert!(refused.is_empty(), "{refused:?}");
    assert!(alike.len() >= 1000, "{}", alike.len());
    eprintln!("{} renderings alike", alike.len());
}

fn as_jupyter_writes(notebook: &Value) -> String {
    let mut bytes = Vec::new();
    let layout = PrettyFormatter::with_indent(b" ");
    let mut writer = Serializer::with_formatter(&mut bytes, layout);
    notebook.serialize(&mut writer).expect("JSON");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn real_notebooks_keep_every_byte_that_is_not_rendered() {
    let notebooks = corpus(&environment().join("corpus"));
    let jobs: Vec<Job> = notebooks
        .iter()
        .map(|notebook| Job {
            notebook,
            parameters: Parameters::new(),
            language: None,
        })
        .collect();
    let (mut kept, mut changed) = (0, 0);
    for (job, reference) in jobs.iter().zip(theirs(&jobs)) {
        let template: Value = serde_json::from_slice(&job.notebook.bytes).expect("JSON");
        if !reference.own_style || template["nbformat"] != 4 {
            continue;
        }
        if !comes_back(&template) {
            changed += 1;
            continue;
        }
        // What is refused, and why, is the other test's matter.
        let Ok(bytes) = ours(job) else {
            continue;
        };
        let name = job.notebook.path.display();
        let rendered: Value = serde_json::from_slice(&bytes).expect("JSON");
        let whole = as_jupyter_writes(&rendered).into_bytes();
        assert!(whole == bytes, "{name} has lost its layout");
        let text = as_jupyter_writes(&undone(rendered, &template));
        assert!(text.as_bytes() == job.notebook.bytes, "{name}: {text}");
        kept += 1;
    }
    eprintln!("{kept} are kept to the byte, {changed} have cells to change");
    assert!(kept >= 80, "{kept}");
}

/// An old notebook is refused with a command; the command is run as it stands.
#[test]
fn the_conversion_that_is_advised_for_an_old_notebook_works() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let old = json!({
        "nbformat": 3, "nbformat_minor": 0, "metadata": { "name": "" },
        "worksheets": [{ "metadata": {}, "cells": [{
            "cell_type": "code", "collapsed": false, "input": ["run = 0"], "language": "python",
            "metadata": {}, "outputs": [], "prompt_number": 1
        }] }]
    });
    std::fs::write(directory.path().join("an old one.ipynb"), old.to_string()).expect("write");
    let render = |template: &str| {
        Command::new(env!("CARGO_BIN_EXE_nbcourier"))
            .args(["render", template, "-", "-l", "python", "-p", "run", "7"])
            .current_dir(directory.path())
            .output()
            .expect("the program")
    };
    let refused = String::from_utf8(render("an old one.ipynb").stderr).expect("UTF-8");
    let advised = refused
        .split("convert it: ")
        .nth(1)
        .expect("a command")
        .trim();
    let path = std::env::var("PATH").expect("a PATH");
    let done = Command::new("sh")
        .args(["-c", advised])
        .current_dir(directory.path())
        .env(
            "PATH",
            format!("{}:{path}", environment().join("python/bin").display()),
        )
        .output()
        .expect("sh");
    assert!(
        done.status.success(),
        "{advised}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let rendered = render("converted.ipynb");
    let rendered: Value = serde_json::from_slice(&rendered.stdout).expect("a notebook");
    assert_eq!(rendered["cells"].as_array().map(Vec::len), Some(2));
}

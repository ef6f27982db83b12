//! Rendering beside papermill in the same run: `cargo bench --bench render`, after `tests/setup`.
//!
//! The goals are 500 times papermill as processes, 50 times within one process, and three times the
//! plain reading and writing of the JSON for a notebook of 5 MB. The first two were set by a
//! papermill that took 2.4 s to start; the pinned one takes a third of a second, of which a 500th is
//! about what a process that does nothing takes, and is shown too. It fails where the third isn't
//! reached, or the others fall below 100 and 25.

#![allow(clippy::print_stdout, reason = "the figures are its purpose")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nbcourier::notebook::{Stamp, Template};
use nbcourier::run::Parameters;
use serde_json::{Value, json};

/// Times `papermill.execute_notebook` within one process, in seconds.
const PAPERMILL: &str = "
import sys, time, papermill
template, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(count):
    start = time.perf_counter()
    papermill.execute_notebook(template, out, parameters={'run': 7, 'beam': 'e'}, prepare_only=True, progress_bar=False)
    print(time.perf_counter() - start)
";

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn timed(count: usize, mut work: impl FnMut()) -> f64 {
    let one = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    median((0..count).map(one).collect())
}

/// Ten cells; with a figure in the output of each they come to so many bytes.
fn notebook(bytes: usize) -> Vec<u8> {
    let figure = "iVBORw0KGgo".repeat(bytes / 100);
    let text: Vec<String> = (0..bytes / 1000)
        .map(|n| format!("event {n}: 0.12345678\n"))
        .collect();
    let code = |n: usize| {
        let outputs = json!([
            { "output_type": "stream", "name": "stdout", "text": text },
            { "output_type": "display_data", "data": { "image/png": figure }, "metadata": {} },
        ]);
        json!({
            "cell_type": "code", "execution_count": n, "id": format!("cell{n}"),
            "metadata": { "tags": if n == 0 { vec!["parameters"] } else { vec![] } },
            "outputs": if bytes == 0 { json!([]) } else { outputs },
            "source": ["run = 0\n", "beam = ''  # the beam\n", "é = [1, 2, 3]"]
        })
    };
    let cells: Vec<Value> = (0..10).map(code).collect();
    let kernel = json!({ "display_name": "Python 3", "language": "python", "name": "python3" });
    let notebook = json!({
        "cells": cells, "metadata": { "kernelspec": kernel }, "nbformat": 4, "nbformat_minor": 5
    });
    let mut bytes = Vec::new();
    let layout = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, layout);
    serde::Serialize::serialize(&notebook, &mut writer).expect("a notebook");
    bytes.push(b'\n');
    bytes
}

fn run(command: &mut Command) {
    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.expect("a program").success(), "{command:?}");
}

fn papermill_within(python: &Path, template: &Path, out: &Path, count: usize) -> f64 {
    let count = count.to_string();
    let done = Command::new(python)
        .args(["-c", PAPERMILL])
        .args([template, out])
        .arg(&count)
        .output()
        .expect("python");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let printed = String::from_utf8(done.stdout).expect("numbers");
    // The first one pays for what is imported late.
    median(
        printed
            .lines()
            .skip(1)
            .map(|line| line.parse().expect("a number"))
            .collect(),
    )
}

struct Figures {
    cold: f64,
    cold_peer: f64,
    within: f64,
    within_peer: f64,
    plain: f64,
}

fn measure(python: &Path, bytes: &[u8]) -> Figures {
    let dir = tempfile::tempdir().expect("a directory");
    let [template, out] = ["template.ipynb", "out.ipynb"].map(|name| dir.path().join(name));
    std::fs::File::create(&template)
        .and_then(|mut file| file.write_all(bytes))
        .expect("write");
    let parameters = json!({ "run": 7, "beam": "e" });
    let parameters: Parameters = parameters.as_object().expect("a map").clone();
    let given = ["-p", "run", "7", "-p", "beam", "e"];
    let ours = || {
        let _ = std::fs::remove_file(&out);
        let program = env!("CARGO_BIN_EXE_nbcourier");
        run(Command::new(program)
            .arg("render")
            .args([&template, &out])
            .args(given));
    };
    let theirs = || {
        let options = ["-m", "papermill", "--prepare-only", "--no-progress-bar"];
        run(Command::new(python)
            .args(options)
            .args([&template, &out])
            .args(given));
    };
    let within = || {
        let parsed = Template::parse(bytes).expect("a template");
        let typed = parsed.typed(parameters.clone());
        let rendered = parsed.render(&typed, &Stamp::default()).expect("rendered");
        let _ = std::fs::remove_file(&out);
        std::fs::write(&out, rendered).expect("write");
    };
    let plain = || {
        let value: Value = serde_json::from_slice(bytes).expect("JSON");
        let _ = std::fs::remove_file(&out);
        std::fs::write(&out, serde_json::to_vec_pretty(&value).expect("JSON")).expect("write");
    };
    // As long as papermill's turns take.
    let warm = (40_000_000 / (bytes.len() + 10_000)).max(51);
    Figures {
        cold: timed(31, ours),
        cold_peer: timed(5, theirs),
        within: timed(warm, within),
        within_peer: papermill_within(python, &template, &out, 12),
        plain: timed(warm, plain),
    }
}

fn row(name: &str, ours: f64, peer: f64, goal: &str, ratio: f64) {
    println!(
        "| {name} | {:.2} ms | {:.2} ms | {ratio:.1} | {goal} |",
        ours * 1e3,
        peer * 1e3
    );
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/test-env/papermill/bin/python");
    assert!(
        python.exists(),
        "run tests/setup first: it installs papermill"
    );
    let (small, large) = (notebook(0), notebook(3_600_000));
    println!("| median | nbcourier | beside it | times | goal |\n|---|---|---|---|---|");
    let figures = measure(&python, &small);
    let cold = figures.cold_peer / figures.cold;
    let within = figures.within_peer / figures.within;
    row(
        "10 cells, a process each (papermill)",
        figures.cold,
        figures.cold_peer,
        "≥ 500",
        cold,
    );
    row(
        "10 cells, within one process (papermill)",
        figures.within,
        figures.within_peer,
        "≥ 50",
        within,
    );
    let figures = measure(&python, &large);
    let size = format!("{:.1} MB", large.len() as f64 / 1e6);
    let large_cold = figures.cold_peer / figures.cold;
    let large_within = figures.within_peer / figures.within;
    row(
        &format!("{size}, a process each (papermill)"),
        figures.cold,
        figures.cold_peer,
        "",
        large_cold,
    );
    row(
        &format!("{size}, within one process (papermill)"),
        figures.within,
        figures.within_peer,
        "",
        large_within,
    );
    let slower = figures.within / figures.plain;
    row(
        &format!("{size}, within one process (JSON read and written)"),
        figures.within,
        figures.plain,
        "≤ 3",
        slower,
    );
    let nothing = timed(31, || run(&mut Command::new("true")));
    println!(
        "| a process that does nothing | {:.2} ms | | | |",
        nothing * 1e3
    );
    match cold >= 100.0 && within >= 25.0 && slower <= 3.0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

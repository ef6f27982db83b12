//! `render`, and what becomes of templates and conditions in the daemon.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Room, files, wait_until};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// A notebook with these cells: `md:` is a markdown cell with placeholders, `params:` the
/// parameters' cell.
fn template(cells: &[&str]) -> String {
    let cell = |text: &&str| match text.split_once(':') {
        Some(("md", source)) => json!({
            "cell_type": "markdown", "metadata": { "tags": ["nbcourier"] }, "source": [source]
        }),
        Some(("params", source)) => json!({
            "cell_type": "code", "execution_count": null, "metadata": { "tags": ["parameters"] },
            "outputs": [], "source": [source]
        }),
        _ => json!({
            "cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [],
            "source": [text]
        }),
    };
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    let kernel = json!({ "display_name": "Python 3", "language": "python", "name": "python3" });
    let notebook = json!({
        "cells": cells, "metadata": { "kernelspec": kernel }, "nbformat": 4, "nbformat_minor": 4
    });
    serde_json::to_string_pretty(&notebook).expect("JSON")
}

fn sources(notebook: &Path) -> Vec<String> {
    let text = fs::read_to_string(notebook).unwrap_or_else(|error| panic!("{notebook:?}: {error}"));
    let notebook: Value = serde_json::from_str(&text).expect("JSON");
    let lines = |cell: &Value| {
        let lines = cell["source"].as_array().expect("lines");
        lines.iter().filter_map(Value::as_str).collect()
    };
    notebook["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .map(lines)
        .collect()
}

#[test]
fn the_options_and_their_precedence_are_those_of_papermill() {
    let room = Room::new(DIRECTORY);
    let names = "a = b = c = d = e = f = g = 0";
    fs::write(
        room.path("t.ipynb"),
        template(&[&format!("params:{names}")]),
    )
    .expect("write");
    fs::write(
        room.path("a.json"),
        "{\"b\": 2, \"c\": 2, \"d\": 2, \"e\": 2, \"big\": 123456789012345678901}",
    )
    .expect("write");
    fs::write(
        room.path("a.toml"),
        "c = 3\nnan = nan\nt = 2026-11-21T05:27:45Z\n",
    )
    .expect("write");
    fs::write(room.path("a.yaml"), "d: 012\nyes_: yes\nclock: 12:30:45\n").expect("write");
    let [json_file, toml, yaml, out] = ["a.json", "a.toml", "a.yaml", "out.ipynb"]
        .map(|name| room.path(name).display().to_string());
    // `a: 1, b: 1` in Base64.
    let given = [
        "render",
        &room.path("t.ipynb").display().to_string(),
        &out,
        "-b",
        "e2E6IDEsIGI6IDF9",
        "-f",
        &json_file,
        "-f",
        &toml,
        "-f",
        &yaml,
        "-y",
        "{e: 5, f: 5}",
        "-p",
        "f",
        "0123",
        "-p",
        "g",
        "True",
        "-r",
        "g",
        "0123",
        "--parameters",
        "tex",
        "0123",
    ];
    let ended = room.run(&given);
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected = "# Parameters\na = 1\nb = 2\nc = 3\nd = 12\ne = 5\nbig = 123456789012345678901\nnan = float('nan')\n\
        t = __import__(\"datetime\").datetime.fromisoformat(\"2026-11-21T05:27:45+00:00\")\nyes_ = \"yes\"\n\
        clock = \"12:30:45\"\nf = 123\ntex = \"0123\"\ng = \"0123\"\n";
    assert_eq!(sources(Path::new(&out))[1], expected);
    assert!(ended.err.contains("doesn't declare `big`"), "{}", ended.err);
    let again = room.run(&given);
    assert_eq!(again.code, 1, "what exists is never overwritten: {again:?}");
}

#[test]
fn what_cannot_be_rendered_is_told() {
    let room = Room::new(DIRECTORY);
    fs::write(
        room.path("v3.ipynb"),
        "{\"nbformat\": 3, \"nbformat_minor\": 0}",
    )
    .expect("write");
    fs::write(room.path("t.ipynb"), template(&["params:run = 0"])).expect("write");
    fs::write(room.path("bad.json"), "{\"a\": NaN}").expect("write");
    fs::write(room.path("list.yaml"), "[1]").expect("write");
    fs::write(room.path("bad.py"), "# %% tags=[parameters]\n").expect("write");
    let table: [(&[&str], u8, &str); 8] = [
        (&["v3.ipynb", "-"], 1, "jupyter nbconvert --to notebook"),
        (&["none.ipynb", "-"], 1, "No such file"),
        (&["bad.py", "-"], 1, "line 1"),
        (&["t.ipynb", "-", "-f", "bad.json"], 2, "`NaN` at line 1"),
        (
            &["t.ipynb", "-", "-f", "list.yaml"],
            2,
            "names and values are needed",
        ),
        (&["t.ipynb", "-", "-b", "???"], 2, "no Base64"),
        (&["t.ipynb", "-", "-p", "class", "1"], 1, "`class`"),
        (&["t.ipynb"], 2, "an OUT are needed"),
    ];
    for (arguments, code, said) in table {
        let mut command = room.program();
        let done = command
            .arg("render")
            .args(arguments)
            .current_dir(room.path(""))
            .output();
        let done = done.expect("the program");
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(
            done.status.code(),
            Some(code.into()),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
        assert!(done.stdout.is_empty());
    }
}

#[test]
fn a_template_says_what_it_takes_and_what_rendering_changes() {
    let room = Room::new(DIRECTORY);
    let path = room.path("t.ipynb").display().to_string();
    let cell = "params:run = 0  # the run's number\nbeam: str = 'e'";
    fs::write(&path, template(&[cell])).expect("write");
    let shown = room.run(&["render", "--help-notebook", &path]);
    assert_eq!(shown.code, 0);
    for word in ["run", "int", "0", "the run's number", "beam", "str", "'e'"] {
        assert!(shown.out.contains(word), "{}", shown.out);
    }
    let told = room
        .run(&["render", "--help-notebook", "--json", &path])
        .json();
    assert_eq!(told["language"], "Python");
    let first = json!({ "name": "run", "type": null, "kind": "int", "default": "0", "help": "the run's number" });
    assert_eq!(told["parameters"][0], first);
    let diff = room.run(&["render", "--diff", &path, "-p", "rum", "7"]);
    assert_eq!(diff.code, 0, "{diff:?}");
    assert!(
        diff.err.contains("`rum` (did you mean `run`?)"),
        "{}",
        diff.err
    );
    let changed: Vec<&str> = diff
        .out
        .lines()
        .filter(|line| line.starts_with(['+', '-']))
        .collect();
    assert!(
        changed.iter().any(|line| line.contains("rum = 7")),
        "{}",
        diff.out
    );
    let taken = changed.iter().filter(|line| line.starts_with("- ")).count();
    assert!(taken <= 3, "only lines that gain a comma: {}", diff.out);
}

#[test]
fn templates_come_as_text_and_from_standard_input() {
    let room = Room::new(DIRECTORY);
    let text = "# %% [markdown] tags=[\"nbcourier\"]\n# Run {{ run }}\n\n# %% tags=[\"parameters\"]\nrun = 0\n";
    fs::write(room.path("t.py"), text).expect("write");
    let mut child = room.program();
    let child = child.args(["render", "-", "-", "-p", "run", "7", "-k", "ir"]);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(text.as_bytes())
        .expect("write");
    let done = child.wait_with_output().expect("the program");
    let piped: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(piped["metadata"]["kernelspec"]["name"], "ir");
    let out = room.path("out.ipynb").display().to_string();
    let ended = room.run(&[
        "render",
        &room.path("t.py").display().to_string(),
        &out,
        "-p",
        "run",
        "7",
    ]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        sources(Path::new(&out)),
        ["Run 7", "run = 0", "# Parameters\nrun = 7\n"]
    );
}

#[test]
fn a_parameter_chooses_the_template_and_one_that_is_missing_holds_its_run_alone() {
    let mut room = Room::new(DIRECTORY);
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace("\"quick.ipynb\"", "\"templates/{kind}.ipynb\"");
    fs::write(room.path("nbcourier.toml"), config).expect("write");
    fs::create_dir(room.path("templates")).expect("a directory");
    fs::write(
        room.path("templates/physics.ipynb"),
        template(&["md:# Run {{ run }}", "params:run = 0", "physics"]),
    )
    .expect("write");
    room.make_run_with(1, "{\"kind\": \"physics\"}");
    room.make_run_with(2, "{\"kind\": \"../calib\"}");
    room.start();
    let failure = room.await_failure("template-unusable", 20);
    let what = failure["what"].as_str().expect("text");
    assert!(what.contains("_._calib.ipynb can't be read"), "{what}");
    wait_until(20, "the other run", || room.count("delivered") == 1);
    let cells = sources(&room.path("notebooks/run_000001.ipynb"));
    assert_eq!(cells[0], "# Run 000001");
    assert_eq!(
        (cells[2].lines().nth(1), cells[3].as_str()),
        (Some("run = 1"), "physics")
    );
    fs::write(room.path("templates/_._calib.ipynb"), template(&["calib"])).expect("write");
    room.await_delivered(2, 30);
}

#[test]
fn the_last_good_template_serves_while_the_newest_is_broken() {
    let mut room = Room::new(DIRECTORY);
    let good = template(&["params:run = 0", "good"]);
    fs::write(room.path("quick.ipynb"), &good).expect("write");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    fs::write(room.path("quick.ipynb"), &good[..good.len() / 2]).expect("write");
    room.make_run(2);
    room.await_delivered(2, 20);
    let broken = |room: &Room| {
        let status = room.run(&["status", "--json"]).json();
        let health = status["health"].as_array().expect("health").clone();
        health
            .into_iter()
            .find(|notice| notice["code"] == "template-broken")
    };
    let notice = broken(&room).expect("a notice");
    assert!(
        notice["what"]
            .as_str()
            .is_some_and(|what| what.contains("its last good version")),
        "{notice}"
    );
    room.kill();
    room.make_run(3);
    room.start();
    room.await_delivered(3, 20);
    assert_eq!(sources(&room.path("notebooks/run_000003.ipynb"))[2], "good");
    wait_until(10, "the notice after a restart", || broken(&room).is_some());
    fs::write(room.path("quick.ipynb"), good.replace("good", "better")).expect("write");
    wait_until(10, "the end of the notice", || broken(&room).is_none());
    room.make_run(4);
    room.await_delivered(4, 20);
    assert_eq!(
        sources(&room.path("notebooks/run_000004.ipynb"))[2],
        "better"
    );
}

#[test]
fn a_placeholder_that_fails_for_one_run_holds_no_other_and_a_broken_one_is_a_broken_template() {
    let mut room = Room::new(DIRECTORY);
    let good = ["md:gain {{ gain > 3 }}", "params:run = gain = 0"];
    fs::write(room.path("quick.ipynb"), template(&good)).expect("write");
    room.make_run_with(1, "{\"gain\": \"high\"}");
    room.start();
    let failure = room.await_failure("template-unusable", 20);
    let what = failure["what"].as_str().expect("text");
    assert!(
        what.contains("cell 1: the expression `gain > 3`: it compares text"),
        "{what}"
    );
    room.make_run_with(2, "{\"gain\": 5}");
    wait_until(20, "the other run", || room.count("delivered") == 1);
    assert_eq!(room.count("held"), 1);
    fs::write(
        room.path("quick.ipynb"),
        template(&["md:{{ gain > }}", good[1]]),
    )
    .expect("write");
    room.make_run_with(3, "{\"gain\": 1}");
    wait_until(20, "the third run", || room.count("delivered") == 2);
    let cells = sources(&room.path("notebooks/run_000003.ipynb"));
    assert_eq!(cells[0], "gain False", "the last good version");
}

#[test]
fn a_condition_chooses_runs_and_one_that_cannot_be_told_holds() {
    let tables = "when = \"energy > 2 and gain != 'low'\"\n[notebook.all]\ntemplate = \"quick.ipynb\"\nname = \"all-{run}.ipynb\"\nwhen = \"run|int == 3\"\n";
    let mut room = Room::new(&format!("{tables}{DIRECTORY}"));
    for (number, more) in [
        (1, ", \"gain\": \"high\""),
        (2, ""),
        (3, ", \"gain\": \"high\""),
    ] {
        room.make_run_with(number, &format!("{{\"energy\": {number}.5{more}}}"));
    }
    room.start();
    let failure = room.await_failure("parameter-missing", 20);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("`gain` in")),
        "{failure}"
    );
    wait_until(20, "run 3", || room.count("delivered") == 2);
    let names: Vec<String> = files(&room.path("notebooks"))
        .iter()
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names, ["all-000003.ipynb", "run_000003.ipynb"]);
    let first = room.run(&["show", "run_000001", "--json"]).json();
    assert_eq!(
        (&first["state"], &first["reason"]),
        (&json!("ignored"), &json!("no-notebook"))
    );
}

#[test]
fn parameters_that_the_template_does_not_declare_hold_where_that_is_asked() {
    let mut room = Room::new(&format!("unknown_parameters = \"error\"\n{DIRECTORY}"));
    fs::write(
        room.path("quick.ipynb"),
        template(&["params:run = 0\nenrgy = 0.0\nbeam = ''"]),
    )
    .expect("write");
    room.make_run(1);
    room.start();
    let failure = room.await_failure("parameter-unknown", 20);
    let what = failure["what"].as_str().expect("text");
    assert!(what.contains("`energy` (did you mean `enrgy`?)"), "{what}");
    fs::write(
        room.path("quick.ipynb"),
        template(&["params:run = 0\nenergy = 0.0\nbeam = ''"]),
    )
    .expect("write");
    room.await_delivered(1, 30);
}

#[test]
fn a_template_at_the_destination_is_read_there_for_each_run() {
    let mut room = Room::new(DIRECTORY);
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace("\"quick.ipynb\"", "\"contents:templates/{beam}.py\"");
    fs::write(room.path("nbcourier.toml"), config).expect("write");
    let metadata = "{\"beam\": \"e\"}";
    room.make_run_with(1, metadata);
    room.start();
    let failure = room.await_failure("template-not-there", 20);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("templates/e.py")),
        "{failure}"
    );
    fs::create_dir(room.path("notebooks/templates")).expect("a directory");
    let text = room.path("notebooks/templates/e.py");
    fs::write(&text, "# %% tags=[\"parameters\"]\nrun = 0\n# %%\none\n").expect("write");
    room.await_delivered(1, 30);
    fs::write(&text, "# %% tags=[broken]\n").expect("write");
    room.make_run_with(2, metadata);
    room.await_delivered(2, 30);
    for number in [1, 2] {
        let cells = sources(&room.path(&format!("notebooks/run_{number:06}.ipynb")));
        assert_eq!(cells[2], "one");
    }
    let dry = room.run(&[
        "render",
        "--run",
        &room.path("data/run_000002").display().to_string(),
        "-",
    ]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.err.contains("as it was at"), "{}", dry.err);
}

#[test]
fn a_replay_tells_what_would_fail_before_the_beam_comes() {
    let tables =
        "[notebook.calib]\ntemplate = \"templates/{kind}.ipynb\"\nwhen = \"kind == 'calib'\"\n";
    let room = Room::new(&format!("{tables}{DIRECTORY}"));
    let none = room.run(&["check", "--offline", "--replay", "5"]);
    assert_eq!(none.code, 0, "{none:?}");
    assert!(none.out.contains("there is no run yet"), "{}", none.out);
    for (number, kind) in [(1, "physics"), (2, "calib"), (3, "calib"), (4, "physics")] {
        room.make_run_with(number, &json!({ "kind": kind }).to_string());
    }
    let failing = room.run(&["check", "--offline", "--replay", "10"]);
    assert_eq!(failing.code, 1, "{failing:?}");
    assert!(
        failing.out.contains("calib.ipynb can't be read"),
        "{}",
        failing.out
    );
    assert!(failing.out.contains("and 1 more"), "{}", failing.out);
    assert!(
        failing.out.contains("rendered for 4 of the last 4 runs"),
        "{}",
        failing.out
    );
    fs::create_dir(room.path("templates")).expect("a directory");
    fs::write(
        room.path("templates/calib.ipynb"),
        template(&["params:run = kind = 0"]),
    )
    .expect("write");
    let fine = room.run(&["check", "--offline", "--replay", "10"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(
        fine.out.contains("rendered for 2 of the last 4 runs"),
        "{}",
        fine.out
    );
    assert!(
        files(&room.path("notebooks")).is_empty(),
        "nothing is delivered"
    );
    fs::write(room.path("data/run_000004/run.json"), "{").expect("write");
    let broken = room.run(&["check", "--offline", "--replay", "10", "--json"]);
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.out.contains("run_000004"), "{}", broken.out);
}

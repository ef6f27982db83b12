//! The words in which a running daemon tells what goes wrong, and those of refused commands: both
//! written down in `tests/catalogue`, so that a change of one is seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Room, TEMPLATE, assert_told, wait_until};

/// One run meets them all: each notebook table goes wrong in its own way, and so does each
/// destination.
const TABLES: &str = r#"
[notebook.quick]
template = "quick.ipynb"
to = ["absent", "keyless", "away", "programless", "tokenless", "others"]
[notebook.broken]
template = "broken.ipynb"
to = ["dir"]
[notebook.chosen]
template = "quick-{beam}.ipynb"
to = ["dir"]
[notebook.condition]
template = "quick.ipynb"
when = "energy > beam"
to = ["dir"]
[notebook.nameless]
template = "quick.ipynb"
name = "{nothing}.ipynb"
to = ["dir"]
[notebook.strict]
template = "plain.ipynb"
unknown_parameters = "error"
to = ["dir"]
[notebook.keyword]
template = "quick.ipynb"
parameters = { class = 1 }
to = ["dir"]
[notebook.long]
template = "quick.ipynb"
name = "{long}.ipynb"
to = ["dir"]
[destination.dir]
path = "notebooks"
directory = ""
[destination.absent]
path = "absent"
[destination.keyless]
server = "http://127.0.0.1:9/"
auth.token = { file = "no-token" }
[destination.away]
server = "http://127.0.0.1:9/"
auth.token = { env = "HOME" }
[destination.programless]
command = ["no-such-program"]
[destination.tokenless]
hub = "http://127.0.0.1:9/"
auth.command = ["false"]
[destination.others]
hub = "http://127.0.0.1:9/"
user = "{beam}"
users = ["alice"]
auth.token = { env = "HOME" }
"#;

fn failures(room: &Room) -> Vec<Value> {
    let jobs = room.jobs();
    let failures = jobs.iter().map(|job| job["failure"].clone());
    failures.filter(|failure| !failure.is_null()).collect()
}

fn await_all(room: &Room, codes: &[&str]) {
    let mut seen = Vec::new();
    let mut lacks = |room: &Room| {
        seen = failures(room);
        let is = |code: &&&str| !seen.iter().any(|failure| failure["code"] == **code);
        codes
            .iter()
            .copied()
            .filter(|code| is(&code))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut missing = lacks(room);
    for _ in 0..200 {
        if missing.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        missing = lacks(room);
    }
    panic!("not seen: {missing:?} among {:#?}", failures(room));
}

#[test]
fn what_can_go_wrong_with_a_run_is_told_with_what_to_do() {
    let watch = "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\n\
        parameters = [\"run.json\"]\nexisting = \"all\"\n";
    let mut room = Room::bare(&format!("{watch}{TABLES}"));
    fs::write(room.path("broken.ipynb"), "{}").expect("a broken template");
    fs::write(
        room.path("plain.ipynb"),
        TEMPLATE.replace("energy", "enrgy"),
    )
    .expect("a template");
    let long = "x".repeat(250);
    let metadata = format!("{{\"energy\": 1.5, \"beam\": \"e-\", \"long\": \"{long}\"}}");
    room.make_run_with(1, &metadata);
    room.start();
    await_all(
        &room,
        &[
            "template-invalid",
            "template-unusable",
            "when-invalid",
            "parameter-missing",
            "parameter-unknown",
            "parameter-invalid",
            "name-unusable",
            "not-writable",
            "credential-unreadable",
            "server-unreachable",
            "command-missing",
            "credential-command-failed",
            "user-refused",
        ],
    );
    let met = failures(&room);
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let text = text
        .replace("[destination.programless]", "[destination.renamed]")
        .replace("\"programless\"", "\"renamed\"")
        .replace("[notebook.broken]", "[notebook.mended]")
        .replace("when = \"energy > beam\"", "when = \"energy > 5\"");
    fs::write(&file, text).expect("a configuration");
    assert_eq!(room.run(&["reload"]).code, 0);
    let removed = ["destination-removed", "notebook-removed", "not-wanted"];
    await_all(&room, &removed);
    let mut all = failures(&room);
    all.retain(|failure| removed.iter().any(|code| failure["code"] == **code));
    assert_told("runs", &room, &[met, all].concat());
}

#[test]
fn a_mass_change_is_told_with_both_ways_out() {
    let mut room = Room::watching("max_new_per_hour = 1");
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "two are held", || room.count("held") == 2);
    assert_told("mass-change", &room, &failures(&room));
}

#[test]
fn what_a_command_refuses_is_told_with_what_to_do() {
    let mut room = Room::watching("");
    let mut told = String::new();
    let mut tell = |room: &Room, when: &str, arguments: &[&str]| {
        let ended = room.run(arguments);
        let here = room.dir.path().display().to_string();
        let words = ended.err.replace(&here, "/room");
        let pid = words
            .split("(pid ")
            .nth(1)
            .and_then(|rest| rest.split(')').next());
        let words = pid.map_or(words.clone(), |pid| words.replace(pid, "PID"));
        let command = arguments.join(" ").replace(&here, "/room");
        let indented = words.trim_end().replace('\n', "\n  ");
        let _ = writeln!(
            told,
            "nbcourier {command}   ({when}) = {}\n  {indented}\n",
            ended.code
        );
    };
    tell(&room, "before the first start", &["status"]);
    tell(&room, "before the first start", &["runs"]);
    tell(&room, "before the first start", &["reload"]);
    room.start();
    room.make_run(1);
    room.make_run(2);
    room.await_delivered(2, 20);
    tell(&room, "running", &["-qq", "daemon"]);
    tell(&room, "running", &["show", "run_00001"]);
    tell(&room, "running", &["show", "/nowhere/run"]);
    tell(&room, "running", &["retry", "run_9*"]);
    tell(&room, "running", &["retry", "--failed"]);
    tell(&room, "running", &["skip"]);
    tell(&room, "running", &["submit", "/nowhere/run"]);
    tell(&room, "running", &["status", "--watch"]);
    tell(&room, "running", &["runs", "--since", "soon"]);
    tell(&room, "running", &["stats"]);
    let config = room.path("nbcourier.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replace("settle", "settel")).expect("a mistake");
    tell(&room, "running, with a mistake in its file", &["reload"]);
    tell(
        &room,
        "running, with a mistake in its file",
        &["retry", "run_000001"],
    );
    fs::write(&config, text).expect("mended");
    assert_eq!(room.stop(), 0);
    tell(&room, "stopped", &["retry", "run_000001"]);
    tell(&room, "stopped", &["status"]);
    let away = room.path("away.toml");
    fs::rename(&config, &away).expect("moved");
    tell(&room, "without its configuration", &["check"]);
    fs::rename(&away, &config).expect("moved back");
    fs::write(room.path("state/ledger.db"), [7; 4096]).expect("damage");
    let _ = fs::remove_file(room.path("state/ledger.db-wal"));
    tell(&room, "a damaged ledger", &["-qq", "daemon"]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue/commands-refused.txt");
    if std::env::var_os("NBCOURIER_BLESS").is_some() {
        fs::write(&file, &told).expect("write");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        written.lines().collect::<Vec<_>>()
    );
}

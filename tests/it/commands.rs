//! The commands and their JSON, as the contract has them.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Room, files, wait_until};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"{date}\"\n";

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_delivered_run_shows_every_field_of_the_contract() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    room.make_run(1234);
    room.await_delivered(1, 20);
    let run = &room.runs()[0];
    let fields = [
        "name",
        "watch",
        "incarnation",
        "path",
        "seen_at",
        "ready_at",
        "state",
        "reason",
        "parameters",
        "pruned_at",
        "jobs",
    ];
    assert_eq!(keys(run), fields);
    assert_eq!(
        (&run["name"], &run["watch"], &run["state"]),
        (&"run_001234".into(), &"h4".into(), &"ready".into())
    );
    assert_eq!(
        run["parameters"]["energy"].to_string(),
        "1234.50",
        "numbers stay exactly as written"
    );
    assert_eq!(run["parameters"]["run"], "001234");
    let job = &run["jobs"][0];
    let fields = [
        "job",
        "notebook",
        "destination",
        "user",
        "path",
        "url",
        "state",
        "outcome",
        "attempts",
        "next_attempt_at",
        "delivered_at",
        "failure",
    ];
    assert_eq!(keys(job), fields);
    assert_eq!(
        (&job["state"], &job["outcome"], &job["attempts"]),
        (&"delivered".into(), &"created".into(), &1.into())
    );
    let date = run["parameters"]["date"].as_str().expect("a date");
    assert_eq!(job["path"], format!("{date}/run_001234.ipynb"));
    assert!(run["seen_at"].as_str().is_some_and(|at| at.ends_with('Z')));

    let shown = room.run(&["show", "001234", "--json"]).json();
    assert_eq!(shown["name"], "run_001234");
    assert!(
        shown["events"]
            .as_array()
            .is_some_and(|events| events.iter().any(|event| event["event"] == "delivered"))
    );
    let status = room.run(&["status", "--json"]).json();
    assert_eq!(
        keys(&status),
        [
            "version",
            "up_since",
            "page",
            "health",
            "watches",
            "destinations",
            "jobs"
        ]
    );
    assert_eq!(status["jobs"]["delivered"], 1);
    assert_eq!(status["destinations"][0]["state"], "ok");
    assert_eq!(
        room.run(&["runs", "--state", "held", "--json"]).out.trim(),
        "[]"
    );
    assert_eq!(room.stop(), 0);
    assert_eq!(
        room.run(&["status"]).code,
        69,
        "with the daemon down the ledger still answers"
    );
    assert_eq!(room.run(&["show", "run_001234"]).code, 0);
}

#[test]
fn an_edited_notebook_is_never_touched_and_fresh_stands_beside_it() {
    let mut room = Room::new("[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n");
    room.start();
    let run = room.make_run(1);
    room.await_delivered(1, 20);
    let notebook = room.path("notebooks/run_000001.ipynb");
    let edited = fs::read_to_string(&notebook)
        .expect("delivered")
        .replace("print", "display");
    fs::write(&notebook, &edited).expect("an edit");
    assert_eq!(room.run(&["retry", "run_000001"]).code, 0);
    let again = room.run(&["submit", run.to_str().expect("a path"), "--wait"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(room.jobs().len(), 1, "a known run keeps its one job");
    assert_eq!(room.run(&["retry", "run_000001", "--fresh"]).code, 0);
    room.await_delivered(2, 20);
    assert_eq!(fs::read_to_string(&notebook).expect("still there"), edited);
    assert_eq!(files(&room.path("notebooks")).len(), 2);
    assert!(room.path("notebooks/run_000001-2.ipynb").exists());
}

#[test]
fn a_persons_file_under_the_name_is_left_alone() {
    let mut room = Room::new("[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n");
    fs::write(room.path("notebooks/run_000001.ipynb"), "mine").expect("a file");
    fs::write(room.path("notebooks/run_000001-2.ipynb"), "mine too").expect("a file");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    assert_eq!(room.jobs()[0]["path"], "run_000001-3.ipynb");
    assert_eq!(room.jobs()[0]["outcome"], "numbered");
    assert_eq!(
        fs::read(room.path("notebooks/run_000001.ipynb")).expect("there"),
        b"mine"
    );
    assert_eq!(
        fs::read(room.path("notebooks/run_000001-2.ipynb")).expect("there"),
        b"mine too"
    );
}

#[test]
fn commands_end_with_the_codes_of_the_contract() {
    let mut room = Room::new(DIRECTORY);
    assert_eq!(room.run(&["runs"]).code, 69, "no ledger yet");
    assert_eq!(room.run(&["retry"]).code, 2);
    assert_eq!(room.run(&["nonsense"]).code, 2);
    assert_eq!(room.run(&["check"]).code, 0);
    room.start();
    let second = room.run(&["daemon"]);
    assert_eq!(second.code, 78, "{second:?}");
    assert!(
        second.err.contains("another nbcourier daemon (pid "),
        "{second:?}"
    );
    let unknown = room.run(&["show", "nothing"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.err.contains("no run is known as `nothing`"),
        "{unknown:?}"
    );
    assert_eq!(room.run(&["status"]).code, 0);
    assert_eq!(room.stop(), 0);
    assert_eq!(room.run(&["skip", "x"]).code, 2);
    fs::write(
        room.path("state/ledger.db"),
        "not a database, but long enough to be read as one",
    )
    .expect("damage");
    let _ = fs::remove_file(room.path("state/ledger.db-wal"));
    let damaged = room.run(&["daemon"]);
    assert_eq!(damaged.code, 78, "{damaged:?}");
    assert!(damaged.err.contains("nothing was changed"), "{damaged:?}");
}

#[test]
fn skip_keeps_a_held_run_from_ever_being_delivered_and_a_mended_template_releases_the_rest() {
    let mut room = Room::new(DIRECTORY);
    fs::write(room.path("quick.ipynb"), "{}").expect("a broken template");
    room.start();
    room.make_run(1);
    room.make_run(2);
    wait_until(20, "both are held", || room.count("held") == 2);
    assert_eq!(room.run(&["skip", "run_000001"]).code, 0);
    fs::write(room.path("quick.ipynb"), crate::support::TEMPLATE).expect("mended");
    wait_until(20, "the other goes on", || room.count("delivered") == 1);
    assert_eq!(room.count("skipped"), 1);
}

#[test]
fn the_page_shows_runs_to_this_machine_only() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    room.make_run(7);
    room.await_delivered(1, 20);
    let status = room.run(&["status", "--json"]).json();
    let page = status["page"].as_str().expect("a page").to_owned();
    let get = |path: &str, host: Option<&str>| {
        let mut command = Command::new("python3");
        let program = "import sys,urllib.request,urllib.error\nr = urllib.request.Request(sys.argv[1])\nif sys.argv[2]: r.add_header('Host', sys.argv[2])\ntry:\n    a = urllib.request.urlopen(r)\nexcept urllib.error.HTTPError as e:\n    a = e\nprint(a.status); print(a.read().decode())";
        let done = command
            .args(["-c", program, &format!("{page}{path}"), host.unwrap_or("")])
            .output()
            .expect("python3");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert!(get("", None).contains("run_000007"));
    assert!(get("api/v1/runs", None).contains("\"delivered\""));
    assert!(get("healthz", None).starts_with("200\nok"));
    assert!(get("", Some("evil.example")).starts_with("403"));
}

#[test]
fn the_demo_delivers_and_ends_well() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let demo = dir.path().join("demo");
    let done = Command::new(env!("CARGO_BIN_EXE_nbcourier"))
        .args(["demo", "--for", "6s", "--dir"])
        .arg(&demo)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert!(done.status.success(), "{done:?}");
    assert!(files(&demo.join("notebooks")).len() >= 2);
}

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let room = Room::new(DIRECTORY);
    let fresh = room.path("etc/nbcourier.toml");
    let config = fresh.to_str().expect("a path");
    let (data, out, state) = (
        room.path("data"),
        room.path("notebooks"),
        room.path("state2"),
    );
    let text = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let arguments = [
        "-c",
        config,
        "init",
        "--path",
        &text(&out),
        "--watch",
        &text(&data),
        "--state",
        &text(&state),
    ];
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_nbcourier"))
            .args(arguments)
            .output()
            .expect("it runs")
    };
    assert_eq!(run().status.code(), Some(0));
    let again = run();
    assert_eq!(again.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing that exists is overwritten"));
}

#[test]
fn render_shows_what_would_be_delivered() {
    let room = Room::new(DIRECTORY);
    let run = room.make_run(42);
    let shown = room.run(&["render", "--run", run.to_str().expect("a path"), "-"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(
        shown.out.contains("energy = 42.5\\n") && shown.out.contains("run = \\\"000042\\\"\\n"),
        "{}",
        shown.out
    );
    let template = room.path("quick.ipynb");
    let out = room.path("out.ipynb");
    let arguments = [
        "render",
        template.to_str().expect("a path"),
        out.to_str().expect("a path"),
        "-p",
        "run",
        "0123",
        "-p",
        "energy",
        "5",
    ];
    assert_eq!(room.run(&arguments).code, 0);
    let text = fs::read_to_string(&out).expect("rendered");
    assert!(
        text.contains("run = \\\"0123\\\"") && text.contains("energy = 5\\n"),
        "{text}"
    );
    assert_eq!(
        room.run(&arguments).code,
        1,
        "an existing file is not overwritten"
    );
}

#[test]
fn a_run_that_is_skipped_while_it_is_acquired_stays_skipped() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    fs::create_dir(room.path("data/run_000001")).expect("a run in progress");
    wait_until(20, "it is known", || room.runs().len() == 1);
    assert_eq!(room.run(&["skip", "run_000001"]).code, 0);
    room.make_run(1);
    room.make_run(2);
    room.await_delivered(1, 20);
    let skipped = room.run(&["show", "run_000001", "--json"]).json();
    assert_eq!(
        (&skipped["state"], &skipped["reason"]),
        (&"ignored".into(), &"skipped".into())
    );
    assert_eq!(skipped["jobs"], serde_json::json!([]));
}

#[test]
fn a_quiet_run_is_delivered_and_a_stalled_one_still_comes() {
    let mut room = Room::bare(&format!(
        "[watch.h4]\ndirectory = \"data\"\nready = {{ quiet = \"1s\" }}\nsettle = \"500ms\"\nmax_wait = \"2s\"\n\
         parameters = [\"run.json\"]\n[notebook.quick]\ntemplate = \"quick.ipynb\"\n{DIRECTORY}"
    ));
    room.start();
    let (growing, stalled) = (room.path("data/run_1"), room.path("data/run_2"));
    for run in [&growing, &stalled] {
        fs::create_dir(run).expect("a run");
    }
    fs::write(growing.join("run.json"), "{}").expect("metadata");
    for block in 0..15 {
        fs::write(growing.join("data.bin"), vec![0; block]).expect("data");
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(room.count("delivered"), 0, "it is still growing");
    }
    room.await_delivered(1, 20);
    let reason = || room.run(&["show", "run_2", "--json"]).json()["reason"].clone();
    wait_until(20, "the other is stalled", || {
        reason() == "stalled: run.json is not there yet"
    });
    assert_eq!(
        room.run(&["status", "--json"]).json()["watches"][0]["stalled"],
        1
    );
    fs::write(stalled.join("run.json"), "{}").expect("metadata");
    room.await_delivered(2, 30);
}

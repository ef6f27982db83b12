//! Metadata in any format, from files and commands, in whatever state.

use std::fs;

use crate::support::{Room, wait_until};

const TABLES: &str = "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\n\
    parameters = [\"summary_*.txt\", { file = \"RunInfo.xml\", keys = { lane = \"Run.Lane\" } },\n\
    { file = \"log-{run}.jsonl\", optional = true }, { command = [\"printf\", '{{\"asked_{run}\": %s}}', \"{lane}\"] }]\n\
    existing = \"all\"\npoll_every = \"1s\"\n[notebook.quick]\ntemplate = \"quick.ipynb\"\n\
    [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

#[test]
fn a_run_waits_until_every_reader_has_understood_and_says_for_which() {
    let mut room = Room::bare(TABLES);
    room.start();
    let run = room.make_run(1);
    let write = |name: &str, bytes: &[u8]| fs::write(run.join(name), bytes).expect("written");
    let waits = |expected: &str| {
        wait_until(20, expected, || {
            let runs = room.runs();
            let reason = runs.first().map(|run| run["reason"].to_string());
            reason.is_some_and(|reason| reason.contains(expected))
        });
    };
    waits("summary_*.txt is not there yet");
    write("summary_7.txt", b"comment=caf\xe9\n");
    waits("summary_7.txt: it is not UTF-8");
    write("summary_7.txt", "comment=café\nenergy=2.50\n".as_bytes());
    std::os::unix::fs::symlink("/etc/hostname", run.join("RunInfo.xml")).expect("a link");
    waits("RunInfo.xml: it is a symbolic link that leads out of the run");
    fs::remove_file(run.join("RunInfo.xml")).expect("removed");
    write("RunInfo.xml", b"<RunInfo><Run></Run></RunInfo>");
    waits("RunInfo.xml has no `Run.Lane` yet");
    write("RunInfo.xml", b"<RunInfo><Run Lane=\"03\"/></RunInfo>");
    waits("command printf: what it printed: it is no JSON");
    write(
        "log-000001.jsonl",
        b"{\"a\": 1}\n{\"a\": 2, \"run_name\": \"x\"}\n",
    );
    write("RunInfo.xml", b"<RunInfo><Run Lane=\"3\"/></RunInfo>");
    room.await_delivered(1, 20);
    let notebook = fs::read_to_string(room.path("notebooks/run_000001.ipynb")).expect("read");
    for line in [
        "\"comment\": \"café\"",
        "energy = 2.5",
        "lane = 3",
        "a = 2",
        "asked_000001 = 3",
    ] {
        assert!(notebook.contains(line), "{line}: {notebook}");
    }
}

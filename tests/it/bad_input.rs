//! Whatever comes in: one clear message, the daemon goes on, nothing else is affected or lost.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::support::{Room, wait_until};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// A fixed user without rights.
const NOBODY: u32 = 65534;

#[test]
fn a_broken_configuration_is_told_at_its_place_and_starts_nothing() {
    let cases = [
        (
            "[watch.h4]\ndirectory = \n",
            "string values must be quoted",
            "nbcourier.toml:9:13",
        ),
        (
            "[watch.h4]\ndirectory = \"data\"\npol_every = \"3s\"\n[notebook.q]\ntemplate = \"quick.ipynb\"\n[destination.d]\npath = \"x\"\n",
            "did you mean `poll_every`?",
            "nbcourier.toml:10:1",
        ),
        (
            "[watch.h4]\ndirectory = 7\n[notebook.q]\ntemplate = \"quick.ipynb\"\n[destination.d]\npath = \"x\"\n",
            "directory",
            "nbcourier.toml:9:",
        ),
    ];
    for (tables, expected, place) in cases {
        let room = Room::bare(tables);
        for command in ["daemon", "check"] {
            let ended = room.run(&[command]);
            assert_eq!(ended.code, 78, "{ended:?}");
            assert!(
                ended.err.contains(place) || ended.err.contains(expected),
                "{place}: {}",
                ended.err
            );
        }
        assert!(!room.path("state").exists());
    }
}

#[test]
fn a_template_that_is_missing_or_no_notebook_holds_its_runs_until_it_is_mended() {
    for broken in [None, Some("no notebook"), Some("{\"nbformat\": 3}")] {
        let mut room = Room::new(DIRECTORY);
        match broken {
            None => fs::remove_file(room.path("quick.ipynb")).expect("removed"),
            Some(text) => fs::write(room.path("quick.ipynb"), text).expect("written"),
        }
        assert_eq!(room.run(&["check"]).code, 1);
        room.start();
        room.make_run(1);
        let failure = room.await_failure("template-invalid", 20);
        assert!(
            failure["what"]
                .as_str()
                .is_some_and(|what| what.contains("quick.ipynb")),
            "{failure}"
        );
        assert!(!failure["advice"].as_str().unwrap_or_default().is_empty());
        fs::write(room.path("quick.ipynb"), crate::support::TEMPLATE).expect("mended");
        room.await_delivered(1, 20);
    }
}

#[test]
fn a_watch_directory_that_cannot_be_read_is_a_notice_and_its_runs_come_later() {
    let mut room = Room::new(DIRECTORY);
    let everybody = |path: &std::path::Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("chmod")
    };
    everybody(room.dir.path());
    everybody(&room.path("notebooks"));
    room.make_run(1);
    fs::set_permissions(room.path("data"), fs::Permissions::from_mode(0o700)).expect("chmod");
    let log = fs::File::create(room.path("log")).expect("a log");
    let mut command = room.program();
    command.arg("daemon").stderr(log);
    let root = rustix::process::geteuid().is_root();
    if root {
        command.uid(NOBODY).gid(NOBODY);
    } else {
        fs::set_permissions(room.path("data"), fs::Permissions::from_mode(0o000)).expect("chmod");
    }
    let daemon = crate::support::Process::start(&mut command);
    wait_until(20, "the notice is up", || {
        let status = room.run(&["status", "--json"]);
        status.out.contains("watch-unreadable") && status.out.contains("Permission denied")
    });
    everybody(&room.path("data"));
    room.await_delivered(1, 20);
    drop(daemon);
    room.kill();
}

#[test]
fn strange_names_are_delivered_or_told() {
    let mut room = Room::bare(&format!(
        "[watch.h4]\ndirectory = \"data\"\npattern = '.+'\nready = \"appears\"\nsettle = \"0s\"\nparameters = []\nexisting = \"all\"\n\
         [notebook.quick]\ntemplate = \"quick.ipynb\"\n{DIRECTORY}"
    ));
    let long = "x".repeat(255);
    let names: [(&[u8], &str, Option<&str>); 5] = [
        (b"two\nlines", "two%0Alines", Some("two%0Alines.ipynb")),
        (b"-rf", "-rf", Some("-rf.ipynb")),
        (b"r\xff\xfe", "r%FF%FE", Some("r%FF%FE.ipynb")),
        ("é日 x".as_bytes(), "é日 x", Some("é日 x.ipynb")),
        (long.as_bytes(), &long, None),
    ];
    for (raw, ..) in names {
        fs::create_dir(room.path("data").join(OsStr::from_bytes(raw))).expect("a run");
    }
    room.start();
    wait_until(20, "four are delivered and one is held", || {
        (room.count("delivered"), room.count("held")) == (4, 1)
    });
    for (_, name, file) in names {
        let shown = room.run(&["show", "--json", "--", name]).json();
        assert_eq!(
            shown["jobs"][0]["state"],
            if file.is_some() { "delivered" } else { "held" }
        );
        match file {
            Some(file) => assert!(room.path("notebooks").join(file).exists(), "{file}"),
            None => assert_eq!(shown["jobs"][0]["failure"]["code"], "name-unusable"),
        }
    }
    assert!(!room.run(&["runs"]).out.contains("two\nlines"));
}

#[test]
fn metadata_may_come_late_in_pieces_or_too_large_and_nothing_is_lost() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    let run = |number: u32, metadata: &[u8]| {
        let run = room.path("data").join(format!("run_{number:06}"));
        fs::create_dir(&run).expect("a run");
        fs::write(run.join("DONE"), "").expect("the marker first, as rsync sends it");
        fs::write(run.join("run.json"), metadata).expect("metadata");
        run
    };
    let half = run(1, b"{\"energy\": ");
    let huge = run(2, &vec![b' '; 64 << 20]);
    let fifo = room.path("data").join("run_000003");
    fs::create_dir(&fifo).expect("a run");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo.join("run.json"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .expect("a FIFO");
    fs::write(fifo.join("DONE"), "").expect("the marker");
    room.make_run(4);
    wait_until(
        20,
        "what they wait for is told, and the good one is delivered",
        || {
            let runs = room.runs();
            let reason = |name: &str| {
                runs.iter()
                    .find(|run| run["name"] == name)
                    .map(|run| run["reason"].to_string())
                    .unwrap_or_default()
            };
            reason("run_000001").contains("line 1 column")
                && reason("run_000002").contains("it has 64 MiB; at most 4 MiB")
                && reason("run_000003").contains("no regular file")
                && room.count("delivered") == 1
        },
    );
    fs::write(half.join("run.json"), "{\"energy\": 1}").expect("completed");
    fs::write(huge.join("run.json"), "{\"energy\": 2}").expect("completed");
    fs::remove_file(fifo.join("run.json")).expect("removed");
    fs::write(fifo.join("run.json"), "{\"energy\": 3}").expect("completed");
    room.await_delivered(4, 20);
}

#[test]
fn whatever_lies_in_the_spool_hurts_nothing_else() {
    let mut room = Room::new(&format!("[spool]\ndirectory = \"spool\"\n{DIRECTORY}"));
    room.start();
    let spool = room.path("spool");
    wait_until(10, "the spool is made", || spool.join("tmp").is_dir());
    fs::write(spool.join("garbage.json"), b"\xff\x00garbage").expect("written");
    fs::write(spool.join("unknown.toml"), "runn = 7\n").expect("written");
    fs::create_dir(spool.join("directory.json")).expect("made");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        spool.join("pipe.yaml"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .expect("a FIFO");
    fs::write(spool.join("notes.txt"), "left alone").expect("written");
    fs::write(
        spool.join("good.yaml"),
        "run: 7\nparameters:\n  energy: 1.5\n",
    )
    .expect("written");
    let text = "{\"run\": 8, \"id\": \"one\"}";
    fs::write(spool.join("a.json"), text).expect("written");
    fs::write(spool.join("b.json"), text).expect("written");
    room.await_delivered(2, 30);
    wait_until(30, "the bad ones are rejected", || {
        spool.join("rejected/garbage.json.error").exists()
            && spool.join("rejected/unknown.toml.error").exists()
    });
    let told = fs::read_to_string(spool.join("rejected/unknown.toml.error")).expect("told");
    assert!(
        told.contains("unknown-key") && told.contains("did you mean `run`?"),
        "{told}"
    );
    for name in ["good.yaml", "a.json", "b.json"] {
        assert!(spool.join("accepted").join(name).exists(), "{name}");
    }
    for name in ["directory.json", "pipe.yaml", "notes.txt"] {
        assert!(spool.join(name).exists(), "{name} stays");
    }
    let status = room.run(&["status", "--json"]);
    assert!(
        status.out.contains("is a directory and is not taken")
            && status.out.contains("no regular file"),
        "{}",
        status.out
    );
    assert!(room.alive());
}

#[test]
fn runs_from_before_the_first_start_are_remembered_and_can_be_submitted() {
    let tables = format!(
        "[watch.h4]\ndirectory = \"data\"\nready = {{ marker = \"DONE\" }}\nsettle = \"0s\"\nparameters = [\"run.json\"]\n\
         [notebook.quick]\ntemplate = \"quick.ipynb\"\n{DIRECTORY}"
    );
    let mut room = Room::bare(&tables);
    let old = room.make_run(1);
    let open = room.path("data/run_000002");
    fs::create_dir(&open).expect("a run in progress");
    room.start();
    wait_until(20, "both are known", || room.runs().len() == 2);
    assert_eq!(
        room.runs()
            .iter()
            .filter(|run| run["reason"] == "existed-before")
            .count(),
        1
    );
    room.kill();
    room.make_run(3);
    room.start();
    fs::write(open.join("run.json"), "{}").expect("metadata");
    fs::write(open.join("DONE"), "").expect("its end");
    room.await_delivered(2, 20);
    assert_eq!(
        room.run(&["submit", "--wait", old.to_str().expect("a path")])
            .code,
        0
    );
    room.await_delivered(3, 20);
}

/// Whatever is thrown at it: an error, with at most 256 MB of memory and within seconds.
#[test]
fn hostile_templates_and_parameters_cost_neither_memory_nor_time() {
    let room = Room::new("[destination.dir]\npath = \"notebooks\"\n");
    let notebook = |cell: &str| {
        format!(
            "{{\"cells\": [{cell}], \"metadata\": {{\"language_info\": {{\"name\": \"python\"}}}}, \"nbformat\": 4, \"nbformat_minor\": 4}}"
        )
    };
    let markdown = |source: &str| {
        let source = serde_json::to_string(source).expect("JSON");
        notebook(&format!(
            "{{\"cell_type\": \"markdown\", \"metadata\": {{\"tags\": [\"nbcourier\"]}}, \"source\": {source}}}"
        ))
    };
    let laughs: String = (0..12)
        .map(|n| {
            format!(
                "a{n}: &a{n} [{}]\n",
                vec![
                    if n == 0 {
                        "x".into()
                    } else {
                        format!("*a{}", n - 1)
                    };
                    9
                ]
                .join(", ")
            )
        })
        .collect();
    let million = 1 << 20;
    let templates = [
        ("deep.ipynb", "[".repeat(30 * million)),
        ("many.ipynb", notebook(&"1,".repeat(10 * million))),
        (
            "pairs.ipynb",
            format!("{{{}\"nbformat\": 4}}", "\"a\":1,".repeat(4 * million)),
        ),
        (
            "huge.ipynb",
            notebook(&format!("\"{}\"", "x".repeat(40 * million))),
        ),
        (
            "times.ipynb",
            markdown("{{ 'x' * 99999999 ~ 'x' * 99999999 ~ 'x' * 99999999 }}"),
        ),
        ("braces.ipynb", markdown(&"{{ run ".repeat(million))),
        ("lines.py", "\n".repeat(900_000)),
        ("large.py", "x = 1\n".repeat(million)),
        ("quotes.py", "\"\"\"\n# %%\n".repeat(80_000)),
        ("cells.py", "# %%\n".repeat(100_000)),
        (
            "fences.py",
            format!("# %% [markdown]\n{}", "# ```\n# ~~~\n".repeat(40_000)),
        ),
    ];
    let parameters = [
        (
            "many.json",
            format!("{{\"a\": [{}1]}}", "1,".repeat(2_000_000)),
        ),
        ("laughs.yaml", laughs),
        ("list.yaml", "- 1\n".repeat(900_000)),
        ("many.toml", format!("a = [{}1]", "1,".repeat(2_000_000))),
        ("tables.toml", "[a]\n".repeat(900_000)),
        (
            "huge.json",
            format!("{{\"a\": \"{}\"}}", "x".repeat(5 * million)),
        ),
    ];
    fs::write(room.path("plain.ipynb"), notebook("")).expect("write");
    let mut cases: Vec<Vec<&str>> = Vec::new();
    for (name, text) in &templates {
        fs::write(room.path(name), text).expect("write");
        cases.push(vec![name, "-", "-p", "run", "7"]);
    }
    for (name, text) in &parameters {
        fs::write(room.path(name), text).expect("write");
        cases.push(vec!["plain.ipynb", "-", "-f", name]);
    }
    for arguments in cases {
        let started = std::time::Instant::now();
        let line = format!(
            "ulimit -d 262144; exec \"$0\" render {}",
            arguments.join(" ")
        );
        let done = std::process::Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_nbcourier")])
            .current_dir(room.path(""))
            .stdout(std::process::Stdio::null())
            .output()
            .expect("sh");
        let told = String::from_utf8_lossy(&done.stderr);
        let told: String = told.chars().take(500).collect();
        assert!(
            matches!(done.status.code(), Some(0..=2)),
            "{arguments:?}: {:?} {told}",
            done.status
        );
        assert!(!told.contains("panicked"), "{arguments:?}: {told}");
        assert!(
            started.elapsed().as_secs() < 20,
            "{arguments:?}: {:?}",
            started.elapsed()
        );
    }
}

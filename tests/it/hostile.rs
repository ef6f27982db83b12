//! Metadata that are hostile or no files at all: told, never believed, never waited for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::{Room, finish, lines, make, wait_until};

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).expect("a FIFO");
}

#[test]
fn hostile_files_cost_neither_memory_nor_time() {
    let files = ["json", "yaml", "xml", "toml"];
    let optional = files.map(|end| format!("{{ file = \"run.{end}\", optional = true }}"));
    let mut room = Room::watching(&format!("parameters = [{}]", optional.join(", ")));
    room.start();
    let laughs = |line: fn(usize, &str) -> String, again: fn(usize) -> String| -> String {
        (0..12).map(|n| line(n, &again(n).repeat(9))).collect()
    };
    let yaml = laughs(
        |n, list| format!("a{n}: &a{n} [{list}]\n"),
        |n| {
            if n == 0 {
                "x,".into()
            } else {
                format!("*a{},", n - 1)
            }
        },
    );
    let entities = laughs(
        |n, text| format!("<!ENTITY a{n} \"{text}\">"),
        |n| {
            if n == 0 {
                "x".into()
            } else {
                format!("&a{};", n - 1)
            }
        },
    );
    let bad = [
        ("run.json", "[".repeat(2 << 20)),
        ("run.json", "{\"a\":".repeat(600_000)),
        ("run.json", " ".repeat(64 << 20)),
        ("run.yaml", yaml),
        ("run.yaml", "[".repeat(100_000)),
        ("run.xml", format!("<!DOCTYPE r [{entities}]><r>&a11;</r>")),
        (
            "run.xml",
            "<!DOCTYPE r SYSTEM \"file:///etc/hostname\"><r/>".into(),
        ),
        ("run.xml", "<a>".repeat(500_000)),
        ("run.toml", format!("a = {}", "[".repeat(100_000))),
    ];
    for (number, (name, text)) in bad.iter().enumerate() {
        let run = room.path(&format!("data/run_{number:06}"));
        fs::create_dir(&run).expect("a run");
        fs::write(run.join(name), text).expect("written");
        finish(&run);
    }
    make(&room.path("data"), "run_000099", "{}");
    let mut wanted = lines(0..9, "acquiring");
    wanted.extend(lines([99], "ready delivered"));
    room.await_ledger(&wanted);
    for (number, (name, _)) in bad.iter().enumerate() {
        room.await_reason(&format!("run_{number:06}"), name);
    }
    room.stays(&wanted);
    assert!(room.most_memory() < 256, "{} MB", room.most_memory());
}

#[test]
fn a_command_that_hangs_babbles_dies_or_leaves_children_holds_up_its_run_only() {
    let mut room = Room::watching("parameters = [{ command = [\"READER\", \"{run}\"] }]");
    let reader = room.path("reader");
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let shown = reader.to_str().expect("a path");
    fs::write(&file, text.replace("READER", shown)).expect("written");
    let script = |text: &str| {
        let new = reader.with_extension("new");
        fs::write(&new, format!("#!/bin/sh\n{text}\n")).expect("a script");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::rename(new, &reader).expect("in place");
    };
    // Durations by which the children of this test are found again.
    let nap = 100_000 + 2 * std::process::id();
    let naps = [nap, nap + 1];
    script(&format!(
        "case $1 in\n000001) sleep {}; echo '{{}}';;\n000002) echo garbage;;\n000003) echo '{{}}'; exit 3;;\n\
         000004) sleep {} & echo '{{}}';;\n000005) kill -9 $$;;\n000006) yes;;\n*) echo '{{\"energy\": 7}}';;\nesac",
        naps[0], naps[1]
    ));
    room.start();
    for number in 1..=7 {
        make(&room.path("data"), &format!("run_{number:06}"), "");
    }
    wait_until(20, "the good one is delivered", || {
        room.ledger().contains(&"run_000007 ready delivered".into())
    });
    for number in [1, 2, 3, 5, 6] {
        room.await_reason(&format!("run_{number:06}"), "reader");
    }
    script("echo '{}'");
    room.await_ledger(&lines(1..=7, "ready delivered"));
    assert_eq!(room.stop(), 0);
    wait_until(10, "no child is left", || {
        !naps.iter().any(|nap| sleeps(*nap))
    });
    assert!(room.path("log").exists());
}

/// Whether a process sleeps for so many seconds.
fn sleeps(seconds: u32) -> bool {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").expect("/proc");
    processes.flatten().any(|process| {
        fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line == wanted)
    })
}

#[test]
fn links_out_of_a_run_are_refused() {
    let mut room = Room::watching("parameters = [\"meta/run.json\"]");
    let outside = room.path("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("run.json"), "{\"secret\": 1}").expect("written");
    let (one, two) = (room.make_run(1), room.make_run(2));
    symlink(&outside, one.join("meta")).expect("a link");
    fs::create_dir(two.join("meta")).expect("made");
    symlink(outside.join("run.json"), two.join("meta/run.json")).expect("a link");
    room.start();
    room.await_reason("run_000001", "run.json");
    room.await_reason("run_000002", "run.json");
    room.stays(&lines(1..=2, "acquiring"));
    assert!(
        !room
            .run(&["runs", "--all", "--json"])
            .out
            .contains("secret")
    );
    fs::remove_file(one.join("meta")).expect("removed");
    fs::create_dir(one.join("meta")).expect("made");
    fs::write(one.join("meta/run.json"), "{}").expect("written");
    fs::remove_file(two.join("meta/run.json")).expect("removed");
    fs::write(two.join("meta/run.json"), "{}").expect("written");
    room.await_ledger(&lines(1..=2, "ready delivered"));
}

#[test]
fn what_is_no_file_is_never_waited_for() {
    for (ready, number) in [
        ("{ marker = \"DONE\" }", 1),
        ("{ content = { file = \"run.json\", key = \"end\" } }", 2),
        ("{ counter = \"last.txt\" }", 3),
    ] {
        let mut room = Room::watching(&format!("ready = {ready}"));
        let data = room.path("data");
        if number == 3 {
            fifo(&data.join("last.txt"));
        }
        let runs: Vec<_> = (1..=3).map(|number| room.make_run(number)).collect();
        runs.iter()
            .for_each(|run| fs::remove_file(run.join("run.json")).expect("removed"));
        fifo(&runs[0].join("run.json"));
        let socket = UnixListener::bind(runs[1].join("run.json")).expect("a socket");
        fs::create_dir(runs[2].join("run.json")).expect("a directory");
        room.start();
        room.await_ledger(&lines(1..=3, "acquiring"));
        room.stays(&lines(1..=3, "acquiring"));
        drop(socket);
        for (at, run) in runs.iter().enumerate() {
            let file = run.join("run.json");
            if at == 2 {
                fs::remove_dir(&file).expect("removed");
            } else {
                fs::remove_file(&file).expect("removed");
            }
            fs::write(file, "{\"end\": 1}").expect("written");
        }
        if number == 3 {
            fs::remove_file(data.join("last.txt")).expect("removed");
            fs::write(data.join("last.txt"), "3\n").expect("written");
        }
        room.await_ledger(&lines(1..=3, "ready delivered"));
        assert_eq!(room.stop(), 0);
    }
}

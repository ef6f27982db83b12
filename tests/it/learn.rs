//! `init --learn`: a watch from the runs that are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Room};

fn learn(room: &Room, directory: &Path, arguments: &[&str]) -> Ended {
    let done = Command::new(env!("CARGO_BIN_EXE_nbcourier"))
        .arg("-c")
        .arg(room.path("learned/nbcourier.toml"))
        .args(["init", "--learn"])
        .arg(directory)
        .args(arguments)
        .output()
        .expect("it runs");
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    fs::write(path, text).expect("a file");
}

#[test]
fn a_watch_is_learned_from_directories_and_then_finds_the_next_run() {
    let mut room = Room::bare("");
    let data = room.path("data");
    let take = |number: u32| {
        let run = data.join(format!("2026-11-2{}/h4_{number:04}", number % 10));
        write(run.join("spills/0001.raw"), &"x".repeat(100_000));
        write(
            run.join("run.yaml"),
            &format!("energy: {number}\nbeam: e-\n"),
        );
        // The marker's time is later, however coarse the clock of the file system is.
        std::thread::sleep(std::time::Duration::from_millis(20));
        write(run.join("end_of_run"), "");
    };
    (1..=6).for_each(take);
    let out = room.path("notebooks").display().to_string();
    let state = room.path("state").display().to_string();
    let arguments = ["--path", &out, "--state", &state];
    let learned = learn(&room, &data, &arguments);
    assert_eq!(learned.code, 0, "{learned:?}");
    for evidence in [
        "end_of_run was written last in 5 of 5",
        "run.yaml tells beam, energy in 5 of 5",
    ] {
        assert!(learned.err.contains(evidence), "{learned:?}");
    }
    let text = fs::read_to_string(room.path("learned/nbcourier.toml")).expect("written");
    for line in [
        r"pattern = '(?<date>\d{4}-\d{2}-\d{2})/h4_(?<run>\d{4})'",
        "ready = { marker = \"end_of_run\" }",
        "parameters = [{ file = \"run.yaml\" }]",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let text = format!("status.listen = \"127.0.0.1:0\"\n{text}");
    fs::write(room.path("nbcourier.toml"), text).expect("taken over");
    room.start();
    take(7);
    room.await_delivered(1, 30);
    let run = &room.run(&["show", "2026-11-27/h4_0007", "--json"]).json();
    assert_eq!(run["parameters"]["run"], "0007");
    assert_eq!(run["parameters"]["energy"], 7);
    assert_eq!(run["sources"]["energy"], "run.yaml");
}

#[test]
fn files_in_segments_are_learned_and_a_watch_is_added_to_a_configuration() {
    let room = Room::bare("");
    let data = room.path("data");
    for (run, segment) in [(12, 0), (12, 1), (13, 0), (14, 0), (14, 1), (14, 2)] {
        write(data.join(format!("beam-{run:08}-{segment:04}.dat")), "x");
    }
    let nothing = learn(&room, &data, &[]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    assert!(nothing.err.contains("add --hub URL"), "{nothing:?}");
    let out = room.path("notebooks").display().to_string();
    assert_eq!(learn(&room, &data, &["--path", &out]).code, 0);
    let text = fs::read_to_string(room.path("learned/nbcourier.toml")).expect("written");
    assert!(
        text.contains(r"beam-(?<run>\d{8})(?<segment>-\d{4})\.dat"),
        "{text}"
    );
    let more = room.path("more");
    for number in 1..4 {
        write(more.join(format!("run{number}/data.bin")), "x");
    }
    let added = learn(&room, &more, &[]);
    assert_eq!(added.code, 0, "{added:?}");
    let text = fs::read_to_string(room.path("learned/conf.d/more.toml")).expect("written");
    assert!(text.contains(r"pattern = 'run(?<run>\d+)'"), "{text}");
    assert!(text.contains("ready = { quiet = \"120s\" }"), "{text}");
    assert_eq!(learn(&room, &more, &[]).code, 78, "nothing is overwritten");
    let empty = room.path("empty");
    fs::create_dir(&empty).expect("a directory");
    let told = learn(&room, &empty, &[]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("take some runs first"), "{told:?}");
}

//! `show PATH`: why a path is a run or none, and what it waits for.

use std::fs;

use crate::support::{DELIVERY, Room, begin, finish, watch};

#[test]
fn a_path_is_explained_by_what_detection_makes_of_it() {
    let keys = "pattern = '(?<date>\\d{4}-\\d\\d-\\d\\d)/run_(?<run>\\d+)'\nready = { all = [{ marker = \"DONE\" }, { quiet = \"1h\" }] }\nrequires = \"*.raw\"";
    let room = Room::bare(&format!(
        "{}{}{DELIVERY}",
        watch("h4", keys),
        watch(
            "files",
            "directory = \"files\"\npattern = 'run(?<run>\\d+)\\.h5'\nready = \"appears\"\nparameters = []"
        )
    ));
    let day = room.path("data/2026-11-21");
    fs::create_dir_all(room.path("files")).expect("a directory");
    fs::write(room.path("files/run7.h5"), "").expect("a file");
    let run = begin(&day, "run_1");
    finish(&run);
    fs::write(room.path("data/2026-11-21/run_2"), "no directory").expect("a file");
    let table = [
        ("data", "no run", "it is the watched directory itself"),
        (
            "data/2026-11-21/run_1",
            "waits until",
            "nothing has changed for 3600 s",
        ),
        (
            "data/2026-11-21/run_1/run.json",
            "waits until",
            "nothing has changed",
        ),
        ("data/2026-11-21/run_2", "no run", "is no directory"),
        (
            "data/2026-11-21/run_3",
            "no run",
            "its name can be a run's, but",
        ),
        (
            "data/2026-11-21/calibration",
            "no run",
            "the pattern doesn't match",
        ),
        (
            "data/old/run_1",
            "no run",
            "`old` doesn't match the first 1 levels",
        ),
        (
            "data/.trash/run_1",
            "no run",
            "`ignore` has names such as `.trash`",
        ),
        (
            "files/run7.h5",
            "is complete",
            "once nothing has changed for 0 s",
        ),
    ];
    for (path, about, text) in table {
        let path = room.path(path).display().to_string();
        let shown = room.run(&["show", &path]);
        assert_eq!(shown.code, 0, "{shown:?}");
        let line = shown.out.lines().find(|line| line.starts_with(about));
        assert!(
            line.is_some_and(|line| line.contains(text)),
            "{path}: {}",
            shown.out
        );
        assert!(shown.out.contains("knows nothing of it"), "{}", shown.out);
        let told = room.run(&["show", &path, "--json"]).json();
        let told = told["detection"][0][about.replace(' ', "_")]
            .as_str()
            .map(str::to_owned);
        assert!(told.is_some_and(|told| told.contains(text)), "{path}");
    }
    let elsewhere = room.run(&["show", "/nowhere/run_1"]);
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    assert!(
        elsewhere.err.contains("no watch looks at /nowhere/run_1"),
        "{elsewhere:?}"
    );
}

#[test]
fn a_run_that_is_known_is_shown_with_the_source_of_each_value_and_the_latest_of_its_name() {
    let mut room = Room::watching("");
    room.start();
    let run = room.make_run_with(7, "{\"energy\": 1}");
    room.await_delivered(1, 20);
    fs::remove_dir_all(&run).expect("removed");
    room.make_run_with(7, "{\"energy\": 2}");
    room.await_delivered(2, 20);
    let path = run.display().to_string();
    for asked in [path.as_str(), "run_000007", "h4:run_000007"] {
        let shown = room.run(&["show", asked]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(
            shown.out.contains("energy = 2  (run.json)"),
            "{}",
            shown.out
        );
        let json = room.run(&["show", asked, "--json"]).json();
        assert_eq!(
            (&json["incarnation"], &json["name"]),
            (&2.into(), &"run_000007".into())
        );
        assert_eq!(json["sources"]["energy"], "run.json");
    }
}

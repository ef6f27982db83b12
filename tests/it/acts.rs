//! `retry`, `skip` and `runs`: which runs are meant, what is done to them, and who did it.

use std::fs;

use serde_json::Value;

use crate::support::{Ended, Room, TEMPLATE, wait_until, watch};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// A room in which so many runs are held by a broken template.
fn held(runs: u32) -> Room {
    let mut room = Room::new(DIRECTORY);
    fs::write(room.path("quick.ipynb"), "{}").expect("a broken template");
    room.start();
    (1..=runs).for_each(|number| drop(room.make_run(number)));
    let runs = usize::try_from(runs).expect("a few");
    wait_until(20, "all are held", || room.count("held") == runs);
    room
}

fn names(ended: &Ended) -> Vec<String> {
    let json = ended.json();
    let runs = json.as_array().expect("runs");
    let name = |run: &Value| run["name"].as_str().expect("a name").to_owned();
    runs.iter().map(name).collect()
}

#[test]
fn patterns_mean_whole_names_and_what_matches_nothing_is_an_error() {
    let room = held(12);
    let listed = room.run(&["runs", "--json", "h4:run_00001?", "run_000003"]);
    let expected = ["run_000012", "run_000011", "run_000010", "run_000003"];
    assert_eq!(names(&listed), expected, "{listed:?}");
    assert_eq!(names(&room.run(&["runs", "--json", "*"])).len(), 12);
    let delivered = ["runs", "--json", "run_*", "--state", "delivered"];
    assert_eq!(room.run(&delivered).out.trim(), "[]");
    let some = room.run(&["skip", "run_00001?"]);
    assert_eq!(some.err.trim(), "3 jobs of 3 runs skipped", "{some:?}");
    for (words, part) in [
        (&["skip", "run_1*"] as &[&str], "no run matches `run_1*`"),
        (&["retry", "00001"], "no run is known as `00001`"),
        (
            &["retry", "run_000001", "run_00012"],
            "did you mean `run_000012`?",
        ),
        (&["runs", "h4:run_00013"], "did you mean `h4:run_00001"),
        (&["runs", "H4:*"], "no run matches `H4:*`"),
        (&["retry", "--since", "1h"], "required"),
        (&["retry", "*", "--since", "soon"], "`soon` is no time"),
    ] {
        let refused = room.run(words);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(part), "{refused:?}");
    }
    assert_eq!(
        (room.count("held"), room.count("skipped")),
        (9, 3),
        "what is refused does nothing"
    );
}

#[test]
fn retry_and_skip_take_what_is_held_or_failed_since_a_time_and_say_who_did_it() {
    let mut room = held(4);
    let later = room.run(&["skip", "--held", "--since", "2999-01-01"]);
    assert_eq!(later.code, 0, "{later:?}");
    assert!(
        later
            .err
            .contains("no job of a run seen since 2999-01-01 is held")
    );
    let none = room.run(&["retry", "--failed"]);
    assert_eq!(
        (none.code, none.err.trim()),
        (0, "no job of a run is failed")
    );
    let one = room
        .run(&["skip", "run_000001", "--held", "--since", "1h", "--json"])
        .json();
    assert_eq!(
        (&one["changed"], &one["runs"]),
        (&1.into(), &1.into()),
        "{one}"
    );
    fs::write(room.path("quick.ipynb"), TEMPLATE).expect("mended");
    let rest = room.run(&["retry", "h4:*", "--held"]);
    assert_eq!(rest.code, 0, "{rest:?}");
    wait_until(20, "the others are delivered", || {
        room.count("delivered") == 3
    });
    assert_eq!(room.count("skipped"), 1);

    let shown = room.run(&["show", "run_000001", "--json"]).json();
    let events = shown["events"].as_array().expect("events");
    let act = events.iter().find(|event| event["event"] == "skipped");
    let actor = act.expect("the act")["actor"].as_str().expect("an actor");
    let uid = rustix::process::getuid().as_raw();
    assert!(actor.contains(&format!("uid {uid}")), "{actor}");
    if uid == 0 {
        assert_eq!(actor, "root (uid 0)");
    }
    assert!(
        room.run(&["show", "run_000001"])
            .out
            .contains(&format!("skipped by {actor}"))
    );

    assert_eq!(room.stop(), 0);
    let down = room.run(&["retry", "run_000001"]);
    assert_eq!(down.code, 69, "{down:?}");
    assert!(
        down.err
            .contains("hint: start it: sudo systemctl start nbcourier")
    );
    assert_eq!(
        room.count("skipped"),
        1,
        "without the daemon nothing is done"
    );
}

#[test]
fn skip_held_leaves_the_other_jobs_of_a_run_as_they_are() {
    let tables = "[notebook.broken]\ntemplate = \"broken.ipynb\"\nto = [\"dir\"]\n\
        [destination.away]\nserver = \"http://127.0.0.1:9/\"\nauth.token = { env = \"HOME\" }\n";
    let quick = "[notebook.quick]\ntemplate = \"quick.ipynb\"\nto = [\"away\"]\n";
    let mut room = Room::bare(&format!("{}{tables}{quick}{DIRECTORY}", watch("h4", "")));
    fs::write(room.path("broken.ipynb"), "{}").expect("a broken template");
    room.start();
    room.make_run(1);
    wait_until(20, "one is held, one waits", || {
        room.count("held") == 1 && room.count("waiting") == 1
    });
    let skipped = room.run(&["skip", "--held"]);
    assert_eq!(skipped.err.trim(), "1 job of 1 run skipped", "{skipped:?}");
    let jobs = room.jobs();
    let state = |notebook: &str| {
        let job = jobs.iter().find(|job| job["notebook"] == notebook);
        job.expect("a job")["state"].clone()
    };
    assert_eq!(state("broken"), "skipped");
    assert_ne!(state("quick"), "skipped");
}

#[test]
fn thousands_of_runs_are_done_in_pieces() {
    let mut room = Room::watching("max_new_per_hour = 1");
    room.start();
    (1..=2500).for_each(|number| drop(room.make_run(number)));
    let count = |state: &str| room.run(&["status", "--json"]).json()["jobs"][state].clone();
    wait_until(60, "one is delivered, the others are held", || {
        count("held") == 2499 && count("delivered") == 1
    });
    let skipped = room.run(&["skip", "h4:*", "--json"]).json();
    let counts = ["changed", "unchanged", "pruned", "runs"].map(|key| skipped[key].as_u64());
    assert_eq!(counts, [Some(2499), Some(1), Some(0), Some(2500)]);
    assert_eq!(count("skipped"), 2499);
    let status = room.run(&["status", "--json"]).json();
    assert_eq!(
        status["health"],
        serde_json::json!([]),
        "no hold stays behind"
    );
}

//! Metadata that are late, broken or written by other systems: told, and lost in no case.

use std::fs;

use crate::support::{Room, begin, finish, lines, wait_until};

fn stalled(room: &Room) -> u64 {
    let status = room.run(&["status", "--json"]).json();
    status["watches"][0]["stalled"].as_u64().expect("a count")
}

#[test]
fn whatever_is_missing_stalls_a_run_and_it_still_comes() {
    let mut room = Room::watching("requires = [\"*.dat\"]\nmax_wait = \"1s\"");
    room.start();
    let parts = [("run.json", "{}"), ("a.dat", "data"), ("DONE", "")];
    for lacking in 0..4 {
        let run = room.path(&format!("data/run_{:06}", lacking + 1));
        fs::create_dir(&run).expect("a run");
        for (at, (name, text)) in parts.iter().enumerate() {
            let text = if lacking == 3 && at == 0 { "{" } else { text };
            if at != lacking {
                fs::write(run.join(name), text).expect("written");
            }
        }
    }
    wait_until(20, "four are stalled", || stalled(&room) == 4);
    for number in 1..=4 {
        let reason = room.reason(&format!("run_{number:06}"));
        assert!(reason.starts_with("stalled"), "{reason}");
    }
    room.restart();
    room.stays(&lines(1..=4, "acquiring"));
    for (at, run) in [0, 1, 2, 0].into_iter().zip(1..) {
        let (name, text) = parts[at];
        fs::write(room.path(&format!("data/run_{run:06}/{name}")), text).expect("written");
    }
    room.await_ledger(&lines(1..=4, "ready delivered"));
    assert_eq!(stalled(&room), 0);
}

#[test]
fn a_file_that_is_rewritten_in_place_is_read_when_it_says_the_end() {
    let mut room = Room::watching(
        "ready = { content = { file = \"run.json\", key = \"status\", equals = \"over\" } }",
    );
    room.start();
    let run = begin(&room.path("data"), "run_000001");
    // In between it is empty, as editors and DAQs leave it.
    for event in 0..500 {
        let text = format!("{{\"events\": {event}, \"status\": \"running\"}}");
        fs::write(run.join("run.json"), text).expect("written");
    }
    for text in ["{\"status\": null}", "{\"events\": 1}", "{\"status\": \"ov"] {
        fs::write(run.join("run.json"), text).expect("written");
        room.stays(&lines([1], "acquiring"));
    }
    let text = "{\"events\": 500, \"status\": \"over\"}";
    fs::write(run.join("run.json"), text).expect("written");
    room.await_ledger(&lines([1], "ready delivered"));
    assert_eq!(room.run_named("run_000001")["parameters"]["events"], 500);
}

#[test]
fn files_of_other_systems_and_wrong_ones_are_understood_or_told() {
    let files = ["json", "yaml", "toml", "ini", "txt", "csv"];
    let optional = files.map(|end| format!("{{ file = \"run.{end}\", optional = true }}"));
    let mut room = Room::watching(&format!("parameters = [{}]", optional.join(", ")));
    let write = |number: usize, name: &str, bytes: &[u8]| {
        let run = room.path(&format!("data/run_{number:06}"));
        fs::create_dir_all(&run).expect("a run");
        fs::write(run.join(name), bytes).expect("written");
        finish(&run);
    };
    let good = [
        ("run.json", "{\r\n\"energy\": 12.5\r\n}\r\n"),
        ("run.yaml", "energy: 12.5\r\nbeam: e\r\n"),
        ("run.toml", "energy = 12.5\r\n"),
        ("run.ini", "; a comment\r\nenergy = 12.5\r\n"),
        ("run.txt", "energy: 12.5\r\n"),
        ("run.csv", "energy,beam\r\n12.5,e\r\n"),
    ];
    for (number, (name, text)) in good.iter().enumerate() {
        write(number + 1, name, format!("\u{feff}{text}").as_bytes());
    }
    let bad: [&[u8]; 6] = [
        b"{\"a\": \"\xe9\"}",
        b"[1]",
        b"\"text\"",
        b"7",
        b"null",
        b"{",
    ];
    for (number, bytes) in bad.iter().enumerate() {
        write(number + 7, "run.json", bytes);
    }
    let mut wanted = lines(1..=6, "ready delivered");
    wanted.extend(lines(7..=12, "acquiring"));
    room.start();
    room.await_ledger(&wanted);
    for run in room.runs().iter().filter(|run| run["state"] == "ready") {
        let energy = run["parameters"]["energy"].to_string();
        assert_eq!(energy.trim_matches('"'), "12.5", "{run}");
    }
    for number in 7..=12 {
        room.await_reason(&format!("run_{number:06}"), "run.json");
        let run = room.path(&format!("data/run_{number:06}/run.json"));
        fs::write(run, "{}").expect("mended");
    }
    room.await_ledger(&lines(1..=12, "ready delivered"));
}

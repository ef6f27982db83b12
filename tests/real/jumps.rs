//! The wall clock is set while the daemon runs and jobs wait for their next attempt.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::delivery::write_token;
use crate::hub::Server;
use crate::line::{Line, Wound};
use crate::support::{Room, assert_one_whole_notebook_each, wait_until};

/// An error of the server, which is no outage: the age of a job counts.
fn broken(stream: &mut TcpStream) -> std::io::Result<()> {
    use std::io::Read as _;
    let mut taken = [0; 65536];
    let _ = stream.read(&mut taken)?;
    stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhmm\n")
}

/// Lets the daemon see the wall clock as `clock` in the room says, and all else as it is.
fn fake_clock(room: &mut Room) {
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    let library = fs::metadata(library).map_or("libfaketime.so.1", |_| library);
    let clock = room.path("clock").display().to_string();
    let set = [
        ("LD_PRELOAD", library.to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", clock),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("NO_FAKE_STAT", "1".into()),
    ];
    room.environment.extend(set);
    set_clock(room, "+0");
}

fn set_clock(room: &Room, offset: &str) {
    let new = room.path("clock.new");
    fs::write(&new, format!("{offset}\n")).expect("written");
    fs::rename(new, room.path("clock")).expect("set");
}

/// Attempts so far by destination: jobs of one trouble are tried for each other.
fn attempts(room: &Room) -> [u64; 2] {
    let jobs = room.jobs();
    ["down", "broken"].map(|name| {
        let ours = jobs.iter().filter(|job| job["destination"] == name);
        ours.filter_map(|job| job["attempts"].as_u64()).sum()
    })
}

#[test]
fn a_clock_that_is_set_freezes_no_job_gives_up_none_and_starts_no_storm() {
    let server = Server::start();
    let troubles = [("down", Wound::Refused), ("broken", Wound::Answers(broken))];
    let mut lines = troubles.map(|(_, wound)| Line::new(&server.url, wound));
    let table = |(name, line): (&str, &Line)| {
        format!(
            "[destination.{name}]\nserver = \"{}\"\ndirectory = \"{name}\"\nauth.token = {{ file = \"token\" }}\n",
            line.url()
        )
    };
    let tables = troubles
        .iter()
        .map(|(name, _)| *name)
        .zip(&lines)
        .map(table);
    let mut room = Room::new(&tables.collect::<String>());
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace(
        "longest = \"5s\"",
        "longest = \"2s\"\ngive_up_after = \"1h\"",
    );
    fs::write(room.path("nbcourier.toml"), config).expect("written");
    write_token(&room, &server.token);
    fake_clock(&mut room);
    room.start();
    (1..=5).for_each(|number| drop(room.make_run(number)));
    let tried = |than: [u64; 2]| {
        let now = attempts(&room);
        now[0] > than[0] && now[1] > than[1]
    };
    wait_until(20, "both were tried", || {
        room.jobs().len() == 10 && tried([4, 4])
    });
    for offset in ["+1d", "+23h", "-1h"] {
        let before = attempts(&room);
        set_clock(&room, offset);
        // Two seconds is the longest wait between two attempts.
        wait_until(15, &format!("{offset}: both are tried again"), || {
            tried(before)
        });
        let before = attempts(&room);
        std::thread::sleep(Duration::from_secs(2));
        let after = attempts(&room);
        for (after, before) in after.into_iter().zip(before) {
            assert!(
                after - before <= 20,
                "{offset}: {before} and then {after} attempts"
            );
        }
        let jobs = room.jobs();
        let open = |job: &&Value| job["state"] == "waiting" || job["state"] == "delivering";
        assert_eq!(jobs.iter().filter(open).count(), 10, "{offset}: {jobs:?}");
    }
    set_clock(&room, "+3d");
    lines.iter_mut().for_each(Line::heal);
    room.await_delivered(10, 20);
    let runs: Vec<_> = (1..=5).map(|number| format!("run_{number:06}")).collect();
    for (name, _) in troubles {
        assert_one_whole_notebook_each(&server.root().join(name), &runs);
    }
    assert_eq!(room.stop(), 0);
}

//! kill -9 at random moments.

use std::fs;
use std::time::Duration;

use crate::support::{Room, assert_ledger_is_sound, assert_one_whole_notebook_each, long, random};

#[test]
fn killed_at_random_moments_it_delivers_every_run_exactly_once() {
    let (kills, runs) = if long() { (300, 1000) } else { (30, 200) };
    let tables = "[spool]\ndirectory = \"spool\"\n[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";
    let mut room = Room::new(tables);
    room.start();
    let mut names = Vec::new();
    let mut number = 0;
    for kill in 0..kills {
        while names.len() < runs * (kill + 1) / kills {
            number += 1;
            names.push(arrive(&room, number));
        }
        std::thread::sleep(Duration::from_millis(random(400)));
        room.kill();
        room.launch();
    }
    room.await_delivered(runs, 120);
    assert_one_whole_notebook_each(&room.path("notebooks"), &names);
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}

/// One run: by marker, or by a trigger file that names a directory elsewhere.
fn arrive(room: &Room, number: u32) -> String {
    if number.is_multiple_of(2) {
        room.make_run(number);
        return format!("run_{number:06}");
    }
    let spool = room.path("spool");
    let text = format!("{{\"run\": \"s{number}\", \"parameters\": {{\"energy\": {number}}}}}");
    fs::write(spool.join(format!("tmp/{number}.json")), text).expect("a trigger file");
    fs::rename(
        spool.join(format!("tmp/{number}.json")),
        spool.join(format!("{number}.json")),
    )
    .expect("dropped");
    format!("s{number}")
}

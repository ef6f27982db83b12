//! kill -9 at random moments.

use std::fs;
use std::time::Duration;

use crate::support::{
    DELIVERY, Room, assert_ledger_is_sound, assert_one_whole_notebook_each, begin, finish, lines,
    long, random, wait_until, watch,
};

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

#[test]
fn killed_while_it_remembers_what_exists_it_delivers_only_what_comes_later() {
    let (kills, existing) = if long() { (40, 20_000) } else { (10, 2_000) };
    let mut room = Room::watching("existing = \"ignore\"");
    (0..existing).for_each(|number| drop(room.make_run(number)));
    for _ in 0..kills {
        room.launch();
        std::thread::sleep(Duration::from_millis(random(250)));
        room.kill();
    }
    room.start();
    let status = || room.run(&["status", "--json"]).json();
    wait_until(30, "all are known", || {
        status()["watches"][0]["runs"] == existing
    });
    room.make_run(existing);
    room.await_delivered(1, 20);
    let runs = room.runs();
    let existed = runs.iter().filter(|run| run["reason"] == "existed-before");
    assert_eq!(
        (existed.count(), runs.len()),
        (existing as usize, existing as usize + 1)
    );
    assert_ledger_is_sound(&room);
}

#[test]
fn killed_between_the_steps_of_a_trigger_file_it_is_one_run() {
    let mut room = Room::new(
        "[spool]\ndirectory = \"spool\"\n[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n",
    );
    room.start();
    let spool = room.path("spool");
    fs::write(spool.join("one.json"), "{\"run\": 1}").expect("dropped");
    room.await_ledger(&["spool:1 ready delivered"]);
    wait_until(10, "it is put away", || {
        spool.join("accepted/one.json").exists()
    });
    room.kill();
    // The first as after a kill between commit and move, the second between claim and commit.
    fs::rename(spool.join("accepted/one.json"), spool.join("work/one.json")).expect("moved");
    fs::write(spool.join("work/two.json"), "{\"run\": 2}").expect("written");
    room.start();
    let wanted = ["spool:1 ready delivered", "spool:2 ready delivered"];
    room.await_ledger(&wanted);
    wait_until(10, "both are put away", || {
        ["one", "two"]
            .iter()
            .all(|name| spool.join(format!("accepted/{name}.json")).exists())
    });
    room.stays(&wanted);
}

#[test]
fn killed_at_random_between_begin_and_end_it_makes_one_notebook_for_each() {
    let live = "[notebook.live]\ntemplate = \"quick.ipynb\"\nat = \"begin\"\nname = \"live-{run}.ipynb\"\n";
    let mut room = Room::bare(&format!("{}{live}{DELIVERY}", watch("h4", "")));
    room.start();
    for number in 1..=10 {
        let run = begin(&room.path("data"), &format!("run_{number:06}"));
        for end in [false, true] {
            std::thread::sleep(Duration::from_millis(random(150)));
            room.kill();
            if end {
                finish(&run);
            }
            room.launch();
        }
    }
    room.await_ledger(&lines(1..=10, "ready delivered delivered"));
    assert_eq!(crate::support::files(&room.path("notebooks")).len(), 20);
    assert_ledger_is_sound(&room);
}

//! File systems of which less is known than of a disk of this machine, as FUSE has them.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::systemd::Systemd;
use crate::support::{DELIVERY, Process, Room, begin, finish, lines, make, wait_until, watch};
use crate::world::World;

#[test]
fn where_births_are_unknown_a_number_that_is_used_again_is_told_by_its_metadata() {
    for restart in [false, true] {
        let mut world = World::new(Room::watching(""));
        world.sh("bindfs base/data data");
        world.room.start();
        let data = world.path("base/data");
        let runs = ["run_000001", "run_000002"];
        for run in runs {
            make(&data, run, "{\"energy\": 1}");
        }
        let mut wanted = lines(1..=2, "ready delivered");
        world.room.await_ledger(&wanted);
        for run in runs {
            fs::remove_dir_all(data.join(run)).expect("removed");
        }
        if restart {
            world.room.restart();
        }
        // Some scans without them.
        world.room.stays(&wanted);
        make(&data, runs[0], "{\"energy\": 1}");
        make(&data, runs[1], "{\"energy\": 22}");
        wanted.push("run_000002#2 ready delivered".into());
        world.room.await_ledger(&wanted);
        world.room.restart();
        world.room.stays(&wanted);
    }
}

/// As NFS does, for three seconds where that takes a minute.
#[test]
fn a_file_system_that_remembers_old_answers_only_makes_it_later() {
    let mut world = World::new(Room::watching("ready = { any = [{ marker = \"DONE\" }] }"));
    world.sh("bindfs -o attr_timeout=3,entry_timeout=3,negative_timeout=3 base/data data");
    world.room.start();
    world.make("base/data", 1);
    let open = begin(&world.path("base/data"), "run_000002");
    let mut wanted = lines([1], "ready delivered");
    world
        .room
        .await_ledger(&[wanted.clone(), lines([2], "acquiring")].concat());
    // Both answers are remembered now: that there is metadata, and that there is no marker.
    assert!(world.path("data/run_000002/run.json").exists());
    assert!(!world.path("data/run_000002/DONE").exists());
    fs::remove_file(open.join("run.json")).expect("removed");
    finish(&open);
    fs::write(open.join("run.json"), "{\"energy\": 7}").expect("written");
    wanted.extend(lines([2], "ready delivered"));
    world.room.await_ledger(&wanted);
    assert_eq!(
        world.room.run_named("run_000002")["parameters"]["energy"],
        7
    );
    world.room.stays(&wanted);
}

#[test]
fn a_file_system_that_hangs_holds_up_its_own_watches_only() {
    // More of them hang than there are threads for tasks.
    let hanging = ["c", "d", "e", "f", "g", "h"];
    let below = |name: &&str| watch(name, &format!("directory = \"data/{name}\""));
    let tables: String = hanging.iter().map(below).collect();
    let other = watch("h4", "directory = \"other\"");
    let mut world = World::new(Room::bare(&format!("{tables}{other}{DELIVERY}")));
    fs::create_dir(world.room.path("other")).expect("made");
    for name in hanging {
        fs::create_dir(world.path(&format!("base/data/{name}"))).expect("made");
    }
    let bindfs = Process::start(&mut world.script("exec bindfs -f base/data data"));
    wait_until(10, "it is mounted", || world.path("data/c").is_dir());
    let limit = Some(Duration::from_secs(4));
    let mut systemd = Systemd::of(&mut world.room, "@nbcourier-test-hangs", limit);
    world.room.start();
    make(&world.path("base/data/c"), "run_1", "{}");
    let mut wanted = vec!["c:run_1 ready delivered".to_owned()];
    world.room.await_ledger(&wanted);
    bindfs.signal(Signal::STOP);
    make(&world.path("base/data/c"), "run_2", "{}");
    for number in 1..=5 {
        make(&world.path("other"), &format!("run_{number}"), "{}");
        wanted.push(format!("run_{number} ready delivered"));
        world.room.await_ledger(&wanted);
    }
    systemd.await_status(20, |now| {
        now.starts_with("not well: [watch.c]: a look at /")
            && now.contains("/data/c takes more than 6 s")
    });
    let silence = systemd.longest_silence(3);
    assert!(
        silence < Duration::from_secs(2),
        "the watchdog starves: {silence:?}"
    );
    assert_eq!(world.room.stop(), 0, "it stops all the same");
    bindfs.signal(Signal::CONT);
    world.room.start();
    systemd.await_status(20, |now| now.starts_with("all well: "));
    wanted.push("c:run_2 ready delivered".to_owned());
    world.room.await_ledger(&wanted);
}

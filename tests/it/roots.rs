//! Watch directories that come, go and change: nothing is lost, nothing comes twice.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{DELIVERY, Room, begin, finish, lines, make, wait_until, watch};

/// Lets `link` point elsewhere, at once.
fn switch(link: &Path, target: &Path) {
    let new = link.with_extension("new");
    symlink(target, &new).expect("a link");
    fs::rename(new, link).expect("switched");
}

fn await_trouble(room: &Room, code: &str) {
    wait_until(20, code, || room.troubles().iter().any(|one| one == code));
}

fn await_well(room: &Room) {
    wait_until(20, "no trouble is left", || room.troubles().is_empty());
}

#[test]
fn a_directory_that_is_made_after_the_start_holds_only_new_runs() {
    let mut room = Room::watching("existing = \"ignore\"");
    fs::remove_dir(room.path("data")).expect("removed");
    room.start();
    await_trouble(&room, "watch-missing");
    (1..=3).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=3, "ready delivered"));
    await_well(&room);
    room.make_run(4);
    room.await_ledger(&lines(1..=4, "ready delivered"));
}

#[test]
fn a_directory_that_is_deleted_and_made_again_is_watched_again() {
    let mut room = Room::watching("");
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=3, "ready delivered"));
    fs::remove_dir_all(room.path("data")).expect("removed");
    await_trouble(&room, "watch-missing");
    room.stays(&lines(1..=3, "ready delivered"));
    fs::create_dir(room.path("data")).expect("made again");
    await_well(&room);
    room.make_run(4);
    let open = begin(&room.path("data"), "run_000005");
    room.make_run_with(1, "{\"energy\": 99}");
    // Whether a whole new tree is coming can't be told yet.
    let mut wanted = lines(1..=4, "ready delivered");
    wanted.push("run_000001#2 ready held:mass-change".into());
    room.await_ledger(&[wanted.clone(), lines([5], "acquiring")].concat());
    finish(&open);
    wanted.extend(lines([5], "ready delivered"));
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
    assert_eq!(room.run(&["retry", "--held"]).code, 0);
    room.await_delivered(6, 20);
}

#[test]
fn a_directory_that_is_renamed_and_replaced_is_the_one_of_that_name() {
    let mut room = Room::watching("");
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=3, "ready delivered"));
    // In the new one the first run is a copy, the second another one, the ninth new.
    let new = room.path("new");
    make(
        &new,
        "run_000001",
        "{\"energy\": 1.50, \"beam\": \"e-\\\"\"}",
    );
    make(&new, "run_000002", "{\"energy\": 22}");
    make(&new, "run_000009", "{}");
    fs::rename(room.path("data"), room.path("old")).expect("renamed");
    fs::rename(&new, room.path("data")).expect("replaced");
    let mut wanted = lines([1, 2, 3, 9], "ready delivered");
    wanted.push("run_000002#2 ready held:mass-change".into());
    room.await_ledger(&wanted);
    make(&room.path("old"), "run_000010", "{}");
    room.make_run(11);
    wanted.push("run_000011 ready delivered".into());
    room.await_ledger(&wanted);
    room.stays(&wanted);
    assert_eq!(room.run(&["retry", "--held"]).code, 0);
    wanted.retain(|line| !line.contains("held"));
    wanted.push("run_000002#2 ready delivered".into());
    room.await_ledger(&wanted);
    assert!(room.path("notebooks/run_000002-2.ipynb").exists());
}

#[test]
fn a_link_that_is_switched_to_another_directory_and_back_doubles_nothing() {
    let mut room = Room::watching("");
    let (data, one, two) = (room.path("data"), room.path("one"), room.path("two"));
    fs::remove_dir(&data).expect("removed");
    for number in 1..=3 {
        make(&one, &format!("run_{number:06}"), "{\"energy\": 1}");
    }
    make(&two, "run_000001", "{\"energy\": 1}");
    make(&two, "run_000002", "{\"energy\": 2}");
    make(&two, "run_000004", "{\"energy\": 4}");
    switch(&data, &one);
    room.start();
    let mut wanted = lines(1..=3, "ready delivered");
    room.await_ledger(&wanted);
    switch(&data, &two);
    wanted.push("run_000004 ready delivered".into());
    wanted.push("run_000002#2 ready held:mass-change".into());
    room.await_ledger(&wanted);
    switch(&data, &one);
    room.stays(&wanted);
    make(&one, "run_000005", "{}");
    wanted.push("run_000005 ready delivered".into());
    room.await_ledger(&wanted);
    switch(&data, &two);
    make(&two, "run_000006", "{}");
    wanted.push("run_000006 ready delivered".into());
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
}

#[test]
fn of_several_directories_dead_ones_leave_the_others_alone() {
    let watches = ["alive", "missing", "file", "link"];
    let tables: String = watches
        .iter()
        .map(|name| watch(name, &format!("directory = \"{name}\"")))
        .collect();
    let mut room = Room::bare(&format!("{tables}{DELIVERY}"));
    fs::create_dir(room.path("alive")).expect("made");
    fs::write(room.path("file"), "").expect("a file in its place");
    symlink("link", room.path("link")).expect("a link to itself");
    room.start();
    make(&room.path("alive"), "run_1", "{}");
    room.await_ledger(&["alive:run_1 ready delivered"]);
    wait_until(20, "three are told", || room.troubles().len() == 3);
    for name in ["file", "link"] {
        fs::remove_file(room.path(name)).expect("removed");
    }
    for name in &watches {
        make(&room.path(name), "run_2", "{}");
    }
    let mut wanted: Vec<_> = watches
        .iter()
        .map(|name| format!("{name}:run_2 ready delivered"))
        .collect();
    wanted.push("alive:run_1 ready delivered".into());
    room.await_ledger(&wanted);
    await_well(&room);
}

#[test]
fn a_run_that_lies_below_several_watches_comes_once() {
    let tables = [
        watch("same", ""),
        watch("outer", "pattern = '\\d+/run_(?<run>\\d+)'"),
        watch("inner", "directory = \"data/2026\""),
        watch("link", "directory = \"link\""),
    ];
    let mut room = Room::bare(&format!("{}{}{DELIVERY}", tables.concat(), watch("h4", "")));
    symlink("data", room.path("link")).expect("a link");
    let inner = room.path("data/2026");
    fs::create_dir(&inner).expect("made");
    make(&inner, "run_1", "{}");
    room.make_run(2);
    room.start();
    make(&inner, "run_3", "{}");
    room.make_run(4);
    let open = begin(&inner, "run_5");
    wait_until(20, "all are known", || room.ledger().len() == 12);
    finish(&open);
    // Three of the runs lie below two watches, the other two below three.
    wait_until(20, "each is delivered once", || {
        let ledger = room.ledger();
        let count = |what| ledger.iter().filter(|line| line.contains(what)).count();
        (count(" ready delivered"), count(" ignored same-as ")) == (5, 7)
    });
    assert_eq!(room.jobs().len(), 5);
    let ledger = room.ledger();
    room.restart();
    room.stays(&ledger);
}

#[test]
fn a_run_that_is_moved_from_one_watch_to_another_comes_once() {
    for down in [false, true] {
        let tables = format!("{}{}", watch("h4", ""), watch("b", "directory = \"other\""));
        let mut room = Room::bare(&format!("{tables}{DELIVERY}"));
        let (data, other) = (room.path("data"), room.path("other"));
        fs::create_dir(&other).expect("made");
        room.start();
        room.make_run(1);
        begin(&data, "run_000002");
        room.await_ledger(&["run_000001 ready delivered", "run_000002 acquiring"]);
        if down {
            room.kill();
        }
        for run in ["run_000001", "run_000002"] {
            fs::rename(data.join(run), other.join(run)).expect("moved");
        }
        if down {
            room.start();
        }
        wait_until(20, "both are seen there", || room.runs().len() == 4);
        finish(&other.join("run_000002"));
        let wanted = [
            "run_000001 ready delivered",
            "b:run_000001 ignored renamed-from run_000001",
            "run_000002 ignored renamed-to b:run_000002",
            "b:run_000002 ready delivered",
        ];
        room.await_ledger(&wanted);
        room.restart();
        room.stays(&wanted);
    }
}

#[test]
fn runs_that_may_not_be_read_are_told_and_come_once_they_may() {
    let mut room = Room::watching("");
    room.unprivileged();
    let open = |path: &Path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).expect("chmod");
    };
    // A tester who is not root closes them to themself as well.
    let (hidden, file) = (room.make_run(1), room.make_run(2).join("run.json"));
    open(&hidden, 0);
    open(&file, 0);
    room.start();
    room.make_run(3);
    wait_until(20, "both are told", || {
        ["run_000001", "run_000002"]
            .iter()
            .all(|run| room.reason(run).contains("Permission denied"))
    });
    open(&hidden, 0o755);
    open(&file, 0o644);
    room.await_ledger(&lines(1..=3, "ready delivered"));
}

//! A damaged, torn, newer or shared ledger: never started empty, never made worse.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::process::Command;

use crate::support::{
    Room, assert_ledger_is_sound, assert_one_whole_notebook_each, lines, wait_until,
};

/// A room that has delivered so many runs and was then stopped or killed.
fn used(runs: u32, stopped: bool) -> Room {
    let mut room = Room::watching("");
    room.start();
    (1..=runs).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=runs, "ready delivered"));
    if stopped {
        assert_eq!(room.stop(), 0);
    } else {
        room.kill();
    }
    room
}

fn ledger(room: &Room) -> PathBuf {
    room.path("state/ledger.db")
}

/// What the ledger's files hold. The index of the write-ahead log is no data.
fn bytes(room: &Room) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = crate::support::files(&room.path("state"));
    let data = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end != "db-shm" && end != "sock")
    };
    files
        .into_iter()
        .filter(data)
        .map(|path| (path.clone(), fs::read(path).expect("read")))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect()
}

fn overwrite(room: &Room, at: u64, with: &[u8]) {
    let mut file = fs::File::options()
        .write(true)
        .open(ledger(room))
        .expect("open");
    file.seek(SeekFrom::Start(at)).expect("sought");
    file.write_all(with).expect("damaged");
}

fn by_python(room: &Room, script: &str) {
    let program =
        format!("import sqlite3,sys\nc = sqlite3.connect(sys.argv[1])\n{script}\nc.commit()");
    let done = Command::new("python3")
        .args(["-c", &program])
        .arg(ledger(room))
        .status();
    assert!(done.expect("python3").success());
}

fn assert_same(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>, why: &str) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "{why}");
    for (path, bytes) in before {
        let differing = bytes.iter().zip(&after[path]).position(|(a, b)| a != b);
        let lengths = (bytes.len(), after[path].len());
        let same = differing.is_none() && lengths.0 == lengths.1;
        assert!(
            same,
            "{why}: {} was written at {differing:?}, {lengths:?}",
            path.display()
        );
    }
}

/// Refused for good, the file and the way out named, and nothing changed on the disk.
fn assert_refused(room: &Room, why: &str) {
    let before = bytes(room);
    let refused = room.run(&["daemon"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    let file = ledger(room).display().to_string();
    for part in [why, &file, "nothing was changed", "nbcourier restore"] {
        assert!(refused.err.contains(part), "no `{part}` in {refused:?}");
    }
    assert_same(&before, &bytes(room), why);
    let read = room.run(&["runs"]);
    assert!(matches!(read.code, 0 | 78), "{read:?}");
    assert_same(&before, &bytes(room), why);
}

#[test]
fn whatever_is_damaged_the_ledger_is_refused_and_left_as_it_is() {
    type Damage = (&'static str, fn(&Room));
    let damages: [Damage; 7] = [
        ("damaged", |room| overwrite(room, 0, b"NBQL")),
        ("damaged", |room| {
            overwrite(room, 8 * 4096, &[0xA5; 4 * 4096])
        }),
        ("damaged", |room| {
            let file = fs::File::options()
                .write(true)
                .open(ledger(room))
                .expect("open");
            let length = file.metadata().expect("facts").len();
            file.set_len(length / 2).expect("cut");
        }),
        ("damaged", |room| {
            fs::write(ledger(room), "no database").expect("written")
        }),
        ("version 99", |room| {
            by_python(room, "c.execute('PRAGMA user_version = 99')")
        }),
        ("another program", |room| {
            by_python(room, "c.execute('PRAGMA application_id = 7')");
        }),
        ("another program", |room| {
            fs::remove_file(ledger(room)).expect("removed");
            by_python(room, "c.execute('CREATE TABLE runs (x)')");
        }),
    ];
    let whole = used(200, true);
    let good = fs::read(ledger(&whole)).expect("read");
    for (why, damage) in damages {
        fs::write(ledger(&whole), &good).expect("whole again");
        damage(&whole);
        assert_refused(&whole, why);
    }
    // A copy that is put back is all that it takes.
    fs::write(ledger(&whole), &good).expect("whole again");
    let mut room = whole;
    room.start();
    room.make_run(201);
    room.await_ledger(&lines(1..=201, "ready delivered"));
}

#[test]
fn a_torn_last_write_costs_nothing_that_was_recorded() {
    for torn in [1, 100, 4000] {
        let mut room = used(20, false);
        let log = room.path("state/ledger.db-wal");
        let file = fs::File::options().write(true).open(&log).expect("open");
        let length = file.metadata().expect("facts").len();
        assert!(length > 4096, "there is a log to be torn");
        file.set_len(length - torn).expect("torn");
        room.start();
        room.make_run(21);
        room.await_ledger(&lines(1..=21, "ready delivered"));
        room.stays(&lines(1..=21, "ready delivered"));
        let names: Vec<_> = (1..=21).map(|number| format!("run_{number:06}")).collect();
        assert_one_whole_notebook_each(&room.path("notebooks"), &names);
        assert_eq!(room.stop(), 0);
        assert_ledger_is_sound(&room);
    }
}

#[test]
fn garbage_after_the_last_write_is_no_part_of_the_ledger() {
    let mut room = used(20, false);
    let log = room.path("state/ledger.db-wal");
    let mut file = fs::File::options().append(true).open(log).expect("open");
    file.write_all(&[0x5A; 3 * 4120 + 17]).expect("garbage");
    room.start();
    room.stays(&lines(1..=20, "ready delivered"));
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}

#[test]
fn a_second_daemon_names_the_first_which_goes_on() {
    let mut room = Room::watching("");
    room.start();
    let first = format!("(pid {})", room.pid());
    for _ in 0..3 {
        let second = room.run(&["daemon"]);
        assert_eq!(second.code, 78, "{second:?}");
        assert!(second.err.contains(&first), "{second:?}");
    }
    room.make_run(1);
    room.await_ledger(&lines([1], "ready delivered"));
    assert_eq!(
        room.run(&["status"]).code,
        0,
        "the control socket is still the first one's"
    );
    // Killed, it leaves no lock behind.
    room.kill();
    room.start();
    room.make_run(2);
    room.await_ledger(&lines(1..=2, "ready delivered"));
    wait_until(10, "the socket answers", || room.run(&["status"]).code == 0);
}

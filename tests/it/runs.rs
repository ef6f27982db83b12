//! How runs arrive: each comes exactly once.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{Room, begin, copy_tree, finish, lines, wait_until};

/// A file as `rsync -a` brings it: under another name first, with the time it had elsewhere.
fn rsync(run: &Path, name: &str, text: &str) {
    let staged = run.join(format!(".{name}.a1b2c3"));
    fs::create_dir_all(run).expect("a run");
    fs::write(&staged, text).expect("written");
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = File::options().write(true).open(&staged);
    file.and_then(|file| file.set_modified(then)).expect("old");
    fs::rename(&staged, run.join(name)).expect("renamed");
}

#[test]
fn a_run_is_complete_with_its_last_part_in_whatever_order_they_arrive() {
    let mut room = Room::watching("requires = [\"*.dat\"]");
    room.start();
    let parts = [("DONE", ""), ("run.json", "{}"), ("a.dat", "data")];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for step in 0..3 {
        for (number, order) in orders.iter().enumerate() {
            let (name, text) = parts[order[step]];
            let run = room.path(&format!("data/run_{:06}", number + 1));
            rsync(&run, name, text);
        }
        let state = if step < 2 {
            "acquiring"
        } else {
            "ready delivered"
        };
        room.await_ledger(&lines(1..=6, state));
        room.stays(&lines(1..=6, state));
    }
}

#[test]
fn copied_data_with_old_times_are_not_quiet_while_they_grow() {
    let mut room = Room::watching("ready = { quiet = \"1s\" }");
    room.start();
    let run = room.path("data/run_000001");
    rsync(&run, "run.json", "{}");
    for part in 0..8 {
        rsync(&run, &format!("{part}.dat"), "data");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(room.count("delivered"), 0, "it is still growing");
    }
    room.await_ledger(&lines([1], "ready delivered"));
}

#[test]
fn a_run_counts_under_its_final_name_only() {
    let mut room = Room::watching("pattern = '.+'");
    room.start();
    let data = room.path("data");
    let names = ["one.tmp", ".two.a1b2c3", "three.part", "four~"];
    for name in names {
        finish(&begin(&data, name));
    }
    room.stays::<&str>(&[]);
    for (name, last) in names.iter().zip(["one", "two", "three", "four"]) {
        fs::rename(data.join(name), data.join(last)).expect("renamed");
    }
    room.await_ledger(&[
        "four ready delivered",
        "one ready delivered",
        "three ready delivered",
        "two ready delivered",
    ]);
}

#[test]
fn a_run_of_ten_thousand_files_costs_little_to_wait_for() {
    let mut room = Room::watching("ready = { quiet = \"3s\" }\nparameters = []");
    room.pace = "1";
    let run = room.path("data/run_000001");
    fs::create_dir(&run).expect("a run");
    for file in 0..10_000 {
        fs::write(run.join(format!("{file}.dat")), "").expect("a file");
    }
    room.start();
    room.await_ledger(&lines([1], "ready delivered"));
    let used = room.processor_seconds();
    assert!(used < 1.5, "{used} s of processor time");
}

#[test]
fn times_of_the_future_and_of_long_ago_change_nothing() {
    let century = Duration::from_secs(100 * 365 * 86400);
    let mut room = Room::watching("ready = { quiet = \"500ms\" }");
    room.start();
    for (number, time) in [(1, UNIX_EPOCH), (2, SystemTime::now() + century)] {
        let run = room.make_run(number);
        for path in [run.join("run.json"), run] {
            let file = File::open(path).expect("open");
            file.set_modified(time).expect("set");
        }
    }
    room.await_ledger(&lines(1..=2, "ready delivered"));
}

#[test]
fn a_run_that_began_at_the_very_time_of_since_is_taken() {
    for (later, state) in [(0, "ready delivered"), (1, "ignored existed-before")] {
        let mut room = Room::watching("existing = \"since:TIME\"");
        room.make_run(1);
        // Times of the file system are milliseconds apart.
        std::thread::sleep(Duration::from_millis(50));
        let run = fs::metadata(room.make_run(2)).expect("a run");
        let began = run.created().expect("a birth time");
        let began = began.duration_since(UNIX_EPOCH).expect("after 1970");
        let time = i64::try_from(began.as_millis()).expect("a time") + later;
        let time = jiff::Timestamp::from_millisecond(time).expect("a time");
        let file = room.path("nbcourier.toml");
        let text = fs::read_to_string(&file).expect("a configuration");
        fs::write(&file, text.replace("TIME", &time.to_string())).expect("written");
        room.start();
        let first = lines([1], "ignored existed-before");
        room.await_ledger(&[first, lines([2], state)].concat());
    }
}

#[test]
fn a_copy_of_a_run_under_another_name_is_another_run() {
    let mut room = Room::watching("");
    room.start();
    let run = room.make_run(1);
    room.await_ledger(&lines([1], "ready delivered"));
    copy_tree(&run, &room.path("data/run_000002"));
    room.await_ledger(&lines(1..=2, "ready delivered"));
    wait_until(10, "its own notebook", || {
        room.path("notebooks/run_000002.ipynb").exists()
    });
}

//! Runs in levels, of several files, behind links, under odd names; notebooks at their begin.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::{DELIVERY, Room, begin, files, finish, lines, make, watch};

#[test]
fn a_linked_run_comes_once_dangling_links_and_loops_hurt_nothing() {
    let mut room = Room::watching("");
    // A target that appears elsewhere is found by the full scan, every three seconds here.
    room.pace = "0.005";
    room.start();
    let (data, elsewhere) = (room.path("data"), room.path("elsewhere"));
    make(&elsewhere, "one", "{}");
    let links = [
        ("run_000001", elsewhere.join("one")),
        ("run_000002", elsewhere.join("two")),
        ("run_000003", "run_000003".into()),
    ];
    for (name, target) in links {
        symlink(target, data.join(name)).expect("a link");
    }
    room.make_run(5);
    let mut wanted = lines([1, 5], "ready delivered");
    room.await_ledger(&wanted);
    symlink(elsewhere.join("one"), data.join("run_000006")).expect("a link");
    wanted.push("run_000006 ignored same-as run_000001".into());
    room.await_ledger(&wanted);
    make(&elsewhere, "two", "{}");
    wanted.push("run_000002 ready delivered".into());
    room.await_ledger(&wanted);
    // The directory itself is a run that never ends.
    symlink(".", data.join("run_000004")).expect("a link");
    wanted.push("run_000004 acquiring".into());
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
}

#[test]
fn a_new_day_brings_a_directory_with_runs_inside() {
    for notify in [true, false] {
        let keys = "pattern = '(?<date>\\d{4}-\\d\\d-\\d\\d)/run_(?<run>\\d+)'";
        let mut room = Room::watching(keys);
        if !notify {
            room.environment
                .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
        }
        let data = room.path("data");
        make(&data.join("2026-11-20"), "run_1", "{}");
        room.start();
        let mut wanted = vec!["2026-11-20/run_1 ready delivered"];
        room.await_ledger(&wanted);
        let midnight = room.path("midnight");
        make(&midnight, "run_1", "{}");
        make(&midnight, "run_2", "{}");
        begin(&midnight, "run_3");
        fs::rename(&midnight, data.join("2026-11-21")).expect("a new day");
        make(&data.join("2026-11-22"), "run_1", "{}");
        make(&data.join("2026-11-20"), "run_9", "{}");
        make(&data.join("notes"), "run_5", "{}");
        make(&data, "run_6", "{}");
        wanted.extend([
            "2026-11-20/run_9 ready delivered",
            "2026-11-21/run_1 ready delivered",
            "2026-11-21/run_2 ready delivered",
            "2026-11-21/run_3 acquiring",
            "2026-11-22/run_1 ready delivered",
        ]);
        room.await_ledger(&wanted);
        finish(&data.join("2026-11-21/run_3"));
        wanted[4] = "2026-11-21/run_3 ready delivered";
        room.await_ledger(&wanted);
        assert_eq!(room.run_named("2026-11-21/run_3")["parameters"]["run"], "3");
        room.restart();
        room.stays(&wanted);
    }
}

#[test]
fn whatever_a_run_is_called_its_notebook_stands_where_notebooks_stand() {
    let mut room =
        Room::watching("pattern = '(?s:.+)'\nready = \"appears\"\nparameters = []\nignore = []");
    let names: [&[u8]; 14] = [
        b"..a",
        b"...",
        b".hidden",
        b"a..b",
        b" ",
        b"a b ",
        b"100%",
        b"%2e%2e%2f",
        b"back\\slash",
        b"{run}",
        b"$(touch x)",
        b"it's; DROP TABLE runs; --",
        b"\x1b[31m",
        &[0xff; 255],
    ];
    for name in names {
        fs::create_dir(room.path("data").join(OsStr::from_bytes(name))).expect("a run");
    }
    room.start();
    crate::support::wait_until(20, "all but the longest are delivered", || {
        (room.count("delivered"), room.count("held")) == (13, 1)
    });
    room.restart();
    assert_eq!((room.runs().len(), room.jobs().len()), (14, 14));
    let notebooks = files(&room.path("notebooks"));
    assert_eq!(notebooks.len(), 13, "{notebooks:?}");
    assert!(
        notebooks
            .iter()
            .all(|file| file.parent() == Some(&room.path("notebooks")))
    );
}

#[test]
fn the_files_of_one_run_are_one_run_in_whatever_order_they_come() {
    let mut room = Room::watching(
        "pattern = 'rcdaq-(?<run>\\d{8})(?<segment>-\\d{4})\\.evt'\nready = { quiet = \"1s\" }\nparameters = []",
    );
    room.start();
    let file = |run: u32, segment: u32| room.path(&format!("data/rcdaq-{run:08}-{segment:04}.evt"));
    let write = |run, segment| fs::write(file(run, segment), "events").expect("a file");
    (0..3).for_each(|segment| write(1, segment));
    [3, 0, 1].into_iter().for_each(|segment| write(2, segment));
    let mut growing = fs::File::create(file(3, 0)).expect("a file");
    for _ in 0..8 {
        growing.write_all(b"events").expect("written");
        std::thread::sleep(Duration::from_millis(250));
        let open = |line: &String| line == "rcdaq-00000003.evt acquiring";
        assert!(room.ledger().iter().any(open), "{:?}", room.ledger());
    }
    write(3, 1);
    let wanted: Vec<_> = (1..=3)
        .map(|run| format!("rcdaq-{run:08}.evt ready delivered"))
        .collect();
    room.await_ledger(&wanted);
    let run = room.run_named("rcdaq-00000003.evt");
    assert_eq!(run["parameters"]["run"], "00000003");
    // Late ones, and old ones that go, change nothing.
    write(1, 9);
    fs::remove_file(file(2, 0)).expect("removed");
    fs::remove_file(file(2, 3)).expect("removed");
    (0..2).for_each(|segment| fs::remove_file(file(3, segment)).expect("removed"));
    room.stays(&wanted);
    room.restart();
    room.stays(&wanted);
}

#[test]
fn a_notebook_at_the_begin_and_one_at_the_end_come_once_each() {
    let live = "[notebook.live]\ntemplate = \"quick.ipynb\"\nat = \"begin\"\nname = \"live-{run}.ipynb\"\n";
    let mut room = Room::bare(&format!("{}{live}{DELIVERY}", watch("h4", "")));
    room.start();
    let open = begin(&room.path("data"), "run_000001");
    room.await_ledger(&lines([1], "acquiring delivered"));
    assert!(room.path("notebooks/live-000001.ipynb").exists());
    room.restart();
    room.stays(&lines([1], "acquiring delivered"));
    finish(&open);
    room.make_run(2);
    room.await_ledger(&lines(1..=2, "ready delivered delivered"));
    fs::remove_dir_all(&open).expect("removed");
    let again = begin(&room.path("data"), "run_000001");
    let mut wanted = lines(1..=2, "ready delivered delivered");
    wanted.push("run_000001#2 acquiring delivered".into());
    room.await_ledger(&wanted);
    finish(&again);
    wanted.pop();
    wanted.push("run_000001#2 ready delivered delivered".into());
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
    assert_eq!(files(&room.path("notebooks")).len(), 6);
}

//! Notifications that are lost, limited or too many: runs are found all the same.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::support::{DELIVERY, Room, begin, finish, lines, long, make, wait_until, watch};

/// Starts the daemon in a user namespace of its own with this limit; the machine's own stays.
fn limited(room: &mut Room, limit: &str, count: u32) {
    let script = format!("echo {count} > /proc/sys/user/{limit} && exec \"$@\"");
    let wrap = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-ec",
        &script,
        "sh",
    ];
    room.wrap = wrap.map(String::from).to_vec();
    room.start();
}

/// How each watch learns of its runs.
fn backends(room: &Room) -> Vec<String> {
    let status = room.run(&["status", "--json"]).json();
    let watches = status["watches"].as_array().cloned().unwrap_or_default();
    let backend = |watch: &serde_json::Value| watch["backend"].as_str().map(str::to_owned);
    watches.iter().filter_map(backend).collect()
}

fn count(backends: &[String], wanted: &str) -> usize {
    backends.iter().filter(|backend| *backend == wanted).count()
}

#[test]
fn an_overflow_of_the_kernels_queue_is_followed_by_a_listing() {
    let mut room = Room::watching("poll_every = \"1h\"");
    room.start();
    let data = room.path("data");
    let open = begin(&data, "run_000001");
    room.await_ledger(&lines([1], "acquiring"));
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let limit: u32 = limit.trim().parse().expect("a number");
    room.signal(Signal::STOP);
    // Each is two events at least.
    for number in 0..limit {
        fs::write(data.join(format!("{number}.tmp")), "").expect("noise");
    }
    (2..=20).for_each(|number| drop(room.make_run(number)));
    finish(&open);
    let late = begin(&data, "run_000021");
    room.signal(Signal::CONT);
    let mut wanted = lines(1..=20, "ready delivered");
    wanted.extend(lines([21], "acquiring"));
    room.await_ledger(&wanted);
    finish(&late);
    room.make_run(22);
    room.await_ledger(&lines(1..=22, "ready delivered"));
}

#[test]
fn more_hints_at_once_than_are_kept_are_followed_by_a_listing() {
    let mut room = Room::watching("poll_every = \"1h\"");
    room.start();
    room.signal(Signal::STOP);
    // More than the channel's 4 096, fewer than the kernel keeps.
    for number in 0..6000 {
        fs::create_dir(room.path(&format!("data/{number}.tmp"))).expect("noise");
    }
    (1..=300).for_each(|number| drop(room.make_run(number)));
    room.signal(Signal::CONT);
    room.await_ledger(&lines(1..=300, "ready delivered"));
}

#[test]
fn without_watches_or_instances_runs_are_found_by_listing() {
    let limits = [("max_inotify_watches", 1), ("max_inotify_instances", 0)];
    for (limit, number) in limits {
        let names = ["a", "b", "c"];
        let tables = names.map(|name| watch(name, &format!("directory = \"{name}\"")));
        let mut room = Room::bare(&format!("{}{DELIVERY}", tables.concat()));
        for name in names {
            fs::create_dir(room.path(name)).expect("made");
        }
        limited(&mut room, limit, number);
        let open = names.map(|name| begin(&room.path(name), "run_1"));
        for name in names {
            make(&room.path(name), "run_2", "{}");
        }
        let mut wanted = names.map(|name| format!("{name}:run_1 acquiring")).to_vec();
        wanted.extend(names.map(|name| format!("{name}:run_2 ready delivered")));
        room.await_ledger(&wanted);
        open.iter().for_each(|run| finish(run));
        let ready = |line: &mut String| *line = line.replace("acquiring", "ready delivered");
        wanted.iter_mut().for_each(ready);
        room.await_ledger(&wanted);
        let troubles = room.troubles();
        assert!(
            troubles.iter().all(|code| code == "watch-polling"),
            "{troubles:?}"
        );
        assert!(!troubles.is_empty());
        // The one that can be had may be lost to another watch in between.
        assert!(count(&backends(&room), "poll") + usize::try_from(number).expect("small") >= 3);
        assert_eq!(room.stop(), 0);
    }
}

#[test]
fn open_runs_beyond_the_limit_are_polled() {
    let mut room = Room::watching("");
    limited(&mut room, "max_inotify_watches", 3);
    let data = room.path("data");
    let open: Vec<_> = (1..=20)
        .map(|number| begin(&data, &format!("run_{number:06}")))
        .collect();
    room.await_ledger(&lines(1..=20, "acquiring"));
    open.iter().for_each(|run| finish(run));
    room.await_ledger(&lines(1..=20, "ready delivered"));
    // The root goes and comes back while the limit is used up.
    let open: Vec<_> = (21..=30)
        .map(|number| begin(&data, &format!("run_{number:06}")))
        .collect();
    fs::rename(&data, room.path("away")).expect("moved");
    wait_until(20, "it is missed", || {
        room.troubles().contains(&"watch-missing".into())
    });
    fs::rename(room.path("away"), &data).expect("moved back");
    room.make_run(31);
    open.iter().for_each(|run| finish(run));
    room.await_ledger(&lines(1..=31, "ready delivered"));
}

/// What the ledger holds after a bit of everything.
fn everything(notify: bool) -> Vec<String> {
    let mut room = Room::watching("max_wait = \"1s\"\npattern = 'run_(?<run>\\d+).*'");
    // A number that is used again between two listings is noticed by the full scan, every two
    // seconds here.
    room.pace = "0.003";
    if !notify {
        room.environment
            .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
    }
    (1..=3).for_each(|number| drop(room.make_run(number)));
    room.start();
    assert_eq!(count(&backends(&room), "poll"), usize::from(!notify));
    let data = room.path("data");
    let open = begin(&data, "run_000004");
    begin(&data, "run_000005");
    make(&room.path("elsewhere"), "six", "{}");
    symlink(room.path("elsewhere/six"), data.join("run_000006")).expect("a link");
    finish(&begin(&data, "run_000007.tmp"));
    (8..=50).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "all are known", || room.runs().len() == 49);
    room.await_delivered(47, 20);
    fs::remove_dir_all(data.join("run_000005")).expect("removed");
    fs::remove_dir_all(data.join("run_000001")).expect("removed");
    fs::rename(data.join("run_000002"), data.join("run_000002_good")).expect("renamed");
    fs::rename(data.join("run_000007.tmp"), data.join("run_000007")).expect("renamed");
    room.make_run_with(1, "{\"energy\": 11}");
    finish(&open);
    let mut wanted = lines(1..=4, "ready delivered");
    wanted.extend(lines(6..=50, "ready delivered"));
    wanted.extend([
        "run_000001#2 ready delivered".into(),
        "run_000002_good ignored renamed-from run_000002".into(),
        "run_000005 ignored gone".into(),
    ]);
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
    wanted
}

#[test]
fn with_and_without_notifications_the_same_runs_are_found() {
    assert_eq!(everything(true), everything(false));
}

#[test]
fn noise_in_the_directory_costs_little_and_hides_nothing() {
    let writes = if long() { 1_000_000 } else { 200_000 };
    let mut room = Room::watching("");
    room.start();
    let data = room.path("data");
    let open = begin(&data, "run_000001");
    room.await_ledger(&lines([1], "acquiring"));
    let before = room.processor_seconds();
    let mut file = File::create(open.join("data.bin")).expect("a file");
    for _ in 0..writes {
        file.write_all(b"x").expect("written");
    }
    let used = room.processor_seconds() - before;
    assert!(used < 0.5, "writes are no events, but cost {used} s");
    for number in 0..writes / 50 {
        let noise = data.join("noise.tmp");
        fs::write(&noise, "x").expect("written");
        fs::remove_file(noise).expect("removed");
        fs::write(open.join("status.txt"), "x").expect("written");
        if number == writes / 100 {
            room.make_run(2);
        }
    }
    let mut wanted = lines([1], "acquiring");
    wanted.extend(lines([2], "ready delivered"));
    room.await_ledger(&wanted);
    let used = room.processor_seconds() - before;
    assert!(used < 10.0, "{used} s of processor time");
    assert!(room.most_memory() < 100, "{} MB", room.most_memory());
    finish(&open);
    room.await_ledger(&lines(1..=2, "ready delivered"));
}

//! Clocks that jump, machines that sleep: only what was observed counts.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Room, begin, finish, lines, wait_until};

/// As if the wall clock had been set by so many seconds while the daemon was down: every time in
/// the ledger is so much older.
fn set_clock(room: &Room, seconds: i64) {
    let program = "import sqlite3, sys\n\
        c = sqlite3.connect(sys.argv[1])\n\
        for table, in c.execute(\"SELECT name FROM sqlite_master WHERE type = 'table'\").fetchall():\n\
        \x20   for _, column, *_ in c.execute(f'PRAGMA table_info({table})').fetchall():\n\
        \x20       if column == 'at' or column.endswith('_at') and column != 'expires_at':\n\
        \x20           c.execute(f'UPDATE {table} SET {column} = {column} - ?', (1000 * int(sys.argv[2]),))\n\
        c.commit()";
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(room.path("state/ledger.db"))
        .arg(seconds.to_string())
        .status();
    assert!(done.expect("python3").success());
}

#[test]
fn a_clock_that_is_set_while_runs_are_waited_for_loses_and_doubles_none() {
    let (hour, day) = (3600, 86400);
    let mut room = Room::watching("max_wait = \"2h\"\nmax_new_per_hour = 1000");
    let data = room.path("data");
    room.start();
    room.make_run(1);
    let open: Vec<_> = (2..=5)
        .map(|number| begin(&data, &format!("run_{number:06}")))
        .collect();
    let mut done = 1;
    for (step, run) in [hour, -hour, day, -day].into_iter().zip(&open) {
        let state = |done| {
            let mut wanted = lines(1..=done, "ready delivered");
            wanted.extend(lines(done + 1..=5, "acquiring"));
            wanted
        };
        room.await_ledger(&state(done));
        room.kill();
        set_clock(&room, step);
        room.start();
        room.stays(&state(done));
        finish(run);
        done += 1;
        room.await_ledger(&state(done));
    }
}

#[test]
fn a_machine_that_was_started_again_or_slept_waits_for_quiet_anew() {
    let mut room = Room::watching("ready = { quiet = \"1500ms\" }");
    room.start();
    let run = begin(&room.path("data"), "run_000001");
    let grow = |size: usize| fs::write(run.join("data.bin"), vec![0; size]).expect("grown");
    room.await_ledger(&lines([1], "acquiring"));
    room.kill();
    let uptime = fs::read_to_string("/proc/uptime").expect("uptime");
    let uptime = uptime
        .split('.')
        .next()
        .and_then(|text| text.parse::<i64>().ok());
    // A clock that has just begun, and one of a machine that ran for weeks.
    for (size, offset) in [(1, 2 - uptime.expect("seconds")), (2, 30 * 86400)] {
        let offset = offset.to_string();
        let wrap = [
            "unshare",
            "--user",
            "--map-root-user",
            "--time",
            "--monotonic",
            &offset,
            "--boottime",
            &offset,
            "nsenter",
            "--time=/proc/self/ns/time_for_children",
        ];
        room.wrap = wrap.map(String::from).to_vec();
        room.start();
        for part in 0..9 {
            grow(size * 100 + part);
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(room.ledger(), lines([1], "acquiring"));
        room.kill();
    }
    room.wrap.clear();
    room.start();
    grow(1000);
    // The daemon sleeps longer than the quiet time, while the run goes on.
    room.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(2));
    grow(1001);
    room.signal(Signal::CONT);
    for part in 0..6 {
        grow(2000 + part);
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(room.ledger(), lines([1], "acquiring"));
    wait_until(20, "it is quiet at last", || {
        room.ledger() == lines([1], "ready delivered")
    });
}

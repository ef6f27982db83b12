//! Two machines that are told to detect the same watch.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::{Machine, Site};
use crate::support::{lines, make, wait_until, watch};

/// Leases of 600 ms: a watch is taken over after six seconds.
const PACE: &str = "0.01";

/// A machine whose watch `h4` is on a directory that all machines see.
fn machine(site: &Site, root: &str) -> Machine {
    let _ = fs::create_dir(site.path(root));
    let directory = format!("directory = {:?}", site.path(root));
    let tables = watch("h4", &directory) + &site.destination();
    let mut machine = site.machine("", &tables);
    machine.room.pace = PACE;
    machine
}

/// Waits until the machine says that the other one has its watch.
fn await_elsewhere(machine: &Machine, other: &Machine) {
    let what = machine.await_trouble("watch-elsewhere");
    let state = other.room.path("state").display().to_string();
    assert!(what.contains("h4") && what.contains(&state), "{what}");
}

fn make_run(site: &Site, number: u32) {
    let name = format!("run_{number:06}");
    make(&site.path("roots"), &name, "{\"energy\": 1}");
}

#[test]
fn a_watch_belongs_to_one_machine_until_that_one_stays_away_and_no_run_is_delivered_twice() {
    let site = Site::new();
    let mut first = machine(&site, "roots");
    let mut second = machine(&site, "roots");
    first.room.start();
    make_run(&site, 1);
    first.room.await_ledger(&lines([1], "ready delivered"));
    second.room.start();
    await_elsewhere(&second, &first);
    assert!(first.health().is_empty(), "{:?}", first.health());
    // Away for some leases, it keeps its watch.
    first.room.kill();
    make_run(&site, 2);
    std::thread::sleep(Duration::from_secs(3));
    second.room.stays(&lines([1], "ready delivered"));
    first.room.start();
    first.room.await_ledger(&lines(1..=2, "ready delivered"));
    // Asleep for longer, it loses it, and sees so when it wakes up.
    first.room.signal(Signal::STOP);
    make_run(&site, 3);
    second.room.await_ledger(&lines(1..=3, "ready delivered"));
    second.await_no_trouble();
    first.room.signal(Signal::CONT);
    await_elsewhere(&first, &second);
    make_run(&site, 4);
    second.room.await_ledger(&lines(1..=4, "ready delivered"));
    second.room.stays(&lines(1..=4, "ready delivered"));
    assert!(second.health().is_empty(), "{:?}", second.health());
    assert_eq!(crate::support::files(&site.path("notebooks")).len(), 4);
    site.assert_delivered_once();
}

#[test]
fn a_watch_of_the_same_name_on_another_directory_is_never_taken_over() {
    let site = Site::new();
    let mut first = machine(&site, "roots");
    let mut second = machine(&site, "others");
    first.room.start();
    make_run(&site, 1);
    first.room.await_ledger(&lines([1], "ready delivered"));
    second.room.start();
    make(&site.path("others"), "run_000002", "{}");
    await_elsewhere(&second, &first);
    first.room.kill();
    // Longer than it takes to take over.
    std::thread::sleep(Duration::from_secs(9));
    second.room.stays(&lines([1], "ready delivered"));
    await_elsewhere(&second, &first);
    first.room.start();
    make_run(&site, 3);
    wait_until(20, "the first goes on", || {
        first.room.ledger() == lines([1, 3], "ready delivered")
    });
}

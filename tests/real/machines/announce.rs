//! Two machines that share an announcer.

use std::fs;
use std::time::Duration;

use super::{Machine, Site};
use crate::support::{Listener, make, wait_until, watch};

/// A machine that detects and delivers, and announces to this listener.
fn machine(site: &Site, listener: &Listener, name: &str) -> Machine {
    let tables = watch(name, "max_new_per_hour = 0") + &site.destination();
    let machine = site.machine("", &tables);
    listener.table(&machine.room, "[\"held\", \"recovered\", \"delivered\"]");
    machine
}

fn count(listener: &Listener, event: &str) -> usize {
    let events = listener.events().into_iter();
    events.filter(|told| told == event).count()
}

#[test]
fn one_of_two_machines_announces_each_thing_and_the_other_goes_on_after_a_kill() {
    let site = Site::new();
    let listener = Listener::start();
    let mut machines = ["h1", "h2"].map(|name| machine(&site, &listener, name));
    machines.iter_mut().for_each(|machine| machine.room.start());
    std::thread::sleep(Duration::from_secs(1));
    // Both commit events at the same time.
    for number in 1..=20 {
        for machine in &machines {
            make(
                &machine.room.path("data"),
                &format!("run_{number:06}"),
                "{\"energy\": 1}",
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    site.await_delivered(40, 60);
    let jobs = || -> Vec<String> {
        let heard = listener.heard();
        let delivered = heard.iter().filter(|told| told["event"] == "delivered");
        let mut jobs: Vec<String> = delivered
            .map(|told| told["job"]["job"].to_string())
            .collect();
        jobs.sort();
        jobs
    };
    wait_until(60, "all are told", || jobs().len() >= 40);
    std::thread::sleep(Duration::from_secs(2));
    let all = jobs();
    let mut once = all.clone();
    once.dedup();
    assert_eq!((all.len(), once.len()), (40, 40), "each once");

    fs::rename(site.path("notebooks"), site.path("away")).expect("renamed");
    fs::write(site.path("notebooks"), "no directory").expect("a file");
    for machine in &machines {
        make(&machine.room.path("data"), "run_000021", "{\"energy\": 1}");
    }
    wait_until(20, "the hold is told", || count(&listener, "held") > 0);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(count(&listener, "held"), 1);
    // Whoever spoke is killed, and the other one tells the end.
    let owner = site.postgres.sql("SELECT owner FROM announcers");
    let speaker = machines
        .iter()
        .position(|machine| owner.ends_with(&machine.room.path("state").display().to_string()));
    machines[speaker.expect("one of the two")].room.kill();
    fs::remove_file(site.path("notebooks")).expect("removed");
    fs::rename(site.path("away"), site.path("notebooks")).expect("renamed");
    site.await_delivered(42, 60);
    // It waits until the other one's time to speak is over.
    wait_until(90, "the end is told", || count(&listener, "recovered") > 0);
    wait_until(30, "the rest is told", || jobs().len() >= 42);
    assert_eq!(count(&listener, "recovered"), 1);
    assert_eq!(jobs().len(), 42);
}

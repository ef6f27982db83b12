//! Two machines that share an announcer.

use std::fs;
use std::time::Duration;

use super::{Machine, Site};
use crate::support::{make, wait_until, watch};

/// A machine whose announcer appends what it is told to a file that all machines see.
fn machine(site: &Site, name: &str) -> Machine {
    let told = site.path("told");
    let announcer = format!(
        "[announce.all]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> \\\"$1\\\"; echo >> \\\"$1\\\"\", \"keep\", {told:?}]\n\
         on = [\"held\", \"recovered\", \"delivered\"]\n"
    );
    site.machine(
        "",
        &(watch(name, "max_new_per_hour = 0") + &site.destination() + &announcer),
    )
}

fn told(site: &Site, event: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(site.path("told")).unwrap_or_default();
    let each = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    each.filter(|message: &serde_json::Value| message["event"] == event)
        .collect()
}

#[test]
fn one_of_two_machines_announces_each_thing_and_the_other_goes_on_after_a_kill() {
    let site = Site::new();
    let mut machines = [machine(&site, "h1"), machine(&site, "h2")];
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
        let each = told(&site, "delivered");
        let mut jobs: Vec<String> = each.iter().map(|m| m["job"]["job"].to_string()).collect();
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
    wait_until(20, "the hold is told", || !told(&site, "held").is_empty());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&site, "held").len(), 1);
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
    wait_until(90, "the end is told", || {
        !told(&site, "recovered").is_empty()
    });
    wait_until(30, "the rest is told", || jobs().len() >= 42);
    assert_eq!(told(&site, "recovered").len(), 1);
    assert_eq!(jobs().len(), 42);
}

//! Two machines that deliver to one hub: to it they are one guest.

use super::{Machine, Site, write_secret};
use crate::hub::Hub;
use crate::support::{make, wait_until, watch};

/// An hour of six minutes, a first pause of three seconds.
const PACE: &str = "0.1";

/// A machine whose runs say for which user they are.
fn machine(site: &Site, hub: &Hub, name: &str) -> Machine {
    let destination = format!(
        "[notebook.quick]\ntemplate = \"quick.ipynb\"\nunknown_parameters = \"inject\"\n\
         [destination.hub]\nhub = \"{}\"\nuser = \"{{user}}\"\nusers = [\"ann\", \"ben\", \"cat\"]\n\
         max_spawns_per_hour = 3\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    );
    let tables = watch(name, "max_new_per_hour = 0") + &destination;
    let mut machine = site.machine("", &tables);
    machine.room.pace = PACE;
    write_secret(&machine.room.path("token"), &hub.token);
    machine
}

fn make_runs(machine: &Machine, user: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let metadata = format!("{{\"user\": \"{user}\"}}");
        make(
            &machine.room.path("data"),
            &format!("run_{number:06}"),
            &metadata,
        );
    }
}

#[test]
fn two_machines_start_each_server_once_and_share_pauses_and_the_hour() {
    let site = Site::new();
    let hub = Hub::of(&["ann", "ben", "cat"]);
    hub.script("ann", "fail 1");
    hub.script("ben", "slow 4");
    let mut machines = [machine(&site, &hub, "h1"), machine(&site, &hub, "h2")];
    for (machine, first) in machines.iter_mut().zip([1, 11]) {
        make_runs(machine, "ann", first..first + 4);
        make_runs(machine, "ben", first + 4..first + 8);
        machine.room.start();
    }
    site.await_delivered(16, 90);
    let begun = |user: &str| {
        let starts = hub.starts().into_iter();
        let begins = starts.filter(|(what, whose, _)| what == "begins" && whose == user);
        begins.map(|(_, _, at)| at).collect::<Vec<f64>>()
    };
    assert_eq!(begun("ben").len(), 1);
    let ann = begun("ann");
    assert!(ann.len() == 2 && ann[1] - ann[0] > 3.0, "{ann:?}");

    for (machine, first) in machines.iter().zip([21, 31]) {
        make_runs(machine, "cat", first..first + 2);
    }
    let limited = "SELECT count(*) FROM jobs WHERE state = 'waiting' AND failure_code = 'spawn-limited' \
                   AND failure_advice LIKE '%max_spawns_per_hour%'";
    wait_until(30, "all wait for the hour to pass", || {
        site.postgres.number(limited) == 4
    });
    assert_eq!(begun("cat").len(), 0);
    let all = "SELECT count(*), sum(succeeded) FROM spawns";
    assert_eq!(site.postgres.sql(all), "3|2");
}

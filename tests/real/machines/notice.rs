//! How soon a machine hears of what another one has found, and what it costs to listen.

use std::time::Duration;

use super::{Machine, Site};
use crate::postgres::Stop;
use crate::support::{make, watch};

/// Makes runs at uneven times; the longest from record to delivery, milliseconds.
fn slowest(site: &Site, detector: &Machine, runs: std::ops::RangeInclusive<u64>) -> u64 {
    let data = detector.room.path("data");
    let (first, last) = (*runs.start(), *runs.end());
    for run in runs {
        make(&data, &format!("run_{run:06}"), "{\"energy\": 1}");
        site.await_delivered(run, 20);
        std::thread::sleep(Duration::from_millis(300 * (run % 7)));
    }
    let question = format!(
        "SELECT max(j.delivered_at - r.ready_at) FROM jobs j JOIN runs r ON r.id = j.run \
         WHERE r.name BETWEEN 'run_{first:06}' AND 'run_{last:06}'"
    );
    site.postgres.number(&question)
}

#[test]
fn a_worker_hears_of_a_run_within_a_second_and_an_idle_site_costs_nothing() {
    let mut site = Site::new();
    let tables = watch("h1", "poll_every = \"10s\"") + &site.destination();
    let mut detector = site.machine("detect", &tables);
    let mut worker = site.machine("deliver", &tables);
    for machine in [&mut detector, &mut worker] {
        // By itself a worker asks every five seconds.
        machine.room.pace = "1";
        machine.room.start();
    }
    let slow = slowest(&site, &detector, 1..=4);
    eprintln!("recorded to delivered: at most {slow} ms");
    assert!(slow < 1000, "{slow} ms");
    site.postgres.stop(Stop::Fast);
    site.postgres.up();
    // It listens again after at most as long as it waits between two tries.
    std::thread::sleep(Duration::from_secs(7));
    let cost = || {
        let question = "SELECT xact_commit + xact_rollback FROM pg_stat_database \
            WHERE datname = 'nbc'";
        let processor = worker.room.processor_seconds() + detector.room.processor_seconds();
        (site.postgres.number(question), processor)
    };
    let (transactions, processor) = cost();
    std::thread::sleep(Duration::from_secs(6));
    let (later, used) = cost();
    let (transactions, used) = (later - transactions, used - processor);
    eprintln!("idle for 6 s: {transactions} transactions, {used:.2} s of a processor");
    // A debug build, on a machine that tests other things too.
    assert!(transactions < 60 && used < 0.3, "{transactions}, {used}");
    let slow = slowest(&site, &detector, 5..=7);
    eprintln!("after a restart of the database: at most {slow} ms");
    assert!(slow < 1000, "{slow} ms");
}

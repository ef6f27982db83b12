//! A worker that sleeps or is cut off in the middle of a delivery, for longer than its lease.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Semaphore;

use super::{Machine, Site};
use crate::delivery::write_token;
use crate::hub::Server;
use crate::link::Way;
use crate::proxy::{Fault, Proxy};
use crate::support::{files, make, wait_until};

/// Two workers for one Jupyter Server, the first through a proxy that can delay what it sends.
struct Pair {
    site: Site,
    server: Server,
    proxy: Proxy,
    detector: Machine,
    first: Machine,
    second: Machine,
    runs: u64,
}

impl Pair {
    fn new() -> Self {
        let (site, server) = (Site::new(), Server::start());
        let proxy = Proxy::start(&server.url);
        let machine = |only, url: &str| {
            let machine = site.machine(only, &super::server_tables(url));
            write_token(&machine.room, &server.token);
            machine
        };
        let mut detector = machine("detect", &server.url);
        let mut first = machine("deliver", &proxy.url);
        let second = machine("deliver", &server.url);
        detector.room.start();
        first.room.start();
        Self {
            site,
            server,
            proxy,
            detector,
            first,
            second,
            runs: 0,
        }
    }

    fn make_run(&mut self) -> String {
        self.runs += 1;
        let name = format!("run_{:06}", self.runs);
        let data = self.detector.room.path("data");
        make(&data, &name, "{\"energy\": 1}");
        name
    }

    /// The first worker is in the middle of a delivery; its next request of this method has left
    /// it and arrives once the gate is opened.
    fn in_the_middle(&mut self, method: &'static str) -> (String, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        self.proxy.next(method, ".part", Fault::Late(gate.clone()));
        let run = self.make_run();
        wait_until(20, "the first is at work", || self.proxy.left() == 0);
        (run, gate)
    }

    /// The second takes over what the first can't end.
    fn taken_over(&mut self, run: &str) {
        self.second.room.start();
        self.site.await_delivered(self.runs, 20);
        assert_eq!(self.second.delivered(run), 1);
    }

    /// One notebook a run, whole; what else lies there is what the late requests have left.
    fn notebooks(&self) -> (usize, usize) {
        let all = files(&self.server.root().join("runs"));
        let left = |path: &&std::path::PathBuf| path.to_string_lossy().contains(".part");
        let left = all.iter().filter(left).count();
        (all.len() - left, left)
    }

    /// The first one's late record changes nothing, and each of them goes on alone.
    fn assert_nothing_changes_and_both_go_on(&mut self, run: &str, outcome: &str) {
        let job = format!(
            "SELECT j.state, j.attempts, j.outcome, count(e.id) FROM jobs j \
             JOIN runs r ON r.id = j.run LEFT JOIN events e ON e.job = j.id AND e.event IN \
             ('delivered', 'attempt-failed', 'held', 'failed') WHERE r.name = '{run}' GROUP BY j.id"
        );
        // Two attempts and one event of either; for two heartbeats.
        let wanted = format!("delivered|2|{outcome}|1");
        assert_eq!(self.site.postgres.sql(&job), wanted);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(self.site.postgres.sql(&job), wanted);
        assert_eq!(self.second.room.stop(), 0);
        let next = self.make_run();
        self.site.await_delivered(self.runs, 20);
        assert_eq!(self.first.delivered(&next), 1);
        let runs = usize::try_from(self.runs).expect("small");
        assert_eq!(self.notebooks().0, runs);
        self.site.assert_delivered_once();
    }
}

#[test]
fn a_worker_that_was_stopped_beyond_its_lease_finds_its_job_done_and_leaves_it_so() {
    let mut pair = Pair::new();
    for method in ["PUT", "PATCH"] {
        let (run, gate) = pair.in_the_middle(method);
        pair.first.room.signal(Signal::STOP);
        pair.taken_over(&run);
        // What it had sent arrives now, and it sees the answer.
        gate.add_permits(1);
        pair.first.room.signal(Signal::CONT);
        pair.assert_nothing_changes_and_both_go_on(&run, "created");
        assert_eq!(pair.first.delivered(&run), 0, "{}", pair.first.room.log());
    }
    // A late upload has left its temporary file, which is swept at the next start.
    assert_eq!(pair.first.room.stop(), 0);
    pair.first.room.start();
    pair.make_run();
    pair.site.await_delivered(pair.runs, 20);
    assert_eq!(pair.notebooks(), (5, 0));
}

#[test]
fn a_worker_without_others_goes_on_with_what_it_was_at_when_it_slept_beyond_its_lease() {
    let mut pair = Pair::new();
    for cut in [false, true] {
        let (run, gate) = pair.in_the_middle("PUT");
        let suffer = |begin: bool| match (cut, begin) {
            (true, true) => pair.first.link.cut(Way::BlackHole),
            (true, false) => pair.first.link.heal(),
            (false, true) => pair.first.room.signal(Signal::STOP),
            (false, false) => pair.first.room.signal(Signal::CONT),
        };
        suffer(true);
        std::thread::sleep(Duration::from_secs(4));
        suffer(false);
        gate.add_permits(1);
        pair.site.await_delivered(pair.runs, 20);
        assert_eq!(pair.first.delivered(&run), 1);
    }
    assert_eq!(pair.notebooks().0, 2);
    pair.site.assert_delivered_once();
}

#[test]
fn a_worker_that_was_cut_off_beyond_its_lease_stops_and_writes_nothing_more() {
    let mut pair = Pair::new();
    for (way, method) in [(Way::BlackHole, "PUT"), (Way::Refused, "PATCH")] {
        let (run, gate) = pair.in_the_middle(method);
        pair.first.link.cut(way);
        pair.taken_over(&run);
        gate.add_permits(1);
        pair.first.link.heal();
        pair.first.await_no_trouble();
        pair.assert_nothing_changes_and_both_go_on(&run, "created");
        assert_eq!(pair.first.delivered(&run), 0, "{}", pair.first.room.log());
    }
    assert_eq!(pair.notebooks(), (4, 0), "it had stopped before");
}

#[test]
fn a_record_that_comes_after_another_worker_has_taken_over_counts_no_more() {
    let mut pair = Pair::new();
    let (run, gate) = pair.in_the_middle("PATCH");
    pair.first.link.cut(Way::BlackHole);
    // It ends its delivery, and what it has to say of it is on its way until the link is healed.
    gate.add_permits(1);
    wait_until(10, "the notebook is there", || pair.notebooks() == (1, 0));
    pair.taken_over(&run);
    pair.first.link.heal();
    pair.first.await_no_trouble();
    pair.assert_nothing_changes_and_both_go_on(&run, "already-there");
}

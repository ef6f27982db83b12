//! A worker whose clock is wrong by a day.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Machine, Site};
use crate::delivery::write_token;
use crate::hub::Server;
use crate::link::{Link, Way};
use crate::proxy::{Fault, Proxy};
use crate::support::{make, wait_until};

/// Lets the daemon's wall clock, and no other, be wrong (faketime(1)).
fn set_clock(machine: &mut Machine, offset: &str) {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let library = folders
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("tests/setup installs it");
    machine.room.wrap = vec![
        "env".into(),
        format!("LD_PRELOAD={}", library.display()),
        format!("FAKETIME={offset}"),
        "DONT_FAKE_MONOTONIC=1".into(),
    ];
}

/// Its log's own times show that the clock is another one.
fn assert_wrong(machine: &Machine) {
    let log = machine.room.log();
    let today = jiff::Timestamp::now().to_string();
    let day = today.split('T').next().expect("a day");
    assert!(log.contains(" is ready") && !log.contains(day), "{log}");
}

/// A worker whose clock is right and one whose clock is wrong, for one Jupyter Server.
struct Pair {
    site: Site,
    _server: Server,
    proxy: Proxy,
    link: Link,
    detector: Machine,
    right: Machine,
    wrong: Machine,
    runs: u64,
}

impl Pair {
    fn new(offset: &str) -> Self {
        let (site, server) = (Site::new(), Server::start());
        let port = server.url.rsplit(':').next();
        let link = Link::to(port.and_then(|port| port.parse().ok()).expect("a port"));
        let proxy = Proxy::start(&server.url);
        let machine = |only, url: &str| {
            let machine = site.machine(only, &super::server_tables(url));
            write_token(&machine.room, &server.token);
            machine
        };
        let mut detector = machine("detect", &server.url);
        let right = machine("deliver", &proxy.url);
        let mut wrong = machine("deliver", &format!("http://127.0.0.1:{}", link.port));
        set_clock(&mut wrong, offset);
        detector.room.start();
        Self {
            site,
            _server: server,
            proxy,
            link,
            detector,
            right,
            wrong,
            runs: 0,
        }
    }

    fn make_run(&mut self) {
        self.runs += 1;
        let name = format!("run_{:06}", self.runs);
        let data = self.detector.room.path("data");
        make(&data, &name, "{\"energy\": 1}");
    }

    /// The newest job's state, and its attempts.
    fn job(&self) -> (String, u32) {
        let question = "SELECT state, attempts FROM jobs ORDER BY id DESC LIMIT 1";
        let answer = self.site.postgres.sql(question);
        let (state, attempts) = answer.split_once('|').expect("two columns");
        (state.to_owned(), attempts.parse().expect("a number"))
    }

    /// The right one needs longer than a lease for a delivery, and renews it.
    fn slow_delivery(&mut self) {
        self.right.room.start();
        let gate = Arc::new(Semaphore::new(0));
        self.proxy.next("PUT", ".part", Fault::Late(gate.clone()));
        self.make_run();
        wait_until(20, "it is at work", || self.proxy.left() == 0);
        self.wrong.room.start();
        assert_wrong(&self.wrong);
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(self.job(), ("delivering".into(), 1));
        gate.add_permits(1);
        self.site.await_delivered(self.runs, 20);
        assert_eq!(self.job(), ("delivered".into(), 1));
        assert_eq!(self.right.room.stop(), 0);
    }

    /// The wrong one alone, while the server is away.
    fn outage(&mut self) -> u32 {
        self.link.cut(Way::Refused);
        self.make_run();
        std::thread::sleep(Duration::from_secs(5));
        let (state, attempts) = self.job();
        assert!(state == "waiting" || state == "delivering", "{state}");
        self.link.heal();
        self.site.await_delivered(self.runs, 20);
        attempts
    }
}

/// All that is to be seen of a clock that is wrong by so much.
fn see(offset: &str) {
    let mut pair = Pair::new(offset);
    pair.slow_delivery();
    let attempts = pair.outage();
    eprintln!("clock {offset}: {attempts} attempts in an outage of 5 s");
    assert!((2..15).contains(&attempts), "{attempts}");
    // What is new is due at once.
    pair.make_run();
    pair.site.await_delivered(pair.runs, 5);
    pair.site.assert_delivered_once();
    assert_eq!(pair.wrong.room.stop(), 0);
}

#[test]
fn a_worker_whose_clock_is_a_day_ahead_or_behind_steals_nothing_and_neither_hurries_nor_waits() {
    std::thread::scope(|scope| {
        for offset in ["+1d", "-1d"] {
            scope.spawn(move || see(offset));
        }
    });
}

//! Many runs, many machines, and whatever can happen to them.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Machine, Site};
use crate::link::Way;
use crate::support::{Dice, assert_one_whole_notebook_each, long, make, random, wait_until};

/// Between two looks at what is to be done.
const STEP: Duration = Duration::from_millis(50);

/// What a machine suffers from.
enum Trouble {
    Nothing,
    Stopped(Instant),
    Cut(Instant),
}

struct Sufferer {
    machine: Machine,
    trouble: Trouble,
    /// How often it said to be ready before it was started last, and whether it could not reach
    /// the database meanwhile.
    ready_before: usize,
    cut_at_start: bool,
}

impl Sufferer {
    fn new(machine: Machine) -> Self {
        let mut new = Self {
            machine,
            trouble: Trouble::Nothing,
            ready_before: 0,
            cut_at_start: false,
        };
        new.launch();
        new
    }

    fn ready(&self) -> usize {
        self.machine.room.log().matches(" is ready").count()
    }

    fn launch(&mut self) {
        self.ready_before = self.ready();
        self.cut_at_start = self.machine.link.is_cut();
        self.machine.room.launch();
    }

    fn suffer(&mut self, dice: &mut Dice) {
        let until = Instant::now() + Duration::from_millis(dice.below(4000) as u64);
        let ways = [Way::BlackHole, Way::Reset, Way::Refused];
        match dice.below(10) {
            0..5 => {
                self.machine.room.kill();
                self.launch();
            }
            5 => {
                self.machine.room.signal(Signal::STOP);
                self.trouble = Trouble::Stopped(until);
            }
            _ => {
                self.machine.link.cut(ways[dice.below(3)]);
                self.cut_at_start |= self.ready() == self.ready_before;
                self.trouble = Trouble::Cut(until);
            }
        }
    }

    /// Ends what has lasted long enough, and does what systemd does.
    fn attend(&mut self, now: Instant) {
        match self.trouble {
            Trouble::Stopped(until) if until <= now => {
                self.machine.room.signal(Signal::CONT);
                self.trouble = Trouble::Nothing;
            }
            Trouble::Cut(until) if until <= now => {
                self.machine.link.heal();
                self.trouble = Trouble::Nothing;
            }
            _ => {}
        }
        if let Some(code) = self.machine.room.ended() {
            let started = self.ready() > self.ready_before;
            assert!(
                code == 74 && self.cut_at_start && !started,
                "it has ended with {code}:\n{}",
                self.machine.room.log()
            );
            self.launch();
        }
    }
}

#[test]
fn three_detecting_and_three_delivering_machines_make_one_notebook_a_run_whatever_happens_to_them()
{
    let count = if long() { 10_000 } else { 2_000 };
    let seed = std::env::var("NBC_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let mut dice = Dice(seed.unwrap_or_else(|| random(u64::MAX) | 1));
    eprintln!("NBC_TEST_SEED={}", dice.0);
    let site = Site::new();
    let mut machines = machines(&site);
    let begin = Instant::now();
    let mut names = Vec::new();
    while names.len() < count {
        for _ in 0..5 {
            let number = names.len();
            let name = format!("run_{number:06}");
            let parent = machines[number % 3].machine.room.path("data");
            make(&parent, &name, &format!("{{\"energy\": {number}}}"));
            names.push(name);
        }
        let sufferer = dice.below(machines.len() * 8);
        if let Some(sufferer) = machines.get_mut(sufferer)
            && matches!(sufferer.trouble, Trouble::Nothing)
        {
            sufferer.suffer(&mut dice);
        }
        machines.iter_mut().for_each(|it| it.attend(Instant::now()));
        std::thread::sleep(STEP);
    }
    settle(&mut machines);
    site.await_delivered(count as u64, count as u64 / 10);
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!(
        "{count} runs in {seconds:.1} s among kills and cuts: {:.0} deliveries/s",
        count as f64 / seconds
    );
    assert_one_whole_notebook_each(&site.path("notebooks"), &names);
    site.assert_delivered_once();
    // Side by side.
    machines
        .iter()
        .for_each(|it| it.machine.room.signal(Signal::TERM));
    for mut sufferer in machines {
        assert_eq!(sufferer.machine.room.stop(), 0);
    }
}

/// Three that detect below a root of their own, and three that deliver.
fn machines(site: &Site) -> Vec<Sufferer> {
    let watches = ["h1", "h2", "h3"];
    let detecting = watches.map(|name| site.machine("detect", &site.detecting(name)));
    let delivering = watches.map(|_| site.machine("deliver", &site.detecting("h1")));
    let machines = detecting.into_iter().chain(delivering);
    machines.map(Sufferer::new).collect()
}

/// Ends all troubles at once, and sees that all run.
fn settle(machines: &mut [Sufferer]) {
    let end = Instant::now() + Duration::from_secs(3600);
    for sufferer in &mut *machines {
        sufferer.attend(end);
    }
    wait_until(30, "all are ready", || {
        machines.iter_mut().for_each(|it| it.attend(end));
        machines.iter().all(|it| it.ready() > it.ready_before)
    });
}

#[test]
fn more_workers_deliver_all_runs_too() {
    let runs = 300;
    let site = Site::new();
    let mut detector = site.machine("detect", &site.detecting("h1"));
    detector.room.start();
    let mut workers = [(); 3].map(|()| site.machine("deliver", &site.detecting("h1")));
    let mut names = Vec::new();
    for count in 1..=workers.len() {
        for _ in 0..runs {
            let name = format!("run_{:06}", names.len());
            make(&detector.room.path("data"), &name, "{\"energy\": 1}");
            names.push(name);
        }
        wait_until(240, "all are recorded", || site.jobs("waiting") == runs);
        workers[..count].iter_mut().for_each(|it| it.room.start());
        site.await_delivered(names.len() as u64, 240);
        eprintln!("{count} workers: {:.0} deliveries/s", pace(&site, runs));
        for worker in &mut workers[..count] {
            assert_eq!(worker.room.stop(), 0);
        }
    }
    assert_one_whole_notebook_each(&site.path("notebooks"), &names);
    site.assert_delivered_once();
    assert_eq!(site.postgres.number("SELECT max(attempts) FROM jobs"), 1);
}

/// Deliveries a second of the last runs, between the first and the last of them.
fn pace(site: &Site, runs: u64) -> f64 {
    let question = format!(
        "SELECT max(delivered_at) - min(delivered_at) FROM \
         (SELECT delivered_at FROM jobs ORDER BY id DESC LIMIT {runs}) AS latest"
    );
    let milliseconds = site.postgres.number(&question);
    (runs - 1) as f64 * 1000.0 / milliseconds as f64
}

//! What can be seen of a process from outside.

use std::fs;

use rustix::process::Signal;

use crate::support::Process;

/// Ticks in which Linux counts the time of processes.
const TICKS: f64 = 100.0;

/// A process that was started, and what it uses.
pub(crate) struct Watched(pub(crate) Process);

impl Watched {
    /// A memory figure, in bytes: `VmHWM` or `VmRSS`.
    pub(crate) fn memory(&self, key: &str) -> f64 {
        let status = of_proc(self.0.0.id(), "status");
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(name, _)| *name == key).expect("the figure");
        let number = value.split_whitespace().next().expect("a number");
        number.parse::<f64>().expect("a number") * 1024.0
    }

    /// The seconds of a core that it has used.
    pub(crate) fn used(&self) -> f64 {
        used(self.0.0.id())
    }

    pub(crate) fn stop(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait(60);
    }
}

fn of_proc(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).expect("the process lives")
}

/// The seconds of a core that a process has used.
pub(crate) fn used(pid: u32) -> f64 {
    let stat = of_proc(pid, "stat");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields = fields.split_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().expect("ticks"))
        .sum::<f64>()
        / TICKS
}

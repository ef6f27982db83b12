//! What the tests of detection share: a watch of one's own, the ledger in lines, the daemon's cost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Room, files, wait_until};

/// A fixed user without rights.
pub const NOBODY: u32 = 65534;

/// One notebook for each run, into `notebooks`.
pub const DELIVERY: &str = "[notebook.quick]\ntemplate = \"quick.ipynb\"\n\
    [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// A watch's keys that a test does not set itself.
const USUAL: [(&str, &str); 6] = [
    ("directory", "\"data\""),
    ("ready", "{ marker = \"DONE\" }"),
    ("settle", "\"0s\""),
    ("parameters", "[\"run.json\"]"),
    ("existing", "\"all\""),
    ("poll_every", "\"200ms\""),
];

/// The table of a watch: these keys, one a line, over the usual ones.
pub fn watch(name: &str, keys: &str) -> String {
    let set = |key: &str| {
        keys.lines()
            .any(|line| line.split('=').next().is_some_and(|k| k.trim() == key))
    };
    let usual = USUAL.iter().filter(|(key, _)| !set(key));
    let usual: String = usual
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    format!("[watch.{name}]\n{usual}{keys}\n")
}

/// Makes a run in any directory, its marker last.
pub fn make(parent: &Path, name: &str, metadata: &str) -> PathBuf {
    let run = parent.join(name);
    fs::create_dir_all(&run).expect("a run");
    fs::write(run.join("run.json"), metadata).expect("metadata");
    fs::write(run.join("DONE"), "").expect("a marker");
    run
}

/// Makes a run that is not complete.
pub fn begin(parent: &Path, name: &str) -> PathBuf {
    let run = parent.join(name);
    fs::create_dir_all(&run).expect("a run");
    fs::write(run.join("run.json"), "{}").expect("metadata");
    run
}

/// Completes a run.
pub fn finish(run: &Path) {
    fs::write(run.join("DONE"), "").expect("a marker");
}

/// `run_000007` and so on, each with the same rest of its line.
pub fn lines(numbers: impl IntoIterator<Item = u32>, rest: &str) -> Vec<String> {
    let line = |number| format!("run_{number:06} {rest}");
    numbers.into_iter().map(line).collect()
}

/// A copy as `cp -a` makes it: new inodes, old times.
pub fn copy_tree(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.expect("cp").success());
}

impl Room {
    /// A room whose watch `h4` on `data` has these keys over the usual ones.
    pub fn watching(keys: &str) -> Self {
        Self::bare(&format!("{}{DELIVERY}", watch("h4", keys)))
    }

    /// Lets the daemon run as a user without rights, who owns the room.
    pub fn unprivileged(&mut self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        self.user = Some(NOBODY);
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.dir.path(), open).expect("chmod");
        let inside = ["", "data", "notebooks"].map(|part| self.path(part));
        for path in inside.iter().chain(&files(self.dir.path())) {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
    }

    /// Kills the daemon and starts it again.
    pub fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// A line for each run, sorted: `WATCH:NAME#INCARNATION STATE [REASON] JOB…`, without what is
    /// usual (`h4:`, `#1`, the reasons of runs that are not ignored).
    pub fn ledger(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.runs().iter().map(line).collect();
        lines.sort();
        lines
    }

    /// Waits until the ledger holds exactly these runs.
    pub fn await_ledger<T: AsRef<str>>(&self, wanted: &[T]) {
        let wanted = sorted(wanted);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let ledger = self.ledger();
            if ledger == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{}", differing(&ledger, &wanted));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails unless the ledger holds exactly these runs, and goes on so for a second: several scans.
    pub fn stays<T: AsRef<str>>(&self, wanted: &[T]) {
        let wanted = sorted(wanted);
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            let ledger = self.ledger();
            assert!(ledger == wanted, "{}", differing(&ledger, &wanted));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The newest run of that name.
    pub fn run_named(&self, name: &str) -> serde_json::Value {
        let mut runs = self.runs().into_iter();
        runs.find(|run| run["name"] == name).unwrap_or_default()
    }

    /// What a run waits for.
    pub fn reason(&self, name: &str) -> String {
        let reason = &self.run_named(name)["reason"];
        reason.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the run's reason holds this text.
    pub fn await_reason(&self, name: &str, text: &str) {
        wait_until(20, &format!("{name} waits: {text}"), || {
            self.reason(name).contains(text)
        });
    }

    /// The codes of the present troubles.
    pub fn troubles(&self) -> Vec<String> {
        let status = self.run(&["status", "--json"]).json();
        let health = status["health"].as_array().cloned().unwrap_or_default();
        let code = |line: &serde_json::Value| line["code"].as_str().unwrap_or_default().to_owned();
        health.iter().map(code).collect()
    }

    /// Seconds of processor time that the daemon has used.
    pub fn processor_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a process");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let field = |at: usize| after_name.split(' ').nth(at).and_then(|n| n.parse().ok());
        let ticks: f64 = field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0);
        ticks / 100.0
    }

    /// The most memory that the daemon has used, MB.
    pub fn most_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.expect("VmHWM") >> 10
    }
}

fn line(run: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = match text(&run["watch"]).as_str() {
        "h4" => text(&run["name"]),
        watch => format!("{watch}:{}", text(&run["name"])),
    };
    if run["incarnation"] != 1 {
        line.push_str(&format!("#{}", run["incarnation"]));
    }
    line.push_str(&format!(" {}", text(&run["state"])));
    if run["state"] == "ignored" {
        line.push_str(&format!(" {}", text(&run["reason"]).replace(" h4:", " ")));
    }
    for job in run["jobs"].as_array().into_iter().flatten() {
        line.push_str(&format!(" {}", text(&job["state"])));
        if job["state"] == "held" {
            line.push_str(&format!(":{}", text(&job["failure"]["code"])));
        }
    }
    line
}

fn sorted<T: AsRef<str>>(lines: &[T]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| line.as_ref().to_owned()).collect();
    lines.sort();
    lines
}

fn differing(ledger: &[String], wanted: &[String]) -> String {
    let only = |one: &[String], other: &[String]| {
        let lines = one.iter().filter(|line| !other.contains(line));
        lines.take(10).cloned().collect::<Vec<_>>().join("\n  ")
    };
    format!(
        "the ledger has {} runs for {}; too much:\n  {}\nmissing:\n  {}",
        ledger.len(),
        wanted.len(),
        only(ledger, wanted),
        only(wanted, ledger)
    )
}

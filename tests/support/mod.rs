//! What the whole-program tests share: a daemon in a directory of its own, runs, deadlines.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses a part"
)]
#![allow(clippy::print_stderr, reason = "a failed test shows the daemon's log")]

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

mod detection;
mod listener;
pub mod secrets;
pub mod systemd;
pub use detection::*;
pub use listener::{Listener, keep_secret};

pub const TEMPLATE: &str = include_str!("template.ipynb");

/// Whether the long figures are asked for (`tests/run --long`).
pub fn long() -> bool {
    std::env::var_os("NBC_TEST_LONG").is_some()
}

/// Waits until `done` holds, or fails saying what was waited for.
pub fn wait_until(seconds: u64, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !done() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A started process that ends with the test, with all that it started.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(
            command
                .process_group(0)
                .stdin(Stdio::null())
                .spawn()
                .expect("it starts"),
        )
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(pid, signal);
    }

    pub fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }

    pub fn wait(&mut self, seconds: u64) -> i32 {
        let mut status = None;
        wait_until(seconds, "the process ends", || {
            status = self.0.try_wait().expect("a child");
            status.is_some()
        });
        status.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A daemon's directory: configuration, data, state, notebooks.
pub struct Room {
    pub dir: tempfile::TempDir,
    pub pace: &'static str,
    pub environment: Vec<(&'static str, String)>,
    /// The program and arguments that start the daemon, before its own.
    pub wrap: Vec<String>,
    /// What the daemon is told beside its configuration.
    pub arguments: Vec<&'static str>,
    /// The user that the daemon runs as.
    pub user: Option<u32>,
    daemon: Option<Process>,
}

impl Room {
    /// A room with a watch `h4` on `data` (marker DONE, run.json), the notebook `quick`, and these
    /// further tables.
    pub fn new(tables: &str) -> Self {
        let watch = "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\n\
            parameters = [\"run.json\"]\nexisting = \"all\"\npoll_every = \"2s\"\n\
            [notebook.quick]\ntemplate = \"quick.ipynb\"\n";
        Self::bare(&format!("{watch}{tables}"))
    }

    /// A room whose only tables beside state and page are these.
    pub fn bare(tables: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for part in ["data", "notebooks"] {
            fs::create_dir(dir.path().join(part)).expect("a directory");
        }
        fs::write(dir.path().join("quick.ipynb"), TEMPLATE).expect("a template");
        let head = "[daemon]\nstate = \"state\"\n[status]\nlisten = \"127.0.0.1:0\"\n[retry]\nfirst = \"200ms\"\nlongest = \"5s\"\n";
        fs::write(dir.path().join("nbcourier.toml"), format!("{head}{tables}"))
            .expect("a configuration");
        Self {
            dir,
            pace: "0.05",
            environment: Vec::new(),
            wrap: Vec::new(),
            arguments: Vec::new(),
            user: None,
            daemon: None,
        }
    }

    /// Adds tables to the configuration.
    pub fn add(&self, tables: &str) {
        let file = self.path("nbcourier.toml");
        let text = fs::read_to_string(&file).expect("a configuration");
        fs::write(file, text + tables).expect("a configuration");
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nbcourier"));
        command
            .arg("-c")
            .arg(self.path("nbcourier.toml"))
            .env("NBCOURIER_TEST_PACE", self.pace);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let done = self
            .program()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        Ended {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Starts the daemon, and waits until it takes orders and knows what is there.
    pub fn start(&mut self) {
        let starts = |room: &Self| room.log().matches(" is ready").count();
        let before = starts(self);
        self.launch();
        wait_until(20, "the daemon answers", || {
            assert!(self.alive(), "it has ended");
            starts(self) > before && self.run(&["status", "--json"]).code <= 1
        });
    }

    /// Starts the daemon.
    pub fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("a log");
        let mut command = self.program();
        if let Some((first, rest)) = self.wrap.split_first() {
            let mut wrapped = Command::new(first);
            wrapped.args(rest).arg(command.get_program());
            wrapped.args(command.get_args());
            let set = command.get_envs();
            wrapped.envs(set.filter_map(|(name, value)| Some((name, value?))));
            command = wrapped;
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.arg("daemon").args(&self.arguments).stderr(log);
        self.daemon = Some(Process::start(&mut command));
    }

    fn process(&self) -> &Process {
        self.daemon.as_ref().expect("a daemon")
    }

    pub fn pid(&self) -> u32 {
        self.process().0.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        self.process().signal(signal);
    }

    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    /// Ends the daemon by SIGTERM; its exit code.
    pub fn stop(&mut self) -> i32 {
        let mut daemon = self.daemon.take().expect("a daemon");
        daemon.signal(rustix::process::Signal::TERM);
        daemon.wait(30)
    }

    pub fn alive(&mut self) -> bool {
        self.daemon
            .as_mut()
            .is_some_and(|daemon| daemon.0.try_wait().is_ok_and(|end| end.is_none()))
    }

    /// The daemon's exit code, if it has ended by itself; -1 after a signal.
    pub fn ended(&mut self) -> Option<i32> {
        let end = self.daemon.as_mut()?.0.try_wait().expect("a child")?;
        Some(end.code().unwrap_or(-1))
    }

    /// The daemon's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A run that is complete, its marker last.
    pub fn make_run(&self, number: u32) -> PathBuf {
        let metadata = format!("{{\"energy\": {number}.50, \"beam\": \"e-\\\"\"}}");
        self.make_run_with(number, &metadata)
    }

    /// The same with this metadata.
    pub fn make_run_with(&self, number: u32, metadata: &str) -> PathBuf {
        let run = self.path("data").join(format!("run_{number:06}"));
        fs::create_dir_all(&run).expect("a run");
        fs::write(run.join("run.json"), metadata).expect("metadata");
        fs::write(run.join("DONE"), "").expect("a marker");
        run
    }

    /// Adds delivered runs to the ledger of a daemon that is stopped, by a program that is not ours.
    pub fn fill(&self, count: u32) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/fill.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(self.path("state/ledger.db"));
        let done = command.arg(count.to_string()).status();
        assert!(done.expect("python3").success());
    }

    /// All runs, as `runs --all --json` has them.
    pub fn runs(&self) -> Vec<Value> {
        let ended = self.run(&["runs", "--all", "--json"]);
        if ended.code == 69 {
            return Vec::new();
        }
        ended
            .json()
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{ended:?}"))
    }

    pub fn jobs(&self) -> Vec<Value> {
        self.runs()
            .iter()
            .flat_map(|run| run["jobs"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    pub fn count(&self, state: &str) -> usize {
        self.jobs()
            .iter()
            .filter(|job| job["state"] == state)
            .count()
    }

    /// Waits until so many jobs are delivered and none is left.
    pub fn await_delivered(&self, count: usize, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let jobs = self.jobs();
            let delivered = jobs
                .iter()
                .filter(|job| job["state"] == "delivered")
                .count();
            if delivered == count && jobs.len() == count {
                return;
            }
            if Instant::now() > deadline {
                let open: Vec<_> = jobs
                    .iter()
                    .filter(|job| job["state"] != "delivered")
                    .take(3)
                    .collect();
                panic!(
                    "{delivered} of {count} delivered, {} jobs, open: {open:#?}\nlog: {}",
                    jobs.len(),
                    self.log()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until so many jobs, and no others, are in this state, without listing all runs.
    pub fn await_sum(&self, state: &str, count: u64, seconds: u64) {
        let mut jobs = Value::Null;
        wait_until(seconds, state, || {
            jobs = self.run(&["status", "--json"]).json()["jobs"].clone();
            let all = jobs.as_object().expect("counts").values();
            jobs[state] == count && all.filter_map(Value::as_u64).sum::<u64>() == count
        });
    }

    /// Waits until a job fails by this code, whatever its state; the failure.
    pub fn await_failure(&self, code: &str, seconds: u64) -> Value {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let seen: Vec<Value> = self
                .jobs()
                .iter()
                .map(|job| job["failure"].clone())
                .collect();
            if let Some(failure) = seen.iter().find(|failure| failure["code"] == code) {
                return failure.clone();
            }
            assert!(
                Instant::now() < deadline,
                "no {code} but {seen:?}\nlog: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log\n{}", self.log());
        } else {
            secrets::assert_kept(self);
        }
    }
}

/// Every file below a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                folder if folder.is_dir() => folders.push(folder),
                file => found.push(file),
            }
        }
    }
    found.sort();
    found
}

/// Fails unless the directory holds exactly one whole notebook for each of these runs, and
/// nothing else.
pub fn assert_one_whole_notebook_each(directory: &Path, runs: &[String]) {
    let mut seen = Vec::new();
    for file in files(directory) {
        if file
            .components()
            .any(|part| part.as_os_str() == ".ipynb_checkpoints")
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        let notebook: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(
            notebook["cells"].as_array().map(Vec::len),
            Some(3),
            "{}",
            file.display()
        );
        seen.push(
            notebook["metadata"]["nbcourier"]["run"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    seen.sort();
    let mut wanted = runs.to_vec();
    wanted.sort();
    assert_eq!(seen, wanted);
}

/// Fails unless the ledger is sound, by a program that is not ours.
pub fn assert_ledger_is_sound(room: &Room) {
    let program = "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('PRAGMA integrity_check').fetchone()[0])";
    let copy = room.path("copy.db");
    let state = room.path("state");
    for end in ["", "-wal"] {
        let from = state.join(format!("ledger.db{end}"));
        if from.exists() {
            fs::copy(from, format!("{}{end}", copy.display())).expect("a copy");
        }
    }
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(&copy)
        .output()
        .expect("python3");
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "ok");
}

/// Numbers that a seed, which is not 0, repeats.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("small")
    }
}

/// A small random number, to spread kills.
pub fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % below
}

/// A token as a hub makes them.
pub fn token() -> String {
    let token = format!("{:016x}{:016x}", random(u64::MAX), random(u64::MAX));
    secrets::note(&token);
    token
}

/// A port below those of outgoing connections (ip(7): `ip_local_port_range` begins at 32768): none
/// of them takes it while its server is down.
pub fn lasting_port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports = (0..100).map(|_| 20_000 + u16::try_from(random(12_000)).expect("small"));
    ports.into_iter().find(free).expect("a free port")
}

/// Fails unless these failures, as `runs --json` has them, are told in the words of
/// `tests/catalogue/AREA.txt`, one a code. Set `NBCOURIER_BLESS` to write them down as they are.
pub fn assert_told(area: &str, room: &Room, failures: &[Value]) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let here = room.dir.path().display().to_string();
    let told = failures.iter().map(|failure| {
        let [code, what, advice] = ["code", "what", "advice"].map(|key| text(&failure[key]));
        let block = format!("{code}\n  what  {what}\n  do    {advice}\n\n");
        (code, block.replace(&here, "/room"))
    });
    let told: std::collections::BTreeMap<String, String> = told.collect();
    let told: String = told.into_values().collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/catalogue/{area}.txt"));
    if std::env::var_os("NBCOURIER_BLESS").is_some() {
        fs::write(&file, &told).expect("write");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let (told, written): (Vec<_>, Vec<_>) = (told.lines().collect(), written.lines().collect());
    assert_eq!(told, written, "{}", file.display());
}

//! A daemon or its peer in a directory on the disk, and what can be seen of them from outside.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::Process;
use crate::watched::Watched;

/// How long anything may take at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// The head of each configuration: no notebook can be made, so that nothing is delivered.
const HEAD: &str = "[daemon]\nstate = \"state\"\n[status]\nlisten = \"127.0.0.1:0\"\n\
    [notebook.quick]\ntemplate = \"missing.ipynb\"\n[destination.dir]\npath = \"notebooks\"\n";

/// A directory with `data`, removed at the end.
pub(crate) struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    /// One whose daemon watches `data` for runs with a marker; these keys come on top.
    pub(crate) fn new(keys: &str) -> Self {
        let watch = "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\n\
            parameters = [\"run.json\"]\nmax_new_per_hour = 0\n";
        Self::with(&format!("{watch}{keys}"))
    }

    /// One with these tables.
    pub(crate) fn with(tables: &str) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        for part in ["data", "notebooks", "aside"] {
            fs::create_dir(dir.path().join(part)).expect("a directory");
        }
        fs::write(dir.path().join("nbcourier.toml"), format!("{HEAD}{tables}")).expect("written");
        Self { dir }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Starts the daemon, and waits until it has listed what is there; the time which that took.
    pub(crate) fn start(&self) -> (Watched, f64) {
        let socket = self.path("ready");
        // One of the start before.
        let _ = fs::remove_file(&socket);
        let told = UnixDatagram::bind(&socket).expect("a socket");
        told.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let log = File::create(self.path("log")).expect("a log");
        let begun = Instant::now();
        let process = Process::start(
            Command::new(env!("CARGO_BIN_EXE_nbcourier"))
                .arg("-c")
                .arg(self.path("nbcourier.toml"))
                .arg("daemon")
                .env("NOTIFY_SOCKET", &socket)
                .stderr(log),
        );
        let mut text = [0; 256];
        let length = told.recv(&mut text).expect("the daemon gets ready");
        let took = begun.elapsed().as_secs_f64();
        assert!(text[..length].starts_with(b"READY=1"));
        (Watched(process), took)
    }

    /// Starts the peer on the same directory, and waits until it watches; the time which that took.
    pub(crate) fn start_peer(&self) -> Option<(Peer, f64)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/test-env/peer/bin/python");
        assert!(
            python.exists(),
            "run tests/setup first: it installs watchdog"
        );
        let log = File::create(self.path("peer.log")).expect("a log");
        let begun = Instant::now();
        let mut process = Process::start(
            Command::new(python)
                .arg(root.join("benches/peer/detect.py"))
                .args([self.path("data"), self.path("queue.jsonl")])
                .stdout(Stdio::piped())
                .stderr(log),
        );
        let out = process.0.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send((line, Instant::now())).is_err() {
                    return;
                }
            }
        });
        // It ends where the user's watches are used up.
        let (line, at) = lines.recv_timeout(PATIENCE).ok()?;
        assert_eq!(line, "ready");
        let process = Watched(process);
        Some((Peer { process, lines }, (at - begun).as_secs_f64()))
    }

    pub(crate) fn ledger(&self) -> Observer {
        Observer::new(&self.path("state/ledger.db"))
    }

    /// A run with its metadata that is not complete.
    pub(crate) fn begin_run(&self, part: &str, number: usize) -> PathBuf {
        let run = self.path(part).join(format!("run_{number:07}"));
        fs::create_dir(&run).expect("a run");
        fs::write(run.join("run.json"), format!("{{\"energy\": {number}}}")).expect("metadata");
        run
    }
}

pub(crate) fn complete(run: &Path) {
    File::create(run.join("DONE")).expect("a marker");
}

/// The script that does the same with watchdog.
pub(crate) struct Peer {
    pub(crate) process: Watched,
    lines: Receiver<(String, Instant)>,
}

impl Peer {
    /// Waits until so many runs are durable; when they were, or how many are when none has come for
    /// so long.
    pub(crate) fn await_durable(&self, count: usize, quiet: Duration) -> Result<Instant, usize> {
        let mut durable = 0;
        loop {
            match self.lines.recv_timeout(quiet) {
                Ok((line, at)) => {
                    durable = line.parse().expect("a number");
                    if durable >= count {
                        return Ok(at);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(durable);
                }
            }
        }
    }
}

/// Sees commits from outside, without disturbing: the index of the write-ahead log changes once
/// what was committed has been flushed, and a read of its head costs a microsecond.
pub(crate) struct Observer {
    index: File,
    head: [u8; 48],
    db: SqliteConnection,
    runtime: tokio::runtime::Runtime,
}

impl Observer {
    fn new(file: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let db = runtime.block_on(options.connect()).expect("the ledger");
        let index = format!("{}-shm", file.display());
        Self {
            index: File::open(index).expect("the index of the log"),
            head: [0; 48],
            db,
            runtime,
        }
    }

    pub(crate) fn ask(&mut self, question: &'static str) -> usize {
        let answer = sqlx::query_scalar::<_, i64>(question).fetch_one(&mut self.db);
        let answer = self.runtime.block_on(answer).expect("an answer");
        usize::try_from(answer).expect("a count")
    }

    /// Waits until the answer is at least so great; when the commit was seen that made it so.
    pub(crate) fn await_count(
        &mut self,
        question: &'static str,
        count: usize,
        pause: Duration,
    ) -> Instant {
        let begun = Instant::now();
        let mut seen = begun;
        loop {
            if self.ask(question) >= count {
                return seen;
            }
            let mut head = self.head;
            while head == self.head {
                assert!(begun.elapsed() < PATIENCE, "{count} for {question}");
                std::thread::sleep(pause);
                self.index.read_exact_at(&mut head, 0).expect("the head");
            }
            (self.head, seen) = (head, Instant::now());
        }
    }
}

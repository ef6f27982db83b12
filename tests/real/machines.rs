//! Several machines that share one ledger in a real `PostgreSQL`.

mod announce;
mod chaos;
mod clocks;
mod leases;
mod notice;
mod outages;
mod reading;
mod spawns;
mod watches;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::link::Link;
use crate::postgres::Postgres;
use crate::support::{Room, wait_until, watch};

/// A database, and a directory that all machines see.
pub struct Site {
    pub postgres: Postgres,
    shared: tempfile::TempDir,
}

/// A state directory and a configuration of its own, and a way to the database that can be cut.
pub struct Machine {
    pub room: Room,
    pub link: Link,
}

impl Site {
    pub fn new() -> Self {
        let shared = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(shared.path().join("notebooks")).expect("a directory");
        Self {
            postgres: Postgres::start(),
            shared,
        }
    }

    /// A directory or file that all machines see.
    pub fn path(&self, below: &str) -> PathBuf {
        self.shared.path().join(below)
    }

    /// A machine with these tables; `only` is a part of the work, or empty for all of it.
    pub fn machine(&self, only: &'static str, tables: &str) -> Machine {
        let link = Link::to(self.postgres.port);
        let mut room = Room::bare(&format!("{}{tables}", ledger(link.port)));
        write_secret(&room.path("password"), &self.postgres.password);
        if !only.is_empty() {
            room.arguments = vec!["--only", only];
        }
        Machine { room, link }
    }

    /// The tables of a machine that detects below its own `data`, by a watch of this name.
    pub fn detecting(&self, name: &str) -> String {
        watch(name, "max_new_per_hour = 0") + &self.destination()
    }

    /// One notebook for each run, into the directory that all machines see.
    pub fn destination(&self) -> String {
        let directory = self.path("notebooks");
        format!(
            "[notebook.quick]\ntemplate = \"quick.ipynb\"\n\
             [destination.out]\npath = {directory:?}\ndirectory = \"\"\nconcurrency = 24\n"
        )
    }

    /// How many jobs are in this state.
    pub fn jobs(&self, state: &str) -> u64 {
        let question = format!("SELECT count(*) FROM jobs WHERE state = '{state}'");
        self.postgres.number(&question)
    }

    /// Waits until so many jobs are delivered and none is left.
    pub fn await_delivered(&self, count: u64, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let states = || {
            let question = "SELECT state, count(*) FROM jobs GROUP BY state";
            self.postgres.sql(question)
        };
        while states() != format!("delivered|{count}") {
            let late = Instant::now() > deadline;
            assert!(!late, "{count} should be delivered:\n{}", self.open_jobs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn open_jobs(&self) -> String {
        let counts = "SELECT state, failure_code, count(*) FROM jobs GROUP BY 1, 2";
        let some = "SELECT * FROM jobs WHERE state <> 'delivered' LIMIT 3";
        self.postgres.sql(counts) + "\n" + &self.postgres.sql(some)
    }

    /// Fails unless each job was recorded as delivered exactly once.
    pub fn assert_delivered_once(&self) {
        let question = "SELECT j.id, count(e.id) FROM jobs j LEFT JOIN events e \
            ON e.job = j.id AND e.event = 'delivered' GROUP BY j.id HAVING count(e.id) <> 1";
        assert_eq!(self.postgres.sql(question), "", "job, times delivered");
    }
}

/// The tables of a machine that detects below its own `data` or delivers into a Jupyter Server.
fn server_tables(url: &str) -> String {
    let destination = format!(
        "[notebook.quick]\ntemplate = \"quick.ipynb\"\n[destination.out]\nserver = \"{url}\"\n\
         directory = \"runs\"\nauth.token = {{ file = \"token\" }}\n"
    );
    watch("h1", "max_new_per_hour = 0") + &destination
}

/// A secret that only its owner can read, as is asked for.
fn write_secret(file: &Path, secret: &str) {
    fs::write(file, secret).expect("a secret");
    fs::set_permissions(file, Permissions::from_mode(0o600)).expect("chmod");
}

/// The ledger's table, at this port.
fn ledger(port: u16) -> String {
    format!(
        "[ledger]\nurl = \"postgres://nbc@127.0.0.1:{port}/nbc\"\n\
         password = {{ file = \"password\" }}\n"
    )
}

impl Machine {
    /// The present troubles, as `status` has them.
    pub fn health(&self) -> Vec<Value> {
        let ended = self.room.run(&["status", "--json"]);
        assert!(ended.code <= 1, "{ended:?}");
        let health = ended.json()["health"].as_array().cloned();
        health.unwrap_or_default()
    }

    /// Waits until `status` has a trouble of this code; what it says.
    pub fn await_trouble(&self, code: &str) -> String {
        let mut health = Vec::new();
        wait_until(30, &format!("{code} is told"), || {
            health = self.health();
            health.iter().any(|trouble| trouble["code"] == code)
        });
        let told = health.iter().find(|trouble| trouble["code"] == code);
        told.and_then(|trouble| trouble["what"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    pub fn await_no_trouble(&self) {
        wait_until(30, "all is well again", || self.health().is_empty());
    }

    /// How often the daemon's log says that this run was delivered by it.
    pub fn delivered(&self, run: &str) -> usize {
        let log = self.room.log();
        log.lines()
            .filter(|line| line.contains(" delivered ") && line.contains(run))
            .count()
    }
}

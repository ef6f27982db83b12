//! A real `PostgreSQL` server, one a test.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::{NOBODY, Process, lasting_port, token, wait_until};

/// How it is stopped (postgres(1)).
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Transactions are rolled back, all is written.
    Fast,
    /// As if it had crashed: it recovers at the next start.
    Immediate,
}

/// A server with the database `nbc` of the role `nbc`, who needs a password except at its socket.
pub struct Postgres {
    dir: tempfile::TempDir,
    pub port: u16,
    pub password: String,
    server: Option<Process>,
}

impl Postgres {
    pub fn start() -> Self {
        let mut postgres = Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            port: lasting_port(),
            password: token(),
            server: None,
        };
        if geteuid().is_root() {
            chown(postgres.dir.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
        }
        postgres.initialise();
        postgres.up();
        let role = format!("CREATE ROLE nbc LOGIN PASSWORD '{}'", postgres.password);
        for statement in [&role, "CREATE DATABASE nbc OWNER nbc"] {
            postgres.ask(["postgres", "postgres"], statement);
        }
        postgres
    }

    fn initialise(&self) {
        let done = self
            .command("initdb")
            .args(["--username=postgres", "--encoding=UTF8", "--no-locale"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            // Only of what initdb itself writes; the server flushes as always.
            .args(["--no-sync", "--no-instructions"])
            .output()
            .expect("initdb");
        assert!(done.status.success(), "{done:?}");
    }

    /// One of the server's programs on its data, which refuse to run as root.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        command
            .current_dir(self.dir.path())
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .stdin(Stdio::null());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Starts it (again), on the same port.
    pub fn up(&mut self) {
        let mut log = File::options();
        let log = log.create(true).append(true);
        let log = log.open(self.dir.path().join("log")).expect("a log");
        let mut command = self.command("postgres");
        command
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"])
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                self.dir.path().display()
            ))
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        self.server = Some(Process::start(&mut command));
        wait_until(30, "PostgreSQL answers", || {
            let asked = self.psql(["postgres", "postgres"], "SELECT 1").output();
            asked.expect("psql").status.success()
        });
    }

    pub fn stop(&mut self, how: Stop) {
        if let Some(mut server) = self.server.take() {
            end(&mut server, how);
        }
    }

    /// The answer to a statement of the role `nbc`: a line a row, columns with `|` between them.
    pub fn sql(&self, statement: &str) -> String {
        self.ask(["nbc", "nbc"], statement)
    }

    /// The one number that a statement asks for.
    pub fn number(&self, statement: &str) -> u64 {
        let answer = self.sql(statement);
        let number = answer.parse();
        number.unwrap_or_else(|error| panic!("{statement}: {answer:?}: {error}"))
    }

    fn ask(&self, who: [&str; 2], statement: &str) -> String {
        let done = self.psql(who, statement).output().expect("psql");
        assert!(done.status.success(), "{statement}: {done:?}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn psql(&self, [role, database]: [&str; 2], statement: &str) -> Command {
        let mut command = Command::new(programs().join("psql"));
        command
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database])
            .args(["-p", &self.port.to_string(), "-c", statement, "-h"])
            .arg(self.dir.path());
        command
    }
}

/// Signals the server alone, who ends its own processes; those are in other groups.
fn end(server: &mut Process, how: Stop) {
    let signal = match how {
        Stop::Fast => Signal::INT,
        Stop::Immediate => Signal::QUIT,
    };
    let _ = kill_process(Pid::from_child(&server.0), signal);
    server.wait(30);
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log"));
            let log = log.unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            eprintln!("--- PostgreSQL\n{}", last.join("\n"));
        }
        self.stop(Stop::Immediate);
    }
}

/// Where Debian has the server's programs: those of the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|version| version.path());
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    let newest = versions.max_by_key(number);
    newest.expect("tests/setup installs it").join("bin")
}

#[test]
fn a_stopped_server_comes_back_with_all_it_had_and_lets_nobody_in_without_the_password() {
    let mut postgres = Postgres::start();
    postgres.sql("CREATE TABLE kept (number INTEGER)");
    for (count, how) in [(1, Stop::Immediate), (2, Stop::Fast)] {
        postgres.sql("INSERT INTO kept VALUES (1)");
        postgres.stop(how);
        postgres.up();
        assert_eq!(postgres.number("SELECT sum(number) FROM kept"), count);
    }
    assert_eq!(postgres.sql("SHOW fsync"), "on");
    let enter = |password: &str| {
        let url = format!("postgres://nbc@127.0.0.1:{}/nbc", postgres.port);
        let mut command = Command::new(programs().join("psql"));
        command.args(["-XAtqw", "-c", "SELECT 1", &url]);
        let done = command.env("PGPASSWORD", password).output().expect("psql");
        done.status.success()
    };
    assert_eq!([enter(&postgres.password), enter("wrong")], [true, false]);
}

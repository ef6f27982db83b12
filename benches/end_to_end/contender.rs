//! nbcourier or its peer at work on runs of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::CONCURRENCY;
use crate::arrivals::Arrivals;
use crate::hub::environment;
use crate::site::{Site, USER};
use crate::support::Process;
use crate::watched::Watched;

const TEMPLATE: &str = include_str!("template.ipynb");

/// Runs that are delivered before it counts, so that what is made late has been made.
const WARM: usize = 5;

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Nbcourier,
    Peer,
}

/// One that is running.
pub(crate) struct Contender {
    dir: tempfile::TempDir,
    pub(crate) process: Watched,
    pub(crate) arrivals: Arrivals,
}

impl Contender {
    /// Starts one that delivers into this directory of the user's, and waits until it is warm.
    pub(crate) fn start(who: Who, site: &Site, directory: &str) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        fs::create_dir(dir.path().join("data")).expect("a directory");
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text);
        write("template.ipynb", TEMPLATE).expect("written");
        write("token", &site.hub.token).expect("written");
        // A token that others may read is refused.
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(dir.path().join("token"), private).expect("chmod");
        write("config.toml", &config(who, &site.hub.url, directory)).expect("written");
        let arrivals = Arrivals::watch(&site.directory(directory));
        let warm: Vec<PathBuf> = (900_000..).take(WARM).map(|n| begin(&dir, n)).collect();
        for run in &warm {
            complete(run);
        }
        let log = File::create(dir.path().join("log")).expect("a log");
        let mut command = command(who, dir.path());
        let process = Watched(Process::start(command.current_dir(&dir).stderr(log)));
        let contender = Self {
            dir,
            process,
            arrivals,
        };
        let came = contender
            .arrivals
            .await_some(&names(&warm), WARM, Duration::from_secs(120));
        assert!(came.iter().all(Option::is_some), "{}", contender.log());
        // Whatever it begins with.
        sleep(Duration::from_secs(1));
        contender
    }

    /// A run with its metadata that is not complete.
    pub(crate) fn begin(&self, number: usize) -> PathBuf {
        begin(&self.dir, number)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

fn config(who: Who, hub: &str, directory: &str) -> String {
    match who {
        Who::Nbcourier => format!(
            "[daemon]\nstate = \"state\"\n[status]\nlisten = \"127.0.0.1:0\"\n\
             [watch.h4]\ndirectory = \"data\"\npattern = 'run_\\d+'\nready = {{ marker = \"DONE\" }}\nsettle = \"0s\"\n\
             parameters = [\"run.json\"]\nexisting = \"all\"\n\
             [notebook.quick]\ntemplate = \"template.ipynb\"\n\
             [destination.hub]\nhub = \"{hub}\"\nuser = \"{USER}\"\ndirectory = \"{directory}\"\n\
             concurrency = {CONCURRENCY}\nauth.token = {{ file = \"token\" }}\n"
        ),
        Who::Peer => format!(
            "data = \"data\"\nqueue = \"queue.db\"\ntemplate = \"template.ipynb\"\nhub = \"{hub}\"\n\
             user = \"{USER}\"\ndirectory = \"{directory}\"\nthreads = {CONCURRENCY}\n\
             token_file = \"token\"\n"
        ),
    }
}

fn command(who: Who, dir: &Path) -> Command {
    let config = dir.join("config.toml");
    match who {
        Who::Nbcourier => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_nbcourier"));
            command.arg("-c").arg(config).arg("daemon");
            command
        }
        Who::Peer => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer/courier.py");
            let mut command = Command::new(environment().join("peer/bin/python"));
            // Nothing is left beside the script.
            command.arg("-B").arg(script).arg(config);
            command
        }
    }
}

fn begin(dir: &tempfile::TempDir, number: usize) -> PathBuf {
    let run = dir.path().join(format!("data/run_{number:06}"));
    fs::create_dir(&run).expect("a run");
    let metadata = format!(r#"{{"energy": {number}.5, "beam": "e-", "events": 1000}}"#);
    fs::write(run.join("run.json"), metadata).expect("metadata");
    run
}

/// Writes a run's marker; when it was there.
pub(crate) fn complete(run: &Path) -> Instant {
    File::create(run.join("DONE")).expect("a marker");
    Instant::now()
}

/// The names of runs.
pub(crate) fn names(runs: &[PathBuf]) -> Vec<String> {
    let name = |run: &PathBuf| run.file_name()?.to_str().map(str::to_owned);
    runs.iter().filter_map(name).collect()
}

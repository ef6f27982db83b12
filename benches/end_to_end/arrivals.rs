//! When notebooks come to stand in a user's directory, seen on the disk behind the server.

use std::collections::HashMap;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

/// How often it is asked whether all are there.
const GLANCE: Duration = Duration::from_millis(5);

/// Length of a run's name.
const NAME: usize = "run_000001".len();

/// The runs whose notebooks have come.
type Seen = Arc<Mutex<HashMap<String, Instant>>>;

/// A directory that is watched.
pub(crate) struct Arrivals {
    directory: PathBuf,
    seen: Seen,
}

/// What came of some runs.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    /// Those without a whole notebook.
    pub(crate) lost: usize,
    /// Notebooks beyond the first of a run.
    pub(crate) doubled: usize,
}

impl Arrivals {
    /// Watches a directory, which it makes.
    pub(crate) fn watch(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        let events = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
        let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO;
        inotify::add_watch(&events, directory, flags).expect("a watch");
        let seen = Seen::default();
        let shared = seen.clone();
        std::thread::spawn(move || {
            let mut space = [MaybeUninit::uninit(); 1 << 16];
            let mut events = Reader::new(events, &mut space);
            while let Ok(event) = events.next() {
                let name = event.file_name().and_then(|name| name.to_str().ok());
                if let Some(run) = name.and_then(run_of) {
                    let mut seen = shared.lock().expect("a lock");
                    seen.entry(run.to_owned()).or_insert_with(Instant::now);
                }
            }
        });
        let directory = directory.to_owned();
        Self { directory, seen }
    }

    /// Waits until so many of these runs have theirs, or for so long; when each came.
    pub(crate) fn await_some(
        &self,
        runs: &[String],
        count: usize,
        patience: Duration,
    ) -> Vec<Option<Instant>> {
        let begun = Instant::now();
        loop {
            let seen = self.seen.lock().expect("a lock").clone();
            let came: Vec<_> = runs.iter().map(|run| seen.get(run).copied()).collect();
            let enough = came.iter().flatten().count() >= count;
            if enough || begun.elapsed() > patience {
                return came;
            }
            sleep(GLANCE);
        }
    }

    /// What stands there of these runs.
    pub(crate) fn tally(&self, runs: &[String]) -> Tally {
        let mut whole: HashMap<String, usize> = HashMap::new();
        for file in fs::read_dir(&self.directory).expect("listed").flatten() {
            let name = file.file_name().into_string().unwrap_or_default();
            if let Some(run) = run_of(&name).filter(|run| is_whole(&file.path(), run)) {
                *whole.entry(run.to_owned()).or_default() += 1;
            }
        }
        let counts = runs.iter().map(|run| whole.get(run).copied().unwrap_or(0));
        Tally {
            lost: counts.clone().filter(|count| *count == 0).count(),
            doubled: counts.map(|count| count.saturating_sub(1)).sum(),
        }
    }
}

/// The run of a notebook's file name, whatever number it has behind.
fn run_of(file: &str) -> Option<&str> {
    let name = file.strip_suffix(".ipynb")?;
    name.get(..NAME).filter(|run| run.starts_with("run_"))
}

fn is_whole(file: &Path, run: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    let notebook: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    notebook["metadata"]["papermill"]["parameters"]["run_name"] == run
}

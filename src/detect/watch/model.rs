//! Random histories of runs, restarts and lost hints against what a person would expect.
//!
//! Each thing that a DAQ makes carries a number of its own in its metadata, so that the ledger can
//! be asked for it however often it was renamed, removed or replaced. `NBC_TEST_SEED` repeats one
//! history, `NBC_TEST_STEPS` sets how many steps are taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, watch as channel};

use super::super::Context;
use super::super::facts::Root;
use super::super::hints::Hints;
use super::Room;
use crate::ledger::{Filter, Ledger, Location};

/// Numbers that a seed repeats (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).expect("small")
    }
}

/// What is expected: the things that are there, and whether each was ever complete.
#[derive(Default)]
struct Model {
    there: BTreeMap<String, usize>,
    complete: Vec<bool>,
}

struct History {
    dice: Dice,
    dir: tempfile::TempDir,
    model: Model,
    room: Option<Room>,
    told: Vec<PathBuf>,
    log: Vec<String>,
}

const TABLES: &str = "[watch.h4]\ndirectory = \"data\"\npattern = 'run(?<run>\\d)'\nready = { marker = \"DONE\" }\n\
    settle = \"0s\"\nparameters = [\"run.json\"]\nmax_new_per_hour = 0\nexisting = \"all\"\n\
    [notebook.q]\ntemplate = \"q.ipynb\"\n[destination.d]\npath = \"out\"\n";

impl History {
    async fn new(seed: u64) -> Self {
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() {
            shared.to_owned()
        } else {
            std::env::temp_dir()
        };
        let dir = tempfile::tempdir_in(base).expect("a temporary directory");
        for part in ["data", "state"] {
            fs::create_dir(dir.path().join(part)).expect("a directory");
        }
        let mut history = Self {
            // Neighbouring seeds shall not begin alike.
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            dir,
            model: Model::default(),
            room: None,
            told: vec![],
            log: vec![],
        };
        history.start().await;
        history
    }

    /// A daemon's watch without notifications of its own; also after a kill.
    async fn start(&mut self) {
        self.room = None;
        let file = self.dir.path().join("nbcourier.toml");
        let config = Arc::new(crate::config::parse(TABLES, &file).expect("valid"));
        let location = Location::File(self.dir.path().join("ledger.db"));
        let (_, stop) = channel::channel(false);
        let context = Context {
            ledger: Ledger::open(&location).await.expect("a ledger"),
            config: config.clone(),
            health: Arc::default(),
            ready: Arc::new(Notify::new()),
            stop,
        };
        let mut room = Room::new(context, config.watches[0].clone());
        room.remember_all().await;
        self.room = Some(room);
        self.scan(false).await;
    }

    fn room(&mut self) -> &mut Room {
        self.room.as_mut().expect("a watch")
    }

    async fn scan(&mut self, full: bool) {
        let room = self.room();
        let root = Root::of(&room.watch.directory);
        room.armed = root.ok().map(|root| (root, Hints::silent()));
        if full {
            room.next_full = Instant::now();
        }
        room.scan().await.expect("recorded");
    }

    async fn look(&mut self) {
        let room = self.room();
        let now = Instant::now();
        room.pending.values_mut().for_each(|run| run.due = now);
        room.look_at_due().await.expect("recorded");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    /// A thing that is there.
    fn any(&mut self) -> Option<String> {
        let at = self.dice.below(self.model.there.len());
        self.model.there.keys().nth(at).cloned()
    }

    /// A name for a run, or one that is none.
    fn name(&mut self) -> String {
        match self.dice.below(10) {
            0 => format!(".run{}", self.dice.below(3)),
            1 => format!("other{}", self.dice.below(3)),
            _ => format!("run{}", self.dice.below(8)),
        }
    }

    async fn step(&mut self) {
        let (what, name) = (self.dice.below(14), self.name());
        let run = self.any();
        match (what, run) {
            (0..=3, _) => self.make(&name),
            (4, Some(run)) => self.finish(&run),
            (5, Some(run)) if !self.model.there.contains_key(&name) => self.rename(&run, &name),
            (6, Some(run)) => self.remove(&run),
            (7, Some(run)) => {
                self.remove(&run);
                self.make(&run);
            }
            (8, _) => {
                self.log.push("restart".into());
                self.start().await;
            }
            (9, _) => {
                self.log.push("full scan".into());
                self.scan(true).await;
            }
            (10, _) => {
                self.log.push("scan".into());
                self.scan(false).await;
            }
            (11, _) => {
                self.log.push("look".into());
                self.look().await;
            }
            _ => self.hint().await,
        }
    }

    fn make(&mut self, name: &str) {
        if self.model.there.contains_key(name) {
            return;
        }
        let number = self.model.complete.len();
        self.log.push(format!("make {number} as {name}"));
        let path = self.path(name);
        fs::create_dir(&path).expect("a run");
        fs::write(path.join("run.json"), format!("{{\"thing\": {number}}}")).expect("metadata");
        self.model.there.insert(name.into(), number);
        self.model.complete.push(false);
        self.told.push(path);
        if self.dice.below(2) == 0 {
            self.finish(name);
        }
    }

    fn finish(&mut self, name: &str) {
        self.log.push(format!("finish {name}"));
        fs::write(self.path(name).join("DONE"), "").expect("a marker");
        self.model.complete[self.model.there[name]] = true;
        self.told.push(self.path(name).join("DONE"));
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.log.push(format!("rename {from} to {to}"));
        fs::rename(self.path(from), self.path(to)).expect("renamed");
        let number = self.model.there.remove(from).expect("there");
        self.model.there.insert(to.into(), number);
        self.told.extend([self.path(from), self.path(to)]);
    }

    fn remove(&mut self, name: &str) {
        self.log.push(format!("remove {name}"));
        fs::remove_dir_all(self.path(name)).expect("removed");
        self.model.there.remove(name);
        self.told.push(self.path(name));
    }

    /// Some of the hints come, late and in any order; the others are lost.
    async fn hint(&mut self) {
        let mut paths = std::mem::take(&mut self.told);
        for _ in 0..self.dice.below(paths.len() + 1) {
            let at = self.dice.below(paths.len());
            paths.swap_remove(at);
        }
        self.log.push(format!("{} hints", paths.len()));
        self.room().take_hints(paths).await.expect("recorded");
    }

    /// After all is quiet: each thing at most once, and exactly once if it lies there complete.
    async fn check(&mut self, seed: u64) {
        for _ in 0..3 {
            self.scan(true).await;
            self.look().await;
        }
        let ledger = self.room().context.ledger.clone();
        let rows = ledger.runs(&Filter::default()).await.expect("runs");
        let told = |what: &str| {
            let rows = rows.iter().map(|row| {
                let thing = &row.parameters.get("thing");
                format!(
                    "{}#{} {} {:?} {thing:?}",
                    row.name, row.incarnation, row.state, row.reason
                )
            });
            let rows: Vec<String> = rows.collect();
            format!(
                "NBC_TEST_SEED={seed}: {what}\nhistory: {}\nledger:\n{}",
                self.log.join(", "),
                rows.join("\n")
            )
        };
        for (number, was_complete) in self.model.complete.iter().enumerate() {
            let ready = rows.iter().filter(|row| {
                row.state == "ready"
                    && row
                        .parameters
                        .get("thing")
                        .is_some_and(|thing| *thing == number)
            });
            let count = ready.count();
            assert!(
                count <= usize::from(*was_complete),
                "{}",
                told(&format!("{number} came {count} times"))
            );
            let at = self.model.there.iter().find(|(_, thing)| **thing == number);
            let is_run = at.is_some_and(|(name, _)| name.starts_with("run"));
            if is_run && *was_complete {
                assert_eq!(count, 1, "{}", told(&format!("{number} is lost")));
            }
        }
    }
}

#[tokio::test]
async fn whatever_happens_each_run_comes_exactly_once() {
    const LONG: usize = 60;
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let long = std::env::var_os("NBC_TEST_LONG").is_some();
    let usual = if long { 500_000 } else { 20_000 };
    let steps = number("NBC_TEST_STEPS").unwrap_or(usual);
    let seeds = match number("NBC_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..steps.div_ceil(LONG),
    };
    for seed in seeds {
        let seed = seed as u64;
        let mut history = History::new(seed).await;
        for _ in 0..LONG {
            history.step().await;
        }
        history.check(seed).await;
    }
}

//! Whatever happens to runs, in whatever order, between kills.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Dice, Room, begin, finish, long, make, random};

/// The directories as they are; each physical run is known by its energy.
struct Field {
    room: Room,
    dice: Dice,
    /// By path: its energy, and whether it is complete.
    runs: BTreeMap<PathBuf, (usize, bool)>,
    made: usize,
}

impl Field {
    fn create(&mut self, path: PathBuf) {
        self.made += 1;
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let complete = self.dice.below(3) > 0;
        let data = self.room.path("data");
        let metadata = format!("{{\"energy\": {}}}", self.made);
        if complete {
            make(&data, name, &metadata);
        } else {
            let run = begin(&data, name);
            fs::write(run.join("run.json"), metadata).expect("metadata");
        }
        self.runs.insert(path, (self.made, complete));
    }

    fn any(&mut self) -> Option<PathBuf> {
        let at = self.dice.below(self.runs.len().max(1));
        self.runs.keys().nth(at).cloned()
    }

    fn step(&mut self) {
        let what = self.dice.below(10);
        let new = self.room.path(&format!("data/run_{:03}", self.made + 1));
        let Some(run) = self.any().filter(|_| what > 2) else {
            return self.create(new);
        };
        match what {
            3 | 4 => {
                let to = self
                    .room
                    .path(&format!("data/run_{:03}_renamed", self.dice.below(1000)));
                if !to.exists() {
                    fs::rename(&run, &to).expect("renamed");
                    let facts = self.runs.remove(&run).expect("a run");
                    self.runs.insert(to, facts);
                }
            }
            5 => {
                fs::remove_dir_all(&run).expect("removed");
                self.create(run);
            }
            6 => {
                fs::remove_dir_all(&run).expect("removed");
                self.runs.remove(&run);
            }
            7 => fs::write(run.join("late.dat"), "late").expect("a late file"),
            8 => {
                finish(&run);
                self.runs.get_mut(&run).expect("a run").1 = true;
            }
            _ => {
                self.room.kill();
                if self.dice.below(2) == 0 {
                    self.step();
                }
                self.room.launch();
            }
        }
    }

    /// How often each physical run was delivered.
    fn delivered(&self) -> BTreeMap<usize, usize> {
        let mut times = BTreeMap::new();
        for run in self.room.runs() {
            let jobs = run["jobs"].as_array().into_iter().flatten();
            let delivered = jobs.filter(|job| job["state"] == "delivered").count();
            let energy = run["parameters"]["energy"].as_u64().unwrap_or_default();
            if delivered > 0 {
                *times
                    .entry(usize::try_from(energy).expect("small"))
                    .or_default() += delivered;
            }
        }
        times
    }
}

#[test]
fn whatever_happens_to_runs_each_has_one_notebook_at_most_and_those_that_are_left_have_one() {
    let (rounds, steps) = if long() { (20, 200) } else { (2, 60) };
    for round in 0..rounds {
        let seed = random(u64::MAX) | 1;
        let mut room = Room::watching("pattern = 'run_(?<run>\\d+).*'\nmax_wait = \"1s\"");
        // Without notifications a number that is used again between two listings is noticed by the
        // full scan, every three seconds here.
        room.pace = "0.005";
        if round % 2 == 1 {
            room.environment
                .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
        }
        room.start();
        let mut field = Field {
            room,
            dice: Dice(seed),
            runs: BTreeMap::new(),
            made: 0,
        };
        for _ in 0..steps {
            field.step();
            let pause = field.dice.below(60);
            std::thread::sleep(Duration::from_millis(pause as u64));
        }
        for run in field.runs.keys() {
            finish(run);
        }
        let missing = |field: &Field| {
            let delivered = field.delivered();
            let runs = field.runs.iter();
            let missing = runs.filter(|(_, (energy, _))| !delivered.contains_key(energy));
            missing
                .map(|(path, (energy, _))| format!("{energy} {}", path.display()))
                .collect::<Vec<_>>()
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !missing(&field).is_empty() {
            assert!(
                Instant::now() < deadline,
                "seed {seed}, round {round}, not delivered: {:#?}\nthe ledger: {:#?}",
                missing(&field),
                field.room.ledger()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        field.room.restart();
        std::thread::sleep(Duration::from_secs(1));
        let twice: Vec<_> = field
            .delivered()
            .into_iter()
            .filter(|(_, times)| *times != 1)
            .collect();
        assert!(
            twice.is_empty(),
            "{twice:?}, seed {seed}, round {round}: {:#?}",
            field.room.ledger()
        );
    }
}

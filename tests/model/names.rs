//! The small world: what its parts are called.

use nbcourier::job::PlannedJob;

pub const DESTINATIONS: [&str; 2] = ["hub", "plain"];
pub const USERS: [&str; 2] = ["alice", "bob"];
pub const NOTEBOOKS: [&str; 2] = ["quick", "full"];
pub const WATCH: &str = "h4";

/// How many runs there may be.
pub const RUNS: usize = 5;

/// One job, as everybody knows it: by what it is, not by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub run: usize,
    pub notebook: usize,
    pub destination: usize,
    pub user: usize,
    pub generation: i64,
}

/// A name at a destination: jobs of one notebook table want the same one, and take the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub notebook: usize,
    pub number: u32,
}

impl Key {
    /// Whether it is the same but for the generation.
    pub fn is_kin(self, other: Self) -> bool {
        Self {
            generation: other.generation,
            ..self
        } == other
    }

    pub fn planned(self) -> PlannedJob {
        PlannedJob {
            notebook: NOTEBOOKS[self.notebook].into(),
            destination: DESTINATIONS[self.destination].into(),
            user: USERS[self.user].into(),
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}.ipynb", NOTEBOOKS[self.notebook], self.number)
    }
}

pub fn run_name(run: usize) -> String {
    format!("run_{run}")
}

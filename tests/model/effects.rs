//! A destination as deliveries see it: it has files, and creates without replacing.

use super::names::{Key, Path};

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Absent,
    Ours,
    Taken,
}

/// How renaming ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    Done,
    /// Something stands there.
    Taken,
    /// There is nothing under the temporary name.
    Gone,
}

/// The files of all users at all destinations.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    files: Vec<(Path, Key)>,
    /// Temporary names have the job's id in them: there is one a job.
    temporary: Vec<Key>,
}

impl Effects {
    pub fn look(&self, path: Path, job: Key) -> Seen {
        match self.at(path, job) {
            None => Seen::Absent,
            Some(there) if there == job => Seen::Ours,
            Some(_) => Seen::Taken,
        }
    }

    /// Whose notebook stands under this name where that job's would.
    fn at(&self, path: Path, job: Key) -> Option<Key> {
        let here = |(at, there): &&(Path, Key)| {
            *at == path && (there.destination, there.user) == (job.destination, job.user)
        };
        self.files.iter().find(here).map(|(_, there)| *there)
    }

    pub fn upload(&mut self, job: Key) {
        if !self.temporary.contains(&job) {
            self.temporary.push(job);
        }
    }

    pub fn rename(&mut self, path: Path, job: Key) -> Renamed {
        if self.at(path, job).is_some() {
            return Renamed::Taken;
        }
        let Some(at) = self.temporary.iter().position(|there| *there == job) else {
            return Renamed::Gone;
        };
        self.temporary.swap_remove(at);
        self.files.push((path, job));
        assert_eq!(self.count(job), 1, "{job:?} has two notebooks");
        Renamed::Done
    }

    /// How many notebooks a job has.
    pub fn count(&self, job: Key) -> usize {
        self.files.iter().filter(|(_, there)| *there == job).count()
    }
}

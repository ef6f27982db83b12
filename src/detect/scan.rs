//! Listing what lies below a watched directory: names only, and those that are known cost least.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::DirEntry;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::facts::{changed, identity_of};
use super::identity::natural;
use super::known::{Identity, Known, Met};
use crate::config::checked::Watch;
use crate::run::{encode_name, path_bytes};

/// The coarsest ticks in which file systems count time. A directory is listed once more when its
/// times could not have told the last change from the listing itself.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// Known runs without an identity that are given one in one full scan.
const ADOPTED: usize = 10_000;

/// Where a run or one of its files lies: the path below the watched directory, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) String);

impl Place {
    /// The name of its run.
    pub(super) fn name(&self, watch: &Watch) -> String {
        let name = watch.pattern.name(&self.0);
        name.unwrap_or_else(|| self.0.clone())
    }

    pub(super) fn path(&self, watch: &Watch) -> PathBuf {
        let below = OsString::from_vec(path_bytes(&self.0));
        watch.directory.join(below)
    }
}

/// Which of two runs is the later one, by their paths below the directory: by the `run` group where
/// there is one.
pub(super) fn later(watch: &Watch, one: &str, other: &str) -> Ordering {
    let run = |path| {
        let groups = watch.pattern.groups(path).into_iter();
        groups.into_iter().find(|(name, _)| *name == "run")
    };
    match (run(one), run(other)) {
        (Some((_, one)), Some((_, other))) => natural(one, other),
        _ => natural(one, other),
    }
}

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Directories whose times say that entries came or went; changes are noticed by this machine.
    Changed,
    /// As `Changed`, and the newest directories whatever their times say.
    Newest,
    /// All directories, and whether known runs are still the same.
    Full,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Runs that are not known.
    pub(super) new: Vec<Place>,
    /// Known names that may stand for other runs than before.
    pub(super) doubtful: Vec<Place>,
    /// Further files of runs that can have several.
    pub(super) segments: Vec<Place>,
    /// How many names of runs were met.
    pub(super) met: usize,
    /// Directories below the root that can hold runs, newest name first.
    pub(super) directories: Vec<PathBuf>,
    /// The first directory below the root that can't be listed, and why.
    pub(super) trouble: Option<(PathBuf, String)>,
}

/// What is remembered of the directories that were listed.
#[derive(Debug, Default)]
pub(super) struct Listings(HashMap<PathBuf, Listing>);

impl Listings {
    /// The number of the last listing of the directory that a path lies in, from 1.
    pub(super) fn number(&self, path: &Path) -> u32 {
        let listing = path.parent().and_then(|parent| self.0.get(parent));
        listing.map_or(0, |listing| listing.number)
    }
}

#[derive(Debug)]
struct Listing {
    number: u32,
    /// When its entries changed last, as the file system tells, and since when that is known.
    changed: (i64, u32),
    since: Instant,
    listed: Instant,
    /// Directories in it that can hold runs.
    inner: Vec<OsString>,
}

/// All runs of a watch that are there.
pub(super) fn all(watch: &Watch) -> std::io::Result<Vec<Place>> {
    let (mut known, mut listings) = (Known::default(), Listings::default());
    let scanner = Scanner::new(watch, &mut known, &mut listings, Depth::Full);
    scanner.run(false).map(|scan| scan.new)
}

/// One scan of a watch.
pub(super) struct Scanner<'a> {
    watch: &'a Watch,
    known: &'a mut Known,
    listings: &'a mut Listings,
    depth: Depth,
    found: Scan,
    births: bool,
    /// Known runs without an identity that were met.
    adopted: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(
        watch: &'a Watch,
        known: &'a mut Known,
        listings: &'a mut Listings,
        depth: Depth,
    ) -> Self {
        Self {
            watch,
            known,
            listings,
            depth,
            found: Scan::default(),
            births: false,
            adopted: 0,
        }
    }

    /// Scans; without `births` known runs can't be told from others. An error is about the root.
    pub(super) fn run(mut self, births: bool) -> std::io::Result<Scan> {
        self.births = births;
        let root = self.watch.directory.clone();
        self.directory(&root, "", 0, true)?;
        Ok(self.found)
    }

    fn directory(
        &mut self,
        path: &Path,
        below: &str,
        level: usize,
        newest: bool,
    ) -> std::io::Result<()> {
        // Asked before listing: what comes in between is listed again.
        let time = changed(path)?;
        if self.is_due(path, time, newest) {
            self.list(path, below, level, time)?;
        }
        let listing = self.listings.0.get(path);
        let inner = listing
            .map(|listing| listing.inner.clone())
            .unwrap_or_default();
        for (at, name) in inner.iter().enumerate() {
            let path = path.join(name);
            let below = format!("{below}{}/", encode_name(name.as_bytes()));
            if let Err(error) = self.directory(&path, &below, level + 1, newest && at < 2)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                self.found
                    .trouble
                    .get_or_insert((path.clone(), error.to_string()));
            }
            self.found.directories.push(path);
        }
        Ok(())
    }

    fn is_due(&self, path: &Path, time: (i64, u32), newest: bool) -> bool {
        let Some(last) = self.listings.0.get(path) else {
            return true;
        };
        let certain = last.changed == time && last.listed >= last.since + TICK;
        match self.depth {
            Depth::Changed => !certain,
            Depth::Newest => newest || !certain,
            Depth::Full => true,
        }
    }

    fn list(
        &mut self,
        path: &Path,
        below: &str,
        level: usize,
        time: (i64, u32),
    ) -> std::io::Result<()> {
        let now = Instant::now();
        let last = self.listings.0.get(path);
        let since = last
            .filter(|last| last.changed == time)
            .map(|last| last.since);
        let number = last.map_or(1, |last| last.number + 1);
        let mut inner = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let raw = entry.file_name();
            let name = encode_name(raw.as_bytes());
            if self.watch.pattern.leads_on(level, &name)
                && !self.watch.ignore.is_match(Path::new(&raw))
                && is_directory(&entry)
            {
                inner.push(raw);
            }
            self.meet(&entry, format!("{below}{name}"), number);
        }
        inner.sort_by(|one, other| natural(&other.to_string_lossy(), &one.to_string_lossy()));
        let listing = Listing {
            number,
            changed: time,
            since: since.unwrap_or(now),
            listed: now,
            inner,
        };
        self.listings.0.insert(path.to_owned(), listing);
        Ok(())
    }

    /// Judges an entry; what is known is told by its name alone.
    fn meet(&mut self, entry: &DirEntry, below: String, listing: u32) {
        let pattern = &self.watch.pattern;
        let cut = match pattern.has_segments() {
            false => None,
            true => match pattern.name(&below) {
                Some(name) => Some(name),
                None => return,
            },
        };
        let name = cut.as_deref().unwrap_or(&below);
        let met = self.known.meet(name, listing);
        let is_run = met != Met::New || is_run(self.watch, entry, &below);
        self.found.met += usize::from(is_run);
        let found = match met {
            Met::New if is_run => &mut self.found.new,
            Met::Back => &mut self.found.doubtful,
            Met::Stays
                if self.births && self.depth == Depth::Full && self.is_other(entry, name) =>
            {
                &mut self.found.doubtful
            }
            Met::Stays if cut.is_some() => &mut self.found.segments,
            Met::New | Met::Stays => return,
        };
        found.push(Place(below));
    }

    /// Whether a known run may be another one than before.
    fn is_other(&mut self, entry: &DirEntry, name: &str) -> bool {
        let Some(identity) = identity_of(&entry.path()) else {
            return false;
        };
        match self.known.compare(name, &identity) {
            Identity::Same => false,
            Identity::Other => true,
            Identity::Unknown => {
                self.adopted += 1;
                self.adopted <= ADOPTED
            }
        }
    }
}

/// Whether an entry that is not known is a run.
fn is_run(watch: &Watch, entry: &DirEntry, below: &str) -> bool {
    let raw = entry.file_name();
    if watch.ignore.is_match(Path::new(&raw)) || watch.pattern.name(below).is_none() {
        return false;
    }
    watch.pattern.takes_files() && is_file(entry) || is_directory(entry)
}

fn is_directory(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

fn is_file(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_file(),
        Ok(kind) => kind.is_file(),
        Err(_) => false,
    }
}

//! One look at one run directory: what state it is in, from the file system alone.

use std::collections::hash_map::DefaultHasher;
use std::fs::Metadata;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::readiness::{Observed, asks_quiet, is_met};
use super::{from_name, readers};
use crate::config::checked::Watch;
use crate::run::Parameters;

/// Entries and levels that a signature takes in, so that a look stays cheap however large a run is.
const ENTRIES: usize = 10_000;
const LEVELS: usize = 3;

/// A run that is not complete yet, as this process has observed it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) seen_at: i64,
    /// Its signature at the very first start of the watch.
    pub(super) baseline: Option<String>,
    /// What the ledger says it waits for.
    pub(super) reason: Option<String>,
    /// What it was found to wait for last; told to the ledger when found twice.
    pub(super) found: Option<String>,
    /// When it is looked at next.
    pub(super) due: Instant,
    /// When it was taken up or hinted at last.
    pub(super) stirred: Instant,
    signature: Option<String>,
    since: Instant,
}

impl Pending {
    pub(super) fn new(name: String, path: PathBuf, seen_at: i64) -> Self {
        let now = Instant::now();
        Self {
            name,
            path,
            seen_at,
            baseline: None,
            reason: None,
            found: None,
            due: now,
            stirred: now,
            signature: None,
            since: now,
        }
    }

    /// How long the signature has been the same, as observed.
    fn unchanged(&mut self, signature: String, now: Instant) -> Duration {
        if self.signature.as_ref() != Some(&signature) {
            self.signature = Some(signature);
            self.since = now;
        }
        now.duration_since(self.since)
    }
}

/// What a look found.
#[derive(Debug)]
pub(super) enum Found {
    /// Not complete, or complete and not settled; what it waits for, if that can be said.
    Waiting(Option<String>),
    /// Complete, unchanged since the very first start.
    Existed,
    /// Complete.
    Ready(Parameters),
}

/// Looks at a run.
pub(super) fn look(watch: &Watch, pending: &mut Pending) -> Found {
    let names = match names(&pending.path) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Found::Waiting(Some("its directory is gone".into()));
        }
        Err(error) => return Found::Waiting(Some(format!("its directory can't be read: {error}"))),
    };
    let now = Instant::now();
    let mut observed = Observed {
        names,
        unchanged: Duration::ZERO,
    };
    if asks_quiet(&watch.ready) {
        observed.unchanged = pending.unchanged(signature(&pending.path), now);
    }
    if !is_met(&watch.ready, &observed) {
        return Found::Waiting(None);
    }
    let mut parameters = from_name(
        &watch.name,
        &pending.name,
        &pending.path,
        pending.seen_at,
        Some(watch),
    );
    let (base, sources) = (&pending.path, &mut readers::Sources::new());
    if let Err(why) = readers::merge(base, &watch.parameters, &mut parameters, sources) {
        return Found::Waiting(Some(why));
    }
    let baseline = pending.baseline.clone();
    if !watch.settle.is_zero() || baseline.is_some() {
        let current = signature(&pending.path);
        if baseline.as_ref() == Some(&current) {
            return Found::Existed;
        }
        if pending.unchanged(current, now) < watch.settle {
            return Found::Waiting(None);
        }
    }
    Found::Ready(parameters)
}

/// Whether a run that is there at the very first start is complete at this one look.
pub(super) fn is_complete_now(watch: &Watch, path: &Path) -> bool {
    let observed = Observed {
        names: names(path).unwrap_or_default(),
        unchanged: Duration::ZERO,
    };
    is_met(&watch.ready, &observed)
}

fn names(path: &Path) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(path)?;
    Ok(entries
        .flatten()
        .take(ENTRIES)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

/// Differs after nearly every change below the directory: names, sizes and times are only ever
/// compared for equality, with themselves.
pub(super) fn signature(path: &Path) -> String {
    let (mut count, mut size, mut latest, mut hash) = (0_usize, 0_u64, (0, 0, 0, 0), 0_u64);
    let mut levels = vec![(path.to_owned(), 1)];
    while let Some((directory, level)) = levels.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else {
                continue;
            };
            count += 1;
            size = size.wrapping_add(facts.len());
            latest = latest.max(times(&facts));
            // Independent of the order in which the entries come.
            hash = hash.wrapping_add(hash_of(entry.file_name().as_bytes(), level));
            if count >= ENTRIES {
                levels.clear();
                break;
            }
            if facts.is_dir() && level < LEVELS {
                levels.push((entry.path(), level + 1));
            }
        }
    }
    format!("{count} {size} {latest:?} {hash:x}")
}

fn times(facts: &Metadata) -> (i64, i64, i64, i64) {
    (
        facts.ctime(),
        facts.ctime_nsec(),
        facts.mtime(),
        facts.mtime_nsec(),
    )
}

fn hash_of(name: &[u8], level: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, level).hash(&mut hasher);
    hasher.finish()
}

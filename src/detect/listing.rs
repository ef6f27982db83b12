//! Listing a watched directory, and judging what is there at the very first start.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::candidate;
use super::look::{is_complete_now, signature};
use super::readiness::stay;
use crate::config::checked::{Existing, Watch};
use crate::job::millis;
use crate::ledger::{SeenRun, name_hash, now};
use crate::run::RunState;

/// The runs in the root that are not known; names are matched before anything is asked of the file
/// system.
pub(super) fn new_runs(
    watch: &Watch,
    known: &HashSet<u64>,
) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&watch.directory)? {
        let entry = entry?;
        let Some(name) = candidate(watch, &entry.file_name()) else {
            continue;
        };
        if !known.contains(&name_hash(&name)) && is_directory(&entry) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn is_directory(entry: &std::fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

/// What becomes of the runs at the very first start. One that isn't complete is waited for; its
/// signature tells later whether anything has happened to it since.
pub(super) fn baseline(watch: &Watch, found: Vec<(String, PathBuf)>) -> Vec<SeenRun> {
    let began: Vec<i64> = match watch.existing {
        Existing::Ignore | Existing::All => vec![0; found.len()],
        Existing::Since(_) | Existing::Last(_) => {
            found.iter().map(|(_, path)| began(path)).collect()
        }
    };
    let stay = stay(watch.existing, &began);
    let judge = |((name, path), stays): ((String, PathBuf), bool)| {
        let complete = stays && is_complete_now(watch, &path);
        SeenRun {
            watch: watch.name.clone(),
            name,
            seen_at: now(),
            state: if complete {
                RunState::Ignored
            } else {
                RunState::Acquiring
            },
            reason: complete.then(|| "existed-before".into()),
            baseline: (stays && !complete).then(|| signature(&path)),
            path,
        }
    };
    found.into_iter().zip(stay).map(judge).collect()
}

/// When a directory was made, as far as the file system knows, milliseconds since 1970, UTC.
fn began(path: &Path) -> i64 {
    let facts = std::fs::metadata(path).ok();
    let time = facts.and_then(|facts| facts.created().or_else(|_| facts.modified()).ok());
    let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, millis)
}

/// The shipped unit hides the homes, which looks like a missing right.
pub(super) fn advice(directory: &Path) -> &'static str {
    let hidden = ["/home", "/root", "/run/user"]
        .iter()
        .any(|home| directory.starts_with(home));
    if hidden {
        "give the service's user the right to read it, and set `ProtectHome=read-only` in a drop-in of the unit; nothing is lost"
    } else {
        "make it, mount it, or give the service's user the right to read it; runs in it are found once it is back"
    }
}

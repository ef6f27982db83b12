//! Waiting for hints, and what they are about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::facts::Root;
use super::super::hints::Hints;
use super::super::scan::{Place, Scan};
use super::super::{below, candidate};
use super::Room;
use crate::ledger::LedgerError;

/// Directories below the root that are watched, the newest names of each level first.
const INNER: usize = 256;

impl Room {
    /// Sleeps until a run is due, the next scan, or a hint; takes up all hints that are there.
    pub(super) async fn wait(&mut self, next_scan: Instant) {
        let due = self.pending.values().map(|pending| pending.due).min();
        let until = due.map_or(next_scan, |due| due.min(next_scan));
        let mut paths = Vec::new();
        let mut read = None;
        tokio::select! {
            path = next_hint(&mut self.armed) => paths.push(path),
            Some(end) = self.reading.join_next() => read = Some(end),
            () = tokio::time::sleep_until(until.into()) => {}
        }
        while let Some(path) = self.armed.as_mut().and_then(|(_, hints)| hints.another()) {
            paths.push(path);
        }
        let recorded = match read {
            Some(read) => self.read(read).await,
            None => Ok(()),
        };
        if let Err(error) = recorded {
            self.ledger_trouble(&error).await;
            self.remember_all().await;
        }
        if let Err(error) = self.take_hints(paths).await {
            self.ledger_trouble(&error).await;
        }
    }

    /// A hint only says where to look: at a run that is open, at a name that is new or may stand
    /// for another run than before, or at a directory that can hold runs.
    pub(super) async fn take_hints(&mut self, paths: Vec<PathBuf>) -> Result<(), LedgerError> {
        let (mut new, mut doubtful) = (BTreeMap::new(), BTreeMap::new());
        for path in paths {
            let Some((name, path)) = self.run_of(&path) else {
                self.rescan |= self.leads_to_runs(&path);
                continue;
            };
            let Some(below) = below(&self.watch, &path) else {
                continue;
            };
            match self.pending.get_mut(&name) {
                Some(run) => {
                    run.stirred = Instant::now();
                    run.due = run.stirred;
                    if self.watch.pattern.has_segments() {
                        run.files.insert(path);
                    }
                }
                None if self.known.contains(&name) => {
                    doubtful.insert(name, Place(below));
                }
                None => {
                    new.insert(below.clone(), Place(below));
                }
            }
        }
        let watch = self.watch.clone();
        let is_there = move || {
            let is_run = |place: &Place| {
                let path = place.path(&watch);
                path.is_dir() || watch.pattern.takes_files() && path.is_file()
            };
            new.into_values().filter(is_run).collect()
        };
        if let Ok(new) = tokio::task::spawn_blocking(is_there).await {
            self.see(new).await?;
        }
        self.again(doubtful.into_values().collect()).await
    }

    /// The run that a path is, is a file of, or lies in.
    fn run_of(&self, path: &Path) -> Option<(String, PathBuf)> {
        let inside = path.strip_prefix(&self.watch.directory).ok()?;
        let levels = inside.components().take(self.watch.pattern.depth());
        let mut path = self.watch.directory.clone();
        levels.into_iter().find_map(|part| {
            path.push(part);
            Some((candidate(&self.watch, &path)?, path.clone()))
        })
    }

    /// Whether a path is of a directory that can hold runs.
    fn leads_to_runs(&self, path: &Path) -> bool {
        let Some(below) = below(&self.watch, path) else {
            return false;
        };
        let mut parts = below.split('/').enumerate();
        parts.all(|(level, part)| self.watch.pattern.leads_on(level, part))
    }

    /// Watches a directory too, if there is room.
    pub(super) fn watch_directory(&mut self, path: &Path) {
        let Some((_, hints)) = &mut self.armed else {
            return;
        };
        if let Err(why) = hints.watch(path) {
            self.tell_hints(Err(why));
        }
    }

    /// Watches the newest directories that can hold runs. One that wasn't is listed once more, as
    /// something may have come in between.
    pub(super) fn watch_inner(&mut self, scan: &Scan) {
        let Some((_, hints)) = &mut self.armed else {
            return;
        };
        let mut told = Ok(());
        for path in scan.directories.iter().take(INNER) {
            if !hints.watches(path) && told.is_ok() {
                told = hints.watch(path);
                self.rescan |= hints.watches(path);
            }
        }
        if told.is_err() {
            self.tell_hints(told);
        }
    }

    /// Further files of runs that are open.
    pub(super) fn segments(&mut self, places: Vec<Place>) {
        for place in places {
            if let Some(run) = self.pending.get_mut(&place.name(&self.watch)) {
                run.files.insert(place.path(&self.watch));
            }
        }
    }

    /// Tells what can't be listed.
    pub(super) fn tell_scan(&self, scan: &Result<Scan, (PathBuf, std::io::Error)>) {
        let health = &self.context.health;
        let root = format!("watch {}", self.watch.name);
        let inner = format!("watch {} inside", self.watch.name);
        let table = format!("[watch.{}]", self.watch.name);
        let found = match scan {
            Ok(found) => found,
            Err((path, error)) => {
                let code = match error.kind() {
                    std::io::ErrorKind::NotFound => "watch-missing",
                    _ => "watch-unreadable",
                };
                let what = format!("{table} can't list {}: {error}", path.display());
                return health.raise(&root, code, what, advice(path));
            }
        };
        health.clear(&root);
        match &found.trouble {
            None => health.clear(&inner),
            Some((path, error)) => {
                let what = format!("{table} can't list {}: {error}", path.display());
                health.raise(&inner, "watch-unreadable", what, advice(path));
            }
        }
    }
}

async fn next_hint(armed: &mut Option<(Root, Hints)>) -> PathBuf {
    match armed {
        Some((_, hints)) => hints.next().await,
        None => std::future::pending().await,
    }
}

/// The shipped unit hides the homes, which looks like a missing right.
fn advice(directory: &Path) -> &'static str {
    let hidden = ["/home", "/root", "/run/user"];
    if hidden.iter().any(|home| directory.starts_with(home)) {
        "give the service's user the right to read it, and set `ProtectHome=read-only` in a drop-in of the unit; nothing is lost"
    } else {
        "make it, mount it, or give the service's user the right to read it; runs in it are found once it is back"
    }
}

//! Waiting for hints, and what they are about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::facts::{Root, found};
use super::super::hints::Hints;
use super::super::identity::Found;
use super::super::known::Identity;
use super::super::scan::{Place, Scan};
use super::super::{below, candidate};
use super::Room;
use crate::ledger::LedgerError;
use crate::measure;

/// Directories below the root that are watched, the newest names of each level first.
const INNER: usize = 256;

impl Room {
    /// Sleeps until a run is due, the next scan, or a hint; takes up all hints that are there.
    pub(super) async fn wait(&mut self, next_scan: Instant) {
        let due = self.pending.values().map(|pending| pending.due).min();
        let latest = next_scan.min(Instant::now() + self.pulse.pace);
        let until = due.map_or(latest, |due| due.min(latest));
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
        measure::hints(&self.watch.name, paths.len());
        let recorded = match read {
            Some(read) => self.read(read).await,
            None => Ok(()),
        };
        if let Err(error) = recorded {
            self.start_over(&error).await;
        }
        if let Err(error) = self.take_hints(paths).await {
            self.start_over(&error).await;
        }
    }

    /// A hint only says where to look: at a run that is open, at a name that is new or may stand
    /// for another run than before, or at a directory that can hold runs.
    pub(super) async fn take_hints(&mut self, paths: Vec<PathBuf>) -> Result<(), LedgerError> {
        let (mut new, mut met) = (BTreeSet::new(), BTreeSet::new());
        for hint in paths {
            let Some((name, path)) = self.run_of(&hint) else {
                self.rescan |= self.leads_to_runs(&hint);
                continue;
            };
            let is_run = hint == path;
            match self.pending.get_mut(&name) {
                Some(run) => {
                    run.stirred = Instant::now();
                    run.due = run.stirred;
                    run.failed = 0;
                    if self.watch.pattern.has_segments() {
                        run.files.insert(path);
                    }
                }
                // What happens inside a run that is known says nothing of its name.
                None if self.known.contains(&name) => met.extend(is_run.then_some(path)),
                None => drop(new.insert(path)),
            }
        }
        if !new.is_empty() {
            let places = self.places(new).await;
            self.see(places.into_iter().map(|(place, _)| place).collect())
                .await?;
        }
        if !met.is_empty() {
            let mut places = self.places(met).await;
            places.retain(|(place, found)| self.is_doubtful(place, found));
            self.again(places.into_iter().map(|(place, _)| place).collect())
                .await?;
        }
        Ok(())
    }

    /// Those paths that can be runs, and what is there.
    async fn places(&self, paths: BTreeSet<PathBuf>) -> Vec<(Place, Found)> {
        let watch = self.watch.clone();
        let places = move || {
            let is_run =
                |path: &PathBuf| path.is_dir() || watch.pattern.takes_files() && path.is_file();
            let runs = paths.into_iter().filter(is_run);
            let place = |path: PathBuf| Some((Place(below(&watch, &path)?), found(&path)));
            runs.filter_map(place).collect()
        };
        self.aside(places).await.unwrap_or_default()
    }

    /// Whether a known name may stand for another run.
    fn is_doubtful(&self, place: &Place, found: &Found) -> bool {
        let name = place.name(&self.watch);
        match found {
            Found::Nothing => false,
            Found::Unborn => true,
            Found::Born(identity, _) => self.known.compare(&name, identity) != Identity::Same,
        }
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

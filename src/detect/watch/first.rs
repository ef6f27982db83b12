//! The very first start of a watch: what is there already.

use std::path::Path;

use super::super::facts::found;
use super::super::identity::Found;
use super::super::look::{Pending, complete_now};
use super::super::readiness::stay;
use super::super::scan::{Place, later};
use super::seen::{bare, seen};
use super::{BATCH, Room};
use crate::config::Config;
use crate::config::checked::{Condition, Existing, Watch};
use crate::job::millis;
use crate::ledger::{LedgerError, SeenRun, WatchRow};
use crate::run::RunState;

/// Runs that are looked into: of more, only those with the greatest names can be in the taking.
const LOOKED_INTO: usize = 10_000;

/// What becomes of a run that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// It came after the watch was set up, whose directory was missing then.
    New,
    /// It existed, and is delivered all the same.
    Wanted,
    /// It existed; it stays unless it is in the taking still.
    Open,
    /// It existed, and stays.
    Stays,
}

impl Room {
    /// Remembers what is there already, in one transaction.
    pub(super) async fn first_start(
        &mut self,
        places: Vec<Place>,
        row: &WatchRow,
        root: Option<&str>,
    ) -> Result<(), LedgerError> {
        let (watch, awaited, there) = (self.watch.clone(), row.awaited_at, places.len());
        let judged = self.aside(move || judge(&watch, places, awaited)).await;
        let Ok(judged) = judged else { return Ok(()) };
        let mut baseline = self.context.ledger.baseline(&self.watch.name).await?;
        let mut acquiring = Vec::new();
        for some in judged.chunks(BATCH) {
            let (watch, config) = (self.watch.clone(), self.context.config.clone());
            let some = some.to_vec();
            let runs = move || {
                some.iter()
                    .map(|run| existing(&watch, &config, run))
                    .collect()
            };
            let Ok(runs) = self.aside(runs).await else {
                return Ok(());
            };
            let mut runs: Vec<SeenRun> = runs;
            let open = |run: &&mut SeenRun| run.state == RunState::Acquiring;
            let seen_there = |run: &mut SeenRun| run.root = root.map(str::to_owned);
            runs.iter_mut().filter(open).for_each(seen_there);
            for (id, run) in baseline.add(runs).await? {
                self.remember_name(&run.name, &run.path, run.identity.as_deref());
                if run.state == RunState::Acquiring {
                    acquiring.push((id, run));
                }
            }
        }
        baseline.commit(root).await?;
        let waiting = acquiring.len();
        tracing::info!(
            watch = self.watch.name,
            there,
            waiting,
            "first start of this watch"
        );
        self.take_up(acquiring);
        Ok(())
    }
}

/// Judges the runs that are there, the earlier ones first.
fn judge(watch: &Watch, mut places: Vec<Place>, awaited: i64) -> Vec<(Place, First)> {
    places.sort_by(|one, other| later(watch, &one.0, &other.0));
    places.dedup_by_key(|place| place.name(watch));
    let began = |place: &Place| match watch.existing {
        Existing::Ignore | Existing::All => 0,
        Existing::Since(_) | Existing::Last(_) => began(&place.path(watch)),
    };
    let began: Vec<i64> = places.iter().map(began).collect();
    // Without a change in it since then, nothing in it can have come since then.
    let late = changed_after(&watch.directory, awaited);
    // None of those that have to be announced is in the taking.
    let asked = matches!(watch.ready, Condition::External);
    let older = places
        .len()
        .saturating_sub(if asked { 0 } else { LOOKED_INTO });
    let each = places.into_iter().zip(stay(watch.existing, &began));
    let first = each.enumerate().map(|(at, (place, stays))| {
        let first = match stays {
            _ if late && born_after(&place.path(watch), awaited) => First::New,
            false => First::Wanted,
            true if at < older => First::Stays,
            true => First::Open,
        };
        (place, first)
    });
    first.collect()
}

fn existing(watch: &Watch, config: &Config, (place, first): &(Place, First)) -> SeenRun {
    if *first == First::Stays {
        // Of millions nothing more is asked of the file system.
        return ignored(bare(watch, place));
    }
    let run = SeenRun {
        counted: *first == First::New,
        ..seen(watch, config, place)
    };
    if *first != First::Open {
        return run;
    }
    let run = SeenRun {
        jobs: vec![],
        ..run
    };
    match complete_now(watch, &mut Pending::of(0, run.clone())) {
        (true, _) => ignored(run),
        // Whether anything happens to it from now on is seen by its signature.
        (false, signature) => SeenRun {
            baseline: Some(signature),
            ..run
        },
    }
}

fn ignored(run: SeenRun) -> SeenRun {
    SeenRun {
        state: RunState::Ignored,
        reason: Some("existed-before".into()),
        ..run
    }
}

fn born_after(path: &Path, at: i64) -> bool {
    matches!(found(path), Found::Born(_, born) if born >= at)
}

fn changed_after(path: &Path, at: i64) -> bool {
    let changed = std::fs::metadata(path).and_then(|facts| facts.modified());
    let since = changed
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.is_some_and(|since| millis(since) >= at)
}

/// When a run was made, as far as the file system knows, milliseconds since 1970, UTC.
fn began(path: &Path) -> i64 {
    let facts = std::fs::metadata(path).ok();
    let time = facts.and_then(|facts| facts.created().or_else(|_| facts.modified()).ok());
    let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, millis)
}

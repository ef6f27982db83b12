//! Known names that may stand for other runs than before: numbers that are used again, directories
//! that were copied, restored or switched.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::super::facts::found;
use super::super::identity::{Found, Verdict, is_mass, judge};
use super::super::look::{Pending, read_now};
use super::super::scan::{Place, TICK};
use super::super::signature::newest;
use super::seen::seen;
use super::{BATCH, Room};
use crate::config::checked::Watch;
use crate::job::millis;
use crate::ledger::{LedgerError, RunRow, SeenRun};
use crate::run::RunState;

/// A name with what the ledger and the file system say of it.
struct Doubt {
    place: Place,
    row: RunRow,
    verdict: Verdict,
    /// Its identity now.
    identity: Option<String>,
    /// Whether all in it was written before the run was recorded: copies keep old times.
    older: bool,
    /// A hash of its metadata now, where it takes that to tell.
    digest: Option<String>,
}

impl Doubt {
    /// One look at what lies where a known run was.
    fn of(watch: &Watch, place: Place, row: RunRow, limit: Duration) -> Self {
        let found = found(&row.path);
        let verdict = judge(row.identity.as_deref(), row.seen_at, &found);
        let read = || read_now(watch, (&row.name, &row.path), (row.seen_at, limit));
        let asks = matches!(verdict, Verdict::Reused | Verdict::Ask) && row.digest.is_some();
        Self {
            digest: asks.then(read).and_then(|read| read.ok()?.digest),
            older: verdict == Verdict::Reused && is_older(&row.path, &row),
            identity: match found {
                Found::Born(identity, _) => Some(identity),
                Found::Nothing | Found::Unborn => None,
            },
            verdict,
            place,
            row,
        }
    }

    /// Whether it says the same as the run that was delivered.
    fn says_the_same(&self) -> bool {
        self.digest == self.row.digest
    }

    /// Whether it is the known run, copied or restored.
    fn is_copy(&self, mass: bool) -> bool {
        match self.row.state.as_str() {
            // What was not complete is delivered once, as what is there now.
            "acquiring" => mass,
            _ => is_copy(&self.row, self.digest.as_deref(), (mass, self.older)),
        }
    }
}

/// Whether what has these metadata is a known run that was copied or restored: one among many, or
/// one whose files are all older than the known run's record.
fn is_copy(row: &RunRow, digest: Option<&str>, (mass, older): (bool, bool)) -> bool {
    let told = older || row.digest.is_some();
    match row.state.as_str() {
        "ignored" => (mass || older) && !row.is_given_up(),
        _ => (mass || older) && told && digest == row.digest.as_deref(),
    }
}

/// Whether all at a path was written before a run was recorded.
fn is_older(path: &Path, row: &RunRow) -> bool {
    let written = newest(path).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    written.is_some_and(|time| millis(time + TICK) <= row.ready_at.unwrap_or(row.seen_at))
}

impl Room {
    /// Finds out which of these names stand for other runs.
    pub(super) async fn again(&mut self, mut places: Vec<Place>) -> Result<(), LedgerError> {
        if places.is_empty() {
            return Ok(());
        }
        // The next scan sees that all of it may be another; then what differs is held.
        if !self.is_armed().await {
            self.rescan = true;
            return Ok(());
        }
        places.dedup_by_key(|place| place.name(&self.watch));
        let mut reused = Vec::new();
        for some in places.chunks(BATCH) {
            for doubt in self.doubts(some).await? {
                match &doubt.verdict {
                    Verdict::Same => self.comes_back(doubt.row).await?,
                    Verdict::Adopt(identity) => {
                        let identity = identity.clone();
                        self.adopt(doubt.row, &identity).await?;
                    }
                    Verdict::Ask if doubt.digest.is_none() || doubt.says_the_same() => {
                        self.comes_back(doubt.row).await?;
                    }
                    Verdict::Ask | Verdict::Reused => reused.push(doubt),
                }
            }
        }
        self.reused += reused.len();
        let moved = self.moved.is_some_and(|until| Instant::now() < until);
        let mass = moved || is_mass(self.reused, self.known.len());
        for doubt in reused {
            self.used_again(doubt, mass).await?;
        }
        Ok(())
    }

    async fn doubts(&self, places: &[Place]) -> Result<Vec<Doubt>, LedgerError> {
        let mut rows = Vec::new();
        for place in places {
            let name = place.name(&self.watch);
            let row = self.context.ledger.latest(&self.watch.name, &name).await?;
            rows.extend(row.map(|row| (place.clone(), row)));
        }
        let (watch, limit): (Arc<Watch>, _) = (self.watch.clone(), self.limit());
        let doubts = move || {
            let doubt = |(place, row)| Doubt::of(&watch, place, row, limit);
            rows.into_iter().map(doubt).collect()
        };
        Ok(self.aside(doubts).await.unwrap_or_default())
    }

    /// A run that was given up is there again, unless it came under another name meanwhile.
    async fn comes_back(&mut self, row: RunRow) -> Result<(), LedgerError> {
        let path = row.path.clone();
        let there = self.aside(move || path.exists()).await;
        if !row.is_given_up() || !there.unwrap_or(false) {
            return Ok(());
        }
        let (acquiring, ignored) = (RunState::Acquiring, RunState::Ignored);
        if let Some(other) = self.context.ledger.twin(&row).await? {
            if other.state != acquiring.as_str() {
                return Ok(());
            }
            let reason = format!("renamed-to {}:{}", row.watch, row.name);
            let ledger = &self.context.ledger;
            ledger
                .turn(other.id, (acquiring, ignored), Some(&reason))
                .await?;
            self.pending.retain(|_, run| run.id != other.id);
            if other.watch == self.watch.name {
                self.known.doubt(&other.name);
            }
        }
        self.context
            .ledger
            .turn(row.id, (ignored, acquiring), None)
            .await?;
        tracing::info!(watch = self.watch.name, run = row.name, "is back");
        self.remember_name(&row.name, &row.path, row.identity.as_deref());
        self.remember_run(row);
        Ok(())
    }

    fn remember_run(&mut self, row: RunRow) {
        let run = Pending::new(row).below(self.root());
        self.pending.insert(run.name.clone(), run);
    }

    async fn adopt(&mut self, row: RunRow, identity: &str) -> Result<(), LedgerError> {
        self.remember_name(&row.name, &row.path, Some(identity));
        self.context.ledger.adopt(row.id, identity).await?;
        // As observed under its former identity it would be another one.
        self.pending.remove(&row.name);
        let row = RunRow {
            identity: Some(identity.to_owned()),
            ..row
        };
        match row.state == RunState::Acquiring.as_str() {
            true => self.remember_run(row),
            false => self.comes_back(row).await?,
        }
        Ok(())
    }

    /// Another run has the name of a known one. Among many at once, as after a restored backup,
    /// those that say the same as before are the same, and a person decides about the others.
    async fn used_again(&mut self, doubt: Doubt, mass: bool) -> Result<(), LedgerError> {
        let (watch, name) = (self.watch.name.clone(), doubt.row.name.clone());
        if let Some(identity) = &doubt.identity {
            self.remember_name(&name, &doubt.row.path, Some(identity));
            let former = self.context.ledger.former(&watch, &name, identity).await?;
            if let Some(former) = former {
                self.give_up(&doubt.row).await?;
                return self.comes_back(former).await;
            }
            // A run that is known elsewhere was moved here.
            if doubt.is_copy(mass) && !self.context.ledger.is_identity(identity).await? {
                return self.adopt(doubt.row, identity).await;
            }
        }
        tracing::info!(watch, run = name, "its number is used again");
        self.give_up(&doubt.row).await?;
        let (watch, config) = (self.watch.clone(), self.context.config.clone());
        let (place, incarnation) = (doubt.place, doubt.row.incarnation + 1);
        let fresh = self.aside(move || seen(&watch, &config, &place)).await;
        let Ok(fresh) = fresh else { return Ok(()) };
        let run = SeenRun {
            incarnation,
            held: mass,
            jobs: if mass { vec![] } else { fresh.jobs },
            ..fresh
        };
        self.see_runs(vec![run]).await
    }

    /// Whether a run that is complete now is the former one of its name, which was restored piece
    /// by piece; then it is none of its own.
    pub(super) async fn is_restored(
        &mut self,
        run: &Pending,
        digest: Option<&str>,
    ) -> Result<bool, LedgerError> {
        let ledger = &self.context.ledger;
        let former = match run.incarnation {
            1 => None,
            later => {
                ledger
                    .incarnation(&self.watch.name, &run.name, later - 1)
                    .await?
            }
        };
        let Some(former) = former else {
            return Ok(false);
        };
        let (path, row) = (run.path.clone(), former.clone());
        let older = self.aside(move || is_older(&path, &row)).await;
        let copy = is_copy(&former, digest, (run.held, older.unwrap_or(false)));
        let Some(identity) = run.identity.clone().filter(|_| copy) else {
            return Ok(false);
        };
        tracing::info!(
            watch = self.watch.name,
            run = run.name,
            "is the known one, restored"
        );
        ledger.merge(run.id, former.id, &identity).await?;
        self.remember_name(&run.name, &run.path, Some(&identity));
        Ok(true)
    }

    /// A run that is not complete and no longer there.
    async fn give_up(&mut self, row: &RunRow) -> Result<(), LedgerError> {
        let turned = (RunState::Acquiring, RunState::Ignored);
        self.pending.remove(&row.name);
        self.context
            .ledger
            .turn(row.id, turned, Some("replaced"))
            .await
    }
}

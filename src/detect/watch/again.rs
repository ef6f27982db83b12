//! Known names that may stand for other runs than before: numbers that are used again, directories
//! that were copied or restored.

use std::sync::Arc;

use super::super::facts::found;
use super::super::identity::{Verdict, is_mass, judge};
use super::super::look::{Pending, read_now};
use super::super::scan::Place;
use super::seen::seen;
use super::{BATCH, Room};
use crate::config::checked::Watch;
use crate::ledger::{LedgerError, RunRow, SeenRun};
use crate::run::RunState;

/// A name with what the ledger and the file system say of it.
struct Doubt {
    place: Place,
    row: RunRow,
    verdict: Verdict,
}

impl Room {
    /// Finds out which of these names stand for other runs; `moved` says that the whole directory
    /// is another one than before.
    pub(super) async fn again(
        &mut self,
        mut places: Vec<Place>,
        moved: bool,
    ) -> Result<(), LedgerError> {
        places.dedup_by_key(|place| place.name(&self.watch));
        let mut reused = Vec::new();
        for some in places.chunks(BATCH) {
            for doubt in self.doubts(some).await? {
                match doubt.verdict {
                    Verdict::Same => self.comes_back(doubt.row).await?,
                    Verdict::Adopt(identity) => self.adopt(doubt.row, identity).await?,
                    Verdict::Reused => reused.push(doubt),
                    Verdict::Ask if self.has_other_metadata(&doubt).await => reused.push(doubt),
                    Verdict::Ask => self.comes_back(doubt.row).await?,
                }
            }
        }
        let mass = moved || is_mass(reused.len(), self.known.len());
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
        let judged = move || {
            let judge = |(place, row): (Place, RunRow)| Doubt {
                verdict: judge(row.identity.as_deref(), row.seen_at, &found(&row.path)),
                place,
                row,
            };
            rows.into_iter().map(judge).collect()
        };
        Ok(tokio::task::spawn_blocking(judged)
            .await
            .unwrap_or_default())
    }

    /// Whether a run's metadata are there and others than those it was delivered with.
    async fn has_other_metadata(&self, doubt: &Doubt) -> bool {
        let digest = digest_now(&self.watch, &doubt.row).await;
        digest.is_some() && doubt.row.digest.is_some() && digest != doubt.row.digest
    }

    /// A run that was given up since it was gone.
    async fn comes_back(&mut self, row: RunRow) -> Result<(), LedgerError> {
        let gone = row.state == RunState::Ignored.as_str() && row.reason.as_deref() == Some("gone");
        if gone {
            let turned = (RunState::Ignored, RunState::Acquiring);
            self.context.ledger.turn(row.id, turned, None).await?;
            tracing::info!(watch = self.watch.name, run = row.name, "is back");
            self.pending.insert(row.name.clone(), Pending::new(row));
        }
        Ok(())
    }

    async fn adopt(&mut self, row: RunRow, identity: String) -> Result<(), LedgerError> {
        self.known.insert(&row.name, Some(&identity));
        self.context.ledger.adopt(row.id, &identity).await?;
        self.comes_back(row).await
    }

    /// Another run has the name of a known one. Among many at once, as after a restored backup,
    /// those that say the same as before are the same, and a person decides about the others.
    async fn used_again(&mut self, doubt: Doubt, mass: bool) -> Result<(), LedgerError> {
        let Doubt { place, row, .. } = doubt;
        let (watch, config) = (self.watch.clone(), self.context.config.clone());
        let fresh = tokio::task::spawn_blocking(move || seen(&watch, &config, &place)).await;
        let Ok(fresh) = fresh else { return Ok(()) };
        let delivered = row.state == RunState::Ready.as_str();
        let same = mass && (!delivered || digest_now(&self.watch, &row).await == row.digest);
        let told = !delivered || row.digest.is_some();
        if let Some(identity) = fresh.identity.clone().filter(|_| same && told) {
            return self.adopt(row, identity).await;
        }
        tracing::info!(
            watch = self.watch.name,
            run = row.name,
            "its number is used again"
        );
        let turned = (RunState::Acquiring, RunState::Ignored);
        self.context
            .ledger
            .turn(row.id, turned, Some("replaced"))
            .await?;
        self.pending.remove(&row.name);
        let run = SeenRun {
            incarnation: row.incarnation + 1,
            held: mass,
            jobs: if mass { vec![] } else { fresh.jobs },
            ..fresh
        };
        self.see_runs(vec![run]).await
    }
}

/// The digest of a run's metadata as they are now.
async fn digest_now(watch: &Arc<Watch>, row: &RunRow) -> Option<String> {
    let (watch, name, path, seen_at) = (
        watch.clone(),
        row.name.clone(),
        row.path.clone(),
        row.seen_at,
    );
    let read = move || read_now(&watch, (&name, &path), seen_at);
    tokio::task::spawn_blocking(read).await.ok()?.ok()?.digest
}

//! Runs that are seen for the first time.

use std::time::Instant;

use super::super::facts::identity_of;
use super::super::look::Pending;
use super::super::readiness::has;
use super::super::scan::{Place, later};
use super::super::{below, from_name};
use super::{BATCH, Room};
use crate::config::Config;
use crate::config::checked::{At, Condition, Watch};
use crate::job::{Only, plan};
use crate::ledger::{LedgerError, SeenRun, Twin, now};
use crate::measure;
use crate::run::{Parameters, RunState};

impl Room {
    /// Records runs that are not known, the earlier ones first.
    pub(super) async fn see(&mut self, mut places: Vec<Place>) -> Result<(), LedgerError> {
        places.sort_by(|one, other| later(&self.watch, &one.0, &other.0));
        // Of several files of one run, the first counts.
        places.dedup_by_key(|place| place.name(&self.watch));
        for some in places.chunks(BATCH) {
            let (watch, config) = (self.watch.clone(), self.context.config.clone());
            let some = some.to_vec();
            let runs = move || {
                some.iter()
                    .map(|place| seen(&watch, &config, place))
                    .collect()
            };
            if let Ok(runs) = self.aside(runs).await {
                self.see_runs(runs).await?;
                // At once, so that a burst takes little memory.
                self.look_at_due().await?;
            }
        }
        Ok(())
    }

    /// Records runs that were not known so far.
    pub(super) async fn see_runs(&mut self, mut runs: Vec<SeenRun>) -> Result<(), LedgerError> {
        runs.iter_mut().for_each(|run| run.root = self.root());
        let (recorded, twins) = self.context.ledger.seen(runs).await?;
        if recorded.iter().any(|(_, run)| !run.jobs.is_empty()) {
            self.context.ready.notify_one();
        }
        self.take_up(recorded);
        for twin in twins {
            self.tell_apart(twin).await?;
        }
        Ok(())
    }

    /// After they are recorded: each run that is not complete is looked at next.
    pub(super) fn take_up(&mut self, runs: Vec<(i64, SeenRun)>) {
        let mut latest: Option<String> = None;
        for (id, run) in runs {
            self.remember_name(&run.name, &run.path, run.identity.as_deref());
            if run.state != RunState::Acquiring {
                continue;
            }
            let watch = &self.watch.name;
            measure::run_detected(watch);
            tracing::info!(event = "run.detected", watch, run = run.name, "seen");
            let below = below(&self.watch, &run.path).unwrap_or_default();
            let is_later = |latest: &String| later(&self.watch, latest, &below).is_lt();
            if latest.as_ref().is_none_or(is_later) {
                latest = Some(below);
            }
            self.pending.insert(run.name.clone(), Pending::of(id, run));
        }
        if let Some(latest) = latest {
            self.supersede(&latest);
        }
    }

    fn asks_for_later(&self) -> bool {
        has(&self.watch.ready, |part| {
            matches!(part, Condition::Superseded(_))
        })
    }

    /// A later run has begun: those before it may be over.
    fn supersede(&mut self, latest: &str) {
        if !self.asks_for_later() {
            return;
        }
        let watch = &self.watch;
        for run in self
            .pending
            .values_mut()
            .filter(|run| run.superseded.is_none())
        {
            let below = below(watch, &run.path).unwrap_or_default();
            if later(watch, &below, latest).is_lt() {
                run.superseded = Some(Instant::now());
            }
        }
    }

    /// Which runs had later ones before this start.
    pub(super) async fn remember_later(&mut self) -> Result<(), LedgerError> {
        let open = self.pending.values().filter(|run| run.superseded.is_none());
        let first = open.map(|run| run.id).min();
        let Some(first) = first.filter(|_| self.asks_for_later()) else {
            return Ok(());
        };
        let watch = &self.watch;
        let after = self.context.ledger.seen_after(&watch.name, first).await?;
        let after = after
            .into_iter()
            .filter_map(|(id, path)| Some((id, below(watch, &path)?)));
        let after: Vec<(i64, String)> = after.collect();
        for run in self
            .pending
            .values_mut()
            .filter(|run| run.superseded.is_none())
        {
            let path = below(watch, &run.path).unwrap_or_default();
            let is_later =
                |(id, other): &(i64, String)| *id > run.id && later(watch, &path, other).is_lt();
            run.superseded = after.iter().any(is_later).then(Instant::now);
        }
        Ok(())
    }

    /// A run with the identity of a known one: the same by another way, or renamed.
    async fn tell_apart(&mut self, twin: Twin) -> Result<(), LedgerError> {
        let Twin { mut seen, known } = twin;
        let (path, identity) = (known.path.clone(), seen.identity.clone());
        let same = self.aside(move || identity_of(&path) == identity);
        let same = same.await.unwrap_or(true);
        let (acquiring, ignored) = (RunState::Acquiring, RunState::Ignored);
        if !same && known.state == acquiring.as_str() {
            let reason = format!("renamed-to {}:{}", seen.watch, seen.name);
            let ledger = &self.context.ledger;
            ledger
                .turn(known.id, (acquiring, ignored), Some(&reason))
                .await?;
            self.pending.retain(|_, run| run.id != known.id);
            if known.watch == self.watch.name {
                self.known.doubt(&known.name);
            }
        } else {
            let how = if same { "same-as" } else { "renamed-from" };
            let reason = format!("{how} {}:{}", known.watch, known.name);
            tracing::info!(watch = seen.watch, run = seen.name, "no new run: {reason}");
            seen.state = ignored;
            seen.reason = Some(reason);
            seen.jobs.clear();
        }
        let recorded = self.context.ledger.seen_apart(vec![seen]).await?;
        self.take_up(recorded);
        Ok(())
    }
}

/// A run that is seen now, with the jobs that begin with it.
pub(in super::super) fn seen(watch: &Watch, config: &Config, place: &Place) -> SeenRun {
    let run = bare(watch, place);
    let parameters = from_name(watch, &run.name, &run.path, run.seen_at);
    let only = Only {
        at: Some(At::Begin),
        ..Only::default()
    };
    SeenRun {
        jobs: plan(config, &watch.name, &parameters, &only),
        identity: identity_of(&run.path),
        parameters,
        ..run
    }
}

/// A run of which no more than its place is known.
pub(super) fn bare(watch: &Watch, place: &Place) -> SeenRun {
    SeenRun {
        watch: watch.name.clone(),
        name: place.name(watch),
        incarnation: 1,
        path: place.path(watch),
        seen_at: now(),
        state: RunState::Acquiring,
        reason: None,
        baseline: None,
        identity: None,
        root: None,
        held: false,
        counted: true,
        parameters: Parameters::new(),
        jobs: vec![],
    }
}

//! Looking at the runs that are not complete, and recording what was found.

use std::time::{Duration, Instant};

use tokio::task::JoinError;

use super::super::below;
use super::super::look::{Found, Pending, Read, look, read_complete};
use super::super::scan::Place;
use super::{BATCH, Room};
use crate::config::checked::{Condition, Reader};
use crate::job::{Only, millis, plan};
use crate::ledger::{LedgerError, ReadyRun, now};
use crate::run::RunState;

/// Runs whose metadata are asked for by commands at once: one that hangs must not hold up others.
const ASKED: usize = 4;

/// A run that nothing stirs is looked at after this share of the time that it has been still, so
/// that thousands of them cost little.
const STILL: u32 = 10;

impl Room {
    /// Looks at the runs that are due, and records what was found.
    pub(super) async fn look_at_due(&mut self) -> Result<(), LedgerError> {
        loop {
            let now = Instant::now();
            let due = self.pending.values().filter(|pending| pending.due <= now);
            let due: Vec<String> = due
                .take(BATCH)
                .map(|pending| pending.name.clone())
                .collect();
            if due.is_empty() {
                return Ok(());
            }
            let due = due.iter().filter_map(|name| self.pending.remove(name));
            let runs: Vec<Pending> = due.collect();
            let (watch, limit, asks) = (self.watch.clone(), self.limit(), self.asks());
            let looks = move || {
                let look = |mut run: Pending| match look(&watch, &mut run) {
                    Found::Complete if !asks => (read_complete(&watch, &run, limit), run),
                    found => (found, run),
                };
                runs.into_iter().map(look).collect()
            };
            let looked: Result<Vec<(Found, Pending)>, _> = self.aside(looks).await;
            match looked {
                Ok(looked) => self.record(looked).await?,
                // Whatever a look met, the ledger still has them.
                Err(_) => return self.remember().await,
            }
        }
    }

    /// Whether a program is asked for metadata.
    fn asks(&self) -> bool {
        let readers = &self.watch.parameters;
        readers
            .iter()
            .any(|reader| matches!(reader, Reader::Command(_)))
    }

    /// How long a command may take.
    pub(super) fn limit(&self) -> Duration {
        self.context.config.paces.command
    }

    /// Has the metadata of a run read while the others go on.
    fn read_aside(&mut self, mut run: Pending) {
        if self.reading.len() >= ASKED {
            run.due = Instant::now() + self.context.config.paces.look / 10;
            self.pending.insert(run.name.clone(), run);
            return;
        }
        let (watch, limit) = (self.watch.clone(), self.limit());
        self.reading
            .spawn_blocking(move || (read_complete(&watch, &run, limit), run));
    }

    /// Takes up what was read aside.
    pub(super) async fn read(
        &mut self,
        read: Result<(Found, Pending), JoinError>,
    ) -> Result<(), LedgerError> {
        match read {
            Ok(read) => self.record(vec![read]).await,
            Err(_) => self.refresh().await,
        }
    }

    async fn record(&mut self, looked: Vec<(Found, Pending)>) -> Result<(), LedgerError> {
        let mut ready = Vec::new();
        let mut complete = Vec::new();
        let mut others = Vec::new();
        for (found, mut run) in looked {
            run.due = Instant::now() + self.pause(&run);
            let lacks = match found {
                Found::Ready(read) if self.is_restored(&run, read.digest.as_deref()).await? => {
                    self.unwatch(&run.path);
                    continue;
                }
                Found::Ready(read) => {
                    ready.push(self.ready_run(&run, *read));
                    complete.push((run.name.clone(), run.path.clone()));
                    self.pending.insert(run.name.clone(), run);
                    continue;
                }
                Found::Existed => {
                    self.drop_run(&run, "existed-before").await?;
                    continue;
                }
                Found::Gone if self.is_gone_for_good(&run) => {
                    self.drop_run(&run, "gone").await?;
                    continue;
                }
                Found::Complete => {
                    self.read_aside(run);
                    continue;
                }
                Found::Another => {
                    others.extend(below(&self.watch, &run.path).map(Place));
                    None
                }
                Found::Gone => Some("it is gone".to_owned()),
                Found::Lacking(why) => {
                    run.failed += 1;
                    run.due = Instant::now() + self.pause(&run);
                    Some(why)
                }
                Found::Waiting => {
                    self.arm_run(&mut run);
                    None
                }
            };
            self.waits(&mut run, lacks).await?;
            self.pending.insert(run.name.clone(), run);
        }
        self.again(others).await?;
        if ready.is_empty() {
            return Ok(());
        }
        self.context.ledger.ready(&ready).await?;
        self.context.ready.notify_one();
        self.context.health.clear(&self.ledger_key());
        let watch = &self.watch.name;
        for run in &ready {
            tracing::info!(event = "run.ready", watch, run = run.name, "complete");
            for job in &run.jobs {
                let (destination, notebook) = (&job.destination, &job.notebook);
                tracing::info!(
                    event = "job.queued",
                    watch,
                    run = run.name,
                    destination,
                    notebook,
                    "queued"
                );
            }
        }
        for (name, path) in complete {
            self.pending.remove(&name);
            self.unwatch(&path);
        }
        Ok(())
    }

    /// Watches a run that was found open, which most are not that come in a burst. It is looked at
    /// once more, as something may have come in between.
    fn arm_run(&mut self, run: &mut Pending) {
        let Some((_, hints)) = &mut self.armed else {
            return;
        };
        if run.armed || !run.is_directory {
            return;
        }
        run.armed = true;
        match hints.watch(&run.path) {
            Ok(()) if hints.watches(&run.path) => run.due = Instant::now(),
            Ok(()) => {}
            Err(why) => self.tell_hints(Err(why)),
        }
    }

    /// How long until a run is looked at again, if nothing hints at it.
    fn pause(&self, run: &Pending) -> Duration {
        let look = self.context.config.paces.look;
        let still = run.stirred.elapsed() / STILL;
        // What could not be read is not read again and again.
        let failed = look * (1 << run.failed.min(6));
        still.max(failed).clamp(look, look * 60)
    }

    /// Whether a run was removed: while it was gone, what it lay below was there.
    fn is_gone_for_good(&self, run: &Pending) -> bool {
        let long = run
            .gone
            .is_some_and(|since| since.elapsed() > self.watch.max_wait);
        let root = self.armed.as_ref().map(|(root, _)| &root.identity);
        long && root.is_some_and(|root| *root == run.root)
    }

    async fn drop_run(&mut self, run: &Pending, reason: &str) -> Result<(), LedgerError> {
        let turned = (RunState::Acquiring, RunState::Ignored);
        self.context
            .ledger
            .turn(run.id, turned, Some(reason))
            .await?;
        // Should it come back, the next full scan asks what it is.
        self.known.doubt(&run.name);
        self.unwatch(&run.path);
        Ok(())
    }

    fn ready_run(&self, run: &Pending, read: Read) -> ReadyRun {
        let (config, watch) = (&self.context.config, &self.watch.name);
        ReadyRun {
            watch: watch.clone(),
            name: run.name.clone(),
            incarnation: Some(run.incarnation),
            path: run.path.clone(),
            seen_at: run.seen_at,
            ready_at: now(),
            jobs: plan(config, watch, &read.parameters, &Only::default()),
            parameters: read.parameters,
            sources: read.sources,
            digest: read.digest,
            identity: None,
            asked: None,
            limit: run.counted.then_some(self.watch.max_new_per_hour),
            request: None,
        }
    }

    /// Says in the ledger what a run lacks, once it was found twice: files that are being written
    /// heal by themselves.
    async fn waits(&mut self, run: &mut Pending, lacks: Option<String>) -> Result<(), LedgerError> {
        let announced = matches!(self.watch.ready, Condition::External);
        let stalled = !announced && now() - run.seen_at > millis(self.watch.max_wait);
        let slow = self.context.config.paces.look_stalled;
        if stalled && run.stirred.elapsed() > slow {
            run.due = Instant::now() + slow;
        }
        let why = match (stalled, lacks) {
            (true, Some(why)) => Some(format!("stalled: {why}")),
            (true, None) => Some("stalled".to_owned()),
            (false, why) => why,
        };
        if run.found == why && run.reason != why {
            self.context
                .ledger
                .set_reason(run.id, why.as_deref())
                .await?;
            let shown = why.as_deref().unwrap_or("again");
            tracing::info!(watch = self.watch.name, run = run.name, "waits: {shown}");
            run.reason.clone_from(&why);
        }
        run.found = why;
        Ok(())
    }
}

//! One watched directory: arm, list, look, record; for ever.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::hints::Hints;
use super::listing::{advice, baseline, new_runs};
use super::look::{Found, Pending, look};
use super::{Context, candidate};
use crate::config::checked::Watch;
use crate::job::{Only, millis, plan};
use crate::ledger::{LedgerError, ReadyRun, SeenRun, name_hash, now};
use crate::run::RunState;

/// Runs in one transaction, and looked at before the next commit.
const BATCH: usize = 1000;

/// Watches until the daemon stops.
pub(super) async fn run(context: Context, at: usize, listed: oneshot::Sender<()>) {
    let mut stop = context.stop.clone();
    let Some(table) = context.config.watches.get(at).cloned() else {
        return;
    };
    let mut room = Room::new(context, table);
    tokio::select! {
        () = room.work(listed) => {}
        // An error means that the daemon is gone already.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

struct Room {
    context: Context,
    watch: Arc<Watch>,
    hints: Hints,
    /// The root as it was when it was armed: device and inode.
    armed: Option<(u64, u64)>,
    known: HashSet<u64>,
    pending: HashMap<String, Pending>,
}

impl Room {
    fn new(context: Context, table: Watch) -> Self {
        let (hints, trouble) = Hints::new();
        if let Some(why) = trouble {
            let what = format!("[watch.{}] gets no notifications: {why}", table.name);
            let advice = "nothing is lost, runs are found by listing; raise fs.inotify.max_user_instances to be quicker";
            context.health.raise(
                &format!("hints {}", table.name),
                "watch-polling",
                what,
                advice,
            );
        }
        Self {
            context,
            watch: Arc::new(table),
            hints,
            armed: None,
            known: HashSet::new(),
            pending: HashMap::new(),
        }
    }

    async fn work(&mut self, listed: oneshot::Sender<()>) {
        let mut listed = Some(listed);
        self.remember_all().await;
        loop {
            self.arm();
            match self.list().await {
                Ok(()) => self.context.health.clear(&self.ledger_key()),
                Err(error) => self.ledger_trouble(&error).await,
            }
            if let Some(listed) = listed.take() {
                // Nobody waits if the daemon stops already.
                let _ = listed.send(());
            }
            let next_listing = Instant::now() + self.watch.poll_every;
            while Instant::now() < next_listing && !self.hints.lost() {
                if let Err(error) = self.look_at_due().await {
                    self.ledger_trouble(&error).await;
                    self.remember_all().await;
                }
                self.wait(next_listing).await;
            }
        }
    }

    /// What the ledger knows, at start and after trouble: what could not be recorded is thus
    /// looked at again, however long the ledger takes.
    async fn remember_all(&mut self) {
        while let Err(error) = self.remember().await {
            self.ledger_trouble(&error).await;
        }
    }

    /// One try of [`Room::remember_all`].
    async fn remember(&mut self) -> Result<(), LedgerError> {
        self.known = self.context.ledger.known(&self.watch.name).await?;
        for run in self.context.ledger.acquiring(&self.watch.name).await? {
            let mut pending = Pending::new(run.name.clone(), run.path, run.seen_at);
            pending.baseline = run.baseline;
            pending.reason = run.reason;
            self.pending.insert(run.name, pending);
        }
        Ok(())
    }

    /// The key of this room's trouble with the ledger.
    fn ledger_key(&self) -> String {
        format!("ledger {}", self.watch.name)
    }

    async fn ledger_trouble(&self, error: &LedgerError) {
        let advice = "free space on the disk of the state directory, or restore its permissions; nothing is lost";
        let key = self.ledger_key();
        self.context
            .health
            .raise(&key, "ledger-unwritable", error.to_string(), advice);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// Watches the root again when it is another one than before: a watch follows the inode, not
    /// the name, and stays silent when its directory was replaced.
    fn arm(&mut self) {
        let root = std::fs::metadata(&self.watch.directory)
            .ok()
            .map(|facts| (facts.dev(), facts.ino()));
        if root == self.armed {
            return;
        }
        self.armed = root;
        if root.is_none() {
            return;
        }
        let key = format!("hints {}", self.watch.name);
        match self.hints.watch_root(&self.watch.directory) {
            Ok(()) => self.context.health.clear(&key),
            Err(why) => {
                let what = format!("[watch.{}] gets no notifications: {why}", self.watch.name);
                let advice = "nothing is lost, runs are found by listing; raise fs.inotify.max_user_watches to be quicker";
                self.context
                    .health
                    .raise(&key, "watch-polling", what, advice);
            }
        }
        let runs: Vec<PathBuf> = self
            .pending
            .values()
            .map(|pending| pending.path.clone())
            .collect();
        runs.iter().for_each(|run| self.hints.watch_run(run));
    }

    /// Lists the root and records what is new.
    async fn list(&mut self) -> Result<(), LedgerError> {
        let (watch, known) = (self.watch.clone(), std::mem::take(&mut self.known));
        let listing = tokio::task::spawn_blocking(move || (new_runs(&watch, &known), known)).await;
        let Ok((found, known)) = listing else {
            return self.remember().await;
        };
        self.known = known;
        let key = format!("watch {}", self.watch.name);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let what = format!(
                    "[watch.{}] can't list {}: {error}",
                    self.watch.name,
                    self.watch.directory.display()
                );
                let code = if error.kind() == std::io::ErrorKind::NotFound {
                    "watch-missing"
                } else {
                    "watch-unreadable"
                };
                self.context
                    .health
                    .raise(&key, code, what, advice(&self.watch.directory));
                return Ok(());
            }
        };
        self.context.health.clear(&key);
        if self.context.ledger.has_baseline(&self.watch.name).await? {
            self.see(found).await
        } else {
            self.first_start(found).await
        }
    }

    /// The very first start: what is there already is remembered in one transaction.
    async fn first_start(&mut self, found: Vec<(String, PathBuf)>) -> Result<(), LedgerError> {
        let watch = self.watch.clone();
        let judged = tokio::task::spawn_blocking(move || baseline(&watch, found)).await;
        let Ok(runs) = judged else { return Ok(()) };
        self.context
            .ledger
            .baseline(&self.watch.name, &runs)
            .await?;
        let ignored = runs
            .iter()
            .filter(|run| run.state == RunState::Ignored)
            .count();
        tracing::info!(
            watch = self.watch.name,
            there = runs.len(),
            ignored,
            "first start of this watch"
        );
        self.take_up(runs);
        Ok(())
    }

    async fn see(&mut self, found: Vec<(String, PathBuf)>) -> Result<(), LedgerError> {
        let run = |(name, path)| SeenRun {
            watch: self.watch.name.clone(),
            name,
            path,
            seen_at: now(),
            state: RunState::Acquiring,
            reason: None,
            baseline: None,
        };
        let runs: Vec<SeenRun> = found.into_iter().map(run).collect();
        for batch in runs.chunks(BATCH) {
            self.context.ledger.seen(batch).await?;
            self.take_up(batch.to_vec());
        }
        Ok(())
    }

    /// After they are recorded: arms each run that is not complete, to be looked at next.
    fn take_up(&mut self, runs: Vec<SeenRun>) {
        for run in runs {
            self.known.insert(name_hash(&run.name));
            if run.state == RunState::Acquiring {
                tracing::debug!(run = run.name, "seen");
                self.hints.watch_run(&run.path);
                let mut pending = Pending::new(run.name.clone(), run.path, run.seen_at);
                pending.baseline = run.baseline;
                self.pending.insert(run.name, pending);
            }
        }
    }

    /// Looks at the runs that are due, and records what was found.
    async fn look_at_due(&mut self) -> Result<(), LedgerError> {
        loop {
            let now = Instant::now();
            let due = self
                .pending
                .values()
                .filter(|pending| pending.due <= now)
                .take(BATCH);
            let due: Vec<String> = due.map(|pending| pending.name.clone()).collect();
            if due.is_empty() {
                return Ok(());
            }
            let runs: Vec<Pending> = due
                .iter()
                .filter_map(|name| self.pending.remove(name))
                .collect();
            let watch = self.watch.clone();
            let looks = move || {
                runs.into_iter()
                    .map(|mut run| (look(&watch, &mut run), run))
                    .collect()
            };
            let looked: Result<Vec<(Found, Pending)>, _> = tokio::task::spawn_blocking(looks).await;
            match looked {
                Ok(looked) => self.record(looked).await?,
                // Whatever a look met, the ledger still has them.
                Err(_) => return self.remember().await,
            }
        }
    }

    async fn record(&mut self, looked: Vec<(Found, Pending)>) -> Result<(), LedgerError> {
        let mut ready = Vec::new();
        let mut complete = Vec::new();
        for (found, mut pending) in looked {
            pending.due = Instant::now() + self.context.config.paces.look;
            match found {
                Found::Ready(parameters) => {
                    ready.push(self.ready_run(&pending, parameters));
                    complete.push(pending.name.clone());
                }
                Found::Existed => {
                    self.context
                        .ledger
                        .ignore(&self.watch.name, &pending.name, "existed-before")
                        .await?;
                    self.hints.unwatch_run(&pending.path);
                    continue;
                }
                Found::Waiting(why) => self.waits(&mut pending, why).await?,
            }
            self.pending.insert(pending.name.clone(), pending);
        }
        if ready.is_empty() {
            return Ok(());
        }
        self.context.ledger.ready(&ready).await?;
        self.context.ready.notify_one();
        self.context.health.clear(&self.ledger_key());
        for name in complete {
            tracing::info!(watch = self.watch.name, run = name, "complete");
            if let Some(pending) = self.pending.remove(&name) {
                self.hints.unwatch_run(&pending.path);
            }
        }
        Ok(())
    }

    fn ready_run(&self, pending: &Pending, parameters: crate::run::Parameters) -> ReadyRun {
        ReadyRun {
            watch: self.watch.name.clone(),
            name: pending.name.clone(),
            path: pending.path.clone(),
            seen_at: pending.seen_at,
            ready_at: now(),
            jobs: plan(
                &self.context.config,
                &self.watch.name,
                &parameters,
                &Only::default(),
            ),
            parameters,
            asked: false,
            request: None,
        }
    }

    /// Says in the ledger what a run waits for, once it was found twice: files that are being
    /// written heal by themselves.
    async fn waits(&self, pending: &mut Pending, why: Option<String>) -> Result<(), LedgerError> {
        let stalled = now() - pending.seen_at > millis(self.watch.max_wait);
        let slow = self.context.config.paces.look_stalled;
        if stalled && pending.stirred.elapsed() > slow {
            pending.due = Instant::now() + slow;
        }
        let why = match (stalled, why) {
            (true, Some(why)) => Some(format!("stalled: {why}")),
            (true, None) => Some("stalled".to_owned()),
            (false, why) => why,
        };
        if pending.found == why && pending.reason != why {
            self.context
                .ledger
                .set_reason(&self.watch.name, &pending.name, why.as_deref())
                .await?;
            tracing::info!(
                watch = self.watch.name,
                run = pending.name,
                "waits: {}",
                why.as_deref().unwrap_or("again")
            );
            pending.reason.clone_from(&why);
        }
        pending.found = why;
        Ok(())
    }

    /// Sleeps until a run is due, the next listing, or a hint; takes up all hints that are there.
    async fn wait(&mut self, next_listing: Instant) {
        let due = self.pending.values().map(|pending| pending.due).min();
        let until = due.map_or(next_listing, |due| due.min(next_listing));
        let mut hints = Vec::new();
        tokio::select! {
            hint = self.hints.next() => hints.push(hint),
            () = tokio::time::sleep_until(until.into()) => {}
        }
        while let Some(hint) = self.hints.another() {
            hints.push(hint);
        }
        if let Err(error) = self.take_hints(hints).await {
            self.ledger_trouble(&error).await;
        }
    }

    /// A hint in the root may be a new run; one below is about a run that is known.
    async fn take_hints(&mut self, hints: Vec<PathBuf>) -> Result<(), LedgerError> {
        let mut fresh = HashMap::new();
        for hint in hints {
            let Ok(below) = hint.strip_prefix(&self.watch.directory) else {
                continue;
            };
            let Some(first) = below.components().next() else {
                continue;
            };
            let Some(name) = candidate(&self.watch, first.as_os_str()) else {
                continue;
            };
            if let Some(pending) = self.pending.get_mut(&name) {
                pending.stirred = Instant::now();
                pending.due = pending.stirred;
            } else if !self.known.contains(&name_hash(&name)) {
                fresh.insert(name, self.watch.directory.join(first.as_os_str()));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let directories = move || {
            fresh
                .into_iter()
                .filter(|(_, path)| path.is_dir())
                .collect()
        };
        match tokio::task::spawn_blocking(directories).await {
            Ok(found) => self.see(found).await,
            Err(_) => Ok(()),
        }
    }
}

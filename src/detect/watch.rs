//! One watched directory: arm, scan, look, record; for ever.

mod again;
mod first;
mod hinted;
#[cfg(test)]
mod model;
mod record;
mod seen;

use std::collections::HashMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

use super::Context;
use super::facts::Root;
use super::hints::Hints;
use super::known::Known;
use super::look::{Found, Pending};
use super::scan::{Depth, Listings, Scan, Scanner};
use crate::config::checked::Watch;
use crate::ledger::LedgerError;
use crate::measure;
use crate::pulse::Pulse;
pub(super) use seen::seen;

/// Runs in one transaction, and looked at before the next commit.
const BATCH: usize = 1000;

/// Listing takes at most this share of the time: a slow file server is left alone for longer.
const SHARE: u32 = 20;

/// A look at files that takes longer than so many sleeps is told: two minutes.
const PATIENCE: u32 = 24;

/// What to do then.
const HANGS: &str = "see whether `ls` there answers: if not, its file server needs somebody; \
                     nothing is lost, runs are found once it answers";

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
    pulse: Pulse,
    watch: Arc<Watch>,
    /// The root as it was when it was armed, and its hints.
    armed: Option<(Root, Hints)>,
    known: Known,
    listings: Listings,
    pending: HashMap<String, Pending>,
    /// Complete runs whose metadata are read just now.
    reading: JoinSet<(Found, Pending)>,
    next_full: Instant,
    /// Whether another machine has this watch.
    elsewhere: bool,
    /// Until when the root counts as another one than before: what is in it comes piece by piece.
    moved: Option<Instant>,
    /// Numbers that were used again since the last full scan.
    reused: usize,
    /// Whether a hint or a lost one asks for a scan before its time.
    rescan: bool,
    /// How long the last listing took.
    listed_in: Duration,
    /// Before which no such scan begins.
    earliest: Instant,
}

impl Room {
    fn new(context: Context, table: Watch) -> Self {
        let now = Instant::now();
        let pace = context.config.paces.poll;
        Self {
            pulse: Pulse::new(format!("watch {}", table.name), pace),
            next_full: now + table.poll_every,
            context,
            watch: Arc::new(table),
            armed: None,
            known: Known::default(),
            listings: Listings::default(),
            pending: HashMap::new(),
            reading: JoinSet::new(),
            elsewhere: false,
            moved: None,
            reused: 0,
            rescan: false,
            listed_in: Duration::ZERO,
            earliest: now,
        }
    }

    async fn work(&mut self, listed: oneshot::Sender<()>) {
        let mut listed = Some(listed);
        self.remember_all().await;
        loop {
            let begun = Instant::now();
            self.listed_in = Duration::ZERO;
            self.arm().await;
            match self.scan().await {
                Ok(()) => self.context.health.clear(&self.ledger_key()),
                Err(error) => self.start_over(&error).await,
            }
            if let Some(listed) = listed.take() {
                // Nobody waits if the daemon stops already.
                let _ = listed.send(());
            }
            let pause = self.listed_in * SHARE;
            self.earliest = Instant::now() + pause.max(self.context.config.paces.look / 10);
            self.look_until(begun + self.watch.poll_every.max(pause))
                .await;
        }
    }

    /// Looks at runs until the next scan is due, or is asked for.
    async fn look_until(&mut self, next_scan: Instant) {
        loop {
            self.pulse.beat();
            let now = Instant::now();
            let lost = self.armed.as_ref().is_some_and(|(_, hints)| hints.lost());
            if lost {
                let watch = &self.watch.name;
                tracing::warn!(
                    event = "watch.overflow",
                    watch,
                    "notifications were lost; it is listed instead"
                );
            }
            self.rescan |= lost;
            if now >= next_scan || self.rescan && now >= self.earliest {
                self.rescan = false;
                return;
            }
            if let Err(error) = self.look_at_due().await {
                self.start_over(&error).await;
            }
            let next = match self.rescan {
                true => self.earliest.min(next_scan),
                false => next_scan,
            };
            self.wait(next).await;
        }
    }

    /// After trouble with the ledger: what could not be recorded is listed and looked at again.
    async fn start_over(&mut self, error: &LedgerError) {
        self.ledger_trouble(error).await;
        self.remember_all().await;
    }

    /// What the ledger knows, however long it takes to say so.
    async fn remember_all(&mut self) {
        while let Err(error) = self.remember().await {
            self.ledger_trouble(&error).await;
            self.pulse.beat();
        }
    }

    /// One try of [`Room::remember_all`].
    async fn remember(&mut self) -> Result<(), LedgerError> {
        let ledger = &self.context.ledger;
        let mut known = Known::default();
        let remember = |name: &str, identity: Option<&str>| known.insert(name, identity, 0);
        ledger.known(&self.watch.name, remember).await?;
        (self.known, self.listings) = (known, Listings::default());
        self.refresh().await
    }

    /// Remembers what a run is known again by.
    fn remember_name(&mut self, name: &str, path: &Path, identity: Option<&str>) {
        let listing = self.listings.number(path);
        self.known.insert(name, identity, listing);
    }

    /// The runs that are not complete, as the ledger has them: others may have recorded them
    /// (trigger files, `submit`, `skip`).
    async fn refresh(&mut self) -> Result<(), LedgerError> {
        let runs = self.context.ledger.acquiring(&self.watch.name).await?;
        let mut pending = HashMap::new();
        for run in runs {
            let known = self.pending.remove(&run.name);
            let known = known.filter(|known| known.id == run.id);
            pending.insert(run.name.clone(), known.unwrap_or_else(|| Pending::new(run)));
        }
        for gone in std::mem::replace(&mut self.pending, pending).values() {
            self.unwatch(&gone.path);
        }
        self.remember_later().await
    }

    /// The key of this room's trouble with the ledger.
    fn ledger_key(&self) -> String {
        format!("ledger {}", self.watch.name)
    }

    async fn ledger_trouble(&self, error: &LedgerError) {
        let advice = self.context.ledger.advice();
        let key = self.ledger_key();
        self.context
            .health
            .raise(&key, "ledger-unwritable", error.to_string(), advice);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// Does what touches files of this watch, on a thread of its own: a file server may hang.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let mut work = pin!(self.pulse.aside(work));
        let patience = self.pulse.pace * PATIENCE;
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(patience) => {}
        }
        let key = format!("watch {} hangs", self.watch.name);
        let what = format!(
            "[watch.{}]: a look at {} takes more than {} s",
            self.watch.name,
            self.watch.directory.display(),
            patience.as_secs()
        );
        let health = &self.context.health;
        health.raise(&key, "watch-hangs", what, HANGS);
        let done = work.await;
        health.clear(&key);
        done
    }

    /// Watches the root again when it is another one than before: a watch follows the inode, not
    /// the name, and stays silent when its directory was replaced, unmounted or covered. A file
    /// server that hangs holds up this watch alone.
    async fn arm(&mut self) {
        // A limit that was met is not asked for again and again.
        let again =
            self.context.health.is_up(&self.hints_key()) && Instant::now() >= self.next_full;
        let armed = self.armed.as_ref().map(|(root, _)| root.clone());
        let directory = self.watch.directory.clone();
        let rearm = move || {
            let root = Root::of(&directory).ok()?;
            let same = !again && armed.is_some_and(|armed| armed == root);
            Some((root, (!same).then(|| Hints::of(&directory))))
        };
        let Some((root, hints)) = self.aside(rearm).await.ok().flatten() else {
            self.armed = None;
            return;
        };
        let Some((mut hints, mut told)) = hints else {
            return;
        };
        let mut runs = self.pending.values().filter(|run| run.armed);
        told = told.and_then(|()| runs.try_for_each(|run| hints.watch(&run.path)));
        self.armed = Some((root, hints));
        self.tell_hints(told);
    }

    /// The identity of the root, where it has one.
    fn root(&self) -> Option<String> {
        self.armed
            .as_ref()
            .and_then(|(root, _)| root.identity.clone())
    }

    /// Whether the root is the one that was armed.
    async fn is_armed(&self) -> bool {
        let directory = self.watch.directory.clone();
        let root = self.aside(move || Root::of(&directory).ok()).await;
        root.ok().flatten().as_ref() == self.armed.as_ref().map(|(root, _)| root)
    }

    fn hints_key(&self) -> String {
        format!("hints {}", self.watch.name)
    }

    /// Without notifications nothing is lost; only a person can make it quicker again.
    fn tell_hints(&self, told: Result<(), String>) {
        let key = self.hints_key();
        let Err(why) = told else {
            return self.context.health.clear(&key);
        };
        let what = format!("[watch.{}] gets no notifications: {why}", self.watch.name);
        let advice =
            "nothing is lost, runs are found by listing; raise the limit (sysctl) to be quicker";
        self.context
            .health
            .raise(&key, "watch-polling", what, advice);
    }

    fn unwatch(&mut self, path: &Path) {
        if let Some((_, hints)) = &mut self.armed {
            hints.unwatch(path);
        }
    }

    /// Scans the directory and records what is new.
    async fn scan(&mut self) -> Result<(), LedgerError> {
        let root = self.armed.as_ref().map(|(root, _)| root.clone());
        let identity = root.as_ref().and_then(|root| root.identity.clone());
        let ledger = &self.context.ledger;
        let row = ledger.watch(&self.watch.name, identity.as_deref()).await?;
        if self.is_elsewhere(row.elsewhere.as_deref()) {
            return Ok(());
        }
        if std::mem::take(&mut self.elsewhere) {
            self.remember().await?;
        }
        let moved = identity.is_some() && row.root.is_some() && identity != row.root;
        let full = moved || Instant::now() >= self.next_full;
        let depth = match root {
            _ if full => Depth::Full,
            Some(root) if root.local => Depth::Changed,
            _ => Depth::Newest,
        };
        let Some(found) = self.list(depth).await? else {
            return Ok(());
        };
        self.watch_inner(&found);
        if !row.baseline {
            return self.first_start(found.new, &row, identity.as_deref()).await;
        }
        let met = found.met;
        if self.armed.is_some() {
            measure::scan_finds(&self.watch.name, found.new.len());
        }
        self.see(found.new).await?;
        if moved {
            self.moved = Some(Instant::now() + self.context.config.paces.full_scan);
        }
        self.again(found.doubtful).await?;
        self.segments(found.segments);
        // An empty mount point is not what the watch looks at.
        let is_root = met > 0 || self.known.len() == 0;
        if let Some(identity) =
            identity.filter(|identity| is_root && row.root.as_ref() != Some(identity))
        {
            self.context
                .ledger
                .set_root(&self.watch.name, &identity)
                .await?;
        }
        if full {
            self.reused = 0;
            self.refresh().await?;
        }
        Ok(())
    }

    /// Whether another machine has this watch, which is told.
    fn is_elsewhere(&mut self, machine: Option<&str>) -> bool {
        let key = format!("elsewhere {}", self.watch.name);
        let Some(machine) = machine else {
            self.context.health.clear(&key);
            return false;
        };
        // Neither a hint nor what is open leads to a look.
        self.armed = None;
        self.pending.clear();
        self.reading = JoinSet::new();
        self.elsewhere = true;
        let what = format!(
            "[watch.{}] is watched by {machine} already; nothing is detected here",
            self.watch.name
        );
        let advice = "give each watch that shares a ledger a name of its own; where it is the same \
                      directory, it is taken over by itself after the other has been silent for long";
        let health = &self.context.health;
        health.raise(&key, "watch-elsewhere", what, advice);
        true
    }

    /// Lists what is there; trouble is told.
    async fn list(&mut self, depth: Depth) -> Result<Option<Scan>, LedgerError> {
        let watch = self.watch.clone();
        let (mut known, mut listings) = (
            std::mem::take(&mut self.known),
            std::mem::take(&mut self.listings),
        );
        let begun = Instant::now();
        let root = self.armed.as_ref().map(|(root, _)| root);
        let births = root.is_some_and(|root| root.identity.is_some());
        let scan = move || {
            let scanner = Scanner::new(&watch, &mut known, &mut listings, depth);
            (scanner.run(births), known, listings)
        };
        let Ok((scan, known, listings)) = self.aside(scan).await else {
            // Whatever it met, the ledger still has what is known.
            self.remember().await?;
            return Ok(None);
        };
        (self.known, self.listings) = (known, listings);
        match depth {
            Depth::Full => {
                let pause = (begun.elapsed() * SHARE).max(self.context.config.paces.full_scan);
                self.next_full = Instant::now() + pause;
            }
            Depth::Changed | Depth::Newest => self.listed_in = begun.elapsed(),
        }
        let found = scan.map_err(|error| (self.watch.directory.clone(), error));
        self.tell_scan(&found);
        Ok(found.ok())
    }
}

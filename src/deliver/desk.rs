//! What all deliveries share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use crate::auth::Credential;
use crate::config::Config;
use crate::config::checked;
use crate::destination::{Accepted, Destination, Report};
use crate::failure::{Code, Failure};
use crate::health::Health;
use crate::ledger::Ledger;

/// Warnings that are told once each; beyond that they are told no more.
const WARNINGS: usize = 1000;

/// A destination, and one of its users or all of them.
type Whose = (String, Option<String>);

/// All that deliveries share.
pub struct Desk {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// The board of troubles.
    pub health: Arc<Health>,
    /// The destinations by name; one that can't be used says why.
    pub destinations: HashMap<String, Result<Destination, Failure>>,
    /// Notebooks that may be created at once, by destination and for each of its users.
    permits: Mutex<HashMap<Whose, Arc<Semaphore>>>,
    /// Directories in which old temporary names have been looked for since the start.
    pub(super) swept: Arc<Mutex<HashSet<String>>>,
    /// Warnings that the log has already.
    warned: Mutex<HashSet<String>>,
    /// Jobs that are being rendered.
    rendering: Arc<Mutex<HashSet<i64>>>,
    /// Notebooks that may be rendered at once.
    turns: Arc<Semaphore>,
    /// What each destination said of itself when it was asked last.
    reports: Mutex<HashMap<String, Report>>,
    /// True once the daemon stops, or another configuration counts.
    stop: watch::Receiver<bool>,
}

impl Desk {
    /// Opens the destinations of a configuration.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        ledger: Ledger,
        health: Arc<Health>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let open = |d: &checked::Destination| {
            (d.name.clone(), Destination::new(&config, d, Some(&ledger)))
        };
        Self {
            destinations: config.destinations.iter().map(open).collect(),
            permits: Mutex::default(),
            config,
            ledger,
            health,
            swept: Arc::default(),
            warned: Mutex::default(),
            rendering: Arc::default(),
            turns: Arc::new(Semaphore::new(
                std::thread::available_parallelism().map_or(1, usize::from),
            )),
            reports: Mutex::default(),
            stop,
        }
    }

    /// The same in the place of another, on which deliveries still go on.
    #[must_use]
    pub fn after(self, former: Option<&Self>) -> Self {
        let Some(former) = former else {
            return self;
        };
        Self {
            swept: former.swept.clone(),
            rendering: former.rendering.clone(),
            turns: former.turns.clone(),
            ..self
        }
    }

    /// Waits for a turn at rendering: one a core, so that memory and threads are for few.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Waits until the daemon stops, or another configuration counts.
    pub(super) async fn stopped(&self) {
        // An error means that the daemon is gone already.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// A person says that something has changed: credentials are asked for at once.
    pub fn wake(&self) {
        let open = self.destinations.values().flatten();
        open.filter_map(Destination::credential)
            .for_each(Credential::wake);
    }

    /// The destination of that name.
    ///
    /// # Errors
    /// `destination-removed`, or why it can't be used.
    pub fn destination(&self, name: &str) -> Result<&Destination, Failure> {
        match self.destinations.get(name) {
            Some(destination) => destination.as_ref().map_err(Clone::clone),
            None => Err(Code::DestinationRemoved.failure(format!(
                "[destination.{name}] is no longer in the configuration"
            ))),
        }
    }

    /// Waits for one of the places in which a notebook may be created: of the user's first, so that
    /// who waits for it doesn't hold one of the destination's.
    pub(super) async fn permit(
        &self,
        destination: &str,
        user: &str,
    ) -> [Option<OwnedSemaphorePermit>; 2] {
        let (most, most_of_user) = self.most(destination);
        let key = |user: Option<&str>| (destination.to_owned(), user.map(str::to_owned));
        let of_user = self
            .semaphore(key(Some(user)), most_of_user)
            .acquire_owned();
        let of_user = of_user.await.ok();
        let of_all = self.semaphore(key(None), most).acquire_owned().await;
        [of_user, of_all.ok()]
    }

    fn semaphore(&self, key: Whose, most: usize) -> Arc<Semaphore> {
        let mut permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Semaphore::new(most));
        permits.entry(key).or_insert_with(made).clone()
    }

    /// Asks a destination whether all is there that a delivery needs, for this user or the first
    /// it may act for, and remembers the credential that it accepted.
    ///
    /// # Errors
    /// What a delivery would meet.
    pub async fn probe(&self, name: &str, user: Option<&str>) -> Result<Report, Failure> {
        let destination = self.destination(name)?;
        let table = self.config.destination(name);
        let first = table.and_then(|table| table.users.first().or(table.user.as_ref()));
        let memory = self.ledger.last_accepted(name).await.ok().flatten();
        let memory = memory.map(|(fingerprint, at, _)| Accepted {
            fingerprint,
            at: crate::status::time(at),
        });
        let report = destination
            .probe(user.or(first.map(String::as_str)), memory.as_ref())
            .await?;
        if let Some(fingerprint) = &report.token_fingerprint {
            let expires_at = report.token_expires_at.as_deref();
            if let Err(error) = self.ledger.accepted(name, fingerprint, expires_at).await {
                tracing::debug!(%error, "the accepted credential is not remembered");
            }
        }
        Ok(report)
    }

    /// Asks a destination as [`Self::probe`] does, unless nothing but the hour speaks for it
    /// (`is_routine`) and a hub would take that for a sign of life of a user: kept alive is only who
    /// is to be. What the hub said last holds then, as long as it answers at all.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub async fn survey(&self, name: &str, is_routine: bool) -> Result<Report, Failure> {
        let report = match self.last_report(name).filter(|_| is_routine) {
            Some(last) if last.is_activity && !self.keeps_alive(name) => {
                self.destination(name)?.glance(last).await?
            }
            _ => self.probe(name, None).await?,
        };
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(name.to_owned(), report.clone());
        Ok(report)
    }

    fn last_report(&self, name: &str) -> Option<Report> {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.get(name).cloned()
    }

    fn keeps_alive(&self, name: &str) -> bool {
        let kind = self.config.destination(name).map(|table| &table.kind);
        matches!(kind, Some(checked::Kind::Hub(hub)) if hub.keep_alive)
    }

    /// The credential that a destination accepted last.
    pub(super) async fn memory(&self, name: &str) -> Option<Accepted> {
        let (fingerprint, at, _) = self.ledger.last_accepted(name).await.ok().flatten()?;
        Some(Accepted {
            fingerprint,
            at: crate::status::time(at),
        })
    }

    /// Logs a warning that holds for run after run.
    pub(super) fn warn_once(&self, warning: &str) {
        // Names that change from run to run must not fill the memory.
        let fresh = self
            .warned
            .lock()
            .is_ok_and(|mut warned| warned.len() < WARNINGS && warned.insert(warning.to_owned()));
        if fresh {
            tracing::warn!("{warning}");
        }
    }

    /// How many notebooks may be created at once at a destination, and for one of its users. Where
    /// there are several users, one whose server hangs must leave room for the others.
    pub(super) fn most(&self, destination: &str) -> (usize, usize) {
        let Some(table) = self.config.destination(destination) else {
            return (1, 1);
        };
        match table.users.len() {
            0 | 1 => (table.concurrency, table.concurrency),
            _ => (table.concurrency, table.concurrency.div_ceil(2)),
        }
    }

    /// A job has begun to work on this machine.
    pub fn begins(&self, job: i64) {
        self.rendering().insert(job);
    }

    /// A job has rendered its notebook, or ended.
    pub fn is_rendered(&self, job: i64) {
        self.rendering().remove(&job);
    }

    /// Whether this job works on this machine.
    #[must_use]
    pub fn renders(&self, job: i64) -> bool {
        self.rendering().contains(&job)
    }

    /// Whether no job works on this machine.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.rendering().is_empty()
    }

    fn rendering(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.rendering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

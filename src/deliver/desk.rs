//! What all deliveries share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Config;
use crate::config::checked;
use crate::destination::{Accepted, Destination, Report};
use crate::failure::{Code, Failure};
use crate::health::Health;
use crate::ledger::Ledger;

/// Warnings that are told once each; beyond that they are told no more.
const WARNINGS: usize = 1000;

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
    /// Deliveries at once, by destination.
    permits: HashMap<String, Semaphore>,
    /// Directories in which old temporary names have been looked for since the start.
    pub(super) swept: Mutex<HashSet<String>>,
    /// Warnings that the log has already.
    warned: Mutex<HashSet<String>>,
    /// Destinations whose jobs wait for an outage to end.
    troubled: Mutex<HashSet<String>>,
}

impl Desk {
    /// Opens the destinations of a configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, ledger: Ledger, health: Arc<Health>) -> Self {
        let contact = config.contact.as_deref();
        let open = |d: &checked::Destination| {
            (d.name.clone(), Destination::new(d, &config.paces, contact))
        };
        let permits = |d: &checked::Destination| (d.name.clone(), Semaphore::new(d.concurrency));
        Self {
            destinations: config.destinations.iter().map(open).collect(),
            permits: config.destinations.iter().map(permits).collect(),
            config,
            ledger,
            health,
            swept: Mutex::default(),
            warned: Mutex::default(),
            troubled: Mutex::default(),
        }
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

    /// Waits for one of the destination's deliveries at once.
    pub(super) async fn permit(&self, destination: &str) -> Option<SemaphorePermit<'_>> {
        self.permits.get(destination)?.acquire().await.ok()
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

    /// Notes that jobs for this destination wait for an outage to end.
    pub fn troubled(&self, destination: &str) {
        if let Ok(mut troubled) = self.troubled.lock() {
            troubled.insert(destination.to_owned());
        }
    }

    /// After a success: what waited for an outage to end is due now.
    pub async fn recovered(&self, destination: &str) {
        let was = self
            .troubled
            .lock()
            .is_ok_and(|mut troubled| troubled.remove(destination));
        if was && let Err(error) = self.ledger.hurry(destination, crate::ledger::now()).await {
            tracing::debug!(%error, "waiting jobs keep their times");
        }
    }
}

//! What has to be done beside delivering: leases, jobs of machines that are gone, clocks that are
//! set.

use std::time::{Duration, Instant};

use super::lease::Leases;
use crate::deliver::Desk;
use crate::job::millis;
use crate::ledger::LedgerError;
use crate::retry::Paces;

/// Runs whose history is forgotten in one transaction.
const PRUNED: usize = 500;

/// When what was done last.
pub(super) struct Upkeep {
    renewed: Instant,
    /// When the next look for history that is too old is due.
    prunes: Instant,
    /// Another configuration may count than before, and the ledger doesn't know it yet.
    pub(super) is_other: bool,
}

impl Upkeep {
    pub(super) fn new(paces: &Paces) -> Self {
        Self {
            renewed: Instant::now(),
            // A clock that is wrong when the machine starts has been set by then.
            prunes: Instant::now() + paces.prune,
            is_other: true,
        }
    }

    /// Does what is due.
    pub(super) async fn look(&mut self, desk: &Desk, leases: &Leases) {
        let followed = self.follow_clock(desk).await;
        let renewed = self.renew(desk, leases).await;
        let reconsidered = self.reconsider(desk).await;
        let done = followed
            .and(renewed)
            .and(reconsidered)
            .and(self.prune(desk).await);
        if let Err(error) = done {
            // The next claim tells it too; it is tried again at the next look.
            tracing::debug!(%error, "the ledger's upkeep waits");
        }
    }

    /// Another configuration may be the cure of whatever holds, and the end of what waits.
    async fn reconsider(&mut self, desk: &Desk) -> Result<(), LedgerError> {
        if self.is_other {
            let config = &desk.config;
            let notebooks = config.notebooks.iter().map(|table| table.name.as_str());
            let destinations = config.destinations.iter().map(|table| table.name.as_str());
            let tables = (notebooks.collect(), destinations.collect());
            desk.ledger.reconsider(tables).await?;
            self.is_other = false;
        }
        Ok(())
    }

    /// Forgets what is older than `keep`, a little at each look, so that nobody waits for it.
    async fn prune(&mut self, desk: &Desk) -> Result<(), LedgerError> {
        if Instant::now() < self.prunes {
            return Ok(());
        }
        let before = desk.ledger.now() - millis(desk.config.ledger.keep);
        if desk.ledger.prune(before, PRUNED).await? < PRUNED {
            self.prunes = Instant::now() + desk.config.paces.prune;
        }
        Ok(())
    }

    /// Renews the leases as long as deliveries end.
    pub(super) async fn go_on(&mut self, desk: &Desk, leases: &Leases) {
        loop {
            self.look(desk, leases).await;
            tokio::time::sleep(desk.config.paces.lease / 20).await;
        }
    }

    async fn renew(&mut self, desk: &Desk, leases: &Leases) -> Result<(), LedgerError> {
        if self.renewed.elapsed() < desk.config.paces.lease / 4 {
            return Ok(());
        }
        let at = Instant::now();
        // Waited for no longer than until the next one is due.
        let within = Duration::max(desk.config.paces.lease / 4, Duration::from_secs(1));
        let claims = leases.claims();
        let renewed = tokio::time::timeout(within, desk.ledger.renew(&claims)).await;
        let Ok(ours) = renewed else {
            return Err(LedgerError::Io("the leases could not be renewed".into()));
        };
        leases.renewed(desk, (&claims, &ours?), at);
        self.renewed = at;
        if !desk.ledger.is_shared() {
            return Ok(());
        }
        let taken = desk.ledger.take_expired().await?;
        if taken > 0 {
            tracing::warn!(
                jobs = taken,
                "taken over from a machine that is not heard of any more"
            );
        }
        Ok(())
    }

    /// A clock that was set moves what is planned with it.
    async fn follow_clock(&self, desk: &Desk) -> Result<(), LedgerError> {
        if let Some(by) = desk.ledger.follow_clock().await? {
            tracing::warn!(
                seconds = by / 1000,
                "the clock was set; what waits is moved with it"
            );
        }
        Ok(())
    }
}

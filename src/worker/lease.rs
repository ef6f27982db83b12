//! What this process may deliver, and until when.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::deliver::Desk;
use crate::ledger::Claimed;

/// Until when a claim is certainly ours; `None` is as long as the process lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease(Arc<Mutex<Option<Instant>>>);

/// A job's number, and that of its claim.
type Claim = (i64, i64);

/// The leases of the jobs that are on their way, by the job's number and that of its claim.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<Claim, Lease>>);

impl Lease {
    fn ends(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// Does the work while the lease lasts; `None` if it has ended before. The work takes no step
    /// after that, not even the first one of a process that was stopped and goes on.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let work = std::future::poll_fn(|context| {
            match self.ends().is_some_and(|end| end <= Instant::now()) {
                true => Poll::Ready(None),
                false => work.as_mut().poll(context).map(Some),
            }
        });
        tokio::select! {
            done = work => done,
            () = self.over() => None,
        }
    }

    async fn over(&self) {
        while let Some(end) = self.ends() {
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end.into()).await;
        }
        std::future::pending().await
    }
}

impl Leases {
    /// The lease of a job that was claimed after this time.
    pub(super) fn add(&self, desk: &Desk, job: &Claimed, at: Instant) -> Lease {
        let lease = Lease::default();
        if desk.ledger.is_shared() {
            lease.set(at + safe(desk));
        }
        self.table().insert((job.id, job.epoch), lease.clone());
        lease
    }

    /// The claims on which somebody works.
    pub(super) fn claims(&self) -> Vec<Claim> {
        let mut table = self.table();
        // Whose task has ended is only held here.
        table.retain(|_, lease| Arc::strong_count(&lease.0) > 1);
        table.keys().copied().collect()
    }

    /// After these claims were to be renewed at this time: of them these are still ours.
    pub(super) fn renewed(&self, desk: &Desk, (claims, ours): (&[Claim], &[Claim]), at: Instant) {
        let table = self.table();
        for claim in claims {
            let Some(lease) = table.get(claim) else {
                continue;
            };
            match (ours.contains(claim), desk.ledger.is_shared()) {
                (true, true) => lease.set(at + safe(desk)),
                (true, false) => {}
                (false, _) => lease.set(at),
            }
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<Claim, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a claim may be relied on; the rest of the lease is for the way of the answer.
fn safe(desk: &Desk) -> Duration {
    desk.config.paces.lease * 9 / 10
}

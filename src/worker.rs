//! The loop that claims due jobs, delivers them, and probes holds.
//!
//! It never ends because of a failure: whatever an attempt comes to is written into the ledger,
//! and where the ledger can't be written the loop waits until it can.

mod guest;
mod lease;
mod probe;
mod turns;
mod upkeep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::deliver::{Desk, deliver};
use crate::failure::{Code, Failure};
use crate::job::{JobState, Next, Outcome, advance, millis};
use crate::ledger::{Claimed, Finished, LedgerError};
use guest::Guest;
use lease::{Lease, Leases};
use turns::Turns;
use upkeep::Upkeep;

/// How long running deliveries may go on after a stop was asked for; below systemd's
/// `TimeoutStopSec=30s`.
const GRACE: Duration = Duration::from_secs(20);

/// Sleep while due jobs wait for a lane that is full.
const BUSY: Duration = Duration::from_millis(200);

/// Delivers until `stop` is true, then lets what runs end within a grace time.
pub async fn run(desk: Arc<Desk>, ready: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    let mut worker = Worker {
        tasks: JoinSet::new(),
        leases: Leases::default(),
        turns: Turns::default(),
        alone: None,
        stop: stop.clone(),
    };
    let mut upkeep = Upkeep::new(&desk.config.paces);
    let mut probes = probe::Probes::default();
    let mut guest = Guest::default();
    while !*stop.borrow() {
        upkeep.look(&desk, &worker.leases).await;
        let pause = worker.claim_due(&desk).await;
        probes.survey(&desk, &mut worker);
        probes.survey_templates(&desk, &mut worker);
        probes.start_due(&desk, &mut worker).await;
        guest.look(&desk, &mut worker);
        let pause = pause.min(probe::Probes::pause(&desk));
        tokio::select! {
            () = ready.notified() => {}
            Some(_) = worker.tasks.join_next() => {}
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
        while worker.tasks.try_join_next().is_some() {}
    }
    // A probe may wait longer for its answer; it leaves nothing behind.
    let ended = tokio::time::timeout(GRACE + Duration::from_secs(2), worker.tasks.join_all());
    tokio::select! {
        ended = ended => if ended.is_err() {
            tracing::warn!("ended with deliveries on their way; the next start takes them up");
        },
        () = upkeep.go_on(&desk, &worker.leases) => {}
    }
}

struct Worker {
    tasks: JoinSet<()>,
    leases: Leases,
    turns: Turns,
    /// The job that was claimed alone last.
    alone: Option<i64>,
    stop: watch::Receiver<bool>,
}

impl Worker {
    /// Starts all that is due and has room; how long nothing more can be due.
    async fn claim_due(&mut self, desk: &Arc<Desk>) -> Duration {
        match self.try_claim_due(desk).await {
            Ok(pause) => {
                desk.health.clear("ledger worker");
                pause
            }
            Err(error) => {
                desk.health.raise(
                    "ledger worker",
                    "ledger-unwritable",
                    error.to_string(),
                    desk.ledger.advice(),
                );
                Duration::from_secs(1)
            }
        }
    }

    async fn try_claim_due(&mut self, desk: &Arc<Desk>) -> Result<Duration, LedgerError> {
        let ledger = &desk.ledger;
        if self.alone.is_some_and(|job| desk.renders(job)) {
            return Ok(BUSY);
        }
        if ledger.is_alone_due(ledger.now()).await? {
            let at = Instant::now();
            // Nothing else begins until what is being rendered is, and it has been tried.
            if desk.is_quiet()
                && let Some(job) = ledger.claim_alone(ledger.now()).await?
            {
                self.alone = Some(job.id);
                self.start(desk, job, at);
            }
            return Ok(BUSY);
        }
        let ramp = millis(desk.config.paces.ramp);
        for lane in ledger.due_lanes(ledger.now()).await? {
            let table = desk.config.destination(&lane.0);
            let limit = table.map_or(1, |table| table.concurrency);
            let room = (limit, self.turns.is_newest(&lane), ramp);
            let at = Instant::now();
            let claimed = ledger.claim((&lane.0, &lane.1), room, ledger.now()).await?;
            self.turns.took(lane, claimed.len());
            for job in claimed {
                self.start(desk, job, at);
            }
        }
        let poll = desk.config.paces.poll;
        Ok(match ledger.next_due().await? {
            None => poll,
            Some(due) if due <= ledger.now() => BUSY,
            Some(due) => Duration::from_millis(due.abs_diff(ledger.now())).min(poll),
        })
    }

    fn start(&mut self, desk: &Arc<Desk>, job: Claimed, at: Instant) {
        let lease = self.leases.add(desk, &job, at);
        let (desk, stop) = (desk.clone(), self.stop.clone());
        desk.begins(job.id);
        self.tasks.spawn(async move {
            attend(&desk, &job, (&lease, stop)).await;
            desk.is_rendered(job.id);
        });
    }
}

/// One attempt, and its record; nothing of either once the job is no longer ours.
async fn attend(desk: &Desk, job: &Claimed, (lease, stop): (&Lease, watch::Receiver<bool>)) {
    let attempt = AssertUnwindSafe(deliver(desk, job)).catch_unwind();
    let outcome = tokio::select! {
        outcome = lease.during(attempt) => match outcome {
            Some(outcome) => outcome.unwrap_or_else(|_| {
                Outcome::Failed(Code::Internal.failure("nbcourier itself failed; the log has the place"))
            }),
            None => return tracing::warn!(run = job.order.run, "another machine has taken it over"),
        },
        () = grace_over(stop) => Outcome::Interrupted,
    };
    record(desk, job, outcome).await;
}

async fn grace_over(mut stop: watch::Receiver<bool>) {
    // An error means that the daemon is gone already.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(GRACE).await;
}

/// Writes down what an attempt came to, however long the ledger takes to be writable again.
async fn record(desk: &Desk, job: &Claimed, outcome: Outcome) {
    let rules = (&desk.config.retry, &desk.config.paces);
    // Only a ledger that can't be read doesn't know better than the claim.
    let progress = desk.ledger.progress(job).await.unwrap_or(job.progress);
    let next = advance(progress, &outcome, desk.ledger.now(), rules, rand::random());
    log(job, &outcome, next);
    let recovered = matches!(outcome, Outcome::Delivered(..));
    let end = finished(desk, outcome, next);
    while let Err(error) = desk.ledger.finish(job, &end, desk.ledger.now()).await {
        desk.health.raise(
            "ledger worker",
            "ledger-unwritable",
            error.to_string(),
            desk.ledger.advice(),
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if recovered {
        desk.health
            .clear(&probe::trouble_of(&job.order.destination));
    }
}

fn finished(desk: &Desk, outcome: Outcome, next: Next) -> Finished {
    match outcome {
        Outcome::Delivered(outcome, url) => Finished::Delivered { outcome, url },
        Outcome::Interrupted => Finished::Released,
        Outcome::Failed(failure) => {
            let probe_at = desk.ledger.now() + millis(desk.config.paces.probe);
            Finished::Failed {
                failure,
                next,
                probe_at,
            }
        }
    }
}

fn log(job: &Claimed, outcome: &Outcome, next: Next) {
    let (run, destination, user) = (&job.order.run, &job.order.destination, &job.user);
    let attempt = job.progress.attempts;
    match (outcome, next) {
        (Outcome::Delivered(created, _), _) => {
            tracing::info!(
                run,
                destination,
                user,
                attempt,
                outcome = created.as_str(),
                "delivered"
            );
        }
        (Outcome::Interrupted, _) => tracing::info!(run, destination, user, "given back at stop"),
        (Outcome::Failed(failure), Next::Hold | Next::Fail) => {
            let state = if next == Next::Hold {
                JobState::Held
            } else {
                JobState::Failed
            };
            warn(job, failure, state.as_str());
        }
        (Outcome::Failed(failure), _) => warn(job, failure, "tried again later"),
    }
}

fn warn(job: &Claimed, failure: &Failure, follows: &str) {
    tracing::warn!(
        run = job.order.run,
        destination = job.order.destination,
        user = job.user,
        attempt = job.progress.attempts,
        code = failure.code.as_str(),
        advice = failure.advice(),
        "{}; {follows}",
        failure.what
    );
}

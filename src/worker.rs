//! The loop that claims due jobs, delivers them, and probes holds.
//!
//! It never ends because of a failure: whatever an attempt comes to is written into the ledger,
//! and where the ledger can't be written the loop waits until it can.

mod probe;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::deliver::{Desk, deliver};
use crate::failure::{Code, Failure};
use crate::job::{JobState, Next, Outcome, advance, millis};
use crate::ledger::{Claimed, Finished, now};

/// How long running deliveries may go on after a stop was asked for; below systemd's
/// `TimeoutStopSec=30s`.
const GRACE: Duration = Duration::from_secs(20);

/// Longest sleep without a look at the ledger.
const IDLE: Duration = Duration::from_secs(5);

/// Sleep while due jobs wait for a lane that is full.
const BUSY: Duration = Duration::from_millis(200);

/// A destination and a user.
type Lane = (String, String);

/// Delivers until `stop` is true, then lets what runs end within a grace time.
pub async fn run(desk: Arc<Desk>, ready: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    let mut worker = Worker {
        tasks: JoinSet::new(),
        running: HashMap::new(),
        stop: stop.clone(),
    };
    let mut probes = probe::Probes::default();
    while !*stop.borrow() {
        let pause = worker.claim_due(&desk).await;
        probes.survey(&desk, &mut worker);
        probes.survey_templates(&desk, &mut worker);
        probes.start_due(&desk, &mut worker).await;
        tokio::select! {
            () = ready.notified() => {}
            Some(end) = worker.tasks.join_next() => worker.ended(end.ok()),
            () = tokio::time::sleep(pause.min(probe::Probes::pause(&desk))) => {}
            _ = stop.changed() => {}
        }
        while let Some(end) = worker.tasks.try_join_next() {
            worker.ended(end.ok());
        }
    }
    // A probe may wait longer for its answer; it leaves nothing behind.
    let ended = tokio::time::timeout(GRACE + Duration::from_secs(2), worker.tasks.join_all());
    if ended.await.is_err() {
        tracing::warn!("ended with deliveries on their way; the next start takes them up");
    }
}

struct Worker {
    tasks: JoinSet<Option<Lane>>,
    running: HashMap<Lane, usize>,
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
                    LEDGER_ADVICE,
                );
                Duration::from_secs(1)
            }
        }
    }

    async fn try_claim_due(
        &mut self,
        desk: &Arc<Desk>,
    ) -> Result<Duration, crate::ledger::LedgerError> {
        for lane in desk.ledger.due_lanes(now()).await? {
            let concurrency = desk
                .config
                .destination(&lane.0)
                .map_or(1, |d| d.concurrency);
            let room = concurrency.saturating_sub(self.running.get(&lane).copied().unwrap_or(0));
            if room == 0 {
                continue;
            }
            for job in desk.ledger.claim((&lane.0, &lane.1), room, now()).await? {
                self.start(desk, job);
            }
        }
        Ok(match desk.ledger.next_due().await? {
            None => IDLE,
            Some(due) if due <= now() => BUSY,
            Some(due) => Duration::from_millis(due.abs_diff(now())).min(IDLE),
        })
    }

    fn start(&mut self, desk: &Arc<Desk>, job: Claimed) {
        let lane = (job.order.destination.clone(), job.user.clone());
        *self.running.entry(lane.clone()).or_default() += 1;
        let (desk, stop) = (desk.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            attend(&desk, &job, stop).await;
            Some(lane)
        });
    }

    fn ended(&mut self, lane: Option<Option<Lane>>) {
        if let Some(Some(lane)) = lane
            && let Some(count) = self.running.get_mut(&lane)
        {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&lane);
            }
        }
    }
}

const LEDGER_ADVICE: &str = "free space on the disk of the state directory, or restore its \
    permissions; nothing is lost, delivery goes on by itself";

/// One attempt, and its record.
async fn attend(desk: &Desk, job: &Claimed, stop: watch::Receiver<bool>) {
    let attempt = AssertUnwindSafe(deliver(desk, job)).catch_unwind();
    let outcome = tokio::select! {
        outcome = attempt => outcome.unwrap_or_else(|_| {
            Outcome::Failed(Code::Internal.failure("nbcourier itself failed; the log has the place"))
        }),
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
    let next = advance(job.progress, &outcome, now(), rules, rand::random());
    log(job, &outcome, next);
    let recovered = matches!(outcome, Outcome::Delivered(..));
    let end = finished(desk, outcome, next);
    while let Err(error) = desk.ledger.finish(job, &end, now()).await {
        desk.health.raise(
            "ledger worker",
            "ledger-unwritable",
            error.to_string(),
            LEDGER_ADVICE,
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if recovered {
        desk.health
            .clear(&probe::trouble_of(&job.order.destination));
        desk.recovered(&job.order.destination).await;
    } else if matches!(next, Next::Wait { excused: true, .. }) {
        desk.troubled(&job.order.destination);
    }
}

fn finished(desk: &Desk, outcome: Outcome, next: Next) -> Finished {
    match outcome {
        Outcome::Delivered(outcome, url) => Finished::Delivered { outcome, url },
        Outcome::Interrupted => Finished::Released,
        Outcome::Failed(failure) => {
            let probe_at = now() + millis(desk.config.paces.probe);
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

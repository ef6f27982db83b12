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
use crate::measure;
use crate::pulse::Pulse;
use guest::Guest;
use lease::{Lease, Leases};
use turns::Turns;
use upkeep::Upkeep;

/// How long running deliveries may go on after a stop was asked for; below systemd's
/// `TimeoutStopSec=30s`.
const GRACE: Duration = Duration::from_secs(20);

/// Sleep while due jobs wait for a lane that is full.
const BUSY: Duration = Duration::from_millis(200);

/// Delivers until `stop` is true, then lets what runs end within a grace time. What begins, begins
/// at the newest of the desks; what runs ends at the one where it began.
pub async fn run(
    mut desks: watch::Receiver<Arc<Desk>>,
    ready: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    let mut desk = desks.borrow_and_update().clone();
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
    let pulse = Pulse::new("worker".into(), desk.config.paces.poll);
    while !*stop.borrow() {
        // Between the steps too: a database that doesn't answer delays each of them.
        pulse.beat();
        upkeep.look(&desk, &worker.leases).await;
        pulse.beat();
        let pause = worker.claim_due(&desk).await;
        pulse.beat();
        probes.survey(&desk, &mut worker);
        probes.survey_templates(&desk, &mut worker);
        probes.start_due(&desk, &mut worker).await;
        guest.look(&desk, &mut worker);
        let pause = pause.min(probe::Probes::pause(&desk)).min(pulse.pace);
        tokio::select! {
            () = ready.notified() => {}
            Some(_) = worker.tasks.join_next() => {}
            () = tokio::time::sleep(pause) => {}
            Ok(()) = desks.changed() => {
                desk = desks.borrow_and_update().clone();
                probes = probe::Probes::default();
                upkeep.is_other = true;
            }
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
    let begun = Instant::now();
    let attempt = AssertUnwindSafe(deliver(desk, job)).catch_unwind();
    let outcome = tokio::select! {
        outcome = lease.during(attempt) => match outcome {
            Some(outcome) => outcome.unwrap_or_else(|_| Outcome::Failed(panicked())),
            None => return tracing::warn!(run = job.order.run, "another machine has taken it over"),
        },
        () = grace_over(stop) => Outcome::Interrupted,
    };
    record(desk, job, outcome, begun).await;
}

fn panicked() -> Failure {
    Code::Internal.failure("nbcourier itself failed; the log has the place")
}

async fn grace_over(mut stop: watch::Receiver<bool>) {
    // An error means that the daemon is gone already.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(GRACE).await;
}

/// Writes down what an attempt came to, however long the ledger takes to be writable again.
async fn record(desk: &Desk, job: &Claimed, outcome: Outcome, begun: Instant) {
    let rules = (&desk.config.retry, &desk.config.paces);
    // Only a ledger that can't be read doesn't know better than the claim.
    let progress = desk.ledger.progress(job).await.unwrap_or(job.progress);
    let next = advance(progress, &outcome, desk.ledger.now(), rules, rand::random());
    measure(job, &outcome, next, desk.ledger.now());
    log(job, &outcome, next, begun.elapsed());
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

fn measure(job: &Claimed, outcome: &Outcome, next: Next, now: i64) {
    let destination = &job.order.destination;
    match outcome {
        Outcome::Delivered(..) => {
            measure::attempted(destination, "ok");
            measure::delivered(destination, now - job.progress.created_at);
        }
        Outcome::Failed(failure) => measure::attempted(destination, failure.code.as_str()),
        Outcome::Interrupted => {}
    }
    if next == Next::Fail {
        measure::gave_up(destination);
    }
    if matches!(next, Next::Delivered | Next::Hold | Next::Fail) {
        measure::progressed();
    }
}

/// One line of the log about an attempt, at the level of what follows.
macro_rules! tell {
    ($level:ident, $event:expr, $state:expr, $job:expr, $took:expr, $failure:expr, $($words:tt)+) => {
        tracing::$level!(
            event = $event,
            run = $job.order.run,
            job = $job.order.uid,
            destination = $job.order.destination,
            user = $job.user,
            state = $state.as_str(),
            attempt = $job.progress.attempts,
            duration_ms = millis($took),
            code = $failure.map(|failure: &Failure| failure.code.as_str()),
            advice = $failure.map(Failure::advice),
            $($words)+
        )
    };
}

fn log(job: &Claimed, outcome: &Outcome, next: Next, took: Duration) {
    let failure = match outcome {
        Outcome::Delivered(created, _) => {
            let (event, state) = ("notebook.uploaded", JobState::Delivered);
            let outcome = created.as_str();
            return tell!(info, event, state, job, took, None, outcome, "delivered");
        }
        Outcome::Interrupted => {
            let (event, state) = ("attempt.given-back", JobState::Waiting);
            return tell!(info, event, state, job, took, None, "given back at stop");
        }
        Outcome::Failed(failure) => failure,
    };
    let (what, failure) = (&failure.what, Some(failure));
    match next {
        Next::Hold => {
            let (event, state) = ("destination.held", JobState::Held);
            tell!(error, event, state, job, took, failure, "{what}; held");
        }
        Next::Fail => {
            let (event, state) = ("job.gave_up", JobState::Failed);
            tell!(error, event, state, job, took, failure, "{what}; failed");
        }
        _ => {
            let (event, state) = ("attempt.failed", JobState::Waiting);
            tell!(
                warn,
                event,
                state,
                job,
                took,
                failure,
                "{what}; tried again later"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_person_can_only_report_is_told() {
        let told = [("a bug".to_owned(), super::panicked())];
        crate::catalogue::assert_told("worker", told);
    }
}

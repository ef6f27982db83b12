//! What befalls a whole world: crashes, clocks, people, and its end.

use nbcourier::failure::{Class, Probe};
use nbcourier::job::JobState;
use nbcourier::ledger::Act;

use super::driver::{MOST_JOBS, World};
use super::names::{DESTINATIONS, USERS};
use super::real::Real;
use super::steps::Step;

/// Rounds in which all must come to its end.
const ROUNDS: usize = 500;

/// Probes that find out by themselves that a cause is gone.
fn mends(probe: Probe) -> bool {
    !matches!(probe, Probe::Person | Probe::Changed)
}

impl World {
    pub(super) fn crash(&mut self, worker: usize) -> bool {
        let worker = worker % self.workers;
        let (lost, kept) = std::mem::take(&mut self.attempts)
            .into_iter()
            .partition(|attempt| attempt.worker == worker);
        self.attempts = kept;
        let lost: Vec<_> = lost;
        let any = !lost.is_empty();
        lost.into_iter().for_each(|attempt| self.haunt(attempt));
        any
    }

    pub(super) async fn restart(&mut self, worker: usize) -> bool {
        let worker = worker % self.workers;
        self.crash(worker);
        let wall = self.wall(worker);
        if let Some(real) = &mut self.real {
            real.take_back(worker).await;
        }
        self.since(worker, wall);
        self.reference.take_back(worker, wall);
        true
    }

    pub(super) async fn restart_at(&mut self, worker: usize, by: i64) -> bool {
        self.now += by;
        self.blurred = true;
        self.restart(worker).await
    }

    /// Only where there are others.
    pub(super) async fn expire(&mut self, worker: usize) -> bool {
        let worker = worker % self.workers;
        let own =
            |job: &super::reference::Job| job.owner == worker && job.state == JobState::Delivering;
        let mut any = false;
        for job in self.reference.jobs.iter_mut().filter(|job| own(job)) {
            job.expired = self.workers > 1;
            any = job.expired;
        }
        if let Some(real) = self.real.as_mut().filter(|_| any) {
            real.expire(worker).await;
        }
        any
    }

    pub(super) async fn take_expired(&mut self, worker: usize) -> bool {
        let worker = worker % self.workers;
        let wall = self.wall(worker);
        let really = match &mut self.real {
            Some(real) => Some(real.take_expired(worker).await),
            None => None,
        };
        self.since(worker, wall);
        let taken = self.reference.take_expired(wall);
        assert_eq!(really.unwrap_or(taken), taken);
        true
    }

    /// Of some attempts the task has ended, and the worker says no more that it is at them.
    pub(super) async fn renew(&mut self, worker: usize, without: usize) -> bool {
        let worker = worker % self.workers;
        let own = self.attempts.iter();
        let own = own.filter(|attempt| attempt.worker == worker);
        let named: Vec<_> = own
            .enumerate()
            .filter(|(number, _)| *number == 0 || number % 4 != without)
            .map(|(_, attempt)| (attempt.claim.job, attempt.claim.epoch))
            .collect();
        let kept = self.reference.renew(worker, &named);
        if let Some(real) = &mut self.real {
            assert_eq!(real.renew(worker, &named).await, kept);
        }
        // Whoever is told that it lost its job stops.
        let is_lost = |attempt: &super::driver::Attempt| {
            let claim = (attempt.claim.job, attempt.claim.epoch);
            attempt.worker == worker && !kept.contains(&claim)
        };
        let attempts = std::mem::take(&mut self.attempts);
        let (lost, rest): (Vec<_>, Vec<_>) = attempts.into_iter().partition(is_lost);
        self.attempts = rest;
        lost.into_iter().for_each(|attempt| self.haunt(attempt));
        true
    }

    pub(super) async fn mend(&mut self, hold: usize) -> bool {
        let Some(hold) = self.hold(hold) else {
            return false;
        };
        if let Some(real) = &mut self.real {
            let id = real.hold_id(&self.reference, hold);
            real.release(id, self.now).await;
        }
        self.reference.release(hold, self.now);
        true
    }

    pub(super) async fn probe_later(&mut self, hold: usize) -> bool {
        let Some(hold) = self.hold(hold) else {
            return false;
        };
        let at = self.now + 60_000;
        if let Some(real) = &mut self.real {
            let id = real.hold_id(&self.reference, hold);
            real.probe_later(id, at).await;
        }
        self.reference.probe_later(hold, at);
        true
    }

    pub(super) async fn come_back(&mut self, destination: usize) -> bool {
        if let Some(real) = &mut self.real {
            real.returned(destination, self.now).await;
        }
        self.reference.come_back(destination, self.now);
        true
    }

    pub(super) async fn act(&mut self, act: Act, run: usize) -> bool {
        let jobs = self.reference.jobs.iter();
        let known = jobs.filter(|job| job.key.run == run).count();
        let full = act == Act::Fresh && self.reference.jobs.len() > MOST_JOBS - 3;
        if known == 0 || full {
            return false;
        }
        let wall = self.wall(0);
        let really = match &mut self.real {
            Some(real) => Some(real.act(act, run).await),
            None => None,
        };
        self.since(0, wall);
        let before = self.reference.jobs.clone();
        let changed = self.reference.act(act, run, wall);
        let counts = (changed, u64::try_from(known).unwrap_or(0) - changed);
        assert_eq!(really.unwrap_or(counts), counts, "{act:?} of run {run}");
        let more = self.reference.jobs.len() - before.len();
        let made = if act == Act::Fresh { changed } else { 0 };
        assert_eq!(u64::try_from(more).ok(), Some(made), "{act:?} of run {run}");
        for (number, job) in before.iter().enumerate() {
            let again = act == Act::Retry && job.key.run == run;
            if again && !matches!(job.state, JobState::Waiting | JobState::Delivering) {
                self.born[number] = self.true_now;
            }
        }
        true
    }

    pub(super) async fn jump(&mut self, by: i64) -> bool {
        self.now += by;
        if let Some(real) = &mut self.real {
            real.shift(by).await;
        }
        self.reference.shift(by);
        true
    }

    pub(super) fn pass(&mut self, ms: i64) -> bool {
        self.now += ms;
        self.true_now += ms;
        true
    }

    pub(super) fn wait(&mut self) -> bool {
        let due = self.reference.waiting().map(|(_, job)| job.due).min();
        match due {
            Some(due) if due > self.now => self.pass(due - self.now),
            _ => false,
        }
    }

    /// Nothing goes wrong any more and time goes on: all comes to its end, but what only a person
    /// can mend.
    pub async fn end(mut self) -> Option<Real> {
        for worker in 0..self.workers {
            self.step(Step::Restart { worker }).await;
        }
        let mut rounds = 0;
        while self.round().await {
            rounds += 1;
            let jobs = &self.reference.jobs;
            assert!(rounds < ROUNDS, "some wait for ever: {jobs:?}");
        }
        for job in &self.reference.jobs {
            let held = self.reference.holds.iter();
            let held = held.filter(|hold| job.hold == Some(hold.number));
            let held: Vec<_> = held.map(|hold| hold.code.row().class).collect();
            match job.state {
                JobState::Delivered | JobState::Failed | JobState::Skipped => {}
                JobState::Held => assert!(
                    matches!(held[..], [Class::Hold(probe)] if !mends(probe)),
                    "{job:?} {held:?}"
                ),
                JobState::Waiting | JobState::Delivering => panic!("{job:?} waits for ever"),
            }
        }
        self.real.take()
    }

    /// All that workers and probes do in one; whether there is more to do.
    async fn round(&mut self) -> bool {
        let limit = 1 + self.reference.jobs.len() % 4;
        for destination in 0..DESTINATIONS.len() {
            for user in 0..USERS.len() {
                let lane = (destination, user);
                let (worker, newest) = (user, limit.is_multiple_of(2));
                self.step(Step::Claim {
                    worker,
                    lane,
                    limit,
                    newest,
                })
                .await;
                self.work().await;
            }
        }
        self.step(Step::ClaimAlone { worker: 0 }).await;
        self.work().await;
        for hold in (0..self.reference.holds.len()).rev() {
            let Some(it) = self.reference.holds.get(hold) else {
                continue;
            };
            let number = it.number;
            let holds = self
                .reference
                .jobs
                .iter()
                .any(|job| job.hold == Some(number));
            match it.code.row().class {
                Class::Hold(probe) if !holds || !mends(probe) => {}
                Class::Hold(Probe::Destination | Probe::Template) => {
                    self.step(Step::Mend { hold }).await;
                }
                _ => {
                    self.step(Step::Probe { worker: 0, hold }).await;
                    self.work().await;
                }
            }
        }
        self.step(Step::Wait).await;
        let open = |state| matches!(state, JobState::Waiting | JobState::Delivering);
        let waits = self.reference.jobs.iter().any(|job| open(job.state));
        waits
            || self.reference.holds.iter().any(|hold| {
                let class = hold.code.row().class;
                let holds = self
                    .reference
                    .jobs
                    .iter()
                    .any(|job| job.hold == Some(hold.number));
                holds && !matches!(class, Class::Hold(probe) if !mends(probe))
            })
    }

    /// Each attempt goes on to its end.
    async fn work(&mut self) {
        let steps = 16 * self.attempts.len();
        for _ in 0..steps {
            let last = self.attempts.len().saturating_sub(1);
            self.step(Step::Go { attempt: last }).await;
        }
        assert!(self.attempts.is_empty(), "{:?}", self.attempts);
    }
}

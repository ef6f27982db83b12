//! Plays one world to the reference, and to a real ledger beside it.

use std::time::Duration;

use nbcourier::failure::{Class, Code, Failure};
use nbcourier::job::{Created, JobState, Next, Outcome, Progress, advance};
use nbcourier::ledger::{Act, Claimed, Finished};
use nbcourier::retry::{Paces, RetryPolicy};

use super::dice::Dice;
use super::effects::{Effects, Renamed, Seen};
use super::names::{DESTINATIONS, Key, NOTEBOOKS, Path, RUNS, USERS};
use super::real::{Real, expect_same};
use super::reference::{Claim, Doing, End, Reference, Room};
use super::steps::{Late, Step};

/// After so long a job is given up, milliseconds.
const GIVE_UP: i64 = 2 * 3_600_000;

/// One step of the ramp after an outage, milliseconds.
const RAMP: i64 = 5_000;

/// Between two probes, milliseconds.
const PROBE: i64 = 60_000;

/// More jobs there are not.
pub(super) const MOST_JOBS: usize = 24;

/// Those who lost a job and don't know it yet.
const MOST_GHOSTS: usize = 16;

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Begun,
    Rendering,
    Online,
    Found(Path),
    Recorded(Path),
    Uploaded(Path),
    Stands,
}

/// Somebody at work on a job.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) worker: usize,
    pub(super) claim: Claim,
    pub(super) real: Option<Claimed>,
    pub(super) stage: Stage,
}

/// A small world and all that is known of it.
pub struct World {
    pub(super) dice: Dice,
    pub(super) workers: usize,
    pub(super) reference: Reference,
    pub(super) real: Option<Real>,
    pub(super) effects: Effects,
    pub(super) attempts: Vec<Attempt>,
    ghosts: Vec<Attempt>,
    plans: Vec<Vec<Key>>,
    /// The time by the clock of the worker, which may be set, and the true one.
    pub(super) now: i64,
    pub(super) true_now: i64,
    /// Whether somebody slept while a clock was set, so that ages are wrong.
    pub(super) blurred: bool,
    /// How far the time may be off that the ledger took from its own clock in this step.
    slack: i64,
    pub(super) born: Vec<i64>,
    pub(super) states: Vec<JobState>,
    history: Vec<Step>,
}

impl Drop for World {
    #[allow(clippy::print_stderr, reason = "how it came to a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.history.len().saturating_sub(40);
            for (number, step) in self.history.iter().enumerate().skip(last) {
                eprintln!("{number:4} {step:?}");
            }
        }
    }
}

impl World {
    pub async fn new(seed: u64, workers: usize, mut real: Option<Real>) -> Self {
        let mut dice = Dice::new(seed);
        let mut begun = 1_800_000_000_000;
        if let Some(real) = &mut real {
            real.wipe().await;
            // Later than all that the ledger stamps by itself in the next minutes.
            begun = real.now(0) + 600_000;
        }
        let plans = (0..RUNS).map(|run| plan(&mut dice, run)).collect();
        Self {
            dice,
            workers,
            reference: Reference::default(),
            real,
            effects: Effects::default(),
            attempts: Vec::new(),
            ghosts: Vec::new(),
            plans,
            now: begun,
            true_now: begun,
            blurred: false,
            slack: 0,
            born: Vec::new(),
            states: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Lets so many things happen.
    pub async fn live(&mut self, steps: u64) {
        let mut done = 0;
        // Some find nothing to happen to.
        for _ in 0..steps.saturating_mul(8) {
            let step = Step::any(&mut self.dice);
            if self.step(step).await {
                done += 1;
            }
            if done == steps {
                return;
            }
        }
    }

    /// One step, and all that is promised after it; `false` if there was nothing for it.
    pub(super) async fn step(&mut self, step: Step) -> bool {
        self.history.push(step);
        self.slack = 0;
        if !self.happen(step).await {
            self.history.pop();
            return false;
        }
        if let Some(real) = &mut self.real {
            real.compare(&mut self.reference, self.slack).await;
        }
        self.ask_promises(step);
        true
    }

    async fn happen(&mut self, step: Step) -> bool {
        match step {
            Step::Arrive { run } => self.arrive(run).await,
            Step::Claim {
                worker,
                lane,
                limit,
                newest,
            } => self.claim(worker, lane, (limit, newest)).await,
            Step::ClaimAlone { worker } => self.claim_alone(worker).await,
            Step::Probe { worker, hold } => self.probe(worker, hold).await,
            Step::Go { attempt } => self.with(attempt, What::Go).await,
            Step::Local { attempt } => self.with(attempt, What::Local).await,
            Step::Release { attempt } => self.with(attempt, What::Release).await,
            Step::Fail {
                attempt,
                code,
                retry_after,
            } => self.with(attempt, What::Fail(code, retry_after)).await,
            Step::Late { attempt, what } => self.late(attempt, what).await,
            Step::Crash { worker } => self.crash(worker),
            Step::Restart { worker } => self.restart(worker).await,
            Step::RestartAt { worker, by } => self.restart_at(worker, by).await,
            Step::Expire { worker } => self.expire(worker).await,
            Step::TakeExpired { worker } => self.take_expired(worker).await,
            Step::Renew { worker, without } => self.renew(worker, without).await,
            Step::Mend { hold } => self.mend(hold).await,
            Step::ProbeLater { hold } => self.probe_later(hold).await,
            Step::Return { destination } => self.come_back(destination).await,
            Step::Act { act, run } => self.act(act, run).await,
            Step::Jump { by } => self.jump(by).await,
            Step::Pass { ms } => self.pass(ms),
            Step::Wait => self.wait(),
        }
    }

    /// What holds after every step, whatever it was.
    fn ask_promises(&mut self, step: Step) {
        let retried =
            |run: usize| matches!(step, Step::Act { act: Act::Retry, run: it } if it == run);
        for (number, job) in self.reference.jobs.iter().enumerate() {
            let before = self.states.get(number).copied();
            match before {
                Some(JobState::Delivered) => assert_eq!(job.state, JobState::Delivered, "{job:?}"),
                Some(JobState::Skipped) if !retried(job.key.run) => {
                    assert_eq!(job.state, JobState::Skipped, "skipped is final: {job:?}");
                }
                _ => {}
            }
            if job.state == JobState::Delivered && before != Some(job.state) {
                let path = job
                    .path
                    .unwrap_or_else(|| panic!("delivered nowhere: {job:?}"));
                assert_eq!(self.effects.look(path, job.key), Seen::Ours, "{job:?}");
                assert_eq!(self.effects.count(job.key), 1, "{job:?}");
            }
            if job.state == JobState::Held {
                let mut holds = self.reference.holds.iter();
                let held = holds.any(|hold| job.hold == Some(hold.number));
                assert!(held, "held by nothing: {job:?}");
            }
            assert!(job.attempts >= 0, "{job:?}");
        }
        self.states.clear();
        let states = self.reference.jobs.iter().map(|job| job.state);
        self.states.extend(states);
        let younger = self.reference.jobs.len() - self.born.len();
        self.born
            .extend(std::iter::repeat_n(self.true_now, younger));
    }

    pub(super) fn wall(&self, worker: usize) -> i64 {
        self.real.as_ref().map_or(self.now, |real| real.now(worker))
    }

    pub(super) fn since(&mut self, worker: usize, wall: i64) {
        self.slack = self.wall(worker) - wall;
    }

    async fn arrive(&mut self, run: usize) -> bool {
        let worker = run % self.workers;
        let wall = self.wall(worker);
        if let Some(real) = &mut self.real {
            real.ready(worker, &self.plans[run], self.now).await;
        }
        self.since(worker, wall);
        self.reference.ready(&self.plans[run], self.now, wall);
        for key in &self.plans[run] {
            let jobs = self.reference.jobs.iter();
            let first = jobs.filter(|job| job.key == *key).count();
            assert_eq!(first, 1, "{key:?} is not there once");
        }
        true
    }

    pub(super) async fn claim(
        &mut self,
        worker: usize,
        lane: (usize, usize),
        (limit, newest): (usize, bool),
    ) -> bool {
        let worker = worker % self.workers;
        let how = (limit, newest, RAMP);
        let claims = self.reference.claim(lane, how, (worker, self.now));
        let mut claimed = match &mut self.real {
            Some(real) => real.claim(worker, lane, how, self.now).await,
            None => Vec::new(),
        };
        if self.real.is_some() {
            assert_eq!(claimed.len(), claims.len(), "{claims:?} {claimed:?}");
        }
        claimed.reverse();
        let any = !claims.is_empty();
        for claim in claims {
            let real = claimed.pop();
            self.begin(worker, claim, real);
        }
        // With nothing due there is nothing to see, but it is asked now and then.
        any || self.real.is_some()
    }

    async fn claim_alone(&mut self, worker: usize) -> bool {
        let worker = worker % self.workers;
        let Some(claim) = self.reference.claim_alone(worker, self.now) else {
            return false;
        };
        let real = match &mut self.real {
            Some(real) => real.claim_alone(worker, self.now).await,
            None => None,
        };
        self.begin(worker, claim, real);
        true
    }

    /// The number of a hold, of those that stand.
    pub(super) fn hold(&self, hold: usize) -> Option<usize> {
        let holds = &self.reference.holds;
        Some(holds[hold.checked_rem(holds.len())?].number)
    }

    pub(super) async fn probe(&mut self, worker: usize, hold: usize) -> bool {
        let worker = worker % self.workers;
        let Some(hold) = self.hold(hold) else {
            return false;
        };
        let id = self
            .real
            .as_ref()
            .map(|real| real.hold_id(&self.reference, hold));
        let Some(claim) = self.reference.claim_held(hold, worker, self.now) else {
            return false;
        };
        let real = match (&mut self.real, id) {
            (Some(real), Some(id)) => real.claim_held(worker, id, self.now).await,
            _ => None,
        };
        self.begin(worker, claim, real);
        true
    }

    fn begin(&mut self, worker: usize, claim: Claim, claimed: Option<Claimed>) {
        if let Some(real) = &self.real {
            let claimed = claimed.as_ref().expect("the ledger claims nothing here");
            real.expect_same(&self.reference, &claim, claimed);
        }
        self.attempts.push(Attempt {
            worker,
            claim,
            real: claimed,
            stage: Stage::Begun,
        });
    }

    /// Does something with one attempt.
    async fn with(&mut self, attempt: usize, what: What) -> bool {
        let Some(at) = attempt.checked_rem(self.attempts.len()) else {
            return false;
        };
        let mut attempt = self.attempts.swap_remove(at);
        let goes_on = match what {
            What::Go => self.go(&mut attempt).await,
            What::Local => self.enter(&attempt, Doing::Local).await,
            What::Release => {
                self.finish(&attempt, End::Released, None).await;
                false
            }
            What::Fail(code, retry_after) => {
                self.fail(&attempt, code, retry_after).await;
                false
            }
        };
        match goes_on {
            true => self.attempts.push(attempt),
            false => self.haunt(attempt),
        }
        true
    }

    /// Who ended here may still send something.
    pub(super) fn haunt(&mut self, attempt: Attempt) {
        if self.ghosts.len() == MOST_GHOSTS {
            self.ghosts.remove(0);
        }
        self.ghosts.push(attempt);
    }

    /// The next step of an attempt, as [`nbcourier::deliver`] has them; whether it goes on.
    pub(super) async fn go(&mut self, attempt: &mut Attempt) -> bool {
        let key = self.reference.jobs[attempt.claim.job].key;
        match attempt.stage {
            Stage::Begun => {
                attempt.stage = Stage::Rendering;
                self.enter(attempt, Doing::Local).await
            }
            Stage::Rendering => {
                attempt.stage = Stage::Online;
                self.enter(attempt, Doing::Network).await
            }
            Stage::Online => {
                attempt.stage = self.look(key, &attempt.claim);
                true
            }
            Stage::Found(path) => match self.target(attempt, path).await {
                Room::Full => true,
                Room::Recorded => {
                    attempt.stage = Stage::Recorded(path);
                    true
                }
                Room::Lost => {
                    self.fail(attempt, Code::LeaseLost, None).await;
                    false
                }
            },
            Stage::Recorded(path) => {
                self.effects.upload(key);
                attempt.stage = Stage::Uploaded(path);
                true
            }
            Stage::Uploaded(path) => {
                let code = match self.effects.rename(path, key) {
                    Renamed::Done => {
                        attempt.stage = Stage::Stands;
                        return true;
                    }
                    Renamed::Taken => Code::NameTaken,
                    Renamed::Gone => Code::AnswerLost,
                };
                self.fail(attempt, code, None).await;
                false
            }
            Stage::Stands => {
                self.finish(attempt, End::Delivered, None).await;
                false
            }
        }
    }

    /// The first name that is free or has the notebook already.
    fn look(&self, key: Key, claim: &Claim) -> Stage {
        let notebook = key.notebook;
        let numbered = (1..1000).map(|number| Path { notebook, number });
        for path in claim.path.into_iter().chain(numbered) {
            match self.effects.look(path, key) {
                Seen::Taken => {}
                Seen::Ours => return Stage::Stands,
                Seen::Absent => return Stage::Found(path),
            }
        }
        panic!("a thousand names are taken");
    }

    async fn enter(&mut self, attempt: &Attempt, doing: Doing) -> bool {
        let ours = self.reference.step(&attempt.claim, doing);
        if let (Some(real), Some(claimed)) = (&mut self.real, &attempt.real) {
            let really = real.step(attempt.worker, claimed, doing).await;
            assert_eq!(really, ours, "{attempt:?}");
        }
        ours
    }

    async fn target(&mut self, attempt: &Attempt, path: Path) -> Room {
        let most = self.dice.pick(&[(1, 1), (2, 1), (4, 2)]);
        let room = self.reference.target(&attempt.claim, path, most);
        if let (Some(real), Some(claimed)) = (&mut self.real, &attempt.real) {
            let really = real.target(attempt.worker, claimed, path, most).await;
            assert_eq!(really, room, "{attempt:?}");
        }
        room
    }

    async fn fail(&mut self, attempt: &Attempt, code: Code, retry_after: Option<u64>) {
        let failure = code
            .failure("x")
            .after(retry_after.map(Duration::from_secs));
        let policy = RetryPolicy {
            give_up_after: Duration::from_millis(GIVE_UP.unsigned_abs()),
            ..RetryPolicy::default()
        };
        let outcome = Outcome::Failed(failure.clone());
        let rules = (&policy, &Paces::default());
        let progress = self.progress(attempt).await;
        let next = advance(progress, &outcome, self.now, rules, self.dice.unit());
        self.expect_old(&attempt.claim, code, next);
        let probe = self.now + PROBE;
        let end = End::Failed { code, next, probe };
        self.finish(attempt, end, Some(failure)).await;
    }

    async fn progress(&mut self, attempt: &Attempt) -> Progress {
        let progress = self.reference.progress(&attempt.claim);
        if let (Some(real), Some(claimed)) = (&mut self.real, &attempt.real) {
            let really = real.progress(attempt.worker, claimed).await;
            expect_same(progress, really);
        }
        progress
    }

    /// Nothing is given up before its time by the true clock.
    fn expect_old(&mut self, claim: &Claim, code: Code, next: Next) {
        let aged = next == Next::Fail && code.row().class != Class::GiveUp;
        if aged && !self.blurred && self.real.is_none() && self.reference.ours(claim).is_some() {
            let age = self.true_now - self.born[claim.job];
            assert!(age >= GIVE_UP, "given up after {} s: {claim:?}", age / 1000);
        }
    }

    async fn finish(&mut self, attempt: &Attempt, end: End, failure: Option<Failure>) {
        self.reference.finish(&attempt.claim, end, self.now);
        if let (Some(real), Some(claimed)) = (&mut self.real, &attempt.real) {
            let end = finished(end, failure);
            real.finish(attempt.worker, claimed, &end, self.now).await;
        }
    }

    /// What who lost a job does nevertheless: the ledger stays as it is.
    async fn late(&mut self, attempt: usize, what: Late) -> bool {
        let Some(at) = attempt.checked_rem(self.ghosts.len()) else {
            return false;
        };
        let attempt = self.ghosts[at].clone();
        if self.reference.ours(&attempt.claim).is_some() {
            return false;
        }
        let before = self.reference.clone();
        let key = self.reference.jobs[attempt.claim.job].key;
        match (what, attempt.stage) {
            (Late::Step, _) => {
                self.enter(&attempt, Doing::Network).await;
            }
            (Late::Target, _) => {
                let number = 1;
                let notebook = key.notebook;
                let path = Path { notebook, number };
                assert_ne!(self.target(&attempt, path).await, Room::Recorded);
            }
            (Late::Place, Stage::Uploaded(path)) => {
                self.effects.rename(path, key);
            }
            (Late::Place, _) => return false,
            (Late::Delivered, _) => self.finish(&attempt, End::Delivered, None).await,
            (Late::Failed, _) => {
                let code = self.dice.pick(Code::ALL);
                self.fail(&attempt, code, None).await;
            }
            (Late::Released, _) => self.finish(&attempt, End::Released, None).await,
        }
        assert_eq!(self.reference, before, "{attempt:?}");
        true
    }
}

/// What is done with an attempt.
#[derive(Clone, Copy, Debug)]
enum What {
    Go,
    Local,
    Release,
    Fail(Code, Option<u64>),
}

fn plan(dice: &mut Dice, run: usize) -> Vec<Key> {
    let mut jobs = Vec::new();
    let count = 1 + dice.below(3);
    let pick = |dice: &mut Dice, names: &[&str]| {
        let numbers: Vec<usize> = (0..names.len()).collect();
        dice.pick(&numbers)
    };
    for _ in 0..count {
        let key = Key {
            run,
            notebook: pick(dice, &NOTEBOOKS),
            destination: pick(dice, &DESTINATIONS),
            user: pick(dice, &USERS),
            generation: 1,
        };
        if !jobs.contains(&key) {
            jobs.push(key);
        }
    }
    jobs
}

fn finished(end: End, failure: Option<Failure>) -> Finished {
    match (end, failure) {
        (End::Failed { next, probe, .. }, Some(failure)) => Finished::Failed {
            failure,
            next,
            probe_at: probe,
        },
        (End::Delivered, _) => Finished::Delivered {
            outcome: Created::Created,
            url: None,
        },
        _ => Finished::Released,
    }
}

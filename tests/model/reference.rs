//! What a ledger has to do, in plain words over a list of jobs: the reference that the real one is
//! compared with. It shares nothing with the real one but the table of failure codes and
//! [`nbcourier::job::advance`], whose decision it is given.

use nbcourier::failure::{Class, Code, Pace, Scope};
use nbcourier::job::{JobState, Next, Progress};
use nbcourier::ledger::Act;

use super::names::{Key, Path};

/// No wait survives a restart that is longer, milliseconds.
const DAY: i64 = 86_400_000;

/// What a job is doing while it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Local,
    Network,
    Create,
}

/// A job; its number is its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub key: Key,
    pub state: JobState,
    pub attempts: i64,
    pub created: i64,
    pub due: i64,
    pub excused: i64,
    pub path: Option<Path>,
    /// The number of the hold that holds it, or that its attempt probes.
    pub hold: Option<usize>,
    pub held: i64,
    pub code: Option<Code>,
    pub doing: Option<Doing>,
    pub crashes: i64,
    pub epoch: i64,
    pub owner: usize,
    /// Whether its lease has ended.
    pub expired: bool,
    /// Whether just now any hold that concerns it could have been put on it.
    pub any_hold: bool,
}

/// A hold; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub number: usize,
    pub code: Code,
    pub concerns: Concerns,
    pub probe: i64,
}

/// Whom a hold concerns; `None` is everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concerns {
    pub job: Option<usize>,
    pub destination: Option<usize>,
    pub user: Option<usize>,
    pub notebook: Option<usize>,
}

/// A claim that somebody made once.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub job: usize,
    pub epoch: i64,
    pub probes: Option<usize>,
    pub path: Option<Path>,
    pub progress: Progress,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Delivered,
    Failed { code: Code, next: Next, probe: i64 },
    Released,
}

/// Whether a notebook may be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Recorded,
    Full,
    Lost,
}

/// The whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub jobs: Vec<Job>,
    pub holds: Vec<Hold>,
    next_hold: usize,
    /// Destinations in trouble, and those that came back, with the time.
    troubled: Vec<usize>,
    returned: Vec<(usize, i64)>,
}

impl Job {
    fn progress(&self) -> Progress {
        Progress {
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            created_at: self.created,
            excused_ms: self.excused,
        }
    }
}

impl Concerns {
    fn of(job: usize, key: Key, scope: Scope) -> Self {
        let hub = matches!(scope, Scope::User | Scope::Destination);
        Self {
            job: (scope == Scope::Job).then_some(job),
            destination: hub.then_some(key.destination),
            user: (scope == Scope::User).then_some(key.user),
            notebook: (scope == Scope::Notebook).then_some(key.notebook),
        }
    }

    pub fn includes(&self, job: usize, key: Key) -> bool {
        self.job.is_none_or(|it| it == job)
            && self.destination.is_none_or(|it| it == key.destination)
            && self.user.is_none_or(|it| it == key.user)
            && self.notebook.is_none_or(|it| it == key.notebook)
    }
}

impl Reference {
    /// A complete run has each of its planned jobs once, however often it is reported.
    pub fn ready(&mut self, planned: &[Key], now: i64, wall: i64) {
        let mut fresh = false;
        for key in planned {
            if !self.jobs.iter().any(|job| job.key.is_kin(*key)) {
                self.add(*key, now);
                fresh = true;
            }
        }
        if fresh {
            self.hold_waiting(wall);
        }
    }

    fn add(&mut self, key: Key, now: i64) {
        self.jobs.push(Job {
            key,
            state: JobState::Waiting,
            attempts: 0,
            created: now,
            due: now,
            excused: 0,
            path: None,
            hold: None,
            held: 0,
            code: None,
            doing: None,
            crashes: 0,
            epoch: 0,
            owner: 0,
            expired: false,
            any_hold: false,
        });
    }

    pub fn waiting(&self) -> impl Iterator<Item = (usize, &Job)> {
        let all = self.jobs.iter().enumerate();
        all.filter(|(_, job)| job.state == JobState::Waiting)
    }

    /// Due jobs of a lane from both ends of its queue, as many as are admitted, and none that must
    /// be alone.
    pub fn claim(
        &mut self,
        (destination, user): (usize, usize),
        (limit, newest, ramp): (usize, bool, i64),
        (owner, now): (usize, i64),
    ) -> Vec<Claim> {
        let here = |job: &Job| (job.key.destination, job.key.user) == (destination, user);
        let due = self.waiting().filter(|(_, job)| job.due <= now);
        let due = due.filter(|(_, job)| here(job) && job.crashes < 3);
        let mut queue: Vec<_> = due.map(|(number, job)| (job.due, number)).collect();
        queue.sort_unstable();
        let admitted = self.admitted((destination, user), (limit, ramp), now);
        let take = admitted.min(queue.len());
        let young = (admitted + usize::from(newest)) / 2;
        let young = young.min(take);
        let mut numbers: Vec<usize> = queue[queue.len() - young..].iter().map(|it| it.1).collect();
        numbers.extend(queue.iter().take(take - young).map(|it| it.1));
        numbers.sort_unstable();
        let claims = numbers.into_iter().map(|job| self.take(job, owner));
        claims.collect()
    }

    /// Of a lane at most `limit` are on their way, of a destination in trouble one, and after its
    /// return twice as many after each step of the ramp.
    fn admitted(
        &self,
        (destination, user): (usize, usize),
        (limit, ramp): (usize, i64),
        now: i64,
    ) -> usize {
        let on_way = self
            .jobs
            .iter()
            .filter(|job| job.state == JobState::Delivering && job.key.destination == destination);
        let all = on_way.clone().count();
        let of_user = on_way.filter(|job| job.key.user == user).count();
        let since = self.returned.iter().find(|(at, _)| *at == destination);
        let at_once = match since {
            _ if self.troubled.contains(&destination) => 1,
            Some((_, at)) if now - at < 10 * ramp => 1 << ((now - at).max(0) / ramp),
            _ => usize::MAX,
        };
        let of_lane = limit.saturating_sub(of_user);
        of_lane.min(at_once.saturating_sub(all))
    }

    /// The first due job that must be alone.
    pub fn claim_alone(&mut self, owner: usize, now: i64) -> Option<Claim> {
        let is_due = |job: &Job| job.state == JobState::Waiting && job.due <= now;
        let alone = |job: &Job| is_due(job) && job.crashes >= 3;
        let first = self.jobs.iter().position(alone)?;
        Some(self.take(first, owner))
    }

    /// The first job of a hold; the time that it was held doesn't age it.
    pub fn claim_held(&mut self, hold: usize, owner: usize, now: i64) -> Option<Claim> {
        let is_first = |job: &Job| job.state == JobState::Held && job.hold == Some(hold);
        let first = self.jobs.iter().position(is_first)?;
        let job = &mut self.jobs[first];
        job.excused += now - job.held;
        Some(self.take(first, owner))
    }

    fn take(&mut self, number: usize, owner: usize) -> Claim {
        let job = &mut self.jobs[number];
        job.state = JobState::Delivering;
        job.attempts += 1;
        job.epoch += 1;
        job.doing = Some(Doing::Local);
        (job.owner, job.expired) = (owner, false);
        Claim {
            job: number,
            epoch: job.epoch,
            probes: job.hold,
            path: job.path,
            progress: job.progress(),
        }
    }

    /// How old a job is now, by whoever claimed it.
    pub fn progress(&self, claim: &Claim) -> Progress {
        self.jobs[claim.job].progress()
    }

    /// The job of a claim, if nobody took it away since.
    pub fn ours(&mut self, claim: &Claim) -> Option<&mut Job> {
        let job = &mut self.jobs[claim.job];
        let ours = job.state == JobState::Delivering && job.epoch == claim.epoch;
        ours.then_some(job)
    }

    /// Who waits for others has rendered: it is not to blame for earlier crashes.
    pub fn step(&mut self, claim: &Claim, doing: Doing) -> bool {
        let Some(job) = self.ours(claim) else {
            return false;
        };
        job.doing = Some(doing);
        if doing == Doing::Network {
            job.crashes = 0;
        }
        true
    }

    /// Where the notebook is about to be created, unless too many are at it.
    pub fn target(&mut self, claim: &Claim, path: Path, most: (usize, usize)) -> Room {
        let key = self.jobs[claim.job].key;
        let others = self.jobs.iter().enumerate().filter(|(number, job)| {
            *number != claim.job
                && (job.state, job.doing) == (JobState::Delivering, Some(Doing::Create))
                && job.key.destination == key.destination
        });
        let of_user = others.clone().filter(|(_, job)| job.key.user == key.user);
        if others.count() >= most.0 || of_user.count() >= most.1 {
            return Room::Full;
        }
        let Some(job) = self.ours(claim) else {
            return Room::Lost;
        };
        (job.path, job.doing) = (Some(path), Some(Doing::Create));
        Room::Recorded
    }

    /// What an attempt came to.
    pub fn finish(&mut self, claim: &Claim, end: End, now: i64) {
        let Some(job) = self.ours(claim) else {
            return;
        };
        match end {
            End::Delivered => self.delivered(claim, now),
            End::Failed { code, next, probe } => self.failed(claim, (code, next, probe), now),
            End::Released => {
                (job.state, job.hold) = (JobState::Waiting, None);
                job.attempts -= 1;
            }
        }
    }

    /// What a success shows to be gone holds nobody up any more.
    fn delivered(&mut self, claim: &Claim, now: i64) {
        let job = &mut self.jobs[claim.job];
        (job.state, job.hold, job.code) = (JobState::Delivered, None, None);
        job.crashes = 0;
        let key = job.key;
        let gone = self.holds.iter();
        let gone = gone.filter(|hold| hold.concerns.includes(claim.job, key));
        for hold in gone.map(|hold| hold.number).collect::<Vec<_>>() {
            self.release(hold, now);
        }
        self.come_back(key.destination, now);
        let lane = |job: &Job| (job.key.destination, job.key.user) == (key.destination, key.user);
        self.hurry(Scope::User, lane, now);
    }

    fn failed(&mut self, claim: &Claim, (code, next, probe): (Code, Next, i64), now: i64) {
        let key = self.jobs[claim.job].key;
        let concerns = Concerns::of(claim.job, key, code.row().scope);
        let job = &mut self.jobs[claim.job];
        (job.crashes, job.code, job.hold, job.due) = (0, Some(code), None, now);
        match next {
            Next::Wait { at, excused } => {
                (job.state, job.due) = (JobState::Waiting, at);
                job.excused += if excused { at - now } else { 0 };
            }
            Next::Hold => {
                (job.state, job.held) = (JobState::Held, now);
                self.jobs[claim.job].hold = Some(self.open(code, concerns, probe));
            }
            _ => job.state = JobState::Failed,
        }
        // It has met something else than what it was to probe; so will those.
        if claim.probes != self.jobs[claim.job].hold
            && let Some(probed) = claim.probes
        {
            self.release(probed, now);
        }
        match next {
            Next::Wait { at, excused } => self.postpone(concerns, code, (at, excused), now),
            Next::Hold => self.hold_waiting(now),
            _ => {}
        }
    }

    /// What one learned of its destination or user, the others needn't try before it does again.
    fn postpone(&mut self, of: Concerns, code: Code, (at, excused): (i64, bool), now: i64) {
        let Some(destination) = of.destination else {
            return;
        };
        if excused && of.user.is_none() {
            self.returned.retain(|(back, _)| *back != destination);
            self.troubled.push(destination);
        }
        for (number, job) in self.jobs.iter_mut().enumerate() {
            let waits = job.state == JobState::Waiting && of.includes(number, job.key);
            if waits && job.due < at {
                job.excused += if excused { at - job.due.max(now) } else { 0 };
                (job.due, job.code) = (at, Some(code));
            }
        }
    }

    /// There is one hold of a cause, for the same ones.
    fn open(&mut self, code: Code, concerns: Concerns, probe: i64) -> usize {
        let same = |hold: &&mut Hold| hold.code == code && hold.concerns == concerns;
        if let Some(hold) = self.holds.iter_mut().find(same) {
            hold.probe = probe;
            return hold.number;
        }
        self.next_hold += 1;
        self.holds.push(Hold {
            number: self.next_hold,
            code,
            concerns,
            probe,
        });
        self.next_hold
    }

    /// Whoever waits and is concerned by a hold is held, by any of those.
    fn hold_waiting(&mut self, now: i64) {
        for (number, job) in self.jobs.iter_mut().enumerate() {
            let mut holds = self.holds.iter();
            let concerns = |hold: &&Hold| hold.concerns.includes(number, job.key);
            if job.state == JobState::Waiting
                && let Some(hold) = holds.find(concerns)
            {
                (job.state, job.held) = (JobState::Held, now);
                (job.hold, job.code) = (Some(hold.number), Some(hold.code));
                job.any_hold = true;
            }
        }
    }

    /// A cause is gone: all that it held is due, and no older for it.
    pub fn release(&mut self, hold: usize, now: i64) {
        for job in &mut self.jobs {
            if job.state == JobState::Held && job.hold == Some(hold) {
                (job.state, job.hold, job.due) = (JobState::Waiting, None, now);
                job.crashes = 0;
                job.excused += now - job.held;
            }
        }
        self.holds.retain(|it| it.number != hold);
    }

    pub fn probe_later(&mut self, hold: usize, at: i64) {
        let mut holds = self.holds.iter_mut();
        if let Some(hold) = holds.find(|it| it.number == hold) {
            hold.probe = at;
        }
    }

    /// A destination that was in trouble answers.
    pub fn come_back(&mut self, destination: usize, now: i64) {
        if self.troubled.contains(&destination) {
            self.troubled.retain(|it| *it != destination);
            self.returned.push((destination, now));
            let there = |job: &Job| job.key.destination == destination;
            self.hurry(Scope::Destination, there, now);
        }
    }

    /// Who waits for an outage of this scope to end waits no longer.
    fn hurry(&mut self, scope: Scope, concerned: impl Fn(&Job) -> bool, now: i64) {
        for job in self.jobs.iter_mut().filter(|job| concerned(job)) {
            let row = job.code.map(Code::row);
            let outage = row
                .is_some_and(|row| row.class == Class::Retry(Pace::Outage) && row.scope == scope);
            if outage && job.state == JobState::Waiting {
                job.due = job.due.min(now);
            }
        }
    }

    /// Whoever renews gives back what it doesn't name.
    pub fn renew(&mut self, owner: usize, named: &[(usize, i64)]) -> Vec<(usize, i64)> {
        let mut kept = Vec::new();
        for (number, job) in self.jobs.iter_mut().enumerate() {
            if job.state != JobState::Delivering || job.owner != owner {
                continue;
            }
            match named.contains(&(number, job.epoch)) {
                true => {
                    job.expired = false;
                    kept.push((number, job.epoch));
                }
                false => give_back(job),
            }
        }
        kept
    }

    /// A worker has started: nobody works on what was its own.
    pub fn take_back(&mut self, owner: usize, wall: i64) {
        self.renew(owner, &[]);
        for hold in &mut self.holds {
            if hold.code != Code::Poison {
                hold.probe = 0;
            }
        }
        for job in &mut self.jobs {
            if job.state == JobState::Waiting && job.due > wall + DAY {
                job.due = wall;
            }
        }
        self.hold_poisonous(wall);
    }

    pub fn take_expired(&mut self, wall: i64) -> u64 {
        let mut taken = 0;
        for job in &mut self.jobs {
            if job.state == JobState::Delivering && job.expired {
                give_back(job);
                taken += 1;
            }
        }
        if taken > 0 {
            self.hold_poisonous(wall);
        }
        taken
    }

    fn hold_poisonous(&mut self, wall: i64) {
        let poisonous = self.waiting().filter(|(_, job)| job.crashes >= 5);
        let poisonous: Vec<_> = poisonous.map(|(number, job)| (number, job.key)).collect();
        for (number, key) in &poisonous {
            let concerns = Concerns {
                job: Some(*number),
                notebook: Some(key.notebook),
                ..Concerns::default()
            };
            self.open(Code::Poison, concerns, i64::MAX);
        }
        if !poisonous.is_empty() {
            self.hold_waiting(wall);
        }
    }

    /// What a person says, of a whole run; how many jobs it changed.
    pub fn act(&mut self, act: Act, run: usize, wall: i64) -> u64 {
        let mut changed = 0;
        for number in 0..self.jobs.len() {
            let job = self.jobs[number];
            if job.key.run == run && self.act_on(act, number, wall) {
                changed += 1;
            }
        }
        let jobs = &self.jobs;
        let used = |hold: &Hold| jobs.iter().any(|job| job.hold == Some(hold.number));
        self.holds.retain(used);
        changed
    }

    fn act_on(&mut self, act: Act, number: usize, wall: i64) -> bool {
        use JobState::{Delivered, Delivering, Failed, Skipped, Waiting};
        let is_newest = !self.jobs.iter().any(|other| {
            let key = self.jobs[number].key;
            other.key.is_kin(key) && other.key.generation > key.generation
        });
        let job = &mut self.jobs[number];
        let over = matches!(job.state, Delivered | Failed | Skipped);
        match act {
            Act::Retry if !matches!(job.state, Delivered | Delivering) => {
                if job.state != Waiting {
                    job.excused = wall - job.created;
                }
                (job.state, job.hold, job.due) = (Waiting, None, wall);
                job.crashes = 0;
                true
            }
            Act::Fresh if over && is_newest => {
                let mut key = job.key;
                key.generation += 1;
                self.add(key, wall);
                true
            }
            Act::Skip if !matches!(job.state, Delivered | Skipped) => {
                (job.state, job.hold) = (Skipped, None);
                true
            }
            _ => false,
        }
    }

    /// The clock was set, and nothing is older or due sooner for it.
    pub fn shift(&mut self, by: i64) {
        for job in &mut self.jobs {
            match job.state {
                JobState::Waiting | JobState::Delivering => job.due += by,
                JobState::Held => job.held += by,
                _ => continue,
            }
            job.excused += by;
        }
        for hold in &mut self.holds {
            if (1..=9_000_000_000_000).contains(&hold.probe) {
                hold.probe += by;
            }
        }
        for (_, at) in &mut self.returned {
            *at += by;
        }
    }
}

/// Nobody works on it; whoever was at work on this machine may have ended because of it.
fn give_back(job: &mut Job) {
    job.crashes += i64::from(job.doing == Some(Doing::Local));
    (job.state, job.hold, job.doing) = (JobState::Waiting, None, None);
}

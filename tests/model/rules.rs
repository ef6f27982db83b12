//! The second half of the reference: what attempts come to, what holds and outages do to others,
//! restarts, and what people say.

use nbcourier::failure::{Class, Code, Pace, Scope};
use nbcourier::job::{JobState, Next};
use nbcourier::ledger::Act;

use super::reference::{Claim, Concerns, Doing, End, Hold, Job, Reference};

/// No wait survives a restart that is longer, milliseconds.
const DAY: i64 = 86_400_000;

impl Reference {
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
    pub(super) fn hold_waiting(&mut self, now: i64) {
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

//! What a ledger has to do, in plain words over a list of jobs: the reference that the real one is
//! compared with. It shares nothing with the real one but the table of failure codes and
//! [`nbcourier::job::advance`], whose decision it is given.

use nbcourier::failure::{Code, Scope};
use nbcourier::job::{JobState, Next, Progress};

use super::names::{Key, Path};

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
    pub(super) next_hold: usize,
    /// Destinations in trouble, and those that came back, with the time.
    pub(super) troubled: Vec<usize>,
    pub(super) returned: Vec<(usize, i64)>,
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
    pub(super) fn of(job: usize, key: Key, scope: Scope) -> Self {
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

    pub(super) fn add(&mut self, key: Key, now: i64) {
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
        job.doing = None;
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
}

//! The same to a real ledger, and whether it looks like the reference afterwards.

use nbcourier::failure::Code;
use nbcourier::job::{JobState, Progress};
use nbcourier::ledger::{Act, Claimed, Finished, Ledger, ReadyRun, Step, Target};
use nbcourier::run::Parameters;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::names::{DESTINATIONS, Key, NOTEBOOKS, Path, USERS, WATCH, run_name};
use super::reference::{Claim, Concerns, Doing, Hold, Job, Reference, Room};

const JOBS: &str = "SELECT r.name, r.id AS run_id, j.*, h.id AS held_by \
    FROM jobs j JOIN runs r ON r.id = j.run \
    LEFT JOIN holds h ON h.id = j.hold AND j.state = 'held' ORDER BY j.id";

/// A real ledger, opened by each worker, and a connection past it.
pub struct Real {
    ledgers: Vec<Ledger>,
    pool: AnyPool,
    /// The numbers that it has for the jobs, the holds and the runs.
    jobs: Vec<i64>,
    holds: Vec<(i64, Hold)>,
    runs: Vec<(String, i64)>,
}

impl Real {
    pub async fn new(ledgers: Vec<Ledger>, url: &str) -> Self {
        Self {
            ledgers,
            pool: AnyPool::connect(url).await.expect("a connection"),
            jobs: Vec::new(),
            holds: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Begins anew.
    pub async fn wipe(&mut self) {
        for table in [
            "jobs",
            "requests",
            "events",
            "runs",
            "holds",
            "destinations",
        ] {
            self.sql(format!("DELETE FROM {table}")).await;
        }
        self.jobs.clear();
        self.holds.clear();
        self.runs.clear();
    }

    async fn sql(&self, sql: String) {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        query.execute(&self.pool).await.expect("done");
    }

    /// Now, by the ledger.
    pub fn now(&self, worker: usize) -> i64 {
        self.ledgers[worker].now()
    }

    pub async fn close(self) {
        self.pool.close().await;
        for ledger in self.ledgers {
            ledger.close().await;
        }
    }

    pub(super) async fn ready(&mut self, worker: usize, planned: &[Key], now: i64) {
        let run = ReadyRun {
            watch: WATCH.into(),
            name: run_name(planned[0].run),
            incarnation: None,
            path: "/data".into(),
            seen_at: now,
            ready_at: now,
            parameters: Parameters::new(),
            sources: [].into(),
            digest: None,
            identity: None,
            jobs: planned.iter().map(|key| key.planned()).collect(),
            asked: None,
            limit: None,
            request: None,
        };
        let done = self.ledgers[worker].ready(&[run]).await;
        done.expect("recorded");
    }

    pub(super) async fn claim(
        &mut self,
        worker: usize,
        (destination, user): (usize, usize),
        how: (usize, bool, i64),
        now: i64,
    ) -> Vec<Claimed> {
        let lane = (DESTINATIONS[destination], USERS[user]);
        let claimed = self.ledgers[worker].claim(lane, how, now).await;
        claimed.expect("claimed")
    }

    pub(super) async fn claim_alone(&mut self, worker: usize, now: i64) -> Option<Claimed> {
        let claimed = self.ledgers[worker].claim_alone(now).await;
        claimed.expect("claimed")
    }

    pub(super) async fn claim_held(
        &mut self,
        worker: usize,
        hold: i64,
        now: i64,
    ) -> Option<Claimed> {
        let claimed = self.ledgers[worker].claim_held(hold, now).await;
        claimed.expect("claimed")
    }

    pub(super) async fn step(&mut self, worker: usize, job: &Claimed, doing: Doing) -> bool {
        let step = match doing {
            Doing::Local => Step::Local,
            _ => Step::Network,
        };
        let done = self.ledgers[worker].step(job, step).await;
        done.expect("recorded")
    }

    pub(super) async fn target(
        &mut self,
        worker: usize,
        job: &Claimed,
        path: Path,
        most: (usize, usize),
    ) -> Room {
        let path = path.to_string();
        let ledger = &self.ledgers[worker];
        let done = ledger.record_target(job, &path, ("t", "s"), most).await;
        match done.expect("recorded") {
            Target::Recorded => Room::Recorded,
            Target::Full => Room::Full,
            Target::Lost => Room::Lost,
        }
    }

    pub(super) async fn finish(&mut self, worker: usize, job: &Claimed, end: &Finished, now: i64) {
        let done = self.ledgers[worker].finish(job, end, now).await;
        done.expect("recorded");
    }

    pub(super) async fn progress(&mut self, worker: usize, job: &Claimed) -> Progress {
        let progress = self.ledgers[worker].progress(job).await;
        progress.expect("read")
    }

    pub(super) async fn take_back(&mut self, worker: usize) {
        self.ledgers[worker].take_back().await.expect("taken back");
    }

    pub(super) async fn take_expired(&mut self, worker: usize) -> u64 {
        let taken = self.ledgers[worker].take_expired().await;
        taken.expect("taken over")
    }

    /// The leases of a worker end; where there is but one it has none.
    pub(super) async fn expire(&mut self, worker: usize) {
        let sql = "UPDATE jobs SET lease_until = 0 WHERE state = 'delivering' AND owner = ";
        self.sql(format!("{sql}'{}'", owner(worker))).await;
    }

    pub(super) async fn renew(
        &mut self,
        worker: usize,
        named: &[(usize, i64)],
    ) -> Vec<(usize, i64)> {
        let claim = |(job, epoch): &(usize, i64)| (self.jobs[*job], *epoch);
        let named: Vec<_> = named.iter().map(claim).collect();
        let kept = self.ledgers[worker].renew(&named).await.expect("renewed");
        let number = |(id, epoch): (i64, i64)| {
            let number = self.jobs.iter().position(|it| *it == id);
            (number.expect("a known job"), epoch)
        };
        let mut kept: Vec<_> = kept.into_iter().map(number).collect();
        kept.sort_unstable();
        kept
    }

    pub(super) async fn release(&mut self, hold: i64, now: i64) {
        let done = self.ledgers[0].release(hold, now).await;
        done.expect("released");
    }

    pub(super) async fn probe_later(&mut self, hold: i64, at: i64) {
        let done = self.ledgers[0].probe_later(hold, at).await;
        done.expect("planned");
    }

    pub(super) async fn returned(&mut self, destination: usize, now: i64) {
        let name = DESTINATIONS[destination];
        let done = self.ledgers[0].returned(name, now).await;
        done.expect("hurried");
    }

    /// How many jobs it changed and left.
    pub(super) async fn act(&mut self, act: Act, run: usize) -> (u64, u64) {
        let name = run_name(run);
        let mut runs = self.runs.iter();
        let (_, id) = runs.find(|(it, _)| *it == name).expect("a known run");
        let me = "uid 0".to_owned();
        let acted = self.ledgers[0].act(act, (&[*id], None), &me).await;
        let acted = acted.expect("acted");
        (acted.changed, acted.unchanged)
    }

    pub(super) async fn shift(&mut self, by: i64) {
        self.ledgers[0].shift(by).await.expect("shifted");
    }

    /// The ledger's number of a hold.
    pub(super) fn hold_id(&self, reference: &Reference, number: usize) -> i64 {
        let holds = reference.holds.iter();
        let mut same = holds.filter(|hold| hold.number == number);
        let hold = same.next().expect("a hold that stands");
        let same = |(_, it): &&(i64, Hold)| (it.code, it.concerns) == (hold.code, hold.concerns);
        let found = self.holds.iter().find(same);
        found.expect("a hold that stands there too").0
    }

    /// Whether a claim says the same as the reference's.
    pub(super) fn expect_same(&self, reference: &Reference, claim: &Claim, claimed: &Claimed) {
        assert_eq!(self.jobs[claim.job], claimed.id, "{claim:?} {claimed:?}");
        assert_eq!(claim.epoch, claimed.epoch, "{claimed:?}");
        let path = claim.path.map(|path| path.to_string());
        assert_eq!(path, claimed.path, "{claimed:?}");
        expect_same(claim.progress, claimed.progress);
        let probes = claim.probes.map(|hold| self.hold_id(reference, hold));
        assert_eq!(probes, claimed.probes, "{claimed:?}");
    }

    /// Compares all jobs and holds; times that the ledger took from its own clock, which are later
    /// by at most `slack`, go over to the reference.
    pub(super) async fn compare(&mut self, reference: &mut Reference, slack: i64) {
        let query = sqlx::query(JOBS).fetch_all(&self.pool);
        let rows = query.await.expect("jobs");
        self.jobs = rows.iter().map(|row| row.get("id")).collect();
        self.runs = rows
            .iter()
            .map(|row| (row.get("name"), row.get("run_id")))
            .collect();
        self.compare_holds(reference).await;
        assert_eq!(rows.len(), reference.jobs.len(), "jobs");
        for (number, row) in rows.iter().enumerate() {
            let hold: Option<i64> = row.get("held_by");
            let hold = hold.and_then(|id| self.holds.iter().find(|(it, _)| *it == id));
            let hold = hold.map(|(_, hold)| hold.number);
            let theirs = job(row, hold);
            let ours = &mut reference.jobs[number];
            adopt(ours, &theirs, (&reference.holds, number), slack);
            assert_eq!(
                told(ours),
                told(&theirs),
                "job {number}: {ours:?}\n{theirs:?}"
            );
        }
    }

    /// Each hold gets the number that the reference has for it.
    async fn compare_holds(&mut self, reference: &Reference) {
        let query = sqlx::query("SELECT * FROM holds ORDER BY id");
        let rows = query.fetch_all(&self.pool).await.expect("holds");
        self.holds = rows
            .iter()
            .map(|row| (row.get("id"), hold(row, &self.jobs)))
            .collect();
        for (_, hold) in &mut self.holds {
            let mut same = reference.holds.iter().filter(|it| {
                (it.code, it.concerns, it.probe) == (hold.code, hold.concerns, hold.probe)
            });
            let same = same.next();
            hold.number = same
                .unwrap_or_else(|| panic!("{hold:?}: {:?}", reference.holds))
                .number;
        }
        assert_eq!(
            self.holds.len(),
            reference.holds.len(),
            "{:?} {:?}",
            self.holds,
            reference.holds
        );
    }
}

/// Whether both say the same of a job's age.
pub(super) fn expect_same(ours: Progress, theirs: Progress) {
    assert_eq!(ours.attempts, theirs.attempts, "{ours:?} {theirs:?}");
    assert_eq!(ours.created_at, theirs.created_at, "{ours:?} {theirs:?}");
    assert_eq!(ours.excused_ms, theirs.excused_ms, "{ours:?} {theirs:?}");
}

/// What a worker is called.
pub fn owner(worker: usize) -> String {
    format!("worker {worker}")
}

/// All of a job that must be the same. What a job that nobody delivers did last is nothing to
/// anybody, nor when it was held.
fn told(job: &Job) -> Job {
    let on_way = job.state == JobState::Delivering;
    let is_held = job.state == JobState::Held;
    Job {
        doing: job.doing.filter(|_| on_way),
        hold: job.hold.filter(|_| is_held),
        held: if is_held { job.held } else { 0 },
        owner: 0,
        expired: false,
        any_hold: false,
        ..*job
    }
}

/// Takes over what the ledger was free to choose: its own time, and one of several holds.
fn adopt(ours: &mut Job, theirs: &Job, (holds, number): (&[Hold], usize), slack: i64) {
    let near = |at: &mut i64, there: i64| {
        if (*at..=*at + slack).contains(&there) {
            *at = there;
        }
    };
    near(&mut ours.due, theirs.due);
    near(&mut ours.created, theirs.created);
    near(&mut ours.excused, theirs.excused);
    if theirs.state == JobState::Held {
        near(&mut ours.held, theirs.held);
    }
    let mut holds = holds.iter();
    let concerns =
        |hold: &&Hold| theirs.hold == Some(hold.number) && hold.concerns.includes(number, ours.key);
    if ours.any_hold
        && let Some(hold) = holds.find(concerns)
    {
        (ours.hold, ours.code) = (Some(hold.number), Some(hold.code));
    }
    ours.any_hold = false;
}

fn job(row: &AnyRow, hold: Option<usize>) -> Job {
    let name: &str = row.get("name");
    let state: &str = row.get("state");
    let states = JobState::ALL.iter();
    let path: Option<&str> = row.get("path");
    let code: Option<&str> = row.get("failure_code");
    let step: Option<&str> = row.get("step");
    Job {
        key: Key {
            run: name.trim_start_matches("run_").parse().expect("a run"),
            notebook: place(&NOTEBOOKS, row.get("notebook")),
            destination: place(&DESTINATIONS, row.get("destination")),
            user: place(&USERS, row.get("username")),
            generation: row.get("generation"),
        },
        state: *states
            .clone()
            .find(|it| it.as_str() == state)
            .expect("a state"),
        attempts: row.get("attempts"),
        created: row.get("created_at"),
        due: row.get("next_attempt_at"),
        excused: row.get("excused_ms"),
        path: path.map(path_of),
        hold,
        held: row.get::<Option<i64>, _>("held_at").unwrap_or(0),
        code: code.map(|name| Code::from_name(name).expect("a code")),
        doing: step.map(|step| match step {
            "local" => Doing::Local,
            "network" => Doing::Network,
            _ => Doing::Create,
        }),
        crashes: row.get("crashes"),
        epoch: row.get("epoch"),
        owner: 0,
        expired: false,
        any_hold: false,
    }
}

fn hold(row: &AnyRow, jobs: &[i64]) -> Hold {
    let of = |names: &[&str], column: &str| {
        let name: Option<&str> = row.get(column);
        name.map(|name| place(names, name))
    };
    let job: Option<i64> = row.get("job");
    Hold {
        number: 0,
        code: Code::from_name(row.get("code")).expect("a code"),
        concerns: Concerns {
            job: job.map(|id| jobs.iter().position(|it| *it == id).expect("a known job")),
            destination: of(&DESTINATIONS, "destination"),
            user: of(&USERS, "username"),
            notebook: of(&NOTEBOOKS, "notebook"),
        },
        probe: row.get("next_probe_at"),
    }
}

fn place(names: &[&str], name: &str) -> usize {
    let at = names.iter().position(|it| *it == name);
    at.expect("a known name")
}

fn path_of(text: &str) -> Path {
    let name = text.trim_end_matches(".ipynb");
    let (notebook, number) = name.split_once('-').expect("a number");
    Path {
        notebook: place(&NOTEBOOKS, notebook),
        number: number.parse().expect("a number"),
    }
}

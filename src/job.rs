//! A job: one run's notebook for one user at one destination, and what follows from an attempt.
//!
//! ```text
//!            claim             delivered
//! waiting ─────────▶ delivering ───────▶ delivered
//!    ▲ ▲                │ │ └──────────▶ failed     (can never succeed, or too old)
//!    │ └────── retry ───┘ └─▶ held ──▶ waiting      (cause gone, or `retry`)
//! ```
//! `skip` leads from every state but `delivered` to `skipped`. Pure: no IO, no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::config::checked::At;
use crate::failure::{Class, Failure, Pace};
use crate::notebook::{expand, holds};
use crate::retry::{Paces, RetryPolicy, backoff};
use crate::run::Parameters;

/// A job that is to be made for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedJob {
    /// Its notebook table.
    pub notebook: String,
    /// Its destination table.
    pub destination: String,
    /// The user's name; empty is the credential's owner, or not known yet.
    pub user: String,
}

impl PlannedJob {
    /// The order of a job that is only to be looked at: it has no id of its own.
    #[must_use]
    pub fn dry_order(&self, watch: &str, run: &str, parameters: &Parameters) -> Order {
        Order {
            uid: "00000000-0000-0000-0000-000000000000".into(),
            notebook: self.notebook.clone(),
            destination: self.destination.clone(),
            watch: watch.to_owned(),
            run: run.to_owned(),
            parameters: parameters.clone(),
        }
    }
}

/// What is to be rendered for a job, and where it goes.
#[derive(Clone, Debug)]
pub struct Order {
    /// The job's public id, a `UUIDv7`.
    pub uid: String,
    /// The notebook table.
    pub notebook: String,
    /// The destination table.
    pub destination: String,
    /// The run's watch.
    pub watch: String,
    /// The run's name.
    pub run: String,
    /// The run's parameters.
    pub parameters: Parameters,
}

/// What a request restricts its jobs to; empty lists and `None` restrict nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// This user instead of the one the configuration names.
    pub user: Option<String>,
    /// These destinations.
    pub to: Vec<String>,
    /// These notebook tables.
    pub notebook: Vec<String>,
    /// Those that are made at this time; `None` is all, since what begins with a run is made at its
    /// end at the latest.
    pub at: Option<At>,
}

/// The jobs of a run. Whether a user may be acted for is asked at delivery, so that a refusal is
/// seen on the job and a corrected configuration releases it; so is a `when` that can't be told.
#[must_use]
pub fn plan(config: &Config, watch: &str, parameters: &Parameters, only: &Only) -> Vec<PlannedJob> {
    let allows = |list: &Option<Vec<String>>, name: &str| {
        list.as_ref()
            .is_none_or(|list| list.iter().any(|entry| entry == name))
    };
    let asked = |list: &[String], name: &String| list.is_empty() || list.contains(name);
    let mut jobs = Vec::new();
    for notebook in &config.notebooks {
        let when = notebook.when.as_deref();
        let unwanted = when.is_some_and(|when| holds(when, parameters) == Ok(false));
        let here = allows(&notebook.watches, watch) && asked(&only.notebook, &notebook.name);
        let now = only.at.is_none_or(|at| at == notebook.at);
        if !here || !now || unwanted {
            continue;
        }
        for destination in &config.destinations {
            if allows(&notebook.to, &destination.name) && asked(&only.to, &destination.name) {
                let pattern = destination.user.as_deref();
                let user = pattern.and_then(|pattern| expand(pattern, parameters).ok());
                jobs.push(PlannedJob {
                    notebook: notebook.name.clone(),
                    destination: destination.name.clone(),
                    user: only.user.clone().or(user).unwrap_or_default(),
                });
            }
        }
    }
    jobs
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Due now or at its next attempt.
    Waiting,
    /// Being delivered.
    Delivering,
    /// Its notebook stands at the destination.
    Delivered,
    /// Waits for a person.
    Held,
    /// Given up; `retry` brings it back.
    Failed,
    /// A person said never.
    Skipped,
}

impl JobState {
    /// All states, for counting and for arguments.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Delivering,
        Self::Delivered,
        Self::Held,
        Self::Failed,
        Self::Skipped,
    ];

    /// The word used in the ledger and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// How a notebook came to stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// Under the name asked for.
    Created,
    /// Under the next free number, since the name was taken.
    Numbered,
    /// An earlier attempt had already put it there.
    AlreadyThere,
}

impl Created {
    /// The word used in the ledger and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Numbered => "numbered",
            Self::AlreadyThere => "already-there",
        }
    }
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The notebook stands there; where to open it, if that can be told.
    Delivered(Created, Option<String>),
    /// It does not.
    Failed(Failure),
    /// The daemon stops; the attempt is given back.
    Interrupted,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What [`advance`] needs to know of a job. Times are milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Attempts so far, the present one included.
    pub attempts: u32,
    /// When the job was made.
    pub created_at: i64,
    /// Milliseconds of holds and outages, which don't count towards giving up.
    pub excused_ms: i64,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Done.
    Delivered,
    /// Wait until `at`; whether the time until then is excused.
    Wait {
        /// Milliseconds since 1970, UTC.
        at: i64,
        /// Whether the wait is excused from the job's age.
        excused: bool,
    },
    /// Wait for a person.
    Hold,
    /// Give up.
    Fail,
    /// Back to waiting, as if never claimed.
    Release,
}

/// What follows from an attempt, by the one table of failure codes.
///
/// `now` is milliseconds since 1970, UTC; `unit_random` is in `0.0..1.0`.
#[must_use]
pub fn advance(
    job: Progress,
    outcome: &Outcome,
    now: i64,
    (policy, paces): (&RetryPolicy, &Paces),
    unit_random: f64,
) -> Next {
    let failure = match outcome {
        Outcome::Delivered(..) => return Next::Delivered,
        Outcome::Interrupted => return Next::Release,
        Outcome::Failed(failure) => failure,
    };
    let pace = match failure.code.row().class {
        Class::GiveUp => return Next::Fail,
        Class::Hold(_) => return Next::Hold,
        Class::Retry(pace) => pace,
    };
    let age = now - job.created_at - job.excused_ms;
    if !pace.is_excused() && age > millis(policy.give_up_after) {
        return Next::Fail;
    }
    let span = match pace {
        Pace::Soon => paces.soon,
        Pace::Ordinary | Pace::Outage => (policy.first, policy.longest),
        Pace::Throttled if failure.retry_after.is_some() => paces.soon,
        Pace::Throttled => paces.throttled,
        // The attempts may not all have been starts.
        Pace::Spawn if failure.retry_after.is_some() => (paces.soon.0, paces.soon.0),
        Pace::Spawn => paces.spawn,
        Pace::Told => (paces.soon.0, paces.soon.0),
    };
    let wait = backoff(span, job.attempts, failure.retry_after, unit_random);
    Next::Wait {
        at: now.saturating_add(millis(wait)),
        excused: pace.is_excused(),
    }
}

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    fn next(code: Code, attempts: u32, age: i64, retry_after: Option<u64>) -> Next {
        let failure = code
            .failure("x")
            .after(retry_after.map(Duration::from_secs));
        let job = Progress {
            attempts,
            created_at: 0,
            excused_ms: 0,
        };
        let rules = (&RetryPolicy::default(), &Paces::default());
        advance(job, &Outcome::Failed(failure), age, rules, 0.0)
    }

    #[test]
    fn each_class_leads_where_the_table_says() {
        let wait = |seconds: i64, excused| Next::Wait {
            at: seconds * 1000,
            excused,
        };
        assert_eq!(next(Code::HubError, 1, 0, None), wait(5, false));
        assert_eq!(next(Code::HubError, 3, 0, None), wait(20, false));
        assert_eq!(next(Code::HubUnreachable, 1, 0, None), wait(5, true));
        assert_eq!(next(Code::ServerStopped, 1, 0, None), wait(1, false));
        assert_eq!(next(Code::HubBusy, 1, 0, None), wait(120, true));
        assert_eq!(next(Code::HubBusy, 1, 0, Some(2)), wait(2, true));
        assert_eq!(next(Code::SpawnFailed, 2, 0, None), wait(60, false));
        assert_eq!(next(Code::SpawnFailed, 9, 0, Some(40)), wait(40, false));
        assert_eq!(next(Code::SpawnLimited, 9, 0, Some(40)), wait(40, true));
        assert_eq!(next(Code::TokenUnknown, 1, 0, None), Next::Hold);
        assert_eq!(next(Code::NotebookRejected, 1, 0, None), Next::Fail);
    }

    #[test]
    fn a_job_is_given_up_by_age_but_never_for_an_outage() {
        let fifteen_days = 15 * 86_400_000;
        assert_eq!(next(Code::HubError, 9, fifteen_days, None), Next::Fail);
        for code in [Code::HubDown, Code::SpawnLimited] {
            let next = next(code, 9, fifteen_days, None);
            assert!(matches!(next, Next::Wait { excused: true, .. }), "{code:?}");
        }
    }
}

//! The JSON of `runs`, `show` and `status`: a contract, to which fields are only added.

use serde_json::{Value, json};

use super::time;
use crate::config::Config;
use crate::config::checked::{Destination, Watch};
use crate::detect;
use crate::failure::Code;
use crate::health::Notice;
use crate::job::JobState;
use crate::ledger::{EventRow, Filter, Hold, JobRow, Ledger, LedgerError, RunRow};

/// A run with its jobs.
#[must_use]
pub fn run(run: &RunRow, jobs: &[JobRow]) -> Value {
    json!({
        "name": run.name,
        "watch": run.watch,
        "incarnation": run.incarnation,
        "path": run.path.to_string_lossy(),
        "seen_at": time(run.seen_at),
        "ready_at": run.ready_at.map(time),
        "state": run.state,
        "reason": run.reason,
        "parameters": run.parameters,
        "pruned_at": run.pruned_at.map(time),
        "jobs": jobs.iter().map(job).collect::<Vec<_>>(),
    })
}

pub(super) fn job(job: &JobRow) -> Value {
    let over = job.state != JobState::Waiting.as_str();
    let failure = job.failure.as_ref().map(|failure| {
        json!({
            "class": failure.class,
            "code": failure.code,
            "what": failure.what,
            "advice": failure.advice,
            "at": time(failure.at),
        })
    });
    json!({
        "job": job.uid,
        "notebook": job.notebook,
        "destination": job.destination,
        "user": if job.user.is_empty() { None } else { Some(&job.user) },
        "path": job.path,
        "url": job.url,
        "state": job.state,
        "outcome": job.outcome,
        "attempts": job.attempts,
        "next_attempt_at": if over { None } else { Some(time(job.next_attempt_at)) },
        "delivered_at": job.delivered_at.map(time),
        "failure": failure,
    })
}

/// One line of a run's history.
#[must_use]
pub fn event(event: &EventRow) -> Value {
    json!({ "at": time(event.at), "event": event.event, "detail": event.detail, "actor": event.actor })
}

/// The runs asked for, newest first, each with its jobs.
///
/// # Errors
/// When the ledger can't be read.
pub async fn runs(ledger: &Ledger, filter: &Filter) -> Result<Vec<Value>, LedgerError> {
    let mut all = Vec::new();
    for row in ledger.runs(filter).await? {
        all.push(run(&row, &ledger.jobs(row.id).await?));
    }
    Ok(all)
}

/// The code of a ledger in trouble.
pub(super) const UNWRITABLE: &str = "ledger-unwritable";

/// What only a running daemon knows.
#[derive(Clone, Debug, Default)]
pub struct Alive {
    /// When it started, milliseconds since 1970, UTC.
    pub up_since: Option<i64>,
    /// Present troubles.
    pub notices: Vec<Notice>,
    /// The page's URL.
    pub page: Option<String>,
    /// Whether its watches are set.
    pub watching: bool,
}

/// Health, watches, destinations and counts.
///
/// # Errors
/// When the ledger can't be read.
pub async fn status(config: &Config, ledger: &Ledger, alive: &Alive) -> Result<Value, LedgerError> {
    let holds = ledger.holds().await?;
    let mut watches = Vec::new();
    for watch in &config.watches {
        let (runs, stalled) = ledger.run_counts(&watch.name).await?;
        let backend = backend(watch, alive).await;
        watches.push(
            json!({ "name": watch.name, "backend": backend, "runs": runs, "stalled": stalled }),
        );
    }
    let mut destinations = Vec::new();
    for table in &config.destinations {
        destinations.push(destination(ledger, table, &holds).await?);
    }
    let mut jobs: serde_json::Map<String, Value> = JobState::ALL
        .iter()
        .map(|state| (state.as_str().into(), json!(0)))
        .collect();
    for (state, count) in ledger.job_counts().await? {
        jobs.insert(state, json!(count));
    }
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_since": alive.up_since.map(time),
        "page": alive.page,
        "health": health(&holds, alive),
        "watches": watches,
        "destinations": destinations,
        "jobs": jobs,
    }))
}

/// What a running daemon can say while its ledger can't be read.
#[must_use]
pub fn status_without(ledger: &Ledger, error: &LedgerError, alive: &Alive) -> Value {
    let mut alive = alive.clone();
    if !alive.notices.iter().any(|notice| notice.code == UNWRITABLE) {
        alive.notices.push(Notice {
            code: UNWRITABLE.into(),
            what: error.to_string(),
            advice: ledger.advice().into(),
        });
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_since": alive.up_since.map(time),
        "page": alive.page,
        "health": health(&[], &alive),
        "watches": [],
        "destinations": [],
        "jobs": {},
    })
}

/// How runs of a watch are noticed.
async fn backend(watch: &Watch, alive: &Alive) -> &'static str {
    let table = format!("[watch.{}] gets no", watch.name);
    let silent =
        |notice: &Notice| notice.code == "watch-polling" && notice.what.starts_with(&table);
    match alive.notices.iter().any(silent) {
        true => "poll",
        false => detect::backend(&watch.directory).await,
    }
}

async fn destination(
    ledger: &Ledger,
    table: &Destination,
    holds: &[Hold],
) -> Result<Value, LedgerError> {
    let hold = holds
        .iter()
        .find(|h| h.destination.as_ref() == Some(&table.name) && h.user.is_none());
    let failure = hold.map(|hold| {
        let class = Code::from_name(&hold.code).map_or("hold", |code| code.row().class.as_str());
        json!({ "class": class, "code": hold.code, "what": hold.what, "advice": hold.advice, "at": time(hold.since) })
    });
    let accepted = ledger.last_accepted(&table.name).await?;
    Ok(json!({
        "name": table.name,
        "state": if hold.is_some() { "held" } else { "ok" },
        "failure": failure,
        "token_expires_at": accepted.and_then(|(_, _, expires_at)| expires_at),
    }))
}

/// Holds first, since they wait for a person; then the daemon's own notices about other things.
fn health(holds: &[Hold], alive: &Alive) -> Vec<Value> {
    let mut health: Vec<Value> = Vec::new();
    let mut add = |code: &str, what: &str, advice: &str| {
        let line = json!({ "code": code, "what": what, "advice": advice });
        if !health.contains(&line) {
            health.push(line);
        }
    };
    for hold in holds {
        add(&hold.code, &hold.what, &hold.advice);
    }
    for notice in &alive.notices {
        if !holds.iter().any(|hold| hold.code == notice.code) {
            add(&notice.code, &notice.what, &notice.advice);
        }
    }
    health
}

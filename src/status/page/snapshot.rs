//! What the page shows, read at one moment.

use std::collections::HashMap;

use super::words::Word;
use crate::config::Config;
use crate::health::Notice;
use crate::job::JobState;
use crate::ledger::{Filter, Hold, InProgress, JobRow, Ledger, LedgerError, OpenJobs, RunRow};
use crate::status::json::Alive;

/// Runs on a page.
pub(super) const SHOWN: usize = 200;

/// The hours and the deliveries that are drawn.
const HOURS: i64 = 24;
const DELIVERIES: i64 = 200;

const HOUR: i64 = 3_600_000;

/// Which runs are asked for, by the words of the address.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// In this state.
    pub(super) state: Option<Word>,
    /// With this text.
    pub(super) text: String,
    /// Older than the run of this number.
    pub(super) before: Option<i64>,
}

/// A run with its jobs.
pub(super) type RunJobs = (RunRow, Vec<JobRow>);

/// All of the page's overview.
pub(super) struct Overview {
    /// When, milliseconds since 1970, UTC.
    pub(super) now: i64,
    pub(super) asked: Asked,
    pub(super) runs: Vec<RunJobs>,
    /// Whether there are older ones.
    pub(super) more: bool,
    pub(super) newest: Option<RunRow>,
    pub(super) holds: Vec<Hold>,
    pub(super) alive: Alive,
    pub(super) open: Vec<OpenJobs>,
    /// Jobs that were given up within the last hours.
    pub(super) failed: i64,
    pub(super) in_progress: Vec<(InProgress, Option<RunRow>)>,
    /// Destinations that don't answer.
    pub(super) silent: Vec<(String, i64)>,
    /// When each destination's credential ends.
    pub(super) expiries: HashMap<String, String>,
    /// Runs by hour, the last one being the present.
    pub(super) hours: Vec<(i64, i64)>,
    /// When runs were complete, and when their notebooks stood there; newest first.
    pub(super) delays: Vec<(i64, i64)>,
}

impl Overview {
    pub(super) async fn read(
        (config, ledger): (&Config, &Ledger),
        alive: Alive,
        asked: Asked,
    ) -> Result<Self, LedgerError> {
        let now = ledger.now();
        let mut runs = listed(ledger, &asked, SHOWN + 1).await?;
        let more = runs.len() > SHOWN;
        runs.truncate(SHOWN);
        Ok(Self {
            now,
            newest: newest(ledger).await?,
            holds: ledger.holds().await?,
            open: ledger.open_jobs().await?,
            failed: ledger.failed_since(now - HOURS * HOUR).await?,
            in_progress: in_progress(ledger).await?,
            silent: ledger.silent_destinations().await?,
            expiries: expiries(config, ledger).await?,
            hours: hours(ledger, now).await?,
            delays: ledger.delays(DELIVERIES).await?,
            asked,
            runs,
            more,
            alive,
        })
    }

    /// Jobs in this state, at this destination or at all.
    pub(super) fn count(&self, state: JobState, destination: Option<&str>) -> i64 {
        self.sum(state, destination, |jobs| jobs.count)
    }

    /// Jobs that wait and have met a failure.
    pub(super) fn failing(&self, destination: Option<&str>) -> i64 {
        self.sum(JobState::Waiting, destination, |jobs| jobs.failing)
    }

    fn sum(&self, state: JobState, at: Option<&str>, part: impl Fn(&OpenJobs) -> i64) -> i64 {
        let asked = |jobs: &&OpenJobs| {
            jobs.state == state && at.is_none_or(|name| jobs.destination == name)
        };
        self.open.iter().filter(asked).map(part).sum()
    }

    /// Troubles that no hold tells already.
    pub(super) fn notices(&self) -> Vec<&Notice> {
        let told = |notice: &&Notice| !self.holds.iter().any(|hold| hold.code == notice.code);
        self.alive.notices.iter().filter(told).collect()
    }
}

/// The runs asked for, newest first, with their jobs.
pub(super) async fn listed(
    ledger: &Ledger,
    asked: &Asked,
    most: usize,
) -> Result<Vec<RunJobs>, LedgerError> {
    let text = asked.text.trim();
    let filter = Filter {
        state: asked.state.map(|word| word.name().to_owned()),
        text: (!text.is_empty()).then(|| text.to_owned()),
        before: asked.before,
        limit: i64::try_from(most).ok(),
        ..Filter::default()
    };
    let runs = ledger.runs(&filter).await?;
    let numbers: Vec<i64> = runs.iter().map(|run| run.id).collect();
    let mut jobs: HashMap<i64, Vec<JobRow>> = HashMap::new();
    for job in ledger.jobs_of(&numbers).await? {
        jobs.entry(job.run).or_default().push(job);
    }
    let with = |run: RunRow| {
        let jobs = jobs.remove(&run.id).unwrap_or_default();
        (run, jobs)
    };
    Ok(runs.into_iter().map(with).collect())
}

/// The newest run that is not ignored, looked for among the newest few.
pub(super) async fn newest(ledger: &Ledger) -> Result<Option<RunRow>, LedgerError> {
    let filter = Filter {
        limit: Some(50),
        ..Filter::default()
    };
    let runs = ledger.runs(&filter).await?;
    Ok(runs.into_iter().find(|run| run.state != "ignored"))
}

async fn in_progress(ledger: &Ledger) -> Result<Vec<(InProgress, Option<RunRow>)>, LedgerError> {
    let mut all = Vec::new();
    for watch in ledger.in_progress().await? {
        let run = ledger.numbered(watch.newest).await?;
        all.push((watch, run));
    }
    Ok(all)
}

async fn expiries(
    config: &Config,
    ledger: &Ledger,
) -> Result<HashMap<String, String>, LedgerError> {
    let mut all = HashMap::new();
    for table in &config.destinations {
        if let Some((_, _, Some(end))) = ledger.last_accepted(&table.name).await? {
            all.insert(table.name.clone(), end);
        }
    }
    Ok(all)
}

/// Every hour of the last day, also those without runs.
async fn hours(ledger: &Ledger, now: i64) -> Result<Vec<(i64, i64)>, LedgerError> {
    let last = now / HOUR;
    let first = last - HOURS + 1;
    let counted: HashMap<i64, i64> = ledger
        .runs_by_hour(first * HOUR)
        .await?
        .into_iter()
        .collect();
    let each = |hour| (hour * HOUR, counted.get(&hour).copied().unwrap_or(0));
    Ok((first..=last).map(each).collect())
}

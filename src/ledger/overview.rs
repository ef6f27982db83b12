//! What the page asks beside the runs: whether anything has happened, and the figures it draws.
//!
//! Each question costs what is open or recent, never the whole history: its words for states stand
//! in the SQL itself, since only those lead to the partial indexes.

use super::read::JobRow;
use super::sql::Sql;
use super::{Ledger, LedgerError, OPEN};
use crate::job::JobState;

/// Of these many newest jobs, those delivered count for [`Ledger::delays`].
const RECENT: i64 = 5000;

/// How far the ledger is: differs once something has happened that is an event, a run or a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The last event.
    pub event: i64,
    /// The newest run.
    pub run: i64,
    /// Jobs on their way.
    pub delivering: i64,
}

/// Jobs of a destination that are not over, in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJobs {
    /// The destination table.
    pub destination: String,
    /// The state.
    pub state: JobState,
    /// How many.
    pub count: i64,
    /// How many of them have met a failure.
    pub failing: i64,
}

/// What is being taken below a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InProgress {
    /// The watch.
    pub watch: String,
    /// Runs that are not complete yet.
    pub count: i64,
    /// The newest of them.
    pub newest: i64,
}

impl Ledger {
    /// How far the ledger is.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn pulse(&self) -> Result<Pulse, LedgerError> {
        let sql = "SELECT (SELECT coalesce(max(id), 0) FROM events), \
                     (SELECT coalesce(max(id), 0) FROM runs), \
                     (SELECT count(*) FROM jobs WHERE state = 'delivering')";
        let row = async { Ok(sqlx::query_as(sql).fetch_one(&self.read).await?) };
        let (event, run, delivering) = self.engine.within(row).await?;
        Ok(Pulse {
            event,
            run,
            delivering,
        })
    }

    /// How many jobs of each destination are in each of the [`OPEN`] states.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn open_jobs(&self) -> Result<Vec<OpenJobs>, LedgerError> {
        let mut open = Vec::new();
        for state in OPEN {
            // In the statement itself, so that its index is used.
            let sql = format!(
                "SELECT destination, count(*), count(failure_code) FROM jobs \
                 WHERE state = '{}' GROUP BY destination",
                state.as_str()
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
            let rows = async { Ok(query.fetch_all(&self.read).await?) };
            let rows: Vec<(String, i64, i64)> = self.engine.within(rows).await?;
            open.extend(
                rows.into_iter()
                    .map(|(destination, count, failing)| OpenJobs {
                        destination,
                        state,
                        count,
                        failing,
                    }),
            );
        }
        Ok(open)
    }

    /// How many jobs were given up at or after this time.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn failed_since(&self, since: i64) -> Result<i64, LedgerError> {
        let sql = "SELECT count(*) FROM jobs WHERE state = 'failed' AND failure_at >= $1";
        let query = sqlx::query_scalar(sql).bind(since);
        let count = async { Ok(query.fetch_one(&self.read).await?) };
        self.engine.within(count).await
    }

    /// What is being taken, by watch.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn in_progress(&self) -> Result<Vec<InProgress>, LedgerError> {
        let sql = "SELECT watch, count(*), max(id) FROM runs WHERE state = 'acquiring' \
                   GROUP BY watch";
        let rows = async { Ok(sqlx::query_as(sql).fetch_all(&self.read).await?) };
        let rows: Vec<(String, i64, i64)> = self.engine.within(rows).await?;
        let each = |(watch, count, newest)| InProgress {
            watch,
            count,
            newest,
        };
        Ok(rows.into_iter().map(each).collect())
    }

    /// How many runs that are delivered, or are to be, were first seen in each hour since then;
    /// hours are counted from 1970, UTC.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs_by_hour(&self, since: i64) -> Result<Vec<(i64, i64)>, LedgerError> {
        let sql = "SELECT seen_at / 3600000, count(*) FROM runs WHERE seen_at >= $1 \
                     AND pruned_at IS NULL AND state <> 'acquiring' AND state = 'ready' \
                   GROUP BY seen_at / 3600000 ORDER BY seen_at / 3600000";
        let query = sqlx::query_as(sql).bind(since);
        let rows = async { Ok(query.fetch_all(&self.read).await?) };
        self.engine.within(rows).await
    }

    /// When the run of each of the newest deliveries was complete, and when its notebook stood
    /// there, newest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn delays(&self, limit: i64) -> Result<Vec<(i64, i64)>, LedgerError> {
        let sql = "SELECT r.ready_at, j.delivered_at FROM jobs j JOIN runs r ON r.id = j.run \
                   WHERE j.id > (SELECT max(id) FROM jobs) - $1 AND j.state = 'delivered' \
                     AND j.delivered_at IS NOT NULL AND r.ready_at IS NOT NULL \
                   ORDER BY j.id DESC LIMIT $2";
        let query = sqlx::query_as(sql).bind(RECENT).bind(limit);
        let rows = async { Ok(query.fetch_all(&self.read).await?) };
        self.engine.within(rows).await
    }

    /// The destinations that don't answer, and since when.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn silent_destinations(&self) -> Result<Vec<(String, i64)>, LedgerError> {
        let sql = "SELECT name, troubled_at FROM destinations WHERE troubled_at IS NOT NULL";
        let rows = async { Ok(sqlx::query_as(sql).fetch_all(&self.read).await?) };
        self.engine.within(rows).await
    }

    /// The jobs of these runs, at most a page of them, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn jobs_of(&self, runs: &[i64]) -> Result<Vec<JobRow>, LedgerError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT * FROM jobs WHERE run IN ");
        sql.list(runs.iter().copied()).push(" ORDER BY id");
        let rows = async {
            let mut db = self.read.acquire().await?;
            sql.all(&mut db).await
        };
        self.engine.within(rows).await
    }

    /// An error if the ledger can't be written now. Changes nothing.
    ///
    /// # Errors
    /// When it can't.
    pub async fn expect_writable(&self) -> Result<(), LedgerError> {
        let rolled = async { Ok(self.begin().await?.rollback().await?) };
        self.engine.within(rolled).await
    }
}

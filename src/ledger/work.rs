//! What the worker records: claims, targets, outcomes.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::{Ledger, LedgerError, history, holds};
use crate::failure::{Class, Failure, Scope};
use crate::job::{Created, Next, Order, Progress};

/// A job that this process delivers now.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its number in the ledger.
    pub id: i64,
    /// What is to be rendered, and where to.
    pub order: Order,
    /// The user's name; empty is the credential's owner.
    pub user: String,
    /// The target path, once recorded.
    pub path: Option<String>,
    /// For [`crate::job::advance`]. Its `attempts` is also the fence of every later write.
    pub progress: Progress,
    /// The hold that this attempt probes.
    pub probes: Option<i64>,
    /// The run's number in the ledger.
    pub run_id: i64,
}

/// What is written down after an attempt.
#[derive(Clone, Debug)]
pub enum Finished {
    /// The notebook stands there.
    Delivered {
        /// How it came to stand there.
        outcome: Created,
        /// Where to open it.
        url: Option<String>,
    },
    /// It does not; what follows is decided.
    Failed {
        /// Why.
        failure: Failure,
        /// What follows.
        next: Next,
        /// When a hold is probed first.
        probe_at: i64,
    },
    /// The attempt is given back.
    Released,
}

const CLAIMED: &str = "SELECT j.id, j.uid, j.notebook, j.destination, j.user, j.path, j.attempts, \
    j.created_at, j.excused_ms, j.hold, r.id AS run_id, r.watch, r.name, r.parameters \
    FROM jobs j JOIN runs r ON r.id = j.run WHERE j.id = ?";

impl FromRow<'_, SqliteRow> for Claimed {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let parameters: String = row.try_get("parameters")?;
        Ok(Self {
            id: row.try_get("id")?,
            order: Order {
                uid: row.try_get("uid")?,
                notebook: row.try_get("notebook")?,
                destination: row.try_get("destination")?,
                watch: row.try_get("watch")?,
                run: row.try_get("name")?,
                parameters: serde_json::from_str(&parameters)
                    .map_err(|error| sqlx::Error::Decode(error.into()))?,
            },
            user: row.try_get("user")?,
            path: row.try_get("path")?,
            progress: Progress {
                attempts: row.try_get("attempts")?,
                created_at: row.try_get("created_at")?,
                excused_ms: row.try_get("excused_ms")?,
            },
            probes: row.try_get("hold")?,
            run_id: row.try_get("run_id")?,
        })
    }
}

impl Ledger {
    /// Takes back what a dead predecessor was delivering; the attempts stay counted.
    pub(super) async fn take_back(&self) -> Result<(), LedgerError> {
        let sql = "UPDATE jobs SET state = 'waiting', hold = NULL WHERE state = 'delivering'";
        sqlx::query(sql).execute(&self.write).await?;
        // A restart may be the cure: every hold is probed at once.
        sqlx::query("UPDATE holds SET next_probe_at = 0")
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The (destination, user) pairs for which a job is due, and when the next one is.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn due_lanes(&self, now: i64) -> Result<Vec<(String, String)>, LedgerError> {
        // A loose index scan: one step a lane, however long their queues are.
        let sql = "WITH RECURSIVE lane (destination, user) AS ( \
              SELECT * FROM (SELECT destination, user FROM jobs WHERE state = 'waiting' \
                ORDER BY destination, user LIMIT 1) \
              UNION ALL \
              SELECT n.destination, n.user FROM lane, jobs n WHERE n.id = ( \
                SELECT j.id FROM jobs j WHERE j.state = 'waiting' \
                  AND (j.destination, j.user) > (lane.destination, lane.user) \
                ORDER BY j.destination, j.user, j.next_attempt_at LIMIT 1)) \
            SELECT destination, user FROM lane WHERE EXISTS ( \
              SELECT 1 FROM jobs d WHERE d.state = 'waiting' AND d.destination = lane.destination \
                AND d.user = lane.user AND d.next_attempt_at <= ?)";
        Ok(sqlx::query_as(sql).bind(now).fetch_all(&self.write).await?)
    }

    /// When the next waiting job is due, if there is one.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn next_due(&self) -> Result<Option<i64>, LedgerError> {
        let sql =
            "SELECT min(next_attempt_at) FROM jobs INDEXED BY jobs_due WHERE state = 'waiting'";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.write).await?)
    }

    /// Claims up to `limit` due jobs of a lane, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is claimed then.
    pub async fn claim(
        &self,
        (destination, user): (&str, &str),
        limit: usize,
        now: i64,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "UPDATE jobs SET state = 'delivering', attempts = attempts + 1 WHERE id IN ( \
              SELECT id FROM jobs WHERE state = 'waiting' AND destination = ? AND user = ? \
                AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?) RETURNING id";
        let ids: Vec<i64> = sqlx::query_scalar(sql)
            .bind(destination)
            .bind(user)
            .bind(now)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            claimed.push(
                sqlx::query_as(CLAIMED)
                    .bind(id)
                    .fetch_one(&mut *transaction)
                    .await?,
            );
        }
        transaction.commit().await?;
        Ok(claimed)
    }

    /// Claims the oldest job of a hold, to see whether its cause is gone.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn claim_held(&self, hold: i64, now: i64) -> Result<Option<Claimed>, LedgerError> {
        let sql = "UPDATE jobs SET state = 'delivering', attempts = attempts + 1, \
              excused_ms = excused_ms + ? - held_at WHERE id = ( \
              SELECT id FROM jobs WHERE state = 'held' AND hold = ? ORDER BY id LIMIT 1) RETURNING id";
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let id: Option<i64> = sqlx::query_scalar(sql)
            .bind(now)
            .bind(hold)
            .fetch_optional(&mut *transaction)
            .await?;
        let claimed = match id {
            None => None,
            Some(id) => {
                sqlx::query_as(CLAIMED)
                    .bind(id)
                    .fetch_optional(&mut *transaction)
                    .await?
            }
        };
        transaction.commit().await?;
        Ok(claimed)
    }

    /// Records where the notebook is about to be created, before the first write there. `false`:
    /// the job is no longer ours (skipped meanwhile), and nothing may be written.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing may be created then.
    pub async fn record_target(
        &self,
        job: &Claimed,
        path: &str,
        (template_sha256, sha256): (&str, &str),
    ) -> Result<bool, LedgerError> {
        let sql = "UPDATE jobs SET path = ?, template_sha256 = ?, sha256 = ? \
                   WHERE id = ? AND state = 'delivering' AND attempts = ?";
        let done = sqlx::query(sql)
            .bind(path)
            .bind(template_sha256)
            .bind(sha256)
            .bind(job.id)
            .bind(job.progress.attempts)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Records what an attempt came to; without effect if the job is no longer ours.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn finish(&self, job: &Claimed, end: &Finished, now: i64) -> Result<(), LedgerError> {
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let done = match end {
            Finished::Delivered { outcome, url } => {
                delivered(&mut db, job, *outcome, url, now).await?
            }
            Finished::Released => released(&mut db, job).await?,
            Finished::Failed {
                failure,
                next,
                probe_at,
            } => failed(&mut db, job, (failure, *next, *probe_at), now).await?,
        };
        if done {
            db.commit().await?;
        }
        Ok(())
    }
}

async fn delivered(
    db: &mut SqliteConnection,
    job: &Claimed,
    outcome: Created,
    url: &Option<String>,
    now: i64,
) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'delivered', outcome = ?, url = ?, delivered_at = ?, \
                 hold = NULL, failure_class = NULL, failure_code = NULL, failure_what = NULL, \
                 failure_advice = NULL, failure_at = NULL \
               WHERE id = ? AND state = 'delivering' AND attempts = ?";
    let done = sqlx::query(sql)
        .bind(outcome.as_str())
        .bind(url)
        .bind(now)
        .bind(job.id)
        .bind(job.progress.attempts)
        .execute(&mut *db)
        .await?;
    holds::release_matching(db, job, now).await?;
    history::event(
        db,
        (Some(job.run_id), Some(job.id)),
        "delivered",
        Some(outcome.as_str()),
        None,
    )
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn released(db: &mut SqliteConnection, job: &Claimed) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'waiting', hold = NULL, attempts = attempts - 1 \
               WHERE id = ? AND state = 'delivering' AND attempts = ?";
    let done = sqlx::query(sql)
        .bind(job.id)
        .bind(job.progress.attempts)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn failed(
    db: &mut SqliteConnection,
    job: &Claimed,
    (failure, next, probe_at): (&Failure, Next, i64),
    now: i64,
) -> Result<bool, LedgerError> {
    let (state, at, class) = match next {
        Next::Wait { at, .. } => ("waiting", at, failure.code.row().class.as_str()),
        Next::Hold => ("held", now, failure.code.row().class.as_str()),
        Next::Fail | Next::Delivered | Next::Release => ("failed", now, Class::GiveUp.as_str()),
    };
    let hold = match next {
        Next::Hold => Some(holds::open(db, job, failure, (now, probe_at)).await?),
        _ => None,
    };
    let excused = match next {
        Next::Wait { at, excused: true } => at - now,
        _ => 0,
    };
    let sql = "UPDATE jobs SET state = ?, next_attempt_at = ?, hold = ?, held_at = ?, \
                 excused_ms = excused_ms + ?, failure_class = ?, failure_code = ?, \
                 failure_what = ?, failure_advice = ?, failure_at = ? \
               WHERE id = ? AND state = 'delivering' AND attempts = ?";
    let done = sqlx::query(sql)
        .bind(state)
        .bind(at)
        .bind(hold)
        .bind(hold.map(|_| now))
        .bind(excused)
        .bind(class)
        .bind(failure.code.as_str())
        .bind(&failure.what)
        .bind(failure.advice())
        .bind(now)
        .bind(job.id)
        .bind(job.progress.attempts)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    match next {
        Next::Hold => holds::apply(db, now).await?,
        Next::Wait { at, excused } => postpone(db, job, failure, (now, at, excused)).await?,
        _ => {}
    }
    if let Some(probed) = job.probes.filter(|probed| hold != Some(*probed)) {
        holds::release(db, probed, now).await?;
    }
    let event = if state == "waiting" {
        "attempt-failed"
    } else {
        state
    };
    let detail = format!("{}: {}", failure.code.as_str(), failure.what);
    history::event(
        db,
        (Some(job.run_id), Some(job.id)),
        event,
        Some(&detail),
        None,
    )
    .await?;
    Ok(true)
}

/// What one job learned of its destination or user spares the others the same attempt: they wait
/// at least as long.
async fn postpone(
    db: &mut SqliteConnection,
    job: &Claimed,
    failure: &Failure,
    (now, at, excused): (i64, i64, bool),
) -> Result<(), LedgerError> {
    let user = match failure.code.row().scope {
        Scope::Job | Scope::Notebook => return Ok(()),
        Scope::User => Some(&job.user),
        Scope::Destination => None,
    };
    let sql = "UPDATE jobs SET next_attempt_at = ?1, \
                 excused_ms = excused_ms + iif(?2, ?1 - max(next_attempt_at, ?3), 0), \
                 failure_class = ?4, failure_code = ?5, failure_what = ?6, failure_advice = ?7, failure_at = ?3 \
               WHERE state = 'waiting' AND destination = ?8 AND (?9 IS NULL OR user = ?9) \
                 AND next_attempt_at < ?1";
    sqlx::query(sql)
        .bind(at)
        .bind(excused)
        .bind(now)
        .bind(failure.code.row().class.as_str())
        .bind(failure.code.as_str())
        .bind(&failure.what)
        .bind(failure.advice())
        .bind(&job.order.destination)
        .bind(user)
        .execute(db)
        .await?;
    Ok(())
}

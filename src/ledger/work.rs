//! What the worker takes: claims, and the places where it is about to create.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow, Row as _};

use super::destinations::admitted;
use super::{Ledger, LedgerError};
use crate::job::{Order, Progress};

/// How often in a row the daemon may end in the middle of a job before that job is tried alone.
const ALONE: i64 = 3;

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
    /// For [`crate::job::advance`].
    pub progress: Progress,
    /// Which claim this is: every later write counts only while there was none after it.
    pub epoch: i64,
    /// The hold that this attempt probes.
    pub probes: Option<i64>,
    /// The run's number in the ledger.
    pub run_id: i64,
}

/// Whether a notebook may be created now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Yes; the path is recorded.
    Recorded,
    /// Later: as many as allowed are being created at the destination, here or elsewhere.
    Full,
    /// No: the job is no longer ours.
    Lost,
}

const CLAIMED: &str = "SELECT j.id, j.uid, j.notebook, j.destination, j.username, j.path, j.attempts, j.epoch, \
    j.created_at, j.excused_ms, j.hold, r.id AS run_id, r.watch, r.name, r.parameters \
    FROM jobs j JOIN runs r ON r.id = j.run WHERE j.id = $1";

impl FromRow<'_, AnyRow> for Claimed {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let parameters: String = row.try_get("parameters")?;
        let attempts: i64 = row.try_get("attempts")?;
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
            user: row.try_get("username")?,
            path: row.try_get("path")?,
            progress: Progress {
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                created_at: row.try_get("created_at")?,
                excused_ms: row.try_get("excused_ms")?,
            },
            epoch: row.try_get("epoch")?,
            probes: row.try_get("hold")?,
            run_id: row.try_get("run_id")?,
        })
    }
}

impl Ledger {
    /// The (destination, user) pairs for which a job is due, and when the next one is.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn due_lanes(&self, now: i64) -> Result<Vec<(String, String)>, LedgerError> {
        self.engine
            .within(async {
                // A loose index scan: one step a lane, however long their queues are.
                let sql = "WITH RECURSIVE lane (destination, username) AS ( \
              SELECT * FROM (SELECT destination, username FROM jobs WHERE state = 'waiting' \
                ORDER BY destination, username LIMIT 1) AS first \
              UNION ALL \
              SELECT n.destination, n.username FROM lane, jobs n WHERE n.id = ( \
                SELECT j.id FROM jobs j WHERE j.state = 'waiting' \
                  AND (j.destination, j.username) > (lane.destination, lane.username) \
                ORDER BY j.destination, j.username, j.next_attempt_at LIMIT 1)) \
            SELECT destination, username FROM lane WHERE EXISTS ( \
              SELECT 1 FROM jobs d WHERE d.state = 'waiting' AND d.destination = lane.destination \
                AND d.username = lane.username AND d.next_attempt_at <= $1)";
                Ok(sqlx::query_as(sql).bind(now).fetch_all(&self.read).await?)
            })
            .await
    }

    /// When the next waiting job is due, if there is one.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn next_due(&self) -> Result<Option<i64>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT min(next_attempt_at) FROM jobs WHERE state = 'waiting'";
                Ok(sqlx::query_scalar(sql).fetch_one(&self.read).await?)
            })
            .await
    }

    /// Claims up to `limit` due jobs of a lane, from both ends of its queue, so that neither what
    /// is fresh nor what is old waits for all of the other; of one, `newest` says which. While a
    /// destination is in trouble one job tries it, and after that ever more.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is claimed then.
    pub async fn claim(
        &self,
        (destination, user): (&str, &str),
        (limit, newest, ramp): (usize, bool, i64),
        now: i64,
    ) -> Result<Vec<Claimed>, LedgerError> {
        self.engine.within(async {
        let mut db = self.begin().await?;
        let admitted = admitted(&mut db, (destination, user), (limit, ramp), now).await?;
        let half = (admitted + i64::from(newest)) / 2;
        let sql = "SELECT id FROM (SELECT id FROM jobs WHERE state = 'waiting' AND destination = $1 \
                AND username = $2 AND next_attempt_at <= $3 AND crashes < $4 \
                ORDER BY next_attempt_at DESC, id DESC LIMIT $5) AS fresh \
              UNION SELECT id FROM (SELECT id FROM jobs WHERE state = 'waiting' AND destination = $1 \
                AND username = $2 AND next_attempt_at <= $3 AND crashes < $4 \
                ORDER BY next_attempt_at, id LIMIT $6) AS old ORDER BY id";
        let ids: Vec<i64> = sqlx::query_scalar(sql)
            .bind(destination)
            .bind(user)
            .bind(now)
            .bind(ALONE)
            .bind(half)
            .bind(admitted - half)
            .fetch_all(&mut *db)
            .await?;
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            claimed.push(self.take(&mut db, id).await?);
        }
        db.commit().await?;
        Ok(claimed)
    }).await
    }

    /// Whether a job is due that must be alone.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn is_alone_due(&self, now: i64) -> Result<bool, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.read.acquire().await?;
                Ok(alone(&mut db, now).await?.is_some())
            })
            .await
    }

    /// Claims a due job that must be alone.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn claim_alone(&self, now: i64) -> Result<Option<Claimed>, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let claimed = match alone(&mut db, now).await? {
                    Some(id) => Some(self.take(&mut db, id).await?),
                    None => None,
                };
                db.commit().await?;
                Ok(claimed)
            })
            .await
    }

    /// Claims the oldest job of a hold, to see whether its cause is gone.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn claim_held(&self, hold: i64, now: i64) -> Result<Option<Claimed>, LedgerError> {
        self.engine.within(async {
        let mut db = self.begin().await?;
        let sql = "UPDATE jobs SET excused_ms = excused_ms + $1 - held_at WHERE id = ( \
              SELECT id FROM jobs WHERE state = 'held' AND hold = $2 ORDER BY id LIMIT 1) RETURNING id";
        let id: Option<i64> = sqlx::query_scalar(sql)
            .bind(now)
            .bind(hold)
            .fetch_optional(&mut *db)
            .await?;
        let claimed = match id {
            Some(id) => Some(self.take(&mut db, id).await?),
            None => None,
        };
        db.commit().await?;
        Ok(claimed)
    }).await
    }

    async fn take(&self, db: &mut AnyConnection, id: i64) -> Result<Claimed, LedgerError> {
        let sql = format!(
            "UPDATE jobs SET state = 'delivering', attempts = attempts + 1, epoch = epoch + 1, \
               owner = $2, lease_until = {}, step = NULL WHERE id = $1",
            self.lease()
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(self.location.owner())
            .execute(&mut *db)
            .await?;
        Ok(sqlx::query_as(CLAIMED).bind(id).fetch_one(db).await?)
    }

    /// How old a job is now: a clock that was set since it was claimed has moved it.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn progress(&self, job: &Claimed) -> Result<Progress, LedgerError> {
        let read = async {
            let sql = "SELECT attempts, created_at, excused_ms FROM jobs WHERE id = $1";
            let query = sqlx::query_as(sql).bind(job.id);
            let row: (i64, i64, i64) = query.fetch_one(&self.read).await?;
            Ok(Progress {
                attempts: u32::try_from(row.0).unwrap_or(u32::MAX),
                created_at: row.1,
                excused_ms: row.2,
            })
        };
        self.engine.within(read).await
    }

    /// Records where the notebook is about to be created, before the first write there, as soon as
    /// fewer than `most` (at the destination, for one user) are being created.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing may be created then.
    pub async fn record_target(
        &self,
        job: &Claimed,
        path: &str,
        (template_sha256, sha256): (&str, &str),
        (most, most_of_user): (usize, usize),
    ) -> Result<Target, LedgerError> {
        self.engine.within(async {
        let mut db = self.begin().await?;
        let sql = "SELECT count(*), count(*) FILTER (WHERE username = $2) FROM jobs \
                   WHERE state = 'delivering' AND step = 'create' AND destination = $1 AND id <> $3";
        let (all, of_user): (i64, i64) = sqlx::query_as(sql)
            .bind(&job.order.destination)
            .bind(&job.user)
            .bind(job.id)
            .fetch_one(&mut *db)
            .await?;
        let is_full = |there: i64, most: usize| usize::try_from(there).is_ok_and(|n| n >= most);
        if is_full(all, most) || is_full(of_user, most_of_user) {
            return Ok(Target::Full);
        }
        let sql = "UPDATE jobs SET path = $1, template_sha256 = $2, sha256 = $3, step = 'create' \
                   WHERE id = $4 AND state = 'delivering' AND epoch = $5";
        let done = sqlx::query(sql)
            .bind(path)
            .bind(template_sha256)
            .bind(sha256)
            .bind(job.id)
            .bind(job.epoch)
            .execute(&mut *db)
            .await?;
        db.commit().await?;
        Ok(match done.rows_affected() {
            0 => Target::Lost,
            _ => Target::Recorded,
        })
    }).await
    }
}

async fn alone(db: &mut AnyConnection, now: i64) -> Result<Option<i64>, LedgerError> {
    let sql = "SELECT id FROM jobs WHERE state = 'waiting' AND crashes > 2 AND next_attempt_at <= $1 \
               ORDER BY id LIMIT 1";
    Ok(sqlx::query_scalar(sql).bind(now).fetch_optional(db).await?)
}

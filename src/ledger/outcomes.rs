//! What an attempt came to, and what follows for others.

use sqlx::AnyConnection;

use super::holds::Whom;
use super::{Claimed, Ledger, LedgerError, destinations, history, holds};
use crate::failure::{Class, Failure, Scope};
use crate::job::{Created, Next};

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

impl Ledger {
    /// Records what an attempt came to; without effect if the job is no longer ours.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn finish(&self, job: &Claimed, end: &Finished, now: i64) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
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
            })
            .await
    }
}

async fn delivered(
    db: &mut AnyConnection,
    job: &Claimed,
    outcome: Created,
    url: &Option<String>,
    now: i64,
) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'delivered', owner = NULL, step = NULL, lease_until = NULL, crashes = 0, \
                 outcome = $1, url = $2, delivered_at = $3, \
                 hold = NULL, failure_class = NULL, failure_code = NULL, failure_what = NULL, \
                 failure_advice = NULL, failure_at = NULL \
               WHERE id = $4 AND state = 'delivering' AND epoch = $5";
    let done = sqlx::query(sql)
        .bind(outcome.as_str())
        .bind(url)
        .bind(now)
        .bind(job.id)
        .bind(job.epoch)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    holds::release_matching(db, job, now).await?;
    destinations::well(db, job, now).await?;
    history::event(
        db,
        (Some(job.run_id), Some(job.id)),
        "delivered",
        Some(outcome.as_str()),
        None,
    )
    .await?;
    Ok(true)
}

async fn released(db: &mut AnyConnection, job: &Claimed) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'waiting', hold = NULL, attempts = attempts - 1, \
                 owner = NULL, step = NULL, lease_until = NULL \
               WHERE id = $1 AND state = 'delivering' AND epoch = $2";
    let done = sqlx::query(sql)
        .bind(job.id)
        .bind(job.epoch)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn failed(
    db: &mut AnyConnection,
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
        Next::Hold => {
            let whom = Whom::of(job, failure.code.row().scope);
            Some(holds::open(db, &whom, failure, (now, probe_at)).await?)
        }
        _ => None,
    };
    let excused = match next {
        Next::Wait { at, excused: true } => at - now,
        _ => 0,
    };
    let sql = "UPDATE jobs SET state = $1, owner = NULL, step = NULL, lease_until = NULL, crashes = 0, next_attempt_at = $2, hold = $3, held_at = $4, \
                 excused_ms = excused_ms + $5, failure_class = $6, failure_code = $7, \
                 failure_what = $8, failure_advice = $9, failure_at = $10 \
               WHERE id = $11 AND state = 'delivering' AND epoch = $12";
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
        .bind(job.epoch)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    // What it met instead of the cause that it probed concerns those too that were held by that.
    if let Some(probed) = job.probes.filter(|probed| hold != Some(*probed)) {
        holds::release(db, probed, now).await?;
    }
    match next {
        Next::Hold => holds::apply(db, now).await?,
        Next::Wait { at, excused } => postpone(db, job, failure, (now, at, excused)).await?,
        _ => {}
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
    db: &mut AnyConnection,
    job: &Claimed,
    failure: &Failure,
    (now, at, excused): (i64, i64, bool),
) -> Result<(), LedgerError> {
    let user = match failure.code.row().scope {
        Scope::Job | Scope::Notebook => return Ok(()),
        Scope::User => Some(&job.user),
        Scope::Destination => None,
    };
    if excused && user.is_none() {
        destinations::troubled(db, &job.order.destination, now).await?;
    }
    let sql = "UPDATE jobs SET next_attempt_at = $1, \
                 excused_ms = excused_ms + $2 * ($1 - CASE WHEN next_attempt_at > $3 THEN next_attempt_at ELSE $3 END), \
                 failure_class = $4, failure_code = $5, failure_what = $6, failure_advice = $7, failure_at = $3 \
               WHERE state = 'waiting' AND destination = $8 AND ($9 IS NULL OR username = $9) \
                 AND next_attempt_at < $1";
    sqlx::query(sql)
        .bind(at)
        .bind(i64::from(excused))
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

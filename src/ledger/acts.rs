//! What a person does by hand: `retry`, `skip`; and what the probes remember of a token.

use sqlx::AnyConnection;

use super::{Ledger, LedgerError, history, now};
use crate::job::JobState;

/// Who acts, as written into the event.
pub type Actor = String;

/// An act on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Due now; a delivered job stays as it is.
    Retry,
    /// A new job beside each one that ended.
    Fresh,
    /// Never deliver.
    Skip,
}

/// How many jobs an act changed, and how many it left as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Acted {
    /// Changed.
    pub changed: u64,
    /// Left as they were: delivered already, or on their way.
    pub unchanged: u64,
    /// Of those, the ones that could not be delivered again: their run's parameters are forgotten.
    pub pruned: u64,
}

impl Acted {
    fn count(&mut self, changed: bool) {
        match changed {
            true => self.changed += 1,
            false => self.unchanged += 1,
        }
    }
}

impl std::ops::AddAssign for Acted {
    fn add_assign(&mut self, more: Self) {
        self.changed += more.changed;
        self.unchanged += more.unchanged;
        self.pruned += more.pruned;
    }
}

impl Ledger {
    /// Does `act` to all jobs of these runs, or to those in one state, in one transaction.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is changed then.
    pub async fn act(
        &self,
        act: Act,
        (runs, only): (&[i64], Option<JobState>),
        actor: &Actor,
    ) -> Result<Acted, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let mut acted = Acted::default();
                for run in runs {
                    acted += on_run(&mut db, (act, only), (*run, self.now()), actor).await?;
                }
                let sql = "DELETE FROM holds \
                           WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE hold = holds.id)";
                sqlx::query(sql).execute(&mut *db).await?;
                self.hint(&mut db).await?;
                db.commit().await?;
                Ok(acted)
            })
            .await
    }

    /// Remembers that a destination accepted a credential.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn accepted(
        &self,
        destination: &str,
        fingerprint: &str,
        expires_at: Option<&str>,
    ) -> Result<(), LedgerError> {
        self.engine.within(async {
        let sql = "INSERT INTO credentials VALUES ($1, $2, $3, $4) ON CONFLICT (destination) DO UPDATE SET \
                     fingerprint = excluded.fingerprint, accepted_at = excluded.accepted_at, \
                     expires_at = excluded.expires_at";
        self.run(sqlx::query(sql)
            .bind(destination)
            .bind(fingerprint)
            .bind(now())
            .bind(expires_at)).await?;
        Ok(())
    }).await
    }

    /// The fingerprint of the credential that a destination accepted last, when, and its end.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn last_accepted(
        &self,
        destination: &str,
    ) -> Result<Option<(String, i64, Option<String>)>, LedgerError> {
        self.engine.within(async {
        let sql =
            "SELECT fingerprint, accepted_at, expires_at FROM credentials WHERE destination = $1";
        Ok(sqlx::query_as(sql)
            .bind(destination)
            .fetch_optional(&self.read)
            .await?)
    }).await
    }
}

impl Act {
    fn event(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Fresh => "retried-fresh",
            Self::Skip => "skipped",
        }
    }
}

async fn on_run(
    db: &mut AnyConnection,
    (act, only): (Act, Option<JobState>),
    (run, now): (i64, i64),
    actor: &Actor,
) -> Result<Acted, LedgerError> {
    let sql = "SELECT j.id, j.state, r.pruned_at FROM jobs j JOIN runs r ON r.id = j.run \
               WHERE j.run = $1 AND ($2 = '' OR j.state = $2) ORDER BY j.id";
    let jobs: Vec<(i64, String, Option<i64>)> = sqlx::query_as(sql)
        .bind(run)
        .bind(only.map_or("", JobState::as_str))
        .fetch_all(&mut *db)
        .await?;
    let mut acted = Acted::default();
    for (job, state, pruned_at) in jobs {
        let stays = act == Act::Retry && state == JobState::Delivered.as_str();
        if pruned_at.is_some() && act != Act::Skip {
            acted.count(false);
            acted.pruned += u64::from(!stays);
            continue;
        }
        let changed = match act {
            Act::Retry => retry(db, job, now).await?,
            Act::Fresh => fresh(db, job, now).await?,
            Act::Skip => skip(db, job).await?,
        };
        acted.count(changed);
        if changed {
            let about = (Some(run), Some(job));
            history::event(db, about, act.event(), None, Some(actor)).await?;
        }
    }
    if act == Act::Skip && only.is_none() && skip_run(db, run).await? {
        acted.count(true);
        history::event(db, (Some(run), None), act.event(), None, Some(actor)).await?;
    }
    Ok(acted)
}

async fn retry(db: &mut AnyConnection, job: i64, now: i64) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET next_attempt_at = $1, hold = NULL, \
                 excused_ms = CASE WHEN state = 'waiting' THEN excused_ms ELSE $1 - created_at END, \
                 crashes = 0, state = 'waiting' \
               WHERE id = $2 AND state IN ('waiting', 'held', 'failed', 'skipped')";
    Ok(sqlx::query(sql)
        .bind(now)
        .bind(job)
        .execute(db)
        .await?
        .rows_affected()
        > 0)
}

/// Only beside the newest job of its kind, and only when that one ended.
async fn fresh(db: &mut AnyConnection, job: i64, now: i64) -> Result<bool, LedgerError> {
    let sql = "INSERT INTO jobs (uid, run, notebook, destination, username, generation, state, created_at, next_attempt_at) \
               SELECT $1, run, notebook, destination, username, generation + 1, 'waiting', $2, $2 FROM jobs j \
               WHERE id = $3 AND state IN ('delivered', 'failed', 'skipped') AND NOT EXISTS ( \
                 SELECT 1 FROM jobs n WHERE n.run = j.run AND n.notebook = j.notebook \
                   AND n.destination = j.destination AND n.username = j.username AND n.generation > j.generation)";
    let uid = uuid::Uuid::now_v7().to_string();
    Ok(sqlx::query(sql)
        .bind(uid)
        .bind(now)
        .bind(job)
        .execute(db)
        .await?
        .rows_affected()
        > 0)
}

/// A run that is not complete yet never becomes so.
async fn skip_run(db: &mut AnyConnection, run: i64) -> Result<bool, LedgerError> {
    let sql = "UPDATE runs SET state = 'ignored', reason = 'skipped' \
               WHERE id = $1 AND state = 'acquiring'";
    let done = sqlx::query(sql).bind(run).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

async fn skip(db: &mut AnyConnection, job: i64) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'skipped', hold = NULL \
               WHERE id = $1 AND state NOT IN ('delivered', 'skipped')";
    Ok(sqlx::query(sql)
        .bind(job)
        .execute(db)
        .await?
        .rows_affected()
        > 0)
}

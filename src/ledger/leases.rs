//! Who delivers a job, until when, and what is taken back from those that are gone.
//!
//! A daemon that has a ledger to itself needs no lease: what its dead predecessor was delivering is
//! taken back at the start. Where several share one, each claim ends by itself unless it is renewed,
//! by the clock of the database; and every claim has a number, so that who lost it can record
//! nothing more.

use sqlx::AnyConnection;

use super::engine::Location;
use super::records::AT_ONCE;
use super::sql::Sql;
use super::{Claimed, Ledger, LedgerError, holds};
use crate::failure::{Code, Failure};
use crate::job::millis;

/// How often in a row the daemon may end in the middle of a job before a person is asked.
const POISON: i64 = 5;

/// No wait is longer, milliseconds.
const LONGEST: i64 = 86_400_000;

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It works on this machine; if the daemon ends now, it may be to blame.
    Local,
    /// It waits for others.
    Network,
}

impl Ledger {
    /// Now and the length of a lease, as SQL.
    pub(super) fn lease(&self) -> String {
        match self.location.as_ref() {
            Location::File(_) => "NULL".to_owned(),
            Location::Server { lease, .. } => {
                format!("{} + {}", self.engine.clock(), millis(*lease))
            }
        }
    }

    /// Takes back what this process was delivering before it was started; the attempts stay
    /// counted, and every hold is probed at once, since a restart may be the cure.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn take_back(&self) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                take_back(
                    &mut db,
                    "owner IS NULL OR owner = $1",
                    Some(self.location.owner()),
                )
                .await?;
                holds::probe_all(&mut db).await?;
                // After a clock that was set back, nothing waits for the day it was before.
                let sql = "UPDATE jobs SET next_attempt_at = $1 \
           WHERE state = 'waiting' AND next_attempt_at > $1 + $2";
                sqlx::query(sql)
                    .bind(self.now())
                    .bind(LONGEST)
                    .execute(&mut *db)
                    .await?;
                hold_poisonous(&mut db, self.now()).await?;
                Ok(db.commit().await?)
            })
            .await
    }

    /// Takes back what others were delivering that were not heard of any more; how many jobs.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn take_expired(&self) -> Result<u64, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let expired = format!("lease_until < {}", self.engine.clock());
                let jobs = take_back(&mut db, &expired, None).await?;
                if jobs > 0 {
                    hold_poisonous(&mut db, self.now()).await?;
                }
                db.commit().await?;
                Ok(jobs)
            })
            .await
    }

    /// Renews these leases, each a job's number and that of its claim; those that are still this
    /// process's come back. What is its own in the ledger and is none of these has nobody who works
    /// on it, and is given back.
    ///
    /// # Errors
    /// When the ledger can't be written; the leases end when they would have ended.
    pub async fn renew(&self, claims: &[(i64, i64)]) -> Result<Vec<(i64, i64)>, LedgerError> {
        self.engine
            .within(async {
                self.set_clock().await?;
                let mut db = self.begin().await?;
                let sql = "SELECT id, epoch FROM jobs WHERE state = 'delivering' AND owner = $1";
                let own: Vec<(i64, i64)> = sqlx::query_as(sql)
                    .bind(self.location.owner())
                    .fetch_all(&mut *db)
                    .await?;
                let worked_on = |claim: &(i64, i64)| claims.contains(claim);
                let (ours, orphans): (Vec<_>, Vec<_>) = own.into_iter().partition(worked_on);
                if self.is_shared() {
                    self.extend(&mut db, &ours).await?;
                }
                for (job, _) in orphans {
                    take_back(&mut db, &format!("id = {job}"), None).await?;
                }
                db.commit().await?;
                Ok(ours)
            })
            .await
    }

    async fn extend(
        &self,
        db: &mut AnyConnection,
        claims: &[(i64, i64)],
    ) -> Result<(), LedgerError> {
        for some in claims.chunks(AT_ONCE) {
            let mut sql = Sql::new("UPDATE jobs SET lease_until = ");
            sql.push(&self.lease()).push(" WHERE id IN ");
            sql.list(some.iter().map(|(job, _)| *job));
            sql.execute(db).await?;
        }
        Ok(())
    }

    /// Records what a job does now. `false`: it is no longer ours, and nothing more may be done.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn step(&self, job: &Claimed, step: Step) -> Result<bool, LedgerError> {
        self.engine
            .within(async {
                // Who has come this far is not to blame for earlier ends.
                let (name, crashes) = match step {
                    Step::Local => ("local", "crashes"),
                    Step::Network => ("network", "0"),
                };
                let sql = format!(
                    "UPDATE jobs SET step = $1, crashes = {crashes} \
             WHERE id = $2 AND state = 'delivering' AND epoch = $3"
                );
                let query = sqlx::query(sqlx::AssertSqlSafe(sql));
                let done = self.run(query.bind(name).bind(job.id).bind(job.epoch));
                Ok(done.await? > 0)
            })
            .await
    }
}

async fn take_back(
    db: &mut AnyConnection,
    whose: &str,
    owner: Option<&str>,
) -> Result<u64, LedgerError> {
    let sql = format!(
        "UPDATE jobs SET state = 'waiting', hold = NULL, owner = NULL, lease_until = NULL, \
           crashes = crashes + CASE WHEN step = 'local' THEN 1 ELSE 0 END, step = NULL \
         WHERE state = 'delivering' AND ({whose})"
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    if let Some(owner) = owner {
        query = query.bind(owner);
    }
    Ok(query.execute(db).await?.rows_affected())
}

/// Puts those aside in whose middle the daemon ended too often.
async fn hold_poisonous(db: &mut AnyConnection, now: i64) -> Result<(), LedgerError> {
    let sql = "SELECT id, notebook FROM jobs WHERE state = 'waiting' AND crashes >= $1";
    let jobs: Vec<(i64, String)> = sqlx::query_as(sql).bind(POISON).fetch_all(&mut *db).await?;
    for (job, notebook) in &jobs {
        let what =
            format!("the daemon ended {POISON} times in a row while it rendered this notebook");
        let failure: Failure = Code::Poison.failure(what);
        let whom = holds::Whom {
            job: Some(*job),
            notebook: Some(notebook),
            ..holds::Whom::default()
        };
        holds::open(db, &whom, &failure, (now, i64::MAX)).await?;
    }
    if !jobs.is_empty() {
        holds::apply(db, now).await?;
    }
    Ok(())
}

//! Watches, and what was there at their very first start.

use sqlx::{Any, AnyConnection, Transaction};

use super::known::{known_identities, twin};
use super::records::SeenRun;
use super::runs::insert;
use super::{Ledger, LedgerError, Location, now};
use crate::job::millis;
use crate::run::RunState;

/// A watch as the ledger knows it.
#[derive(Clone, Debug)]
pub struct WatchRow {
    /// When it was first started, milliseconds since 1970, UTC.
    pub awaited_at: i64,
    /// Whether what was there then has been recorded.
    pub baseline: bool,
    /// The identity of its directory.
    pub root: Option<String>,
    /// The machine that watches it, if that is another one.
    pub elsewhere: Option<String>,
}

/// After how many leases without a word a machine is taken to be gone.
const SILENT: i64 = 10;

/// The very first start of a watch, recorded in one transaction.
pub struct Baseline {
    transaction: Transaction<'static, Any>,
    watch: String,
}

impl Baseline {
    /// Records runs that are there already; each comes back with its number. One that another watch
    /// has too is that watch's.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn add(&mut self, runs: Vec<SeenRun>) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
        let db = &mut self.transaction;
        let known = known_identities(db, &runs).await?;
        let mut all = Vec::with_capacity(runs.len());
        for mut run in runs {
            let is_known = run
                .identity
                .as_ref()
                .is_some_and(|identity| known.contains(identity));
            if let Some(other) = if is_known {
                twin(db, (&run.watch, &run.name), run.identity.as_deref()).await?
            } else {
                None
            } {
                run.state = RunState::Ignored;
                run.reason = Some(format!("same-as {}:{}", other.watch, other.name));
                run.jobs.clear();
            }
            all.push(run);
        }
        insert(db, all).await
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn commit(mut self, root: Option<&str>) -> Result<(), LedgerError> {
        let sql = "UPDATE watches SET baseline_at = $1, root = $2 WHERE name = $3";
        sqlx::query(sql)
            .bind(now())
            .bind(root)
            .bind(&self.watch)
            .execute(&mut *self.transaction)
            .await?;
        Ok(self.transaction.commit().await?)
    }
}

impl Ledger {
    /// A watch that is started, perhaps for the very first time, with the identity of its directory.
    /// In a ledger that several machines share it belongs to the first one that asks: another one of
    /// that name takes it over only when nothing was heard of the first for long, and only for the
    /// same directory, so that two machines with one configuration are never taken for one.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn watch(&self, watch: &str, root: Option<&str>) -> Result<WatchRow, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let sql = "INSERT INTO watches (name, baseline_at, awaited_at) VALUES ($1, 0, $2) \
                           ON CONFLICT (name) DO NOTHING";
                sqlx::query(sql)
                    .bind(watch)
                    .bind(now())
                    .execute(&mut *db)
                    .await?;
                let elsewhere = match self.location.as_ref() {
                    Location::File(_) => None,
                    Location::Server { owner, lease, .. } => {
                        let silent = SILENT.saturating_mul(millis(*lease));
                        self.bind(&mut db, watch, (owner, root, silent)).await?
                    }
                };
                let sql = "SELECT awaited_at, baseline_at, root FROM watches WHERE name = $1";
                let (awaited_at, baseline_at, root): (i64, i64, _) =
                    sqlx::query_as(sql).bind(watch).fetch_one(&mut *db).await?;
                db.commit().await?;
                Ok(WatchRow {
                    awaited_at,
                    baseline: baseline_at > 0,
                    root,
                    elsewhere,
                })
            })
            .await
    }

    /// Binds a watch to this machine, or says which other one has it.
    async fn bind(
        &self,
        db: &mut AnyConnection,
        watch: &str,
        (owner, root, silent): (&str, Option<&str>, i64),
    ) -> Result<Option<String>, LedgerError> {
        let now = self.engine.clock();
        let sql = format!(
            "SELECT count(*) FROM watches WHERE name = $1 AND machine = $2 AND renewed_at > {now} - $3"
        );
        let fresh: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(watch)
            .bind(owner)
            .bind(silent / SILENT / 4)
            .fetch_one(&mut *db)
            .await?;
        if fresh > 0 {
            return Ok(None);
        }
        self.set_clock().await?;
        let sql = format!(
            "UPDATE watches SET machine = $1, renewed_at = {now} WHERE name = $2 AND (machine IS NULL \
             OR machine = $1 OR (root = $3 AND renewed_at < {now} - $4))"
        );
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(owner)
            .bind(watch)
            .bind(root)
            .bind(silent)
            .execute(&mut *db)
            .await?;
        if done.rows_affected() > 0 {
            return Ok(None);
        }
        let sql = "SELECT machine FROM watches WHERE name = $1";
        Ok(sqlx::query_scalar(sql).bind(watch).fetch_one(db).await?)
    }

    /// Begins to record the very first start of a watch.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn baseline(&self, watch: &str) -> Result<Baseline, LedgerError> {
        self.engine
            .within(async {
                Ok(Baseline {
                    transaction: self.begin().await?,
                    watch: watch.to_owned(),
                })
            })
            .await
    }

    /// Remembers which directory a watch looks at.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_root(&self, watch: &str, root: &str) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                self.run(
                    sqlx::query("UPDATE watches SET root = $1 WHERE name = $2")
                        .bind(root)
                        .bind(watch),
                )
                .await?;
                Ok(())
            })
            .await
    }
}

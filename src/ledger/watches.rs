//! Watches, and what was there at their very first start.

use sqlx::{Any, Transaction};

use super::known::{known_identities, twin};
use super::records::SeenRun;
use super::runs::insert;
use super::{Ledger, LedgerError, now};
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
}

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
    /// A watch that is started, perhaps for the very first time.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn watch(&self, watch: &str) -> Result<WatchRow, LedgerError> {
        self.engine
            .within(async {
                let sql = "INSERT INTO watches (name, baseline_at, awaited_at) VALUES ($1, 0, $2) \
                   ON CONFLICT (name) DO NOTHING";
                self.run(sqlx::query(sql).bind(watch).bind(now())).await?;
                let sql = "SELECT awaited_at, baseline_at, root FROM watches WHERE name = $1";
                let (awaited_at, baseline_at, root): (i64, i64, Option<String>) =
                    sqlx::query_as(sql)
                        .bind(watch)
                        .fetch_one(&self.write)
                        .await?;
                Ok(WatchRow {
                    awaited_at,
                    baseline: baseline_at > 0,
                    root,
                })
            })
            .await
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

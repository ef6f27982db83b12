//! Runs as detection records and asks them.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::known::{known_identities, twin};
use super::records::{AT_ONCE, SeenRun, Twin, from_path, text};
use super::sql::Sql;
use super::{Ledger, LedgerError, ready};
use crate::run::RunState;

impl Ledger {
    /// Records runs that were seen, with the jobs that begin with them; each comes back with its
    /// number, and one that is known stays as it is. Those that are a known run under another name
    /// are not recorded.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen(
        &self,
        runs: Vec<SeenRun>,
    ) -> Result<(Vec<(i64, SeenRun)>, Vec<Twin>), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let mut met = known_identities(&mut db, &runs).await?;
                // Of two ways to one directory that are both new, the second is compared with the first.
                let is_new = |run: &SeenRun| run.identity.clone().is_none_or(|it| met.insert(it));
                let (fresh, doubtful): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_new);
                let mut recorded = insert(&mut db, fresh).await?;
                let mut twins = Vec::new();
                for seen in doubtful {
                    match twin(&mut db, (&seen.watch, &seen.name), seen.identity.as_deref()).await?
                    {
                        Some(known) => twins.push(Twin { seen, known }),
                        None => recorded.extend(insert(&mut db, vec![seen]).await?),
                    }
                }
                self.begin_jobs(&mut db, &recorded).await?;
                db.commit().await?;
                Ok((recorded, twins))
            })
            .await
    }

    /// Records runs as they are, whoever has their identity; each comes back with its number.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen_apart(&self, runs: Vec<SeenRun>) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                let recorded = insert(&mut db, runs).await?;
                self.begin_jobs(&mut db, &recorded).await?;
                db.commit().await?;
                Ok(recorded)
            })
            .await
    }

    async fn begin_jobs(
        &self,
        db: &mut AnyConnection,
        runs: &[(i64, SeenRun)],
    ) -> Result<(), LedgerError> {
        let mut any = false;
        for (id, run) in runs.iter().filter(|(_, run)| !run.jobs.is_empty()) {
            ready::begin(db, *id, run).await?;
            any = true;
        }
        match any {
            true => self.hint(db).await,
            false => Ok(()),
        }
    }

    /// Moves a run from one of these states to another.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn turn(
        &self,
        run: i64,
        (from, to): (RunState, RunState),
        reason: Option<&str>,
    ) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let sql = "UPDATE runs SET state = $1, reason = $2 WHERE id = $3 AND state = $4";
                self.run(
                    sqlx::query(sql)
                        .bind(to.as_str())
                        .bind(reason)
                        .bind(run)
                        .bind(from.as_str()),
                )
                .await?;
                Ok(())
            })
            .await
    }

    /// Says what a run that is not complete yet waits for.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_reason(&self, run: i64, reason: Option<&str>) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let state = RunState::Acquiring;
                self.turn(run, (state, state), reason).await
            })
            .await
    }

    /// Whether a request was recorded before.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn request_known(&self, key: &str) -> Result<bool, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT count(*) FROM requests WHERE key = $1";
                let query = sqlx::query_scalar::<_, i64>(sql).bind(key);
                Ok(query.fetch_one(&self.write).await? > 0)
            })
            .await
    }
}

/// Adds runs; those that are new come back with their numbers.
pub(super) async fn insert(
    db: &mut AnyConnection,
    runs: Vec<SeenRun>,
) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
    let mut numbers: HashMap<(String, i64), i64> = HashMap::new();
    for some in runs.chunks(AT_ONCE) {
        let mut sql = Sql::new(
            "INSERT INTO runs (watch, name, incarnation, path, seen_at, state, reason, \
             baseline, identity, root, held, counted, parameters) ",
        );
        sql.rows(some, |row, run| {
            row.bind(&run.watch).and(&run.name).and(run.incarnation);
            row.and(from_path(&run.path)).and(run.seen_at);
            row.and(run.state.as_str()).and(&run.reason);
            row.and(&run.baseline).and(&run.identity).and(&run.root);
            row.and(i64::from(run.held)).and(i64::from(run.counted));
            row.and(text(&run.parameters));
        });
        sql.push(" ON CONFLICT DO NOTHING RETURNING id, name, incarnation");
        let rows: Vec<(i64, String, i64)> = sql.all(db).await?;
        numbers.extend(rows.into_iter().map(|(id, name, at)| ((name, at), id)));
    }
    let numbered = runs.into_iter().filter_map(|run| {
        let id = numbers.remove(&(run.name.clone(), run.incarnation))?;
        Some((id, run))
    });
    Ok(numbered.collect())
}

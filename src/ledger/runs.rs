//! Runs as detection records and asks them.

use std::collections::HashMap;

use sqlx::{QueryBuilder, SqliteConnection};

use super::known::{known_identities, twin};
use super::records::{SeenRun, Twin, from_path, text};
use super::{Ledger, LedgerError, ready};
use crate::run::RunState;

/// Rows of one statement.
const AT_ONCE: usize = 500;

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
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut met = known_identities(&mut db, &runs).await?;
        // Of two ways to one directory that are both new, the second is compared with the first.
        let is_new = |run: &SeenRun| run.identity.clone().is_none_or(|it| met.insert(it));
        let (fresh, doubtful): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_new);
        let mut recorded = insert(&mut db, fresh).await?;
        let mut twins = Vec::new();
        for seen in doubtful {
            match twin(&mut db, (&seen.watch, &seen.name), seen.identity.as_deref()).await? {
                Some(known) => twins.push(Twin { seen, known }),
                None => recorded.extend(insert(&mut db, vec![seen]).await?),
            }
        }
        begin(&mut db, &recorded).await?;
        db.commit().await?;
        Ok((recorded, twins))
    }

    /// Records runs as they are, whoever has their identity; each comes back with its number.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen_apart(&self, runs: Vec<SeenRun>) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let recorded = insert(&mut db, runs).await?;
        begin(&mut db, &recorded).await?;
        db.commit().await?;
        Ok(recorded)
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
        let sql = "UPDATE runs SET state = ?, reason = ? WHERE id = ? AND state = ?";
        sqlx::query(sql)
            .bind(to.as_str())
            .bind(reason)
            .bind(run)
            .bind(from.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Says what a run that is not complete yet waits for.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_reason(&self, run: i64, reason: Option<&str>) -> Result<(), LedgerError> {
        let state = RunState::Acquiring;
        self.turn(run, (state, state), reason).await
    }

    /// Whether a request was recorded before.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn request_known(&self, key: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM requests WHERE key = ?)";
        Ok(sqlx::query_scalar(sql)
            .bind(key)
            .fetch_one(&self.write)
            .await?)
    }
}

/// Adds runs; those that are new come back with their numbers.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    runs: Vec<SeenRun>,
) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
    let mut numbers: HashMap<(String, i64), i64> = HashMap::new();
    for some in runs.chunks(AT_ONCE) {
        let mut sql = QueryBuilder::new(
            "INSERT OR IGNORE INTO runs (watch, name, incarnation, path, seen_at, state, reason, \
             baseline, identity, root, held, counted, parameters) ",
        );
        sql.push_values(some, |mut row, run| {
            row.push_bind(&run.watch)
                .push_bind(&run.name)
                .push_bind(run.incarnation)
                .push_bind(from_path(&run.path))
                .push_bind(run.seen_at)
                .push_bind(run.state.as_str())
                .push_bind(&run.reason)
                .push_bind(&run.baseline)
                .push_bind(&run.identity)
                .push_bind(&run.root)
                .push_bind(run.held)
                .push_bind(run.counted)
                .push_bind(text(&run.parameters));
        });
        sql.push(" RETURNING id, name, incarnation");
        let rows: Vec<(i64, String, i64)> = sql.build_query_as().fetch_all(&mut *db).await?;
        numbers.extend(rows.into_iter().map(|(id, name, at)| ((name, at), id)));
    }
    let numbered = runs.into_iter().filter_map(|run| {
        let id = numbers.remove(&(run.name.clone(), run.incarnation))?;
        Some((id, run))
    });
    Ok(numbered.collect())
}

async fn begin(db: &mut SqliteConnection, runs: &[(i64, SeenRun)]) -> Result<(), LedgerError> {
    for (id, run) in runs.iter().filter(|(_, run)| !run.jobs.is_empty()) {
        ready::begin(db, *id, run).await?;
    }
    Ok(())
}

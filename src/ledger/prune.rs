//! What is left of a run when its history has become too old: that it was, and where its
//! notebooks stand.

use sqlx::AnyConnection;

use super::sql::Sql;
use super::{Ledger, LedgerError, history, now};

/// Runs that are over, and to which nothing has happened since.
const OVER: &str = "SELECT r.id FROM runs r WHERE r.pruned_at IS NULL AND r.state <> 'acquiring' \
    AND r.seen_at < $1 \
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.run = r.id \
        AND j.state IN ('waiting', 'delivering', 'held')) \
    AND NOT EXISTS (SELECT 1 FROM events e WHERE e.run = r.id AND e.at >= $1) \
    ORDER BY r.id LIMIT $2";

/// The newest event stays, and forgetting is one: `SQLite` would give its number again, to one that
/// cursors have passed by then.
const NOT_NEWEST: &str = "id <> (SELECT max(id) FROM events)";

impl Ledger {
    /// Forgets the history and parameters of up to `limit` (at most 10 000) runs that were over
    /// before this time; how many there were. What detection knows a run again by stays, and so do
    /// its jobs, without the texts of their failures.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is forgotten then.
    pub async fn prune(&self, before: i64, limit: usize) -> Result<usize, LedgerError> {
        let work = async {
            let mut db = self.begin().await?;
            let runs: Vec<i64> = sqlx::query_scalar(OVER)
                .bind(before)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *db)
                .await?;
            let sql = format!("DELETE FROM events WHERE run IS NULL AND at < $1 AND {NOT_NEWEST}");
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before);
            query.execute(&mut *db).await?;
            if !runs.is_empty() {
                forget(&mut db, &runs).await?;
            }
            db.commit().await?;
            Ok(runs.len())
        };
        self.engine.within(work).await
    }
}

async fn forget(db: &mut AnyConnection, runs: &[i64]) -> Result<(), LedgerError> {
    let detail = format!("of {} runs", runs.len());
    history::event(db, (None, None), "history-forgotten", Some(&detail), None).await?;
    let mut sql = Sql::new("DELETE FROM events WHERE run IN ");
    sql.list(runs.iter().copied());
    sql.execute(db).await?;
    let mut sql = Sql::new(
        "UPDATE jobs SET template_sha256 = NULL, sha256 = NULL, \
           failure_what = CASE WHEN failure_what IS NULL THEN NULL ELSE '' END, \
           failure_advice = CASE WHEN failure_advice IS NULL THEN NULL ELSE '' END WHERE run IN ",
    );
    sql.list(runs.iter().copied());
    sql.execute(db).await?;
    let mut sql = Sql::new("UPDATE runs SET parameters = '{}', sources = '{}', pruned_at = ");
    sql.bind(now())
        .push(" WHERE id IN ")
        .list(runs.iter().copied());
    sql.execute(db).await?;
    Ok(())
}

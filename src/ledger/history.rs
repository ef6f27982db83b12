//! The one table of events, which every act and every outcome adds to.

use sqlx::AnyConnection;

use super::sql::Sql;
use super::{Ledger, LedgerError, now};

impl Ledger {
    /// Adds to the history what somebody did that concerns no single run: a name and more words.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn record_act(
        &self,
        (name, detail): (&str, &str),
        who: &str,
    ) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                event(&mut db, (None, None), name, Some(detail), Some(who)).await?;
                Ok(db.commit().await?)
            })
            .await
    }
}

/// Adds a line to the history.
pub(super) async fn event(
    db: &mut AnyConnection,
    (run, job): (Option<i64>, Option<i64>),
    event: &str,
    detail: Option<&str>,
    actor: Option<&str>,
) -> Result<(), LedgerError> {
    let sql =
        "INSERT INTO events (at, run, job, event, detail, actor) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(now())
        .bind(run)
        .bind(job)
        .bind(event)
        .bind(detail)
        .bind(actor)
        .execute(db)
        .await?;
    Ok(())
}

/// Adds to each run's history that it is complete, with the reason why it is ignored.
pub(super) async fn became_ready(
    db: &mut AnyConnection,
    runs: &[(i64, Option<&str>)],
) -> Result<(), LedgerError> {
    if runs.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("INSERT INTO events (at, run, event, detail) ");
    sql.rows(runs, |row, (run, reason)| {
        row.bind(now()).and(*run).and("run-ready").and(*reason);
    });
    sql.execute(db).await?;
    Ok(())
}

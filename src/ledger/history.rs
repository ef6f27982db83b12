//! The one table of events, which every act and every outcome adds to.

use sqlx::{QueryBuilder, SqliteConnection};

use super::{LedgerError, now};

/// Adds a line to the history.
pub(super) async fn event(
    db: &mut SqliteConnection,
    (run, job): (Option<i64>, Option<i64>),
    event: &str,
    detail: Option<&str>,
    actor: Option<&str>,
) -> Result<(), LedgerError> {
    let sql = "INSERT INTO events (at, run, job, event, detail, actor) VALUES (?, ?, ?, ?, ?, ?)";
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
    db: &mut SqliteConnection,
    runs: &[(i64, Option<&str>)],
) -> Result<(), LedgerError> {
    if runs.is_empty() {
        return Ok(());
    }
    let mut sql = QueryBuilder::new("INSERT INTO events (at, run, event, detail) ");
    sql.push_values(runs, |mut row, (run, reason)| {
        row.push_bind(now())
            .push_bind(run)
            .push("'run-ready'")
            .push_bind(reason);
    });
    sql.build().execute(db).await?;
    Ok(())
}

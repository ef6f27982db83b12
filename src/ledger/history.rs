//! The one table of events, which every act and every outcome adds to.

use sqlx::SqliteConnection;

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

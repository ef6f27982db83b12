//! Destinations in trouble: who may try them, and what follows when they are back.

use sqlx::AnyConnection;

use super::sql::Sql;
use super::{Claimed, Ledger, LedgerError, history};
use crate::failure::{Class, Code, Pace, Scope};
use crate::retry::ramp;

impl Ledger {
    /// Whether a destination is known to be in trouble.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn is_troubled(&self, destination: &str) -> Result<bool, LedgerError> {
        self.engine
            .within(async {
                let sql =
                    "SELECT count(*) FROM destinations WHERE name = $1 AND troubled_at IS NOT NULL";
                let query = sqlx::query_scalar::<_, i64>(sql).bind(destination);
                Ok(query.fetch_one(&self.read).await? > 0)
            })
            .await
    }

    /// A destination answers again: what waited for it is due now.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn returned(&self, destination: &str, now: i64) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                returned(&mut db, destination, now).await?;
                Ok(db.commit().await?)
            })
            .await
    }
}

/// How many more jobs of a lane may be claimed: of one lane at most `limit` are on their way; of a
/// destination in trouble one, and after its return ever more.
pub(super) async fn admitted(
    db: &mut AnyConnection,
    (destination, user): (&str, &str),
    (limit, step): (usize, i64),
    now: i64,
) -> Result<i64, LedgerError> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE username = $2) FROM jobs \
               WHERE state = 'delivering' AND destination = $1";
    let (all, of_user): (i64, i64) = sqlx::query_as(sql)
        .bind(destination)
        .bind(user)
        .fetch_one(&mut *db)
        .await?;
    let sql = "SELECT troubled_at, returned_at FROM destinations WHERE name = $1";
    let state: Option<(Option<i64>, Option<i64>)> = sqlx::query_as(sql)
        .bind(destination)
        .fetch_optional(db)
        .await?;
    let at_once = match state {
        Some((Some(_), _)) => 1,
        Some((None, Some(returned))) => ramp(now - returned, step),
        _ => i64::MAX,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok((limit - of_user).min(at_once - all).max(0))
}

/// Notes that a destination is in trouble.
pub(super) async fn troubled(
    db: &mut AnyConnection,
    destination: &str,
    now: i64,
) -> Result<(), LedgerError> {
    let sql = "INSERT INTO destinations (name, troubled_at) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET \
                 troubled_at = coalesce(destinations.troubled_at, excluded.troubled_at), \
                 returned_at = NULL";
    sqlx::query(sql)
        .bind(destination)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// See [`Ledger::returned`].
pub(super) async fn returned(
    db: &mut AnyConnection,
    destination: &str,
    now: i64,
) -> Result<(), LedgerError> {
    let sql = "UPDATE destinations SET troubled_at = NULL, returned_at = $2 \
               WHERE name = $1 AND troubled_at IS NOT NULL";
    let done = sqlx::query(sql)
        .bind(destination)
        .bind(now)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    let jobs = hurry(db, (destination, None), Scope::Destination, now).await?;
    let detail = format!("{destination} answers again: {jobs} jobs go on");
    history::event(db, (None, None), "returned", Some(&detail), None).await
}

/// After a delivery: what waited for the destination, or for this user's server, is due now.
pub(super) async fn well(
    db: &mut AnyConnection,
    job: &Claimed,
    now: i64,
) -> Result<(), LedgerError> {
    let destination = job.order.destination.as_str();
    returned(db, destination, now).await?;
    hurry(db, (destination, Some(&job.user)), Scope::User, now).await?;
    Ok(())
}

/// Makes due what waits for an outage of this scope to end.
async fn hurry(
    db: &mut AnyConnection,
    (destination, user): (&str, Option<&str>),
    scope: Scope,
    now: i64,
) -> Result<u64, LedgerError> {
    let mut sql = Sql::new("UPDATE jobs SET next_attempt_at = ");
    sql.bind(now)
        .push(" WHERE state = 'waiting' AND destination = ");
    sql.bind(destination)
        .push(" AND next_attempt_at > ")
        .bind(now);
    if let Some(user) = user {
        sql.push(" AND username = ").bind(user);
    }
    let outage = |code: &&Code| {
        let row = code.row();
        row.scope == scope && row.class == Class::Retry(Pace::Outage)
    };
    let codes = Code::ALL.iter().filter(outage).map(|code| code.row().name);
    sql.push(" AND failure_code IN ").list(codes);
    sql.execute(db).await
}

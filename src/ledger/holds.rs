//! Holds: causes that wait for a person, each with the pattern of the jobs it concerns.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow, Row as _};

use super::sql::Sql;
use super::{Claimed, Ledger, LedgerError, history};
use crate::failure::{Code, Failure, Scope};

/// A cause that waits for a person.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Its number in the ledger.
    pub id: i64,
    /// The one job it concerns.
    pub job: Option<i64>,
    /// The destination it concerns.
    pub destination: Option<String>,
    /// The user it concerns.
    pub user: Option<String>,
    /// The notebook table it concerns.
    pub notebook: Option<String>,
    /// The failure's code.
    pub code: String,
    /// What happened.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// Since when, milliseconds since 1970, UTC.
    pub since: i64,
    /// When it is probed next.
    pub next_probe_at: i64,
}

impl FromRow<'_, AnyRow> for Hold {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            job: row.try_get("job")?,
            destination: row.try_get("destination")?,
            user: row.try_get("username")?,
            notebook: row.try_get("notebook")?,
            code: row.try_get("code")?,
            what: row.try_get("what")?,
            advice: row.try_get("advice")?,
            since: row.try_get("since")?,
            next_probe_at: row.try_get("next_probe_at")?,
        })
    }
}

/// Whether hold `h` concerns job `j`; NULL matches everything, but a watch's holds only what was put
/// under it.
const MATCHES: &str = "h.watch IS NULL AND (h.job IS NULL OR h.job = j.id) \
    AND (h.destination IS NULL OR h.destination = j.destination) \
    AND (h.username IS NULL OR h.username = j.username) AND (h.notebook IS NULL OR h.notebook = j.notebook)";

impl Ledger {
    /// All holds, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        self.engine
            .within(async {
                Ok(sqlx::query_as("SELECT * FROM holds ORDER BY id")
                    .fetch_all(&self.read)
                    .await?)
            })
            .await
    }

    /// Plans the next probe of a hold.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn probe_later(&self, hold: i64, at: i64) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let sql = "UPDATE holds SET next_probe_at = $1 WHERE id = $2";
                self.run(sqlx::query(sql).bind(at).bind(hold)).await?;
                Ok(())
            })
            .await
    }

    /// With another configuration: every hold is probed at once. What waits for a notebook or a
    /// destination that is none of these any more, or is held because of it, is tried at once, so
    /// that it is held because the table is gone.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn reconsider(
        &self,
        (notebooks, destinations): (Vec<&str>, Vec<&str>),
    ) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                probe_all(&mut db).await?;
                let kinds = [
                    ("notebook", notebooks, Code::NotebookRemoved),
                    ("destination", destinations, Code::DestinationRemoved),
                ];
                for (column, tables, code) in kinds {
                    let mut sql = Sql::new("SELECT id FROM holds WHERE code <> ");
                    sql.bind(code.as_str()).push(" AND ").push(column);
                    sql.push(" NOT IN ").list(tables.iter().copied());
                    let gone: Vec<(i64,)> = sql.all(&mut db).await?;
                    for (hold,) in gone {
                        release(&mut db, hold, self.now()).await?;
                    }
                    let mut sql = Sql::new("UPDATE jobs SET next_attempt_at = ");
                    sql.bind(self.now()).push(" WHERE state = 'waiting' AND ");
                    sql.push(column).push(" NOT IN ").list(tables);
                    sql.execute(&mut db).await?;
                }
                Ok(db.commit().await?)
            })
            .await
    }

    /// Ends a hold: its cause is gone, and all that it held is due now.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn release(&self, hold: i64, now: i64) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut transaction = self.begin().await?;
                release(&mut transaction, hold, now).await?;
                Ok(transaction.commit().await?)
            })
            .await
    }
}

/// Has every hold probed at once, since a restart or another configuration may be the cure.
pub(super) async fn probe_all(db: &mut AnyConnection) -> Result<(), LedgerError> {
    sqlx::query("UPDATE holds SET next_probe_at = 0 WHERE code <> $1")
        .bind(Code::Poison.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Whom a hold concerns; `None` is everybody.
#[derive(Default)]
pub(super) struct Whom<'a> {
    pub(super) job: Option<i64>,
    pub(super) destination: Option<&'a String>,
    pub(super) user: Option<&'a String>,
    pub(super) notebook: Option<&'a String>,
}

impl<'a> Whom<'a> {
    /// Whom a failure of this job concerns.
    pub(super) fn of(job: &'a Claimed, scope: Scope) -> Self {
        let hub = matches!(scope, Scope::User | Scope::Destination);
        Self {
            job: (scope == Scope::Job).then_some(job.id),
            destination: hub.then_some(&job.order.destination),
            user: (scope == Scope::User).then_some(&job.user),
            notebook: (scope == Scope::Notebook).then_some(&job.order.notebook),
        }
    }
}

/// The hold for this failure: the one that stands already, or a new one.
pub(super) async fn open(
    db: &mut AnyConnection,
    whom: &Whom<'_>,
    failure: &Failure,
    (now, probe_at): (i64, i64),
) -> Result<i64, LedgerError> {
    let row = failure.code.row();
    let sql = "UPDATE holds SET what = $1, advice = $2, next_probe_at = $3 WHERE code = $4 AND job IS NOT DISTINCT FROM $5 \
               AND destination IS NOT DISTINCT FROM $6 AND username IS NOT DISTINCT FROM $7 AND notebook IS NOT DISTINCT FROM $8 RETURNING id";
    let standing: Option<i64> = sqlx::query_scalar(sql)
        .bind(&failure.what)
        .bind(failure.advice())
        .bind(probe_at)
        .bind(row.name)
        .bind(whom.job)
        .bind(whom.destination)
        .bind(whom.user)
        .bind(whom.notebook)
        .fetch_optional(&mut *db)
        .await?;
    if let Some(id) = standing {
        return Ok(id);
    }
    let sql = "INSERT INTO holds (job, destination, username, notebook, code, what, advice, since, next_probe_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(whom.job)
        .bind(whom.destination)
        .bind(whom.user)
        .bind(whom.notebook)
        .bind(row.name)
        .bind(&failure.what)
        .bind(failure.advice())
        .bind(now)
        .bind(probe_at)
        .fetch_one(&mut *db)
        .await?;
    Ok(id)
}

/// Puts the waiting jobs of a run under its watch's hold, which is made where it doesn't stand.
pub(super) async fn hold_run(
    db: &mut AnyConnection,
    run: i64,
    watch: &str,
    (what, now): (&str, i64),
) -> Result<(), LedgerError> {
    let row = Code::MassChange.row();
    let sql = "UPDATE holds SET what = $1 WHERE code = $2 AND watch = $3 RETURNING id";
    let standing: Option<i64> = sqlx::query_scalar(sql)
        .bind(what)
        .bind(row.name)
        .bind(watch)
        .fetch_optional(&mut *db)
        .await?;
    let hold: i64 = match standing {
        Some(hold) => hold,
        None => {
            let sql = "INSERT INTO holds (watch, code, what, advice, since, next_probe_at) \
                       VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
            sqlx::query_scalar(sql)
                .bind(watch)
                .bind(row.name)
                .bind(what)
                .bind(row.advice)
                .bind(now)
                .bind(i64::MAX)
                .fetch_one(&mut *db)
                .await?
        }
    };
    let sql = "UPDATE jobs SET state = 'held', hold = $1, held_at = $2, failure_class = 'hold', \
                 failure_code = $3, failure_what = $4, failure_advice = $5, failure_at = $2 \
               WHERE run = $6 AND state = 'waiting'";
    sqlx::query(sql)
        .bind(hold)
        .bind(now)
        .bind(row.name)
        .bind(what)
        .bind(row.advice)
        .bind(run)
        .execute(db)
        .await?;
    Ok(())
}

/// Puts every waiting job under the hold that concerns it.
pub(super) async fn apply(db: &mut AnyConnection, now: i64) -> Result<(), LedgerError> {
    let holds: i64 = sqlx::query_scalar("SELECT count(*) FROM holds")
        .fetch_one(&mut *db)
        .await?;
    if holds == 0 {
        return Ok(());
    }
    let sql = format!(
        "UPDATE jobs AS j SET state = 'held', hold = h.id, held_at = $1, failure_class = 'hold', \
           failure_code = h.code, failure_what = h.what, failure_advice = h.advice, failure_at = $1 \
         FROM holds h WHERE j.id IN (SELECT id FROM jobs WHERE state = 'waiting') AND {MATCHES}"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// See [`Ledger::release`].
pub(super) async fn release(
    db: &mut AnyConnection,
    hold: i64,
    now: i64,
) -> Result<(), LedgerError> {
    let sql = "UPDATE jobs SET state = 'waiting', hold = NULL, crashes = 0, next_attempt_at = $1, \
                 excused_ms = excused_ms + $1 - held_at WHERE state = 'held' AND hold = $2";
    let jobs = sqlx::query(sql)
        .bind(now)
        .bind(hold)
        .execute(&mut *db)
        .await?
        .rows_affected();
    let code: Option<String> = sqlx::query_scalar("DELETE FROM holds WHERE id = $1 RETURNING code")
        .bind(hold)
        .fetch_optional(&mut *db)
        .await?;
    if let Some(code) = code {
        let detail = format!("{code}: {jobs} jobs go on");
        history::event(db, (None, None), "released", Some(&detail), None).await?;
    }
    Ok(())
}

/// A delivery succeeded: whatever held jobs like it is gone.
pub(super) async fn release_matching(
    db: &mut AnyConnection,
    job: &Claimed,
    now: i64,
) -> Result<(), LedgerError> {
    let sql = format!("SELECT h.id FROM holds h JOIN jobs j ON j.id = $1 WHERE {MATCHES}");
    let holds: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(job.id)
        .fetch_all(&mut *db)
        .await?;
    for hold in holds {
        release(db, hold, now).await?;
    }
    Ok(())
}

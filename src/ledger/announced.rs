//! What was announced, by whom, and what is new since.
//!
//! An announcer is known by its name. It tells each cause for which jobs wait for a person once, and
//! follows the events of its choice by a cursor: the numbers of events grow in the order in which
//! they are committed, since whoever writes waits for the one before, on both engines.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow, Row as _};

use super::engine::Engine;
use super::{JobRow, Ledger, LedgerError, RunRow};
use crate::job::millis;

/// A cause for which jobs wait for a person. Holds of single jobs are one cause if all else is the
/// same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The failure's code.
    pub code: String,
    /// The destination it concerns.
    pub destination: Option<String>,
    /// The user it concerns.
    pub user: Option<String>,
    /// The notebook table it concerns.
    pub notebook: Option<String>,
    /// The watch whose runs it concerns.
    pub watch: Option<String>,
    /// What happened.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// Since when, milliseconds since 1970, UTC.
    pub since: i64,
    /// Jobs that wait for it.
    pub jobs: i64,
}

/// A cause as it was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What was told.
    pub cause: Cause,
    /// When it was told last, milliseconds since 1970, UTC.
    pub at: i64,
}

/// An event that an announcer has not told yet.
#[derive(Clone, Debug)]
pub struct News {
    /// Its number.
    pub id: i64,
    /// When it happened, milliseconds since 1970, UTC.
    pub at: i64,
    run: i64,
    job: i64,
    /// More about it.
    pub detail: Option<String>,
}

/// What is written down once something has been told.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    /// Causes that were told.
    pub told: Vec<Cause>,
    /// Causes that are over.
    pub over: Vec<Cause>,
    /// Events of this name were told up to this number.
    pub events: Option<(&'static str, i64)>,
}

impl Cause {
    /// What it is known again by.
    #[must_use]
    pub fn key(&self) -> String {
        let scope = [&self.destination, &self.user, &self.notebook, &self.watch];
        serde_json::json!([self.code, scope]).to_string()
    }
}

impl FromRow<'_, AnyRow> for Cause {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            code: row.try_get("code")?,
            destination: row.try_get("destination")?,
            user: row.try_get("username")?,
            notebook: row.try_get("notebook")?,
            watch: row.try_get("watch")?,
            what: row.try_get("what")?,
            advice: row.try_get("advice")?,
            since: row.try_get("since")?,
            // The only one may be on its way to try whether the cause is gone.
            jobs: row.try_get::<i64, _>("jobs")?.max(1),
        })
    }
}

impl FromRow<'_, AnyRow> for News {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            run: row.try_get("run")?,
            job: row.try_get("job")?,
            detail: row.try_get("detail")?,
        })
    }
}

/// All causes, each with its newest words.
const CAUSES: &str = "SELECT c.*, n.what, n.advice FROM ( \
      SELECT h.code, h.watch, coalesce(h.destination, o.destination) AS destination, h.username, \
        coalesce(h.notebook, o.notebook) AS notebook, min(h.since) AS since, max(h.id) AS newest, \
        count(j.id) AS jobs \
      FROM holds h LEFT JOIN jobs o ON o.id = h.job \
        LEFT JOIN jobs j ON j.hold = h.id AND j.state = 'held' GROUP BY 1, 2, 3, 4, 5) AS c \
    JOIN holds n ON n.id = c.newest ORDER BY c.newest";

impl Ledger {
    /// Why jobs wait for a person.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn causes(&self) -> Result<Vec<Cause>, LedgerError> {
        let work = async { Ok(sqlx::query_as(CAUSES).fetch_all(&self.read).await?) };
        self.engine.within(work).await
    }

    /// The causes that an announcer has told and that were not over then.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn told(&self, announcer: &str) -> Result<Vec<Told>, LedgerError> {
        let work = async {
            let sql = "SELECT told, told_at FROM announced WHERE announcer = $1";
            let rows: Vec<(String, i64)> = sqlx::query_as(sql)
                .bind(announcer)
                .fetch_all(&self.read)
                .await?;
            // Only another version could have written what isn't understood.
            let told = rows.into_iter().filter_map(|(told, at)| {
                let cause = serde_json::from_str(&told).ok()?;
                Some(Told { cause, at })
            });
            Ok(told.collect())
        };
        self.engine.within(work).await
    }

    /// Has an announcer follow the events of this name from now on, if it doesn't yet.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn follow(&self, announcer: &str, event: &str) -> Result<(), LedgerError> {
        let sql = "INSERT INTO cursors (announcer, event, id) \
                   SELECT $1, $2, coalesce(max(id), 0) FROM events WHERE 1 = 1 \
                   ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(announcer).bind(event);
        let work = async { self.run(query).await.map(drop) };
        self.engine.within(work).await
    }

    /// The next events of this name, at most so many, and the number of the newest of all events.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn news(
        &self,
        (announcer, event): (&str, &str),
        most: i64,
    ) -> Result<(Vec<News>, i64), LedgerError> {
        let work = async {
            let sql = "SELECT coalesce(max(id), 0) FROM events";
            let newest: i64 = sqlx::query_scalar(sql).fetch_one(&self.read).await?;
            let sql = "SELECT id, at, run, job, detail FROM events WHERE event = $2 AND id > \
                         (SELECT id FROM cursors WHERE announcer = $1 AND event = $2) \
                       ORDER BY id LIMIT $3";
            let news = sqlx::query_as(sql).bind(announcer).bind(event).bind(most);
            Ok((news.fetch_all(&self.read).await?, newest))
        };
        self.engine.within(work).await
    }

    /// How many events of this name are new, up to this number, and the last of them.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn news_count(
        &self,
        (announcer, event): (&str, &str),
        newest: i64,
    ) -> Result<(i64, Option<News>), LedgerError> {
        let work = async {
            let new = "FROM events WHERE event = $2 AND id <= $3 AND id > \
                         (SELECT id FROM cursors WHERE announcer = $1 AND event = $2)";
            let sql = format!("SELECT count(*) {new}");
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
            let count = count.bind(announcer).bind(event).bind(newest);
            let count: i64 = count.fetch_one(&self.read).await?;
            let sql = format!("SELECT id, at, run, job, detail {new} ORDER BY id DESC LIMIT 1");
            let last = sqlx::query_as(sqlx::AssertSqlSafe(sql));
            let last = last.bind(announcer).bind(event).bind(newest);
            Ok((count, last.fetch_optional(&self.read).await?))
        };
        self.engine.within(work).await
    }

    /// The run and the job that an event is about.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn about(&self, news: &News) -> Result<(RunRow, JobRow), LedgerError> {
        let work = async {
            let run = sqlx::query_as("SELECT * FROM runs WHERE id = $1").bind(news.run);
            let job = sqlx::query_as("SELECT * FROM jobs WHERE id = $1").bind(news.job);
            let run = run.fetch_one(&self.read).await?;
            Ok((run, job.fetch_one(&self.read).await?))
        };
        self.engine.within(work).await
    }

    /// Whether this process may speak as this announcer, and for so long no other one.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn may_announce(
        &self,
        announcer: &str,
        time: std::time::Duration,
    ) -> Result<bool, LedgerError> {
        if self.engine == Engine::Sqlite {
            return Ok(true);
        }
        let clock = self.engine.clock();
        let sql = format!(
            "INSERT INTO announcers (name, owner, lease_until) VALUES ($1, $2, {clock} + $3) \
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, \
               lease_until = excluded.lease_until \
             WHERE announcers.owner = excluded.owner OR announcers.lease_until < {clock}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(announcer)
            .bind(self.location.owner())
            .bind(millis(time));
        let work = async { Ok(self.run(query).await? > 0) };
        self.engine.within(work).await
    }

    /// Writes down what an announcer has told.
    ///
    /// # Errors
    /// When the ledger can't be written; it would be told again then.
    pub async fn announced(&self, announcer: &str, what: &Announced) -> Result<(), LedgerError> {
        let work = async {
            let mut db = self.begin().await?;
            for cause in &what.told {
                tell(&mut db, (announcer, cause), self.now()).await?;
            }
            for cause in &what.over {
                let sql = "DELETE FROM announced WHERE announcer = $1 AND cause = $2";
                let query = sqlx::query(sql).bind(announcer).bind(cause.key());
                query.execute(&mut *db).await?;
            }
            if let Some((event, id)) = what.events {
                let sql = "UPDATE cursors SET id = $3 \
                           WHERE announcer = $1 AND event = $2 AND id < $3";
                let query = sqlx::query(sql).bind(announcer).bind(event).bind(id);
                query.execute(&mut *db).await?;
            }
            Ok(db.commit().await?)
        };
        self.engine.within(work).await
    }
}

async fn tell(
    db: &mut AnyConnection,
    (announcer, cause): (&str, &Cause),
    now: i64,
) -> Result<(), LedgerError> {
    let told = serde_json::to_string(cause).unwrap_or_default();
    let sql = "INSERT INTO announced (announcer, cause, told, told_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (announcer, cause) DO UPDATE SET told = excluded.told, \
                 told_at = excluded.told_at";
    let query = sqlx::query(sql).bind(announcer).bind(cause.key());
    query.bind(told).bind(now).execute(db).await?;
    Ok(())
}

//! What the page and the commands ask.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::records::AT_ONCE;
use super::select::like;
use super::sql::Sql;
use super::{Ledger, LedgerError};
use crate::job::JobState;
use crate::run::Parameters;

/// A run as the ledger has it. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its number in the ledger.
    pub id: i64,
    /// Its watch.
    pub watch: String,
    /// Its name.
    pub name: String,
    /// Which run of that name.
    pub incarnation: i64,
    /// Its directory.
    pub path: std::path::PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// When it was found complete.
    pub ready_at: Option<i64>,
    /// `acquiring`, `ready` or `ignored`.
    pub state: String,
    /// Why it is ignored, or what it waits for.
    pub reason: Option<String>,
    /// Its parameters.
    pub parameters: Parameters,
    /// Where each parameter came from that its name doesn't tell.
    pub sources: BTreeMap<String, String>,
    /// Its signature at the very first start of its watch, if it was there then.
    pub baseline: Option<String>,
    /// What it is known again by.
    pub identity: Option<String>,
    /// The identity of the directory that its watch looked at when it was seen.
    pub root: Option<String>,
    /// A hash of its metadata.
    pub digest: Option<String>,
    /// Whether it counts towards `max_new_per_hour`.
    pub counted: bool,
    /// Whether only a person has it delivered.
    pub held: bool,
    /// When its parameters and history were forgotten.
    pub pruned_at: Option<i64>,
}

/// Why a job is not delivered.
#[derive(Clone, Debug)]
pub struct FailureRow {
    /// `retry`, `hold` or `give-up`.
    pub class: String,
    /// The stable code.
    pub code: String,
    /// What happened.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// When.
    pub at: i64,
}

/// A job as the ledger has it. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Its run's number.
    pub run: i64,
    /// Its public id.
    pub uid: String,
    /// Its notebook table.
    pub notebook: String,
    /// Its destination table.
    pub destination: String,
    /// Its user; empty is the credential's owner.
    pub user: String,
    /// Where the notebook stands or will stand.
    pub path: Option<String>,
    /// Where to open it.
    pub url: Option<String>,
    /// Its state.
    pub state: String,
    /// How the notebook came to stand there.
    pub outcome: Option<String>,
    /// Attempts so far.
    pub attempts: i64,
    /// When it is due.
    pub next_attempt_at: i64,
    /// When it was delivered.
    pub delivered_at: Option<i64>,
    /// The hash of what was delivered, or is about to be.
    pub sha256: Option<String>,
    /// Why it is not delivered.
    pub failure: Option<FailureRow>,
}

/// One line of a run's history.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// When.
    pub at: i64,
    /// What: `run-ready`, `delivered`, `attempt-failed`, `held`, `failed`, `retried`, ….
    pub event: String,
    /// More about it.
    pub detail: Option<String>,
    /// The person who did it.
    pub actor: Option<String>,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only runs in this state, or with a job in it.
    pub state: Option<String>,
    /// Only runs seen at or after this time.
    pub since: Option<i64>,
    /// At most so many, the newest.
    pub limit: Option<i64>,
    /// Only runs with this text in their name or parameters; `*` and `?` as in a pattern.
    pub text: Option<String>,
    /// Only runs older than the one of this number.
    pub before: Option<i64>,
}

impl RunRow {
    /// Whether it was given up before it was complete, since something else lies where it was.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        let elsewhere = reason.starts_with("renamed-to ");
        self.state == "ignored" && (elsewhere || matches!(reason, "gone" | "replaced"))
    }
}

impl FromRow<'_, AnyRow> for RunRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let parameters: String = row.try_get("parameters")?;
        let sources: String = row.try_get("sources")?;
        Ok(Self {
            id: row.try_get("id")?,
            watch: row.try_get("watch")?,
            name: row.try_get("name")?,
            incarnation: row.try_get("incarnation")?,
            path: super::records::to_path(row.try_get("path")?),
            seen_at: row.try_get("seen_at")?,
            ready_at: row.try_get("ready_at")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            parameters: serde_json::from_str(&parameters).unwrap_or_default(),
            sources: serde_json::from_str(&sources).unwrap_or_default(),
            baseline: row.try_get("baseline")?,
            identity: row.try_get("identity")?,
            root: row.try_get("root")?,
            digest: row.try_get("digest")?,
            counted: row.try_get::<i64, _>("counted")? != 0,
            held: row.try_get::<i64, _>("held")? != 0,
            pruned_at: row.try_get("pruned_at")?,
        })
    }
}

impl FromRow<'_, AnyRow> for JobRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let failure = match row.try_get::<Option<String>, _>("failure_code")? {
            None => None,
            Some(code) => Some(FailureRow {
                class: row.try_get("failure_class")?,
                code,
                what: row.try_get("failure_what")?,
                advice: row.try_get("failure_advice")?,
                at: row.try_get("failure_at")?,
            }),
        };
        Ok(Self {
            run: row.try_get("run")?,
            uid: row.try_get("uid")?,
            notebook: row.try_get("notebook")?,
            destination: row.try_get("destination")?,
            user: row.try_get("username")?,
            path: row.try_get("path")?,
            url: row.try_get("url")?,
            state: row.try_get("state")?,
            outcome: row.try_get("outcome")?,
            attempts: row.try_get("attempts")?,
            next_attempt_at: row.try_get("next_attempt_at")?,
            delivered_at: row.try_get("delivered_at")?,
            sha256: row.try_get("sha256")?,
            failure,
        })
    }
}

impl FromRow<'_, AnyRow> for EventRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at: row.try_get("at")?,
            event: row.try_get("event")?,
            detail: row.try_get("detail")?,
            actor: row.try_get("actor")?,
        })
    }
}

/// Whether run `r` is the latest of its name.
const LATEST: &str = "NOT EXISTS (SELECT 1 FROM runs n WHERE n.watch = r.watch \
    AND n.name = r.name AND n.incarnation > r.incarnation)";

/// Only runs in this state, or with a job in it; no state is a run's and a job's. The few jobs that
/// are not delivered are found by their own indexes, which a bound value doesn't lead to.
fn in_state(sql: &mut Sql, state: Option<&str>) {
    let Some(state) = state else { return };
    match JobState::ALL.iter().find(|job| job.as_str() == state) {
        None => sql.push(" AND r.state = ").bind(state),
        Some(JobState::Delivered) => sql.push(
            " AND EXISTS (SELECT 1 FROM jobs j WHERE j.run = r.id AND j.state = 'delivered')",
        ),
        Some(job) => sql
            .push(" AND r.id IN (SELECT run FROM jobs WHERE state = '")
            .push(job.as_str())
            .push("')"),
    };
}

/// Each engine takes what it knows for the other case of a letter.
fn with_text(sql: &mut Sql, text: Option<&str>) {
    let Some(text) = text else { return };
    let shape = format!("%{}%", like(text));
    for (before, column) in [(" AND (", "r.name"), (" OR ", "r.parameters")] {
        sql.push(before).push("lower(").push(column);
        sql.push(") LIKE lower(").bind(shape.clone());
        sql.push(") ESCAPE '\\'");
    }
    sql.push(")");
}

impl Ledger {
    /// The runs asked for, newest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs(&self, filter: &Filter) -> Result<Vec<RunRow>, LedgerError> {
        self.engine
            .within(async {
                let mut sql = Sql::new("SELECT * FROM runs r WHERE 1 = 1");
                in_state(&mut sql, filter.state.as_deref());
                with_text(&mut sql, filter.text.as_deref());
                if let Some(before) = filter.before {
                    sql.push(" AND r.id < ").bind(before);
                }
                if let Some(since) = filter.since {
                    sql.push(" AND r.seen_at >= ").bind(since);
                }
                sql.push(" ORDER BY r.id DESC");
                if let Some(limit) = filter.limit {
                    sql.push(" LIMIT ").bind(limit);
                }
                let mut db = self.read.acquire().await?;
                sql.all(&mut db).await
            })
            .await
    }

    /// The jobs of a run, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn jobs(&self, run: i64) -> Result<Vec<JobRow>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT * FROM jobs WHERE run = $1 ORDER BY id";
                Ok(sqlx::query_as(sql).bind(run).fetch_all(&self.read).await?)
            })
            .await
    }

    /// The history of a run, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn events(&self, run: i64) -> Result<Vec<EventRow>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT at, event, detail, actor FROM events WHERE run = $1 ORDER BY id";
                Ok(sqlx::query_as(sql).bind(run).fetch_all(&self.read).await?)
            })
            .await
    }

    /// The runs that `text` can mean: a name, `watch:name`, a `run` parameter (of several runs of one
    /// name the latest) or a job's id.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn find(&self, text: &str) -> Result<Vec<RunRow>, LedgerError> {
        self.engine.within(async {
        let which = [
            "(name = $1 OR (watch || ':' || name) = $1) AND LATEST OR id = (SELECT run FROM jobs WHERE uid = $1)",
            &format!("{} = $1 AND LATEST", self.engine.run_parameter()),
        ];
        let mut found = Vec::new();
        for which in which.map(|which| which.replace("LATEST", LATEST)) {
            if found.is_empty() {
                let sql = format!("SELECT * FROM runs r WHERE {which} ORDER BY id");
                let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(text);
                found = rows.fetch_all(&self.read).await?;
            }
        }
        Ok(found)
    }).await
    }

    /// How many jobs are in each state that has any.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn job_counts(&self) -> Result<Vec<(String, i64)>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT state, count(*) FROM jobs GROUP BY state";
                Ok(sqlx::query_as(sql).fetch_all(&self.read).await?)
            })
            .await
    }

    /// How many runs a watch knows, and how many of them are stalled.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn run_counts(&self, watch: &str) -> Result<(i64, i64), LedgerError> {
        self.engine.within(async {
        let sql = "SELECT count(*), count(*) FILTER (WHERE state = 'acquiring' AND reason LIKE 'stalled%') \
                   FROM runs WHERE watch = $1";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .fetch_one(&self.read)
            .await?)
    }).await
    }

    /// Of these public ids, the ones whose jobs are known and over or not begun: what they left
    /// at a destination may be removed.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn not_delivering(&self, uids: &[String]) -> Result<Vec<String>, LedgerError> {
        self.engine
            .within(async {
                let mut over = Vec::new();
                let mut db = self.write.acquire().await?;
                for some in uids.chunks(AT_ONCE) {
                    let mut sql =
                        Sql::new("SELECT uid FROM jobs WHERE state <> 'delivering' AND uid IN ");
                    sql.list(some);
                    let found: Vec<(String,)> = sql.all(&mut db).await?;
                    over.extend(found.into_iter().map(|(uid,)| uid));
                }
                Ok(over)
            })
            .await
    }
}

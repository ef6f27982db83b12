//! What detection records and asks.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::{Ledger, LedgerError, holds, now};
use crate::job::PlannedJob;
use crate::run::{Parameters, RunState};

/// A run that was seen and is not to be delivered yet, or never.
#[derive(Clone, Debug)]
pub struct SeenRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// `Acquiring` or `Ignored`.
    pub state: RunState,
    /// Why it is ignored, or what it waits for.
    pub reason: Option<String>,
    /// Its signature at the very first start of its watch, if it was there then.
    pub baseline: Option<String>,
}

/// A run that is complete.
#[derive(Clone, Debug)]
pub struct ReadyRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// When it was found complete.
    pub ready_at: i64,
    /// Its parameters.
    pub parameters: Parameters,
    /// What is to be delivered; empty leaves the run ignored, `no-notebook`.
    pub jobs: Vec<PlannedJob>,
    /// Whether a person or a trigger file asked for it: then it is delivered even if it was to be
    /// ignored.
    pub asked: bool,
    /// The request it came with.
    pub request: Option<String>,
}

/// A run that is not complete yet.
#[derive(Clone, Debug)]
pub struct AcquiringRun {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// See [`SeenRun::baseline`].
    pub baseline: Option<String>,
    /// What it waits for.
    pub reason: Option<String>,
}

/// The hash under which detection remembers that a run is known.
#[must_use]
pub fn name_hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Ledger {
    /// Whether the watch has been started before.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn has_baseline(&self, watch: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM watches WHERE name = ?)";
        Ok(sqlx::query_scalar(sql)
            .bind(watch)
            .fetch_one(&self.write)
            .await?)
    }

    /// Records the first start of a watch and what was there, in one transaction.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn baseline(&self, watch: &str, runs: &[SeenRun]) -> Result<(), LedgerError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT OR IGNORE INTO watches (name, baseline_at) VALUES (?, ?)")
            .bind(watch)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        insert_seen(&mut transaction, runs).await?;
        Ok(transaction.commit().await?)
    }

    /// Records runs that were seen; a known run stays as it is.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen(&self, runs: &[SeenRun]) -> Result<(), LedgerError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        insert_seen(&mut transaction, runs).await?;
        Ok(transaction.commit().await?)
    }

    /// Records complete runs, each with its jobs, in one transaction; repeating it changes nothing.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn ready(&self, runs: &[ReadyRun]) -> Result<(), LedgerError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for run in runs {
            let (id, delivers) = upsert_ready(&mut transaction, run).await?;
            let mut fresh = false;
            for job in run.jobs.iter().filter(|_| delivers) {
                fresh |= insert_job(&mut transaction, id, job, run.ready_at).await?;
            }
            if fresh {
                holds::apply(&mut transaction, run.ready_at).await?;
            }
            if let Some(key) = &run.request {
                sqlx::query("INSERT OR IGNORE INTO requests (key, run) VALUES (?, ?)")
                    .bind(key)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Marks a run that is not complete yet as never to be delivered.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn ignore(&self, watch: &str, name: &str, reason: &str) -> Result<(), LedgerError> {
        let sql = "UPDATE runs SET state = 'ignored', reason = ? \
                   WHERE watch = ? AND name = ? AND state = 'acquiring'";
        sqlx::query(sql)
            .bind(reason)
            .bind(watch)
            .bind(name)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Says what a run that is not complete yet waits for.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_reason(
        &self,
        watch: &str,
        name: &str,
        reason: Option<&str>,
    ) -> Result<(), LedgerError> {
        let sql = "UPDATE runs SET reason = ? WHERE watch = ? AND name = ? AND state = 'acquiring'";
        sqlx::query(sql)
            .bind(reason)
            .bind(watch)
            .bind(name)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The hashes of all names that a watch knows.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn known(&self, watch: &str) -> Result<HashSet<u64>, LedgerError> {
        use futures_util::TryStreamExt as _;
        let sql = "SELECT name FROM runs WHERE watch = ?";
        let rows = sqlx::query_scalar::<_, String>(sql)
            .bind(watch)
            .fetch(&self.read);
        Ok(rows.map_ok(|name| name_hash(&name)).try_collect().await?)
    }

    /// The runs of a watch that are not complete yet.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn acquiring(&self, watch: &str) -> Result<Vec<AcquiringRun>, LedgerError> {
        let sql = "SELECT name, path, seen_at, baseline, reason FROM runs \
                   WHERE watch = ? AND state = 'acquiring' ORDER BY id";
        type Row = (String, Vec<u8>, i64, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(watch)
            .fetch_all(&self.read)
            .await?;
        let run = |(name, path, seen_at, baseline, reason)| AcquiringRun {
            name,
            path: to_path(path),
            seen_at,
            baseline,
            reason,
        };
        Ok(rows.into_iter().map(run).collect())
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

async fn insert_seen(db: &mut SqliteConnection, runs: &[SeenRun]) -> Result<(), LedgerError> {
    for run in runs {
        let sql = "INSERT OR IGNORE INTO runs (watch, name, path, seen_at, state, reason, baseline) \
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&run.watch)
            .bind(&run.name)
            .bind(from_path(&run.path))
            .bind(run.seen_at)
            .bind(run.state.as_str())
            .bind(&run.reason)
            .bind(&run.baseline)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// The run's number, and whether it is to be delivered. One that is ready already keeps its
/// parameters; one without jobs is ignored, and so stays one that was skipped.
async fn upsert_ready(
    db: &mut SqliteConnection,
    run: &ReadyRun,
) -> Result<(i64, bool), LedgerError> {
    let (state, reason) = match run.jobs.is_empty() {
        true => (RunState::Ignored, Some("no-notebook")),
        false => (RunState::Ready, None),
    };
    let sql = "INSERT INTO runs (watch, name, path, seen_at, ready_at, state, reason, parameters) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
               ON CONFLICT (watch, name, incarnation) DO UPDATE SET \
                   ready_at = ?5, state = ?6, reason = ?7, parameters = ?8 \
               WHERE state = 'acquiring' OR (?9 AND state = 'ignored')";
    let parameters = serde_json::Value::Object(run.parameters.clone()).to_string();
    let changed = sqlx::query(sql)
        .bind(&run.watch)
        .bind(&run.name)
        .bind(from_path(&run.path))
        .bind(run.seen_at)
        .bind(run.ready_at)
        .bind(state.as_str())
        .bind(reason)
        .bind(parameters)
        .bind(run.asked)
        .execute(&mut *db)
        .await?
        .rows_affected();
    let sql = "SELECT id, state = 'ready' FROM runs WHERE watch = ? AND name = ? \
               ORDER BY incarnation DESC";
    let (id, delivers): (i64, bool) = sqlx::query_as(sql)
        .bind(&run.watch)
        .bind(&run.name)
        .fetch_one(&mut *db)
        .await?;
    if changed > 0 {
        super::history::event(db, (Some(id), None), "run-ready", reason, None).await?;
    }
    Ok((id, delivers))
}

/// Whether the job is new.
async fn insert_job(
    db: &mut SqliteConnection,
    run: i64,
    job: &PlannedJob,
    at: i64,
) -> Result<bool, LedgerError> {
    let sql = "INSERT INTO jobs (uid, run, notebook, destination, user, state, created_at, next_attempt_at) \
               SELECT ?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?6 WHERE NOT EXISTS \
               (SELECT 1 FROM jobs WHERE run = ?2 AND notebook = ?3 AND destination = ?4 AND user = ?5)";
    let done = sqlx::query(sql)
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(run)
        .bind(&job.notebook)
        .bind(&job.destination)
        .bind(&job.user)
        .bind(at)
        .execute(&mut *db)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) fn from_path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

pub(super) fn to_path(bytes: Vec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(bytes).into()
}

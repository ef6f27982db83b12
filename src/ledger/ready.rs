//! Runs that are complete, and their jobs.

use sqlx::SqliteConnection;

use super::runs::{ReadyRun, SeenRun, from_path, text};
use super::{Ledger, LedgerError, history, holds};
use crate::job::PlannedJob;
use crate::run::RunState;

/// What a run's record came to.
struct Recorded {
    id: i64,
    /// Whether its jobs are to be made.
    delivers: bool,
    /// Whether only a person has it delivered.
    held: bool,
    /// Whether it became ready now.
    changed: bool,
}

impl Ledger {
    /// Records complete runs, each with its jobs, in one transaction; repeating it changes nothing.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn ready(&self, runs: &[ReadyRun]) -> Result<(), LedgerError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut room = Room::default();
        for run in runs {
            let recorded = upsert(&mut transaction, run).await?;
            let mut fresh = false;
            for job in run.jobs.iter().filter(|_| recorded.delivers) {
                fresh |= insert_job(&mut transaction, recorded.id, job, run.ready_at).await?;
            }
            if fresh {
                hold(&mut transaction, run, &recorded, &mut room).await?;
            }
            if let Some(key) = &run.request {
                sqlx::query("INSERT OR IGNORE INTO requests (key, run) VALUES (?, ?)")
                    .bind(key)
                    .bind(recorded.id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        Ok(transaction.commit().await?)
    }
}

/// How many runs may still be delivered this hour, asked once for a watch.
#[derive(Default)]
struct Room(Option<(String, i64)>);

impl Room {
    /// Takes one; `false` when there is none left.
    async fn take(
        &mut self,
        db: &mut SqliteConnection,
        run: &ReadyRun,
        limit: u32,
    ) -> Result<bool, LedgerError> {
        if self.0.as_ref().is_none_or(|(watch, _)| *watch != run.watch) {
            let sql = "SELECT count(*) FROM runs WHERE watch = ? AND counted AND ready_at > ?";
            let count: i64 = sqlx::query_scalar(sql)
                .bind(&run.watch)
                .bind(run.ready_at - 3_600_000)
                .fetch_one(db)
                .await?;
            // The run itself, and what this transaction records, are among them already.
            self.0 = Some((run.watch.clone(), i64::from(limit) - count + 1));
        }
        let Some((_, left)) = &mut self.0 else {
            return Ok(true);
        };
        *left -= 1;
        Ok(*left >= 0)
    }
}

/// Puts new jobs under the holds that concern them.
async fn hold(
    db: &mut SqliteConnection,
    run: &ReadyRun,
    recorded: &Recorded,
    room: &mut Room,
) -> Result<(), LedgerError> {
    let watch = &run.watch;
    let limit = run.limit.filter(|limit| *limit > 0 && recorded.changed);
    let what = match limit {
        _ if recorded.held => Some(format!(
            "many known runs of [watch.{watch}] appeared anew at once; the notebooks of those whose metadata changed wait"
        )),
        Some(limit) if !room.take(db, run, limit).await? => Some(format!(
            "[watch.{watch}] had more than {limit} new runs within an hour (`max_new_per_hour`); the notebooks of the others wait"
        )),
        _ => None,
    };
    match what {
        Some(what) if !run.asked => {
            // Held runs don't count.
            sqlx::query("UPDATE runs SET counted = 0 WHERE id = ?")
                .bind(recorded.id)
                .execute(&mut *db)
                .await?;
            holds::hold_run(db, recorded.id, watch, (&what, run.ready_at)).await
        }
        _ => holds::apply(db, run.ready_at).await,
    }
}

/// One that is ready already keeps its parameters; one without jobs is ignored, and so stays one
/// that was skipped.
async fn upsert(db: &mut SqliteConnection, run: &ReadyRun) -> Result<Recorded, LedgerError> {
    let (state, reason) = match run.jobs.is_empty() {
        true => (RunState::Ignored, Some("no-notebook")),
        false => (RunState::Ready, None),
    };
    let sql = "INSERT INTO runs (watch, name, incarnation, path, seen_at, ready_at, state, reason, \
                 parameters, sources, digest, identity, counted) \
               VALUES (?1, ?2, coalesce(?3, (SELECT max(incarnation) FROM runs WHERE watch = ?1 AND name = ?2), 1), \
                 ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
               ON CONFLICT (watch, name, incarnation) DO UPDATE SET \
                 ready_at = ?6, state = ?7, reason = ?8, parameters = ?9, sources = ?10, digest = ?11, counted = ?13 \
               WHERE state = 'acquiring' OR (?14 AND state = 'ignored') RETURNING id, held";
    let sources = serde_json::to_string(&run.sources).unwrap_or_else(|_| "{}".into());
    let changed: Option<(i64, bool)> = sqlx::query_as(sql)
        .bind(&run.watch)
        .bind(&run.name)
        .bind(run.incarnation)
        .bind(from_path(&run.path))
        .bind(run.seen_at)
        .bind(run.ready_at)
        .bind(state.as_str())
        .bind(reason)
        .bind(text(&run.parameters))
        .bind(sources)
        .bind(&run.digest)
        .bind(&run.identity)
        .bind(run.limit.is_some())
        .bind(run.asked)
        .fetch_optional(&mut *db)
        .await?;
    if let Some((id, held)) = changed {
        history::event(db, (Some(id), None), "run-ready", reason, None).await?;
        return Ok(Recorded {
            id,
            held,
            delivers: state == RunState::Ready,
            changed: true,
        });
    }
    let sql = "SELECT id, state = 'ready', held FROM runs WHERE watch = ? AND name = ? \
               AND (?3 IS NULL OR incarnation = ?3) ORDER BY incarnation DESC LIMIT 1";
    let (id, delivers, held) = sqlx::query_as(sql)
        .bind(&run.watch)
        .bind(&run.name)
        .bind(run.incarnation)
        .fetch_one(&mut *db)
        .await?;
    Ok(Recorded {
        id,
        delivers,
        held,
        changed: false,
    })
}

/// The jobs that begin with a run that was recorded just now.
pub(super) async fn begin(
    db: &mut SqliteConnection,
    id: i64,
    run: &SeenRun,
) -> Result<(), LedgerError> {
    for job in &run.jobs {
        insert_job(db, id, job, run.seen_at).await?;
    }
    holds::apply(db, run.seen_at).await
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

//! Runs that are complete, and their jobs.

use std::collections::{HashMap, HashSet};

use sqlx::AnyConnection;

use super::records::{AT_ONCE, ReadyRun, SeenRun, from_path, text};
use super::sql::Sql;
use super::{Ledger, LedgerError, history, holds};
use crate::job::PlannedJob;
use crate::run::RunState;

/// What a run's record came to.
#[derive(Clone, Copy)]
struct Recorded {
    id: i64,
    /// Whether its jobs are to be made.
    delivers: bool,
    /// Whether only a person has it delivered.
    held: bool,
    /// Whether it became ready now.
    changed: bool,
}

/// A job to be made: its run's number, itself, and when.
type NewJob<'r> = (i64, &'r PlannedJob, i64);

impl Ledger {
    /// Records complete runs, each with its jobs, in one transaction; repeating it changes nothing.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn ready(&self, runs: &[ReadyRun]) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                let mut db = self.begin().await?;
                for some in runs.chunks(AT_ONCE) {
                    let recorded = upsert(&mut db, some).await?;
                    let each = some.iter().zip(&recorded);
                    let jobs = each.filter(|(_, recorded)| recorded.delivers);
                    let jobs = jobs.flat_map(|(run, recorded)| {
                        run.jobs.iter().map(|job| (recorded.id, job, run.ready_at))
                    });
                    let fresh = insert_jobs(&mut db, &jobs.collect::<Vec<_>>()).await?;
                    hold_back(&mut db, some, &recorded, &fresh).await?;
                    if !fresh.is_empty() {
                        holds::apply(&mut db, self.now()).await?;
                    }
                    requests(&mut db, some, &recorded).await?;
                    asked(&mut db, some, &recorded).await?;
                }
                self.hint(&mut db).await?;
                Ok(db.commit().await?)
            })
            .await
    }
}

/// Adds to the history of each run that was asked for who it was.
async fn asked(
    db: &mut AnyConnection,
    runs: &[ReadyRun],
    recorded: &[Recorded],
) -> Result<(), LedgerError> {
    for (run, recorded) in runs.iter().zip(recorded) {
        if let Some(who) = &run.asked {
            history::event(db, (Some(recorded.id), None), "submitted", None, Some(who)).await?;
        }
    }
    Ok(())
}

async fn requests(
    db: &mut AnyConnection,
    runs: &[ReadyRun],
    recorded: &[Recorded],
) -> Result<(), LedgerError> {
    for (run, recorded) in runs.iter().zip(recorded) {
        if let Some(key) = &run.request {
            sqlx::query("INSERT INTO requests (key, run) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(key)
                .bind(recorded.id)
                .execute(&mut *db)
                .await?;
        }
    }
    Ok(())
}

/// Puts the new jobs of runs about which a person has to decide under their watch's hold.
async fn hold_back(
    db: &mut AnyConnection,
    runs: &[ReadyRun],
    recorded: &[Recorded],
    fresh: &HashSet<i64>,
) -> Result<(), LedgerError> {
    let mut room = None;
    for (run, recorded) in runs.iter().zip(recorded) {
        let limit = run.limit.filter(|limit| *limit > 0 && recorded.changed);
        if run.asked.is_some()
            || !fresh.contains(&recorded.id)
            || (limit.is_none() && !recorded.held)
        {
            continue;
        }
        let watch = &run.watch;
        let what = if recorded.held {
            format!(
                "many known runs of [watch.{watch}] appeared anew at once; the notebooks of those whose metadata changed wait"
            )
        } else {
            let limit = limit.unwrap_or_default();
            let left = match room {
                Some(left) => left,
                None => i64::from(limit) - delivered_this_hour(db, run, runs).await?,
            };
            room = Some(left - 1);
            if left > 0 {
                continue;
            }
            format!(
                "[watch.{watch}] had more than {limit} new runs within an hour (`max_new_per_hour`); the notebooks of the others wait"
            )
        };
        // Held runs don't count.
        sqlx::query("UPDATE runs SET counted = 0 WHERE id = $1")
            .bind(recorded.id)
            .execute(&mut *db)
            .await?;
        holds::hold_run(db, recorded.id, watch, (&what, run.ready_at)).await?;
    }
    Ok(())
}

/// How many runs of a watch count that became ready within the last hour, before these.
async fn delivered_this_hour(
    db: &mut AnyConnection,
    run: &ReadyRun,
    these: &[ReadyRun],
) -> Result<i64, LedgerError> {
    let mut sql = Sql::new("SELECT count(*) FROM runs WHERE counted = 1 AND watch = ");
    sql.bind(&run.watch);
    sql.push(" AND ready_at > ").bind(run.ready_at - 3_600_000);
    sql.push(" AND name NOT IN ")
        .list(these.iter().map(|run| &run.name));
    let counts: Vec<(i64,)> = sql.all(db).await?;
    Ok(counts.first().map_or(0, |(count,)| *count))
}

/// One that is ready already keeps its parameters; one without jobs is ignored, and so stays one
/// that was skipped.
async fn upsert(db: &mut AnyConnection, runs: &[ReadyRun]) -> Result<Vec<Recorded>, LedgerError> {
    let asked = runs.iter().all(|run| run.asked.is_some());
    let mut sql = Sql::new(
        "INSERT INTO runs (watch, name, incarnation, path, seen_at, ready_at, state, reason, \
         parameters, sources, digest, identity, counted) ",
    );
    sql.rows(runs, |row, run| {
        let (state, reason) = state(run);
        row.bind(&run.watch).and(&run.name);
        match run.incarnation {
            Some(incarnation) => drop(row.and(incarnation)),
            None => {
                row.push(", coalesce((SELECT max(incarnation) FROM runs WHERE watch = ");
                row.bind(&run.watch)
                    .push(" AND name = ")
                    .bind(&run.name)
                    .push("), 1)");
            }
        }
        row.and(from_path(&run.path))
            .and(run.seen_at)
            .and(run.ready_at);
        row.and(state.as_str())
            .and(reason)
            .and(text(&run.parameters));
        row.and(serde_json::to_string(&run.sources).unwrap_or_else(|_| "{}".into()));
        row.and(&run.digest).and(&run.identity);
        row.and(i64::from(run.limit.is_some()));
    });
    sql.push(
        " ON CONFLICT (watch, name, incarnation) DO UPDATE SET ready_at = excluded.ready_at, \
          state = excluded.state, reason = excluded.reason, parameters = excluded.parameters, \
          sources = excluded.sources, digest = excluded.digest, counted = excluded.counted, \
          pruned_at = NULL WHERE runs.state = 'acquiring' OR runs.state = ",
    );
    // No state has this name.
    let also = if asked {
        RunState::Ignored.as_str()
    } else {
        ""
    };
    sql.bind(also).push(" RETURNING id, watch, name, held");
    let rows: Vec<(i64, String, String, i64)> = sql.all(db).await?;
    let mut changed: HashMap<(String, String), (i64, bool)> = HashMap::new();
    changed.extend(
        rows.into_iter()
            .map(|(id, watch, name, held)| ((watch, name), (id, held != 0))),
    );
    let mut recorded = Vec::with_capacity(runs.len());
    for run in runs {
        recorded.push(
            match changed.remove(&(run.watch.clone(), run.name.clone())) {
                Some((id, held)) => Recorded {
                    id,
                    held,
                    delivers: state(run).0 == RunState::Ready,
                    changed: true,
                },
                None => unchanged(db, run).await?,
            },
        );
    }
    let became = runs
        .iter()
        .zip(&recorded)
        .filter(|(_, recorded)| recorded.changed);
    let became = became.map(|(run, recorded)| (recorded.id, state(run).1));
    history::became_ready(db, &became.collect::<Vec<_>>()).await?;
    Ok(recorded)
}

fn state(run: &ReadyRun) -> (RunState, Option<&'static str>) {
    match run.jobs.is_empty() {
        true => (RunState::Ignored, Some("no-notebook")),
        false => (RunState::Ready, None),
    }
}

/// A run that was recorded as ready or ignored before. One whose parameters were forgotten can't
/// be rendered any more.
async fn unchanged(db: &mut AnyConnection, run: &ReadyRun) -> Result<Recorded, LedgerError> {
    let sql = "SELECT id, state, held, pruned_at FROM runs WHERE watch = $1 AND name = $2 \
               AND ($3 IS NULL OR incarnation = $3) ORDER BY incarnation DESC LIMIT 1";
    let (id, state, held, pruned_at): (i64, String, i64, Option<i64>) = sqlx::query_as(sql)
        .bind(&run.watch)
        .bind(&run.name)
        .bind(run.incarnation)
        .fetch_one(db)
        .await?;
    Ok(Recorded {
        id,
        delivers: state == RunState::Ready.as_str() && pruned_at.is_none(),
        held: held != 0,
        changed: false,
    })
}

/// The jobs that begin with a run that was recorded just now.
pub(super) async fn begin(
    db: &mut AnyConnection,
    id: i64,
    run: &SeenRun,
) -> Result<(), LedgerError> {
    let jobs: Vec<NewJob<'_>> = run.jobs.iter().map(|job| (id, job, run.seen_at)).collect();
    insert_jobs(db, &jobs).await?;
    holds::apply(db, run.seen_at).await
}

/// The runs that got new jobs; a job that is there already stays as it is.
async fn insert_jobs(
    db: &mut AnyConnection,
    jobs: &[NewJob<'_>],
) -> Result<HashSet<i64>, LedgerError> {
    let mut fresh = HashSet::new();
    for some in jobs.chunks(AT_ONCE) {
        let mut sql = Sql::new(
            "INSERT INTO jobs (uid, run, notebook, destination, username, created_at, next_attempt_at, state) \
             SELECT column1, column2, column3, column4, column5, column6, column6, 'waiting' FROM (",
        );
        sql.rows(some, |row, (run, job, at)| {
            row.bind(uuid::Uuid::now_v7().to_string()).and(*run);
            row.and(&job.notebook)
                .and(&job.destination)
                .and(&job.user)
                .and(*at);
        });
        sql.push(
            ") AS planned WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE run = column2 \
              AND notebook = column3 AND destination = column4 AND username = column5) RETURNING run",
        );
        let rows: Vec<(i64,)> = sql.all(db).await?;
        fresh.extend(rows.into_iter().map(|(run,)| run));
    }
    Ok(fresh)
}

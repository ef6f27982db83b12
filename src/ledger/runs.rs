//! Runs as detection records and asks them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, Transaction};

use super::{Ledger, LedgerError, RunRow, now, ready};
use crate::job::PlannedJob;
use crate::run::{Parameters, RunState};

/// A run that was seen and is not to be delivered yet, or never.
#[derive(Clone, Debug)]
pub struct SeenRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Which run of that name, from 1.
    pub incarnation: i64,
    /// Its directory or first file.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// `Acquiring` or `Ignored`.
    pub state: RunState,
    /// Why it is ignored, or what it waits for.
    pub reason: Option<String>,
    /// Its signature at the very first start of its watch, if it was there then.
    pub baseline: Option<String>,
    /// What it is known again by, where the file system tells.
    pub identity: Option<String>,
    /// Whether only a person has it delivered.
    pub held: bool,
    /// Whether it counts towards `max_new_per_hour`.
    pub counted: bool,
    /// What is known of it before its metadata.
    pub parameters: Parameters,
    /// The jobs that begin with it.
    pub jobs: Vec<PlannedJob>,
}

/// A run that is complete.
#[derive(Clone, Debug)]
pub struct ReadyRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Which run of that name; `None` is the latest.
    pub incarnation: Option<i64>,
    /// Its directory or first file.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// When it was found complete.
    pub ready_at: i64,
    /// Its parameters.
    pub parameters: Parameters,
    /// Where each parameter came from that its name doesn't tell.
    pub sources: BTreeMap<String, String>,
    /// A hash of its metadata, if it has any.
    pub digest: Option<String>,
    /// See [`SeenRun::identity`].
    pub identity: Option<String>,
    /// Its jobs.
    pub jobs: Vec<PlannedJob>,
    /// Whether a person or a trigger file asked for it: an ignored run is delivered too then.
    pub asked: bool,
    /// The most runs of its watch in an hour, if it counts; 0 is no limit.
    pub limit: Option<u32>,
    /// The request it came with.
    pub request: Option<String>,
}

/// A watch as the ledger knows it.
#[derive(Clone, Debug)]
pub struct WatchRow {
    /// When it was first started, milliseconds since 1970, UTC.
    pub awaited_at: i64,
    /// Whether what was there then has been recorded.
    pub baseline: bool,
    /// The identity of its directory.
    pub root: Option<String>,
}

/// A run that was not recorded, since another one has its identity.
#[derive(Clone, Debug)]
pub struct Twin {
    /// The one that was not recorded.
    pub seen: SeenRun,
    /// The one that is known.
    pub known: RunRow,
}

/// The hash under which detection remembers that a run, or an identity, is known.
#[must_use]
pub fn name_hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The very first start of a watch, recorded in one transaction.
pub struct Baseline {
    transaction: Transaction<'static, Sqlite>,
    watch: String,
}

impl Baseline {
    /// Records runs that are there already; each comes back with its number. One that another watch
    /// has too is that watch's.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn add(&mut self, runs: Vec<SeenRun>) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
        let db = &mut self.transaction;
        let known = known_identities(db, &runs).await?;
        let mut all = Vec::with_capacity(runs.len());
        for mut run in runs {
            let is_known = run
                .identity
                .as_ref()
                .is_some_and(|identity| known.contains(identity));
            if let Some(other) = if is_known {
                twin(db, (&run.watch, &run.name), run.identity.as_deref()).await?
            } else {
                None
            } {
                run.state = RunState::Ignored;
                run.reason = Some(format!("same-as {}:{}", other.watch, other.name));
                run.jobs.clear();
            }
            all.push(run);
        }
        insert(db, all).await
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn commit(mut self, root: Option<&str>) -> Result<(), LedgerError> {
        let sql = "UPDATE watches SET baseline_at = ?, root = ? WHERE name = ?";
        sqlx::query(sql)
            .bind(now())
            .bind(root)
            .bind(&self.watch)
            .execute(&mut *self.transaction)
            .await?;
        Ok(self.transaction.commit().await?)
    }
}

/// As [`RunRow::is_given_up`].
const GIVEN_UP: &str = "(state = 'ignored' AND \
    (reason IN ('gone', 'replaced') OR reason LIKE 'renamed-to %'))";

/// Rows of one statement.
const AT_ONCE: usize = 500;

/// Names of one answer.
const NAMES: i64 = 50_000;

impl Ledger {
    /// A watch that is started, perhaps for the very first time.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn watch(&self, watch: &str) -> Result<WatchRow, LedgerError> {
        let sql = "INSERT INTO watches (name, baseline_at, awaited_at) VALUES (?, 0, ?) \
                   ON CONFLICT (name) DO NOTHING";
        sqlx::query(sql)
            .bind(watch)
            .bind(now())
            .execute(&self.write)
            .await?;
        let sql = "SELECT awaited_at, baseline_at > 0, root FROM watches WHERE name = ?";
        let (awaited_at, baseline, root) = sqlx::query_as(sql)
            .bind(watch)
            .fetch_one(&self.write)
            .await?;
        Ok(WatchRow {
            awaited_at,
            baseline,
            root,
        })
    }

    /// Begins to record the very first start of a watch.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn baseline(&self, watch: &str) -> Result<Baseline, LedgerError> {
        Ok(Baseline {
            transaction: self.write.begin_with("BEGIN IMMEDIATE").await?,
            watch: watch.to_owned(),
        })
    }

    /// Remembers which directory a watch looks at.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_root(&self, watch: &str, root: &str) -> Result<(), LedgerError> {
        sqlx::query("UPDATE watches SET root = ? WHERE name = ?")
            .bind(root)
            .bind(watch)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Records runs that were seen, with the jobs that begin with them; each comes back with its
    /// number, and one that is known stays as it is. Those that are a known run under another name
    /// are not recorded.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen(
        &self,
        runs: Vec<SeenRun>,
    ) -> Result<(Vec<(i64, SeenRun)>, Vec<Twin>), LedgerError> {
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut met = known_identities(&mut db, &runs).await?;
        // Of two ways to one directory that are both new, the second is compared with the first.
        let is_new = |run: &SeenRun| run.identity.clone().is_none_or(|it| met.insert(it));
        let (fresh, doubtful): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_new);
        let mut recorded = insert(&mut db, fresh).await?;
        let mut twins = Vec::new();
        for seen in doubtful {
            match twin(&mut db, (&seen.watch, &seen.name), seen.identity.as_deref()).await? {
                Some(known) => twins.push(Twin { seen, known }),
                None => recorded.extend(insert(&mut db, vec![seen]).await?),
            }
        }
        begin(&mut db, &recorded).await?;
        db.commit().await?;
        Ok((recorded, twins))
    }

    /// Records runs as they are, whoever has their identity; each comes back with its number.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn seen_apart(&self, runs: Vec<SeenRun>) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let recorded = insert(&mut db, runs).await?;
        begin(&mut db, &recorded).await?;
        db.commit().await?;
        Ok(recorded)
    }

    /// Moves a run from one of these states to another.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn turn(
        &self,
        run: i64,
        (from, to): (RunState, RunState),
        reason: Option<&str>,
    ) -> Result<(), LedgerError> {
        let sql = "UPDATE runs SET state = ?, reason = ? WHERE id = ? AND state = ?";
        sqlx::query(sql)
            .bind(to.as_str())
            .bind(reason)
            .bind(run)
            .bind(from.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Says what a run that is not complete yet waits for.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn set_reason(&self, run: i64, reason: Option<&str>) -> Result<(), LedgerError> {
        let state = RunState::Acquiring;
        self.turn(run, (state, state), reason).await
    }

    /// Remembers what a run is known again by.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn adopt(&self, run: i64, identity: &str) -> Result<(), LedgerError> {
        sqlx::query("UPDATE runs SET identity = ? WHERE id = ?")
            .bind(identity)
            .bind(run)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Passes the name and identity of each run that a watch knows to `take`; where there are
    /// several incarnations, the latest comes last.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn known(
        &self,
        watch: &str,
        mut take: impl FnMut(&str, Option<&str>),
    ) -> Result<(), LedgerError> {
        // Many rows in one answer: a row each would take longer than listing the directory. Names
        // hold no control characters. What was given up is asked for again once it is there.
        let sql = format!(
            "SELECT coalesce(max(id), 0), coalesce(group_concat(name || char(9) || \
               iif({GIVEN_UP}, '', coalesce(identity, '')), char(10)), '') FROM ( \
             SELECT id, name, identity, state, reason FROM runs WHERE watch = ? AND id > ? \
             ORDER BY id LIMIT ?)"
        );
        let mut last = 0;
        loop {
            let (to, names): (i64, String) = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(watch)
                .bind(last)
                .bind(NAMES)
                .fetch_one(&self.read)
                .await?;
            for line in names.lines() {
                let (name, identity) = line.split_once('\t').unwrap_or((line, ""));
                take(name, Some(identity).filter(|identity| !identity.is_empty()));
            }
            if to == 0 {
                return Ok(());
            }
            last = to;
        }
    }

    /// The latest run of that name.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn latest(&self, watch: &str, name: &str) -> Result<Option<RunRow>, LedgerError> {
        let sql =
            "SELECT * FROM runs WHERE watch = ? AND name = ? ORDER BY incarnation DESC LIMIT 1";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .bind(name)
            .fetch_optional(&self.read)
            .await?)
    }

    /// The run that has the identity of this one under another name.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn twin(&self, run: &RunRow) -> Result<Option<RunRow>, LedgerError> {
        let mut db = self.read.acquire().await?;
        twin(&mut db, (&run.watch, &run.name), run.identity.as_deref()).await
    }

    /// Whether some run has this identity.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn is_identity(&self, identity: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE identity = ?)";
        Ok(sqlx::query_scalar(sql)
            .bind(identity)
            .fetch_one(&self.read)
            .await?)
    }

    /// The run of that name and incarnation.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn incarnation(
        &self,
        watch: &str,
        name: &str,
        incarnation: i64,
    ) -> Result<Option<RunRow>, LedgerError> {
        let sql = "SELECT * FROM runs WHERE watch = ? AND name = ? AND incarnation = ?";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .bind(name)
            .bind(incarnation)
            .fetch_optional(&self.read)
            .await?)
    }

    /// A run turned out to be a former one, which is known by its identity from now on. It leaves
    /// no trace unless jobs began with it.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn merge(&self, run: i64, former: i64, identity: &str) -> Result<(), LedgerError> {
        let mut db = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for sql in [
            "UPDATE runs SET state = 'ignored', reason = 'replaced' WHERE id = ?1 AND state = 'acquiring'",
            "DELETE FROM runs WHERE id = ?1 AND reason = 'replaced' \
             AND NOT EXISTS (SELECT 1 FROM jobs WHERE run = ?1)",
            "UPDATE runs SET identity = ?3 WHERE id = ?2",
        ] {
            sqlx::query(sql)
                .bind(run)
                .bind(former)
                .bind(identity)
                .execute(&mut *db)
                .await?;
        }
        Ok(db.commit().await?)
    }

    /// The run of that name that had this identity.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn former(
        &self,
        watch: &str,
        name: &str,
        identity: &str,
    ) -> Result<Option<RunRow>, LedgerError> {
        let sql = "SELECT * FROM runs WHERE watch = ? AND name = ? AND identity = ? \
                   ORDER BY incarnation DESC LIMIT 1";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .bind(name)
            .bind(identity)
            .fetch_optional(&self.read)
            .await?)
    }

    /// The runs of a watch that are not complete yet, in the order in which they were seen.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn acquiring(&self, watch: &str) -> Result<Vec<RunRow>, LedgerError> {
        let sql = "SELECT * FROM runs WHERE watch = ? AND state = 'acquiring' ORDER BY id";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .fetch_all(&self.read)
            .await?)
    }

    /// The numbers and paths of the runs of a watch that were seen after this one.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn seen_after(
        &self,
        watch: &str,
        run: i64,
    ) -> Result<Vec<(i64, PathBuf)>, LedgerError> {
        let sql = "SELECT id, path FROM runs WHERE watch = ? AND id > ? ORDER BY id";
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(sql)
            .bind(watch)
            .bind(run)
            .fetch_all(&self.read)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, path)| (id, to_path(path)))
            .collect())
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

/// Those of the runs' identities that are known.
async fn known_identities(
    db: &mut SqliteConnection,
    runs: &[SeenRun],
) -> Result<HashSet<String>, LedgerError> {
    let identities: Vec<&String> = runs
        .iter()
        .filter_map(|run| run.identity.as_ref())
        .collect();
    let sql = "SELECT value FROM json_each(?) \
               WHERE EXISTS (SELECT 1 FROM runs WHERE identity = value)";
    let known: Vec<String> = sqlx::query_scalar(sql)
        .bind(serde_json::json!(identities).to_string())
        .fetch_all(db)
        .await?;
    Ok(known.into_iter().collect())
}

/// The run that has this identity under another name; one that was given up is none.
async fn twin(
    db: &mut SqliteConnection,
    (watch, name): (&str, &str),
    identity: Option<&str>,
) -> Result<Option<RunRow>, LedgerError> {
    let sql = format!(
        "SELECT * FROM runs WHERE identity = ? AND NOT (watch = ? AND name = ?) \
         AND NOT {GIVEN_UP} ORDER BY state <> 'acquiring', id LIMIT 1"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(identity)
        .bind(watch)
        .bind(name)
        .fetch_optional(db)
        .await?)
}

/// Adds runs; those that are new come back with their numbers.
async fn insert(
    db: &mut SqliteConnection,
    runs: Vec<SeenRun>,
) -> Result<Vec<(i64, SeenRun)>, LedgerError> {
    let mut numbers: HashMap<(String, i64), i64> = HashMap::new();
    for some in runs.chunks(AT_ONCE) {
        let mut sql = QueryBuilder::new(
            "INSERT OR IGNORE INTO runs (watch, name, incarnation, path, seen_at, state, reason, \
             baseline, identity, held, counted, parameters) ",
        );
        sql.push_values(some, |mut row, run| {
            row.push_bind(&run.watch)
                .push_bind(&run.name)
                .push_bind(run.incarnation)
                .push_bind(from_path(&run.path))
                .push_bind(run.seen_at)
                .push_bind(run.state.as_str())
                .push_bind(&run.reason)
                .push_bind(&run.baseline)
                .push_bind(&run.identity)
                .push_bind(run.held)
                .push_bind(run.counted)
                .push_bind(text(&run.parameters));
        });
        sql.push(" RETURNING id, name, incarnation");
        let rows: Vec<(i64, String, i64)> = sql.build_query_as().fetch_all(&mut *db).await?;
        numbers.extend(rows.into_iter().map(|(id, name, at)| ((name, at), id)));
    }
    let numbered = runs.into_iter().filter_map(|run| {
        let id = numbers.remove(&(run.name.clone(), run.incarnation))?;
        Some((id, run))
    });
    Ok(numbered.collect())
}

async fn begin(db: &mut SqliteConnection, runs: &[(i64, SeenRun)]) -> Result<(), LedgerError> {
    for (id, run) in runs.iter().filter(|(_, run)| !run.jobs.is_empty()) {
        ready::begin(db, *id, run).await?;
    }
    Ok(())
}

pub(super) fn text(parameters: &Parameters) -> String {
    serde_json::to_string(parameters).unwrap_or_else(|_| "{}".into())
}

pub(super) fn from_path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

pub(super) fn to_path(bytes: Vec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(bytes).into()
}

//! By what detection knows runs again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use sqlx::AnyConnection;

use super::records::{AT_ONCE, SeenRun, to_path};
use super::sql::Sql;
use super::{Ledger, LedgerError, RunRow};

/// The hash under which detection remembers that a run, or an identity, is known.
#[must_use]
pub fn name_hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// As [`RunRow::is_given_up`].
const GIVEN_UP: &str = "(state = 'ignored' AND \
    (reason IN ('gone', 'replaced') OR reason LIKE 'renamed-to %'))";

/// Names of one answer.
const NAMES: i64 = 50_000;

impl Ledger {
    /// Remembers what a run is known again by.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn adopt(&self, run: i64, identity: &str) -> Result<(), LedgerError> {
        self.engine
            .within(async {
                self.run(
                    sqlx::query("UPDATE runs SET identity = $1 WHERE id = $2")
                        .bind(identity)
                        .bind(run),
                )
                .await?;
                Ok(())
            })
            .await
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
        self.engine
            .within(async {
                // Many rows in one answer: a row each would take longer than listing the directory. Names
                // hold no control characters. What was given up is asked for again once it is
                // there. `||` keeps to the order of the numbers; by the index of names all would be sorted.
                let sql = format!(
                    "SELECT coalesce(max(id), 0), coalesce(string_agg(name || '\t' || \
               CASE WHEN {GIVEN_UP} THEN '' ELSE coalesce(identity, '') END, '\n'), '') FROM ( \
             SELECT id, name, identity, state, reason FROM runs WHERE watch || '' = $1 AND id > $2 \
             ORDER BY id LIMIT $3) AS part"
                );
                let mut last = 0;
                loop {
                    let (to, names): (i64, String) =
                        sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
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
            })
            .await
    }

    /// The latest run of that name.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn latest(&self, watch: &str, name: &str) -> Result<Option<RunRow>, LedgerError> {
        self.engine.within(async {
        let sql =
            "SELECT * FROM runs WHERE watch = $1 AND name = $2 ORDER BY incarnation DESC LIMIT 1";
        Ok(sqlx::query_as(sql)
            .bind(watch)
            .bind(name)
            .fetch_optional(&self.read)
            .await?)
    }).await
    }

    /// The run that has the identity of this one under another name.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn twin(&self, run: &RunRow) -> Result<Option<RunRow>, LedgerError> {
        self.engine
            .within(async {
                let mut db = self.read.acquire().await?;
                twin(&mut db, (&run.watch, &run.name), run.identity.as_deref()).await
            })
            .await
    }

    /// Whether some run has this identity.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn is_identity(&self, identity: &str) -> Result<bool, LedgerError> {
        self.engine
            .within(async {
                let sql =
                    "SELECT count(*) FROM (SELECT 1 FROM runs WHERE identity = $1 LIMIT 1) AS it";
                let query = sqlx::query_scalar::<_, i64>(sql).bind(identity);
                Ok(query.fetch_one(&self.read).await? > 0)
            })
            .await
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
        self.engine
            .within(async {
                let sql = "SELECT * FROM runs WHERE watch = $1 AND name = $2 AND incarnation = $3";
                Ok(sqlx::query_as(sql)
                    .bind(watch)
                    .bind(name)
                    .bind(incarnation)
                    .fetch_optional(&self.read)
                    .await?)
            })
            .await
    }

    /// A run turned out to be a former one, which is known by its identity from now on. It leaves
    /// no trace unless jobs began with it.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing is recorded then.
    pub async fn merge(&self, run: i64, former: i64, identity: &str) -> Result<(), LedgerError> {
        self.engine.within(async {
        let mut db = self.begin().await?;
        for sql in [
            "UPDATE runs SET state = 'ignored', reason = 'replaced' WHERE id = $1 AND state = 'acquiring'",
            "DELETE FROM runs WHERE id = $1 AND reason = 'replaced' \
             AND NOT EXISTS (SELECT 1 FROM jobs WHERE run = $1)",
            "UPDATE runs SET identity = $3 WHERE id = $2",
        ] {
            sqlx::query(sql)
                .bind(run)
                .bind(former)
                .bind(identity)
                .execute(&mut *db)
                .await?;
        }
        Ok(db.commit().await?)
    }).await
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
        self.engine
            .within(async {
                let sql = "SELECT * FROM runs WHERE watch = $1 AND name = $2 AND identity = $3 \
                   ORDER BY incarnation DESC LIMIT 1";
                Ok(sqlx::query_as(sql)
                    .bind(watch)
                    .bind(name)
                    .bind(identity)
                    .fetch_optional(&self.read)
                    .await?)
            })
            .await
    }

    /// The runs of a watch that are not complete yet, in the order in which they were seen.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn acquiring(&self, watch: &str) -> Result<Vec<RunRow>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT * FROM runs WHERE watch = $1 AND state = 'acquiring' ORDER BY id";
                Ok(sqlx::query_as(sql)
                    .bind(watch)
                    .fetch_all(&self.read)
                    .await?)
            })
            .await
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
        self.engine
            .within(async {
                let sql = "SELECT id, path FROM runs WHERE watch = $1 AND id > $2 ORDER BY id";
                let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(sql)
                    .bind(watch)
                    .bind(run)
                    .fetch_all(&self.read)
                    .await?;
                Ok(rows
                    .into_iter()
                    .map(|(id, path)| (id, to_path(path)))
                    .collect())
            })
            .await
    }
}

/// Those of the runs' identities that are known.
pub(super) async fn known_identities(
    db: &mut AnyConnection,
    runs: &[SeenRun],
) -> Result<HashSet<String>, LedgerError> {
    let identities: Vec<&String> = runs
        .iter()
        .filter_map(|run| run.identity.as_ref())
        .collect();
    if identities.is_empty() {
        return Ok(HashSet::new());
    }
    let mut known = HashSet::new();
    for some in identities.chunks(AT_ONCE) {
        let mut sql = Sql::new("SELECT identity FROM runs WHERE identity IN ");
        sql.list(some.iter().copied());
        let found: Vec<(String,)> = sql.all(db).await?;
        known.extend(found.into_iter().map(|(identity,)| identity));
    }
    Ok(known)
}

/// The run that has this identity under another name; one that was given up is none.
pub(super) async fn twin(
    db: &mut AnyConnection,
    (watch, name): (&str, &str),
    identity: Option<&str>,
) -> Result<Option<RunRow>, LedgerError> {
    let sql = format!(
        "SELECT * FROM runs WHERE identity = $1 AND NOT (watch = $2 AND name = $3) \
         AND NOT {GIVEN_UP} ORDER BY CASE state WHEN 'acquiring' THEN 0 ELSE 1 END, id LIMIT 1"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(identity)
        .bind(watch)
        .bind(name)
        .fetch_optional(db)
        .await?)
}

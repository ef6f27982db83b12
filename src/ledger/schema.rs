//! The tables, and the way from every older version to today's.

use sqlx::{AnyConnection, AnyPool, Executor as _};

use super::LedgerError;
use super::engine::Engine;

/// `PRAGMA application_id`: "nbcl".
const APPLICATION: i64 = 0x6e62_636c;

/// One script a version; script N leads from version N to N + 1. Never edited once released.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7];

/// Times are milliseconds since 1970, UTC. The hot indexes are partial, so that a long history
/// costs nothing. A hold's four columns are a pattern: NULL matches every job.
const V1: &str = "
CREATE TABLE watches (name TEXT PRIMARY KEY, baseline_at INTEGER NOT NULL) STRICT;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    watch TEXT NOT NULL,
    name TEXT NOT NULL,
    incarnation INTEGER NOT NULL DEFAULT 1,
    path BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    ready_at INTEGER,
    state TEXT NOT NULL,
    reason TEXT,
    parameters TEXT NOT NULL DEFAULT '{}',
    baseline TEXT,
    UNIQUE (watch, name, incarnation)
) STRICT;
CREATE INDEX runs_acquiring ON runs (watch) WHERE state = 'acquiring';
CREATE INDEX runs_by_name ON runs (name);
CREATE TABLE requests (key TEXT PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs) STRICT;
CREATE TABLE holds (
    id INTEGER PRIMARY KEY,
    job INTEGER,
    destination TEXT,
    \"user\" TEXT,
    notebook TEXT,
    code TEXT NOT NULL,
    what TEXT NOT NULL,
    advice TEXT NOT NULL,
    since INTEGER NOT NULL,
    next_probe_at INTEGER NOT NULL
) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs,
    notebook TEXT NOT NULL,
    destination TEXT NOT NULL,
    \"user\" TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL,
    path TEXT,
    url TEXT,
    outcome TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    delivered_at INTEGER,
    excused_ms INTEGER NOT NULL DEFAULT 0,
    template_sha256 TEXT,
    sha256 TEXT,
    hold INTEGER,
    held_at INTEGER,
    failure_class TEXT,
    failure_code TEXT,
    failure_what TEXT,
    failure_advice TEXT,
    failure_at INTEGER,
    UNIQUE (run, notebook, destination, \"user\", generation)
) STRICT;
CREATE INDEX jobs_due ON jobs (destination, \"user\", next_attempt_at) WHERE state = 'waiting';
CREATE INDEX jobs_delivering ON jobs (id) WHERE state = 'delivering';
CREATE INDEX jobs_held ON jobs (hold) WHERE state = 'held';
CREATE INDEX jobs_failed ON jobs (id) WHERE state = 'failed';
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    run INTEGER,
    job INTEGER,
    event TEXT NOT NULL,
    detail TEXT,
    actor TEXT
) STRICT;
CREATE INDEX events_by_run ON events (run);
CREATE TABLE credentials (
    destination TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    expires_at TEXT
) STRICT;
";

/// Templates as they were when they could last be rendered.
const V2: &str = "
CREATE TABLE templates (
    source TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL,
    read_at INTEGER NOT NULL
) STRICT;
";

/// What detection knows a run again by. `identity` is of its directory or first file, `digest` of
/// its metadata, `sources` says where each parameter came from. `counted` runs count towards
/// `max_new_per_hour`, those with `held` are delivered only when a person says so. `awaited_at` is
/// when a watch was started for the very first time, `root` the identity of its directory. A hold
/// with a `watch` holds the jobs that were put under it, whatever the pattern.
const V3: &str = "
ALTER TABLE runs ADD COLUMN identity TEXT;
ALTER TABLE runs ADD COLUMN digest TEXT;
ALTER TABLE runs ADD COLUMN sources TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_by_identity ON runs (identity) WHERE identity IS NOT NULL;
CREATE INDEX runs_counted ON runs (watch, ready_at) WHERE counted = 1;
ALTER TABLE watches ADD COLUMN awaited_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE watches ADD COLUMN root TEXT;
ALTER TABLE holds ADD COLUMN watch TEXT;
";

/// The identity of the root below which a run was seen: only there can it be missed.
const V4: &str = "
ALTER TABLE runs ADD COLUMN root TEXT;
UPDATE runs SET root = (SELECT root FROM watches WHERE name = runs.watch) WHERE state = 'acquiring';
";

/// For a ledger that several processes share. `epoch` grows with each claim and is the fence of
/// every later write; `owner` delivers until `lease_until`, which is NULL where nobody else could;
/// `step` says how far it is, `crashes` how often in a row nothing was heard of it after it began.
/// `machine` watches, as it said at `renewed_at`. A destination is `troubled_at` until
/// `returned_at`. Of a run that was `pruned_at` only that it was, and its jobs, are kept. The number
/// of a hold is never another's: whoever probes one that is gone meanwhile must not meet that.
const V5: &str = "
ALTER TABLE jobs RENAME COLUMN \"user\" TO username;
CREATE TABLE standing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER,
    destination TEXT,
    username TEXT,
    notebook TEXT,
    watch TEXT,
    code TEXT NOT NULL,
    what TEXT NOT NULL,
    advice TEXT NOT NULL,
    since INTEGER NOT NULL,
    next_probe_at INTEGER NOT NULL
) STRICT;
INSERT INTO standing (id, job, destination, username, notebook, watch, code, what, advice, since, next_probe_at)
    SELECT id, job, destination, \"user\", notebook, watch, code, what, advice, since, next_probe_at FROM holds;
DROP TABLE holds;
ALTER TABLE standing RENAME TO holds;
ALTER TABLE jobs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN owner TEXT;
ALTER TABLE jobs ADD COLUMN lease_until INTEGER;
ALTER TABLE jobs ADD COLUMN step TEXT;
ALTER TABLE jobs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (destination, username, next_attempt_at, id) WHERE state = 'waiting';
DROP INDEX jobs_delivering;
CREATE INDEX jobs_delivering ON jobs (destination, username) WHERE state = 'delivering';
CREATE INDEX jobs_crashed ON jobs (id) WHERE state = 'waiting' AND crashes > 2;
DROP INDEX runs_counted;
CREATE INDEX runs_counted ON runs (watch, ready_at) WHERE counted = 1;
ALTER TABLE runs ADD COLUMN pruned_at INTEGER;
CREATE INDEX runs_kept ON runs (seen_at) WHERE pruned_at IS NULL AND state <> 'acquiring';
ALTER TABLE watches ADD COLUMN machine TEXT;
ALTER TABLE watches ADD COLUMN renewed_at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE destinations (
    name TEXT PRIMARY KEY,
    troubled_at INTEGER,
    returned_at INTEGER
) STRICT;
CREATE TABLE spawns (
    id INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    username TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ends_by INTEGER NOT NULL,
    ended_at INTEGER,
    succeeded INTEGER
) STRICT;
CREATE INDEX spawns_recent ON spawns (destination, begun_at);
";

/// Users' servers that were started on behalf of a destination, and may still run.
const V6: &str = "
CREATE TABLE servers (
    hub TEXT NOT NULL,
    username TEXT NOT NULL,
    destination TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (hub, username)
) STRICT;
";

/// What was announced. Where several processes share the ledger, `owner` speaks as an announcer until
/// `lease_until`. Each cursor is the number of the last event of its name that was told; a row of
/// `announced` is a cause that was told, as JSON, and isn't over.
const V7: &str = "
CREATE TABLE announcers (name TEXT PRIMARY KEY, owner TEXT NOT NULL, lease_until INTEGER NOT NULL) STRICT;
CREATE TABLE cursors (
    announcer TEXT NOT NULL,
    event TEXT NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (announcer, event)
) STRICT;
CREATE TABLE announced (
    announcer TEXT NOT NULL,
    cause TEXT NOT NULL,
    told TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    PRIMARY KEY (announcer, cause)
) STRICT;
";

/// What the scripts say, in the words of `PostgreSQL`.
const WORDS: &[(&str, &str)] = &[
    (") STRICT;", ");"),
    (
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    ),
    (
        "INTEGER PRIMARY KEY",
        "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    ),
    ("INTEGER", "BIGINT"),
    ("BLOB", "BYTEA"),
];

/// Brings the ledger to today's schema, each step in one transaction.
pub(super) async fn migrate(pool: &AnyPool, engine: Engine) -> Result<(), LedgerError> {
    loop {
        let mut transaction = engine.begin(pool).await?;
        if engine == Engine::Postgres {
            let sql = "CREATE TABLE IF NOT EXISTS nbcourier (version BIGINT NOT NULL)";
            transaction.execute(sql).await?;
        }
        let version = version(&mut transaction, engine).await?;
        let Some(script) = MIGRATIONS.get(known(version)?) else {
            return Ok(transaction.commit().await?);
        };
        let script = engine.script(script);
        transaction.execute(sqlx::AssertSqlSafe(script)).await?;
        let stamp = engine.stamp(version + 1);
        transaction.execute(sqlx::AssertSqlSafe(stamp)).await?;
        transaction.commit().await?;
    }
}

/// An error if a file can't be used as it is.
pub(super) async fn expect_fit(pool: &AnyPool) -> Result<(), LedgerError> {
    expect_safe_sqlite(pool).await?;
    expect_known(pool, Engine::Sqlite).await?;
    expect_sound(pool).await
}

impl Engine {
    fn script(self, script: &str) -> String {
        let each = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        match self {
            Self::Sqlite => script.to_owned(),
            Self::Postgres => WORDS.iter().fold(script.to_owned(), each),
        }
    }

    fn stamp(self, version: i64) -> String {
        match self {
            Self::Sqlite => {
                format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}")
            }
            Self::Postgres => {
                format!("DELETE FROM nbcourier; INSERT INTO nbcourier (version) VALUES ({version})")
            }
        }
    }
}

/// The ledger's version; 0 is an empty one.
async fn version(db: &mut AnyConnection, engine: Engine) -> Result<i64, LedgerError> {
    let sql = match engine {
        Engine::Sqlite => "SELECT CAST(user_version AS BIGINT) FROM pragma_user_version",
        Engine::Postgres => "SELECT coalesce(max(version), 0) FROM nbcourier",
    };
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// The number of steps that were made; an error if this program doesn't know them all.
fn known(version: i64) -> Result<usize, LedgerError> {
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(LedgerError::Unusable(format!(
            "the ledger has version {version}, this nbcourier {} knows up to {}: install the newer one",
            env!("CARGO_PKG_VERSION"),
            MIGRATIONS.len()
        ))),
    }
}

/// An error if this program doesn't know the ledger, or it is another program's.
pub(super) async fn expect_known(pool: &AnyPool, engine: Engine) -> Result<(), LedgerError> {
    let mut db = pool.acquire().await?;
    let version = version(&mut db, engine).await?;
    if engine == Engine::Sqlite {
        let sql = "SELECT CAST(application_id AS BIGINT) FROM pragma_application_id";
        let application: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
        let sql = "SELECT count(*) FROM sqlite_master";
        let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
        if application != APPLICATION && (version != 0 || tables > 0) {
            return Err(LedgerError::Unusable(
                "this is another program's database".into(),
            ));
        }
    }
    known(version).map(|_| ())
}

/// Whether there is a ledger in the database.
pub(super) async fn is_there(pool: &AnyPool, engine: Engine) -> Result<bool, LedgerError> {
    if engine == Engine::Sqlite {
        return Ok(true);
    }
    let sql = "SELECT count(to_regclass('nbcourier'))";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(pool).await?;
    Ok(tables > 0)
}

/// An error unless it has today's schema.
pub(super) async fn expect_current(pool: &AnyPool, engine: Engine) -> Result<(), LedgerError> {
    expect_known(pool, engine).await?;
    let mut db = pool.acquire().await?;
    match known(version(&mut db, engine).await?)? {
        version if version == MIGRATIONS.len() => Ok(()),
        version => Err(LedgerError::Io(format!(
            "the ledger has version {version}, which `nbcourier daemon` brings to {} when it starts",
            MIGRATIONS.len()
        ))),
    }
}

async fn expect_sound(pool: &AnyPool) -> Result<(), LedgerError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await?;
    match verdict.as_str() {
        "ok" => Ok(()),
        damage => Err(LedgerError::Unusable(format!(
            "the ledger is damaged: {damage}"
        ))),
    }
}

/// `SQLite` before 3.51.3 can lose committed writes (the WAL-reset bug, sqlite.org/wal.html).
async fn expect_safe_sqlite(pool: &AnyPool) -> Result<(), LedgerError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await?;
    let parts: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if parts.as_slice() < [3, 51, 3].as_slice() {
        return Err(LedgerError::Unusable(format!(
            "this program was built with SQLite {version}, which can lose writes; 3.51.3 is needed"
        )));
    }
    Ok(())
}

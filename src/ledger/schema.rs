//! The tables, and the way from every older version to today's.

use sqlx::sqlite::SqlitePool;

use super::LedgerError;

/// `PRAGMA application_id`: "nbcl".
const APPLICATION: i64 = 0x6e62_636c;

/// One script a version; script N leads from version N to N + 1. Never edited once released.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4];

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
    user TEXT,
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
    user TEXT NOT NULL,
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
    UNIQUE (run, notebook, destination, user, generation)
) STRICT;
CREATE INDEX jobs_due ON jobs (destination, user, next_attempt_at) WHERE state = 'waiting';
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
CREATE INDEX runs_counted ON runs (watch, ready_at) WHERE counted;
ALTER TABLE watches ADD COLUMN awaited_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE watches ADD COLUMN root TEXT;
ALTER TABLE holds ADD COLUMN watch TEXT;
";

/// The identity of the root below which a run was seen: only there can it be missed.
const V4: &str = "
ALTER TABLE runs ADD COLUMN root TEXT;
UPDATE runs SET root = (SELECT root FROM watches WHERE name = runs.watch) WHERE state = 'acquiring';
";

/// Brings the file to today's schema, each step in one transaction.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), LedgerError> {
    expect_safe_sqlite(pool).await?;
    let mut version = expect_known(pool).await?;
    expect_sound(pool).await?;
    while let Some(script) = MIGRATIONS.get(version) {
        version += 1;
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
        let stamp =
            format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The file's version; an error if this program doesn't know it.
pub(super) async fn expect_known(pool: &SqlitePool) -> Result<usize, LedgerError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(pool)
        .await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(pool)
        .await?;
    if version != 0 && application != APPLICATION {
        return Err(LedgerError::Unusable(
            "this is another program's database".into(),
        ));
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(LedgerError::Unusable(format!(
            "the ledger has version {version}, this nbcourier {} knows up to {}: install the newer one",
            env!("CARGO_PKG_VERSION"),
            MIGRATIONS.len()
        ))),
    }
}

async fn expect_sound(pool: &SqlitePool) -> Result<(), LedgerError> {
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
async fn expect_safe_sqlite(pool: &SqlitePool) -> Result<(), LedgerError> {
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

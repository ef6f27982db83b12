//! The ledger: every run and every job, and the one owner of their states.
//!
//! All SQL of the program stands in this room, one function a question. One connection writes;
//! the rest only read. Once a function has returned, what it recorded has been flushed
//! to the disk. Nothing here talks to a hub or looks at a run directory.

mod acts;
mod history;
mod holds;
mod known;
mod lock;
mod read;
mod ready;
mod records;
mod runs;
mod schema;
mod templates;
mod watches;
mod work;

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use acts::{Act, Acted, Actor};
pub use holds::Hold;
pub use known::name_hash;
pub use lock::StateLock;
pub use read::{EventRow, FailureRow, Filter, JobRow, RunRow};
pub use records::{ReadyRun, SeenRun, Twin};
pub use watches::{Baseline, WatchRow};
pub use work::{Claimed, Finished};

/// The ledger's file inside the state directory.
pub const FILE: &str = "ledger.db";

/// Why the ledger could not do it.
#[derive(Debug)]
pub enum LedgerError {
    /// Damaged, newer than this program, or on a file system where it can't be safe. Starting
    /// again doesn't help.
    Unusable(String),
    /// It can't be written or read just now: disk full, permissions.
    Io(String),
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unusable(what) | Self::Io(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .unwrap_or_default();
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        if code == "11" || code == "26" {
            return Self::Unusable(format!("the ledger is damaged: {error}"));
        }
        Self::Io(format!("the ledger: {error}"))
    }
}

/// The ledger of one state directory.
#[derive(Clone, Debug)]
pub struct Ledger {
    write: SqlitePool,
    read: SqlitePool,
}

impl Ledger {
    /// Opens the ledger for the daemon, made or brought to today's schema where needed.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] for a damaged or newer file, which is left as it is;
    /// [`LedgerError::Io`] where the directory can't be written.
    pub async fn open(state: &Path) -> Result<Self, LedgerError> {
        let file = state.join(FILE);
        let named = |error: LedgerError| error.in_file(&file);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // A full disk makes SQLite end a transaction by itself; sqlx then counts one that
            // isn't there, for ever. Such a connection is replaced.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .connect_with(options(&file)?.create_if_missing(true))
            .await
            .map_err(|error| named(error.into()))?;
        schema::migrate(&write).await.map_err(named)?;
        let ledger = Self {
            write,
            read: reader(&file).await.map_err(named)?,
        };
        ledger.take_back().await.map_err(named)?;
        Ok(ledger)
    }

    /// Opens the ledger for reading beside a daemon or without one; `None` if there is none yet.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn open_to_read(state: &Path) -> Result<Option<Self>, LedgerError> {
        let file = state.join(FILE);
        match std::fs::metadata(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LedgerError::Io(format!("{}: {error}", file.display()))),
            Ok(_) => {}
        }
        let read = reader(&file).await.map_err(|error| error.in_file(&file))?;
        schema::expect_known(&read)
            .await
            .map_err(|error| error.in_file(&file))?;
        Ok(Some(Self {
            write: read.clone(),
            read,
        }))
    }

    /// Closes the file after a last checkpoint.
    pub async fn close(&self) {
        self.read.close().await;
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.write)
            .await;
        if let Err(error) = checkpoint {
            tracing::debug!(%error, "no checkpoint at the end");
        }
        self.write.close().await;
    }
}

impl LedgerError {
    fn in_file(self, file: &Path) -> Self {
        let at = file.display();
        match self {
            Self::Unusable(what) => Self::Unusable(format!(
                "{at}: {what}; nothing was changed: put a copy of the file back, or move it away \
                 to begin a new ledger (runs there now will then count as existing)"
            )),
            Self::Io(what) => Self::Io(format!("{at}: {what}")),
        }
    }
}

fn options(file: &Path) -> Result<SqliteConnectOptions, LedgerError> {
    Ok(SqliteConnectOptions::from_str("sqlite:")?
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true))
}

async fn reader(file: &Path) -> Result<SqlitePool, LedgerError> {
    let options = SqliteConnectOptions::from_str("sqlite:")?
        .filename(file)
        .busy_timeout(Duration::from_secs(5))
        .read_only(true);
    Ok(SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await?)
}

/// Now, in milliseconds since 1970, UTC.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;

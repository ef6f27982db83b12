//! The ledger: every run and every job, and the one owner of their states.
//!
//! All SQL of the program stands in this room, one function a question. One connection writes;
//! the rest only read. Once a function has returned, what it recorded has been flushed
//! to the disk. Nothing here talks to a hub or looks at a run directory.

mod acts;
mod announced;
mod backup;
mod clock;
mod destinations;
mod engine;
mod figures;
mod history;
mod holds;
mod known;
mod latest;
mod leases;
mod listen;
mod lock;
mod outcomes;
mod overview;
mod prune;
mod read;
mod ready;
mod records;
mod restore;
mod runs;
mod schema;
mod select;
mod servers;
mod spawns;
mod sql;
mod templates;
mod watches;
mod work;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Transaction};

use clock::Clock;
use engine::Engine;

pub use acts::{Act, Acted, Actor};
pub use announced::{Announced, Cause, News, Told};
pub use backup::{Copied, backup};
pub use clock::now;
pub use engine::{Location, file};
pub use figures::OPEN;
pub use holds::Hold;
pub use known::name_hash;
pub use leases::Step;
pub use lock::StateLock;
pub use outcomes::Finished;
pub use overview::{InProgress, OpenJobs, Pulse};
pub use read::{EventRow, FailureRow, Filter, JobRow, RunRow};
pub use records::{ReadyRun, SeenRun, Twin};
pub use restore::{Restored, complete_restore, restore};
pub use select::{Named, is_pattern};
pub use watches::{Baseline, WatchRow};
pub use work::{Claimed, Target};

/// The ledger's file inside the state directory.
pub const FILE: &str = "ledger.db";

/// Why the ledger could not do it.
#[derive(Debug)]
pub enum LedgerError {
    /// Damaged, newer than this program, or on a file system where it can't be safe. Starting
    /// again doesn't help.
    Unusable(String),
    /// Its database refuses the role or the password.
    Refused(String),
    /// It can't be written or read just now: disk full, permissions, its database is away.
    Io(String),
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unusable(what) | Self::Refused(what) | Self::Io(what) => f.write_str(what),
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
        match code.as_ref() {
            // SQLITE_CORRUPT and SQLITE_NOTADB.
            "11" | "26" => Self::Unusable(format!("the ledger is damaged: {}", told(&error))),
            // Class 28, invalid authorization (PostgreSQL's manual, appendix A).
            code if code.len() == 5 && code.starts_with("28") => Self::Refused(told(&error)),
            _ => Self::Io(format!("the ledger: {}", told(&error))),
        }
    }
}

/// The words of a database for its error, without the line of its own source.
fn told(error: &sqlx::Error) -> String {
    match (error, error.as_database_error()) {
        (_, Some(told)) => told.message().to_owned(),
        (sqlx::Error::PoolTimedOut, _) => "it doesn't answer".to_owned(),
        _ => error.to_string(),
    }
}

/// A ledger, of one state directory or shared by several.
#[derive(Clone, Debug)]
pub struct Ledger {
    engine: Engine,
    location: Arc<Location>,
    clock: Arc<Mutex<Clock>>,
    write: AnyPool,
    read: AnyPool,
}

impl Ledger {
    /// Opens the ledger for the daemon, made or brought to today's schema where needed.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] for a damaged or newer one, which is left as it is;
    /// [`LedgerError::Refused`] where a database refuses the role; [`LedgerError::Io`] where it
    /// can't be written or reached.
    pub async fn open(location: &Location) -> Result<Self, LedgerError> {
        let engine = location.engine();
        let opened = engine.within(async {
            location.look().await?;
            let write = location.writer().await?;
            schema::migrate(&write, engine).await?;
            Self::around(location, write, location.reader().await?).await
        });
        opened.await.map_err(|error| error.at(location))
    }

    /// Opens the ledger for reading beside a daemon or without one; `None` if there is none yet.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn open_to_read(location: &Location) -> Result<Option<Self>, LedgerError> {
        if let Location::File(file) = location {
            match std::fs::metadata(file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(LedgerError::Io(format!("{}: {error}", file.display()))),
                Ok(_) => {}
            }
        }
        let engine = location.engine();
        let opened = engine.within(async {
            let read = location.reader().await?;
            if !schema::is_there(&read, engine).await? {
                return Ok(None);
            }
            schema::expect_current(&read, engine).await?;
            Self::around(location, read.clone(), read).await.map(Some)
        });
        opened.await.map_err(|error| error.at(location))
    }

    async fn around(
        location: &Location,
        write: AnyPool,
        read: AnyPool,
    ) -> Result<Self, LedgerError> {
        let ledger = Self {
            engine: location.engine(),
            location: Arc::new(location.clone()),
            clock: Arc::default(),
            write,
            read,
        };
        ledger.set_clock().await?;
        Ok(ledger)
    }

    /// Whether other processes work on it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.engine == Engine::Postgres
    }

    /// What a person does when it can't be written.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => {
                "free space on the disk of the state directory, or restore its permissions; \
                 nothing is lost, all goes on by itself"
            }
            Engine::Postgres => {
                "see that the database of `[ledger] url` runs and can be reached from this machine; \
                 nothing is lost, all goes on by itself"
            }
        }
    }

    /// Begins a transaction that writes; there is one at a time, wherever.
    async fn begin(&self) -> Result<Transaction<'static, Any>, LedgerError> {
        Ok(self.engine.begin(&self.write).await?)
    }

    /// Runs one statement that writes; how many rows it changed.
    async fn run(&self, query: Query<'_, Any, AnyArguments>) -> Result<u64, LedgerError> {
        if self.engine == Engine::Sqlite {
            return Ok(query.execute(&self.write).await?.rows_affected());
        }
        let mut db = self.begin().await?;
        let done = query.execute(&mut *db).await?.rows_affected();
        db.commit().await?;
        Ok(done)
    }

    /// Closes the file after a last checkpoint.
    pub async fn close(&self) {
        self.read.close().await;
        if self.engine == Engine::Sqlite {
            let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
            if let Err(error) = checkpoint.execute(&self.write).await {
                tracing::debug!(%error, "no checkpoint at the end");
            }
        }
        // A database that is away is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.write.close()).await;
    }
}

impl LedgerError {
    fn at(self, location: &Location) -> Self {
        let at = location.shown();
        match (self, location) {
            (Self::Unusable(what), Location::File(_)) => Self::Unusable(format!(
                "{at}: {what}; nothing was changed: `nbcourier restore FILE` puts a backup in its \
                 place; without one, move it away to begin a new ledger (runs there now will then \
                 count as existing)"
            )),
            (Self::Unusable(what), _) => Self::Unusable(format!("{at}: {what}")),
            (Self::Refused(what), _) => Self::Refused(format!(
                "{at}: {what}; the password is from {}",
                location.password()
            )),
            (Self::Io(what), _) => Self::Io(format!("{at}: {what}")),
        }
    }
}

#[cfg(test)]
mod tests;

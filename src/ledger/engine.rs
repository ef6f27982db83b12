//! The two engines behind one SQL text.
//!
//! SQL is written so that both read it the same; the few words that differ are here. Writes are
//! serial on both: `SQLite` has one writer, and on `PostgreSQL` each writing transaction takes one
//! lock that all machines share. So whatever is true of one ledger is true of the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};
use url::Url;

use super::LedgerError;

/// What a path in a URL keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// How long a database server may take to accept a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a database server may take to answer; a machine that was cut off must not wait for ever.
const ANSWER: Duration = Duration::from_secs(30);

/// Where a ledger lies.
#[derive(Clone)]
pub enum Location {
    /// In a file of this machine.
    File(PathBuf),
    /// In a database that several machines share.
    Server {
        /// Host, database and role, and the password if there is one.
        url: Url,
        /// Where its password is kept, for messages.
        password: String,
        /// The name of this process among the others.
        owner: String,
        /// How long a claim lasts that is not renewed.
        lease: Duration,
    },
}

/// What runs the SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Location {
    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::File(_) => Engine::Sqlite,
            Self::Server { .. } => Engine::Postgres,
        }
    }

    /// The name of this process among those that share the ledger.
    pub(super) fn owner(&self) -> &str {
        match self {
            Self::File(_) => "",
            Self::Server { owner, .. } => owner,
        }
    }

    /// Where its password is kept, for messages.
    pub(super) fn password(&self) -> &str {
        match self {
            Self::File(_) => "",
            Self::Server { password, .. } => password,
        }
    }

    /// How messages name it; never with a password.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Server { url, .. } => {
                let mut url = url.clone();
                // Only a URL without a host can't hold a password, and needs none removed.
                let _ = url.set_password(None);
                url.to_string()
            }
        }
    }

    fn options(&self, mode: &str) -> Result<AnyConnectOptions, LedgerError> {
        sqlx::any::install_default_drivers();
        let url = match self {
            Self::File(file) => {
                let path = file.to_string_lossy();
                let path = utf8_percent_encode(&path, KEPT);
                format!("sqlite://{path}?mode={mode}")
            }
            Self::Server { url, .. } => url.to_string(),
        };
        Ok(url.parse()?)
    }

    /// Looks at a file that is there before anything in it is changed: opening it for writing
    /// already turns on its write-ahead log.
    pub(super) async fn look(&self) -> Result<(), LedgerError> {
        match self {
            Self::File(file) if file.exists() => {
                let reader = self.reader().await?;
                let fit = super::schema::expect_fit(&reader).await;
                reader.close().await;
                fit
            }
            _ => Ok(()),
        }
    }

    /// The connections that write: one, or few that take turns.
    pub(super) async fn writer(&self) -> Result<AnyPool, LedgerError> {
        let setup = match self.engine() {
            Engine::Sqlite => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000"
            }
            // Who is cut off in the middle of a transaction doesn't hold up the others for long.
            Engine::Postgres => {
                "SET idle_in_transaction_session_timeout = '10s'; \
                 SET statement_timeout = '30s'; SET client_min_messages = 'warning'"
            }
        };
        let most = match self.engine() {
            Engine::Sqlite => 1,
            Engine::Postgres => 4,
        };
        self.pool(most, setup, "rwc").await
    }

    /// The connections that only read.
    pub(super) async fn reader(&self) -> Result<AnyPool, LedgerError> {
        let setup = match self.engine() {
            Engine::Sqlite => "PRAGMA busy_timeout = 5000",
            Engine::Postgres => {
                "SET default_transaction_read_only = on; SET statement_timeout = '30s'"
            }
        };
        self.pool(2, setup, "ro").await
    }

    async fn pool(
        &self,
        most: u32,
        setup: &'static str,
        mode: &str,
    ) -> Result<AnyPool, LedgerError> {
        let options = self.options(mode)?;
        // A pool would try again and again, and tell only that it did.
        let first = async {
            let mut first = AnyConnection::connect_with(&options).await?;
            first.execute(setup).await?;
            first.close().await
        };
        let in_time = tokio::time::timeout(PATIENCE, first).await;
        in_time.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(pool(self.engine(), most, setup)
            .connect_with(options)
            .await?)
    }
}

fn pool(engine: Engine, most: u32, setup: &'static str) -> PoolOptions<Any> {
    AnyPoolOptions::new()
        .max_connections(most)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        // Only a connection over a network can have ended meanwhile.
        .test_before_acquire(engine == Engine::Postgres)
        // A full disk makes SQLite end a transaction by itself; sqlx then counts one that
        // isn't there, for ever. Such a connection is replaced.
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                connection.execute(setup).await?;
                Ok(())
            })
        })
}

impl Engine {
    /// Begins a transaction that writes; there is one at a time, wherever.
    pub(super) async fn begin(
        self,
        pool: &AnyPool,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        if self == Self::Sqlite {
            return pool.begin_with("BEGIN IMMEDIATE").await;
        }
        let mut transaction = pool.begin().await?;
        // Not in one statement with BEGIN: if that were given up or failed, sqlx would take the
        // connection for one without a transaction, and use it again as it is, for ever. The number
        // is "nbcl" and belongs to no other program's lock.
        let lock = "SELECT pg_advisory_xact_lock(1852990316)";
        transaction.execute(lock).await?;
        Ok(transaction)
    }

    /// The time by the database, milliseconds since 1970, UTC.
    pub(super) fn clock(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// The `run` parameter of a run.
    pub(super) fn run_parameter(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(parameters ->> '$.run' AS TEXT)",
            Self::Postgres => "CAST(parameters AS json) ->> 'run'",
        }
    }

    /// Runs this, for as long as an answer may take.
    pub(super) async fn within<T>(
        self,
        work: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        match self {
            Self::Sqlite => work.await,
            Self::Postgres => tokio::time::timeout(ANSWER, work)
                .await
                .unwrap_or_else(|_| {
                    Err(LedgerError::Io(format!(
                        "the ledger's database did not answer within {} s",
                        ANSWER.as_secs()
                    )))
                }),
        }
    }
}

/// The ledger's file of a state directory.
#[must_use]
pub fn file(state: &Path) -> PathBuf {
    state.join(super::FILE)
}

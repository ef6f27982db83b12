//! A ledger, and beside it what its engine and its disk can do at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nbcourier::ledger::{Ledger, LedgerError, Location, file};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, Connection as _, Executor as _};

use crate::postgres::Postgres;
use crate::work::Sample;

/// What the ledger's connection says to `SQLite` when it begins, as far as it bears on the disk.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

/// One engine.
pub(crate) struct Bench {
    pub(crate) ledger: Ledger,
    /// A table with one row an insert, in a file or database like the ledger's.
    pub(crate) driver: AnyConnection,
    /// A bare file.
    pub(crate) file: File,
    samples: [Vec<f64>; Sample::COUNT],
    /// Where the ledger is.
    url: String,
    _dir: tempfile::TempDir,
    _server: Option<Postgres>,
}

impl Bench {
    pub(crate) async fn sqlite() -> Result<Self, LedgerError> {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let dir = tempfile::tempdir_in(target).expect("a directory");
        let file = file(dir.path());
        let url = |path: &Path| format!("sqlite://{}?mode=rwc", path.display());
        let urls = [url(&file), url(&dir.path().join("plain.db"))];
        Self::new(dir, &Location::File(file), (urls, PRAGMAS, None)).await
    }

    pub(crate) async fn postgres() -> Result<Self, LedgerError> {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Postgres::start();
        let url = format!(
            "postgres://nbc:{}@127.0.0.1:{}/nbc",
            server.password, server.port
        );
        let location = Location::Server {
            url: url.parse().expect("a URL"),
            password: "the server that was made for it".to_owned(),
            owner: "bench".to_owned(),
            lease: Duration::from_secs(60),
        };
        let urls = [url.clone(), url];
        Self::new(dir, &location, (urls, "SELECT 1", Some(server))).await
    }

    async fn new(
        dir: tempfile::TempDir,
        location: &Location,
        ([url, plain], first, server): ([String; 2], &'static str, Option<Postgres>),
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(location).await?;
        let mut driver = connect(&plain).await?;
        driver.execute(first).await?;
        let table = "CREATE TABLE plain (number INTEGER PRIMARY KEY, word TEXT NOT NULL)";
        driver.execute(table).await?;
        Ok(Self {
            ledger,
            driver,
            url,
            file: File::create(dir.path().join("plain")).expect("a file"),
            samples: [const { Vec::new() }; Sample::COUNT],
            _dir: dir,
            _server: server,
        })
    }

    /// What was measured, in seconds each.
    pub(crate) fn values(&self, sample: Sample) -> &[f64] {
        &self.samples[sample as usize]
    }

    /// Ends the oldest jobs without their deliveries; what `PostgreSQL` tidies of its own accord while
    /// nobody looks it tidies now.
    pub(crate) async fn end_oldest(&self, count: usize) -> Result<(), LedgerError> {
        let mut ledger = connect(&self.url).await?;
        let sql = "UPDATE jobs SET state = 'delivered', outcome = 'created', delivered_at = created_at \
                   WHERE id IN (SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id LIMIT $1)";
        let ended = sqlx::query(sql).bind(i64::try_from(count).expect("small"));
        let ended = ended.execute(&mut ledger).await?.rows_affected();
        assert_eq!(usize::try_from(ended), Ok(count));
        if self.ledger.is_shared() {
            ledger.execute("VACUUM (ANALYZE) jobs").await?;
            ledger.execute("VACUUM (ANALYZE) runs").await?;
        }
        ledger.close().await?;
        Ok(())
    }

    pub(crate) fn note(&mut self, sample: Sample, seconds: f64) {
        self.samples[sample as usize].push(seconds);
    }
}

async fn connect(url: &str) -> Result<AnyConnection, LedgerError> {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url.parse()?;
    Ok(AnyConnection::connect_with(&options).await?)
}

//! A copy of a `SQLite` ledger, made while the daemon goes on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{LedgerError, Location};

/// What a copy of a ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its size in bytes.
    pub bytes: u64,
    /// How many runs it knows.
    pub runs: i64,
    /// When the newest thing in it happened, milliseconds since 1970, UTC.
    pub newest: Option<i64>,
}

/// Writes the ledger in `ledger` to the new file `to`, for its owner's eyes only; whole, checked
/// and flushed before it gets that name.
///
/// # Errors
/// [`LedgerError::Io`] if `to` is there already or can't be written; [`LedgerError::Unusable`] if
/// the ledger is damaged.
pub async fn backup(ledger: &Path, to: &Path) -> Result<Copied, LedgerError> {
    let part = Part::create(to)?;
    let named = |error: LedgerError| error.at(&Location::File(ledger.to_owned()));
    vacuum(ledger, &part.0).await.map_err(named)?;
    let copied = examine(&part.0, "quick_check").await.map_err(named)?;
    let at = |error: io::Error| failed(to, &error);
    File::open(&part.0)
        .and_then(|file| file.sync_all())
        .map_err(at)?;
    give_name(&part.0, to).map_err(at)?;
    sync_directory_of(to).map_err(at)?;
    Ok(copied)
}

/// The file while it is written; gone when it has not got its name.
struct Part(PathBuf);

impl Part {
    fn create(to: &Path) -> Result<Self, LedgerError> {
        let part = with_suffix(to, ".part");
        let created = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part);
        match created {
            Ok(_) => Ok(Self(part)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(LedgerError::Io(format!(
                    "{} is there: another backup is being written, or one was interrupted; \
                     remove it then",
                    part.display()
                )))
            }
            Err(error) => Err(failed(&part, &error)),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there any more when it has got its name.
        let _ = fs::remove_file(&self.0);
    }
}

/// `VACUUM INTO` reads one state of the ledger, whoever writes meanwhile, and fills an empty file.
async fn vacuum(ledger: &Path, part: &Path) -> Result<(), LedgerError> {
    let Some(name) = part.to_str() else {
        return Err(LedgerError::Io(format!(
            "{}: SQLite needs a name in UTF-8",
            part.display()
        )));
    };
    let mut from = SqliteConnectOptions::new()
        .filename(ledger)
        .busy_timeout(Duration::from_secs(5))
        .read_only(true)
        .connect()
        .await?;
    let vacuum = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut from);
    vacuum.await?;
    Ok(from.close().await?)
}

/// What a ledger nobody writes to holds, once `check` (a pragma) has found it sound.
pub(super) async fn examine(file: &Path, check: &'static str) -> Result<Copied, LedgerError> {
    let mut db = SqliteConnectOptions::new()
        .filename(file)
        .immutable(true)
        .read_only(true)
        .connect()
        .await?;
    let found = facts(&mut db, check).await;
    db.close().await?;
    let bytes = fs::metadata(file).map_err(|error| failed(file, &error))?;
    found.map(|(runs, newest)| Copied {
        bytes: bytes.len(),
        runs,
        newest,
    })
}

async fn facts(db: &mut SqliteConnection, check: &str) -> Result<(i64, Option<i64>), LedgerError> {
    let check = sqlx::AssertSqlSafe(format!("PRAGMA {check}(1)"));
    let verdict: String = sqlx::query_scalar(check).fetch_one(&mut *db).await?;
    if verdict != "ok" {
        return Err(LedgerError::Unusable(format!("it is damaged: {verdict}")));
    }
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *db)
        .await?;
    if version == 0 {
        return Err(LedgerError::Unusable("this is no ledger".into()));
    }
    let sql = "SELECT (SELECT count(*) FROM runs), coalesce( \
                 (SELECT at FROM events ORDER BY id DESC LIMIT 1), \
                 (SELECT seen_at FROM runs ORDER BY id DESC LIMIT 1))";
    Ok(sqlx::query_as(sql).fetch_one(db).await?)
}

/// Renames without replacing, or links where the file system can't.
fn give_name(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        done => Ok(done?),
    }
}

/// Makes the names in the file's directory durable.
pub(super) fn sync_directory_of(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

pub(super) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn failed(file: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Io(format!("{}: {error}", file.display()))
}

//! Puts a backup in the place of a `SQLite` ledger. What was there is kept beside it.
//!
//! The backup is copied and checked first. Once the copy is called `….restoring-TIME`, whoever
//! comes next completes what was begun: the daemon at its start, or the next restore. So a kill
//! at any moment leaves either the old ledger or the way to the new one, never none.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::backup::{Copied, examine, failed, sync_directory_of, with_suffix};
use super::{LedgerError, Location, StateLock, schema};

/// What `SQLite` keeps beside a database, and the database itself, which is moved last.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];
const RESTORING: &str = ".restoring-";
const BEFORE: &str = ".before-restore-";

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// What the backup holds.
    pub copied: Copied,
    /// The ledger that was there, under its new name.
    pub set_aside: Option<PathBuf>,
}

/// Puts the backup `from` in the place of `ledger`, while no daemon runs.
///
/// # Errors
/// [`LedgerError::Unusable`] if `from` is no ledger, damaged, or newer than this program;
/// [`LedgerError::Io`] if it can't be read or the state directory not be written. The ledger that
/// is there stays in place then.
pub async fn restore(
    _lock: &StateLock,
    ledger: &Path,
    from: &Path,
) -> Result<Restored, LedgerError> {
    let at = |error: io::Error| failed(ledger, &error);
    complete(ledger).map_err(at)?;
    let part = with_suffix(ledger, ".restore-part");
    let copied = match copied(ledger, from, &part).await {
        Ok(copied) => copied,
        Err(error) => {
            remove(&part);
            return Err(error);
        }
    };
    let time = free_time(ledger);
    commit(ledger, &part, &time).map_err(at)?;
    complete(ledger).map_err(at)?;
    let set_aside = with_suffix(ledger, &format!("{BEFORE}{time}"));
    Ok(Restored {
        copied,
        set_aside: Some(set_aside).filter(|path| path.exists()),
    })
}

/// Completes a restore that was interrupted, if there is one. Only with the state directory's lock.
///
/// # Errors
/// [`LedgerError::Io`] when the state directory can't be read or written.
pub fn complete_restore(ledger: &Path) -> Result<(), LedgerError> {
    complete(ledger).map_err(|error| failed(ledger, &error))
}

fn complete(ledger: &Path) -> io::Result<()> {
    let Some((restoring, time)) = begun(ledger)? else {
        return Ok(());
    };
    for part in PARTS {
        let aside = with_suffix(ledger, &format!("{BEFORE}{time}{part}"));
        match fs::rename(with_suffix(ledger, part), aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory_of(ledger)?;
    fs::rename(restoring, ledger)?;
    sync_directory_of(ledger)
}

/// The checked copy that waits for its place, and the time in its name.
fn begun(ledger: &Path) -> io::Result<Option<(PathBuf, String)>> {
    let name = ledger.file_name().unwrap_or_default().to_string_lossy();
    let lead = format!("{name}{RESTORING}");
    let directory = ledger.parent().unwrap_or(Path::new("."));
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(time) = entry.file_name().to_string_lossy().strip_prefix(&lead) {
            return Ok(Some((entry.path(), time.to_owned())));
        }
    }
    Ok(None)
}

/// The backup as a checked copy in the state directory.
async fn copied(ledger: &Path, from: &Path, part: &Path) -> Result<Copied, LedgerError> {
    remove(part);
    copy(ledger, from, part)?;
    check(part).await.map_err(|error| about(error, from))
}

/// Copies the file, and the log beside it where a live ledger was copied file by file.
fn copy(ledger: &Path, from: &Path, part: &Path) -> Result<(), LedgerError> {
    for end in ["", "-wal"] {
        let (source, target) = (with_suffix(from, end), with_suffix(part, end));
        match copy_file(&source, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !end.is_empty() => {}
            Err(error) if source.exists() => return Err(failed(&target, &error)),
            Err(error) => return Err(failed(&source, &error)),
            Ok(()) => give_to_owner(ledger, &target).map_err(|error| failed(&target, &error))?,
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    // A FIFO would block for ever.
    if !fs::metadata(from)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut source = File::open(from)?;
    let mut options = fs::OpenOptions::new();
    let mut target = options.write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}

/// The daemon is rarely the one who restores.
fn give_to_owner(ledger: &Path, file: &Path) -> io::Result<()> {
    let owner = fs::metadata(ledger.parent().unwrap_or(Path::new(".")))?;
    if fs::metadata(file)?.uid() == owner.uid() {
        return Ok(());
    }
    chown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Takes up a log, and asks whether this is a sound ledger that this program knows.
async fn check(part: &Path) -> Result<Copied, LedgerError> {
    let copy = Location::File(part.to_owned());
    let pool = copy.writer().await?;
    let known = schema::expect_known(&pool, copy.engine()).await;
    let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool);
    let taken_up = checkpoint.await;
    pool.close().await;
    known?;
    taken_up?;
    let copied = examine(part, "integrity_check").await?;
    let synced = File::open(part).and_then(|file| file.sync_all());
    synced.map_err(|error| failed(part, &error))?;
    Ok(copied)
}

fn about(error: LedgerError, from: &Path) -> LedgerError {
    let from = from.display();
    match error {
        LedgerError::Unusable(what) => {
            LedgerError::Unusable(format!("{from}: {what}; the ledger stays as it is"))
        }
        error => LedgerError::Io(format!("{from}: {error}")),
    }
}

/// From here on the restore is completed, whatever happens.
fn commit(ledger: &Path, part: &Path, time: &str) -> io::Result<()> {
    fs::rename(part, with_suffix(ledger, &format!("{RESTORING}{time}")))?;
    sync_directory_of(ledger)
}

/// Now, as it goes into names; with a number where that name is taken.
fn free_time(ledger: &Path) -> String {
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let is_free = |time: &String| {
        let names = PARTS.map(|part| with_suffix(ledger, &format!("{BEFORE}{time}{part}")));
        names.iter().all(|name| name.symlink_metadata().is_err())
    };
    let numbered = (2..=u32::MAX).map(|number| format!("{now}-{number}"));
    let mut times = std::iter::once(now.clone()).chain(numbered);
    times.find(is_free).unwrap_or(now)
}

/// Of a copy that nobody needs.
fn remove(part: &Path) {
    for end in PARTS {
        // What can't be removed is told when it is written again.
        let _ = fs::remove_file(with_suffix(part, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Filter, Ledger, ReadyRun, backup};

    fn run(name: &str) -> ReadyRun {
        ReadyRun {
            watch: "h4".into(),
            name: name.into(),
            incarnation: None,
            path: "/data".into(),
            seen_at: 1,
            ready_at: 2,
            parameters: serde_json::Map::new(),
            sources: [].into(),
            digest: None,
            identity: None,
            jobs: vec![],
            asked: None,
            limit: None,
            request: None,
        }
    }

    async fn names(state: &Path) -> Vec<String> {
        let ledger = Ledger::open(&Location::File(state.join("ledger.db"))).await;
        let ledger = ledger.expect("a ledger");
        let runs = ledger.runs(&Filter::default()).await.expect("runs");
        ledger.close().await;
        runs.into_iter().map(|run| run.name).collect()
    }

    /// A state directory as a killed daemon leaves it, with a log, and a backup without its run.
    async fn killed(room: &Path) -> PathBuf {
        let (live, state) = (room.join("live"), room.join("state"));
        for directory in [&live, &state] {
            fs::create_dir(directory).expect("a directory");
        }
        let ledger = Ledger::open(&Location::File(live.join("ledger.db"))).await;
        let ledger = ledger.expect("a ledger");
        let copied = backup(&live.join("ledger.db"), &room.join("backup")).await;
        assert_eq!(copied.expect("a backup").runs, 0);
        ledger.ready(&[run("later")]).await.expect("recorded");
        for part in PARTS {
            let name = format!("ledger.db{part}");
            fs::copy(live.join(&name), state.join(&name)).expect("a copy");
        }
        state
    }

    #[tokio::test]
    async fn a_restore_that_was_cut_off_anywhere_is_completed_and_loses_nothing() {
        for steps in 0..=PARTS.len() + 1 {
            let room = tempfile::tempdir().expect("a temporary directory");
            let state = killed(room.path()).await;
            let ledger = state.join("ledger.db");
            let part = with_suffix(&ledger, ".restore-part");
            copied(&ledger, &room.path().join("backup"), &part)
                .await
                .expect("a copy");
            commit(&ledger, &part, "T").expect("committed");
            let aside = with_suffix(&ledger, &format!("{BEFORE}T"));
            for part in PARTS.iter().take(steps) {
                let _ = fs::rename(with_suffix(&ledger, part), with_suffix(&aside, part));
            }
            if steps > PARTS.len() {
                let restoring = with_suffix(&ledger, &format!("{RESTORING}T"));
                fs::rename(restoring, &ledger).expect("renamed");
            }
            complete_restore(&ledger).expect("completed");
            assert!(names(&state).await.is_empty(), "after {steps} steps");
            let lock = StateLock::take(&state).expect("the lock");
            let undone = restore(&lock, &ledger, &aside).await.expect("restored");
            assert_eq!((undone.copied.runs, undone.set_aside.is_some()), (1, true));
            assert_eq!(names(&state).await, ["later"], "after {steps} steps");
            assert!(begun(&ledger).expect("read").is_none());
        }
    }

    #[tokio::test]
    async fn what_is_no_sound_ledger_is_refused_and_the_ledger_stays() {
        let room = tempfile::tempdir().expect("a temporary directory");
        let state = killed(room.path()).await;
        let ledger = state.join("ledger.db");
        let whole = fs::read(room.path().join("backup")).expect("the backup");
        let mut torn = whole.clone();
        torn[4096..4200].fill(0xff);
        let cases: [(&[u8], &str); 4] = [
            (b"", "this is no ledger"),
            (b"something else that is long enough to be read", "damaged"),
            (&torn, "damaged"),
            (&whole[..whole.len() / 2], "damaged"),
        ];
        let lock = StateLock::take(&state).expect("the lock");
        for (bytes, part) in cases {
            let from = room.path().join("bad");
            fs::write(&from, bytes).expect("written");
            let refused = restore(&lock, &ledger, &from).await;
            let told = refused.expect_err("refused").to_string();
            assert!(told.contains(part) && told.contains("/bad: "), "{told}");
        }
        let left = fs::read_dir(&state).expect("read").count();
        assert_eq!(left, PARTS.len(), "nothing is left over");
        assert_eq!(names(&state).await, ["later"]);
    }
}

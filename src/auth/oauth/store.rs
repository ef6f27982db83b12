//! Refresh tokens that replaced the operator's: a file of our own, since that one may be read-only.
//!
//! A server that rotates them takes each once, so a new one is on the disk before anything is done
//! with its access token; one process at a time asks; and a question is noted before it is asked, so
//! that after a kill or a lost answer it is known why an old token is refused.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use crate::config::secret::Secret;
use crate::failure::{Code, Failure};

/// Between two looks at a lock that another process holds, and how often.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 1200;

/// Where the refresh token of one destination is kept.
#[derive(Clone)]
pub(super) struct Store {
    directory: PathBuf,
    name: String,
}

/// What is kept.
#[derive(Clone)]
pub(super) struct Stored {
    /// The newest token.
    pub(super) token: Secret,
    /// Of the operator's token that it came from; another one there wins.
    pub(super) seed: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    refresh_token: String,
    seed_sha256: Option<String>,
}

/// The hash by which tokens are told apart.
pub(super) fn hash(token: &Secret) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(token.expose().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Below the state directory.
    pub(super) fn new(state: &Path, destination: &str) -> Self {
        Self {
            directory: state.join("tokens"),
            name: destination.to_owned(),
        }
    }

    /// When a person last logged in. Rotation doesn't count: nothing has changed for anybody.
    pub(super) fn version(&self) -> Option<(SystemTime, u64)> {
        let facts = std::fs::metadata(self.file()).ok()?;
        let at = facts.modified().ok()?;
        (at != SystemTime::UNIX_EPOCH).then_some((at, 0))
    }

    /// What is kept, by a look without the lock.
    pub(super) fn peek(&self) -> Result<Option<Stored>, Failure> {
        let text = match std::fs::read(self.file()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure(&error)),
        };
        let text: Text = serde_json::from_slice(&text).map_err(|error| {
            let what = format!("{} is damaged: {error}", self.file().display());
            Code::CredentialUnreadable.failure(what).advise(
                "remove it, and get a new refresh token: `nbcourier init --login DESTINATION`",
            )
        })?;
        Ok(Some(Stored {
            token: Secret::new(text.refresh_token),
            seed: text.seed_sha256,
        }))
    }

    /// Waits until no other process asks with this token.
    pub(super) async fn lock(&self) -> Result<Locked<'_>, Failure> {
        let mark = block_in_place(|| self.open_lock()).map_err(|error| self.failure(&error))?;
        for _ in 0..LOOKS {
            if flock(&mark, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return Ok(Locked { store: self, mark });
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Code::TokenEndpointDown.failure(format!(
            "another nbcourier has been asking with the refresh token of {} for two minutes",
            self.name
        )))
    }

    fn open_lock(&self) -> std::io::Result<File> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        self.give(&File::open(&self.directory)?, self.directory.parent())?;
        let path = self.directory.join(format!("{}.lock", self.name));
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let file = options.open(path)?;
        self.give(&file, Some(&self.directory))?;
        Ok(file)
    }

    /// Made by root, as by `check`, a file must still be the service's: it gets the owner of what
    /// it lies in.
    fn give(&self, file: &File, like: Option<&Path>) -> std::io::Result<()> {
        let Some(owner) = like.map(std::fs::metadata).transpose()? else {
            return Ok(());
        };
        if file.metadata()?.uid() != owner.uid() && rustix::process::geteuid().is_root() {
            fchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        let what = format!("{}: {error}", self.file().display());
        Code::LedgerUnwritable.failure(what)
    }
}

/// The store while this process alone asks; the kernel frees it however the process ends.
pub(super) struct Locked<'a> {
    store: &'a Store,
    /// Holds the hash of the token with which was asked and no answer is known.
    mark: File,
}

impl Locked<'_> {
    /// What is kept.
    pub(super) fn read(&self) -> Result<Option<Stored>, Failure> {
        self.store.peek()
    }

    /// How a token is had where there is none.
    pub(super) fn advice(&self) -> String {
        let name = &self.store.name;
        format!("put a refresh token there, or get one: nbcourier init --login {name}")
    }

    /// Whether this token was sent before, and the answer isn't known.
    pub(super) fn is_marked(&mut self, token: &Secret) -> Result<bool, Failure> {
        let mut text = String::new();
        let read = self
            .mark
            .rewind()
            .and_then(|()| self.mark.read_to_string(&mut text));
        read.map_err(|error| self.store.failure(&error))?;
        Ok(text == hash(token))
    }

    /// Notes, on the disk, that this token is about to be sent; or that all is known again.
    pub(super) fn mark(&mut self, token: Option<&Secret>) -> Result<(), Failure> {
        let text = token.map(hash).unwrap_or_default();
        let write = || {
            self.mark.set_len(0)?;
            self.mark.rewind()?;
            self.mark.write_all(text.as_bytes())?;
            self.mark.sync_data()
        };
        block_in_place(write).map_err(|error| self.store.failure(&error))
    }

    /// Keeps a token in place of what was kept, whatever happens meanwhile. `is_login`: a person
    /// has just got it, so that whoever waits for one looks at once.
    pub(super) fn write(&self, stored: &Stored, is_login: bool) -> Result<(), Failure> {
        block_in_place(|| self.replace(stored, is_login))
            .map_err(|error| self.store.failure(&error))
    }

    fn replace(&self, stored: &Stored, is_login: bool) -> std::io::Result<()> {
        let text = serde_json::to_vec(&Text {
            refresh_token: stored.token.expose().to_owned(),
            seed_sha256: stored.seed.clone(),
        })?;
        let store = self.store;
        let (file, new) = (
            store.file(),
            store.directory.join(format!("{}.new", store.name)),
        );
        let before = std::fs::metadata(&file).and_then(|facts| facts.modified());
        let mut options = OpenOptions::new();
        let mut made = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        made.write_all(&text)?;
        if !is_login {
            made.set_modified(before.unwrap_or(SystemTime::UNIX_EPOCH))?;
        }
        store.give(&made, Some(&store.directory))?;
        made.sync_all()?;
        std::fs::rename(new, file)?;
        File::open(&store.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn stored(token: &str) -> Stored {
        Stored {
            token: Secret::new(token.into()),
            seed: Some("seed".into()),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_kept_token_is_private_and_only_a_login_is_news() {
        let state = tempfile::tempdir().expect("a temporary directory");
        let store = Store::new(state.path(), "swan");
        assert!(store.peek().expect("readable").is_none());
        let lock = store.lock().await.expect("free");
        lock.write(&stored("one"), false).expect("written");
        assert_eq!(store.version(), None);
        lock.write(&stored("two"), true).expect("written");
        let news = store.version();
        assert!(news.is_some());
        lock.write(&stored("three"), false).expect("written");
        assert_eq!(store.version(), news);
        let kept = store.peek().expect("readable").expect("a token");
        assert_eq!(
            (kept.token.expose(), kept.seed.as_deref()),
            ("three", Some("seed"))
        );
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&store.file()), 0o600);
        assert_eq!(mode(&store.directory), 0o700);
        let names = std::fs::read_dir(&store.directory)
            .expect("a directory")
            .count();
        assert_eq!(names, 2, "the token and its lock");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mark_outlives_its_process_and_is_of_one_token() {
        let state = tempfile::tempdir().expect("a temporary directory");
        let store = Store::new(state.path(), "swan");
        let (one, two) = (Secret::new("one".into()), Secret::new("two".into()));
        let mut lock = store.lock().await.expect("free");
        assert!(!lock.is_marked(&one).expect("readable"));
        lock.mark(Some(&one)).expect("marked");
        drop(lock);
        let mut lock = store.lock().await.expect("free again");
        assert!(lock.is_marked(&one).expect("readable"));
        assert!(!lock.is_marked(&two).expect("readable"));
        lock.mark(None).expect("cleared");
        assert!(!lock.is_marked(&one).expect("readable"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_never_ask_at_once() {
        let state = tempfile::tempdir().expect("a temporary directory");
        let store = Store::new(state.path(), "swan");
        let lock = store.lock().await.expect("free");
        let other = store.clone();
        let waits = tokio::spawn(async move { other.lock().await.is_ok() });
        tokio::time::sleep(LOOK * 3).await;
        assert!(!waits.is_finished());
        drop(lock);
        assert!(waits.await.expect("no panic"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_damaged_file_is_told_without_its_content() {
        let state = tempfile::tempdir().expect("a temporary directory");
        let store = Store::new(state.path(), "swan");
        drop(store.lock().await.expect("free"));
        std::fs::write(store.file(), "{\"refresh_token\": 5, \"x\": \"s3cret\"}").expect("write");
        let failure = store.peek().err().expect("damaged");
        assert_eq!(failure.code, Code::CredentialUnreadable);
        assert!(!failure.what.contains("s3cret"), "{failure}");
    }
}

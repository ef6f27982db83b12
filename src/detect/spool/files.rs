//! The spool directory.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::task::block_in_place;

use super::super::Context;
use super::request::{Rejection, Request, parse};
use super::resolve;
use crate::account;
use crate::ledger::{Actor, LedgerError, ReadyRun};
use crate::measure;
use crate::pulse::Pulse;

/// Larger trigger files are not taken, bytes.
const LARGEST: u64 = 1 << 20;

/// A trigger file as it was observed: size, modification time, inode.
type Look = (u64, i64, i64, u64);

/// Takes trigger files until the daemon stops.
pub(in super::super) async fn run(context: Context) {
    let Some(root) = context.config.spool.clone() else {
        return;
    };
    let mut stop = context.stop.clone();
    let mut spool = Spool {
        context,
        root,
        seen: HashMap::new(),
        told: HashSet::new(),
        replayed: false,
    };
    tokio::select! {
        () = spool.work() => {}
        // An error means that the daemon is gone already.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

struct Spool {
    context: Context,
    root: PathBuf,
    /// How each file looked, since when, and when it was first seen.
    seen: HashMap<PathBuf, (Look, Instant, Instant)>,
    /// Files with a notice on the board.
    told: HashSet<PathBuf>,
    replayed: bool,
}

/// Why a round could not be finished.
enum Trouble {
    /// The spool directory itself: a code, what is wrong, what to do.
    Spool(&'static str, String, String),
    /// The ledger.
    Ledger(LedgerError),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Spool {
    async fn work(&mut self) {
        let pace = self.context.config.paces.spool_settle / 2;
        let pulse = Pulse::new("spool".into(), pace);
        loop {
            pulse.beat();
            match self.round().await {
                Ok(()) => {
                    self.context.health.clear("spool");
                    self.context.health.clear("ledger spool");
                }
                Err(Trouble::Spool(code, what, advice)) => {
                    self.context.health.raise("spool", code, what, advice)
                }
                Err(Trouble::Ledger(error)) => {
                    let advice = self.context.ledger.advice();
                    self.context.health.raise(
                        "ledger spool",
                        "ledger-unwritable",
                        error.to_string(),
                        advice,
                    );
                }
            }
            tokio::time::sleep(pulse.pace).await;
        }
    }

    async fn round(&mut self) -> Result<(), Trouble> {
        self.prepare()?;
        let mut trouble = None;
        if !self.replayed {
            for file in list(&self.root.join("work")).map_err(|error| self.trouble(&error))? {
                if let Err(error) = self.take(&file).await {
                    trouble = Some(error);
                }
            }
        }
        let files = list(&self.root).map_err(|error| self.trouble(&error))?;
        self.seen.retain(|path, _| files.contains(path));
        for gone in self.told.extract_if(|path| !files.contains(path)) {
            self.context.health.clear(&notice(&gone));
        }
        for file in files {
            if let Err(error) = self.claim_and_take(&file).await {
                trouble = Some(error);
            }
        }
        // What could not be taken or put away lies in `work` and is taken up again.
        self.replayed = trouble.is_none();
        trouble.map_or(Ok(()), Err)
    }

    async fn claim_and_take(&mut self, file: &Path) -> Result<(), Trouble> {
        match self.claim(file)? {
            Some(claimed) => self.take(&claimed).await,
            None => Ok(()),
        }
    }

    /// The directories; never a spool into which everybody may write.
    fn prepare(&self) -> Result<(), Trouble> {
        let shown = self.root.display();
        if !self.root.is_dir() {
            make(&self.root).map_err(|error| self.trouble(&error))?;
        }
        let mode = fs::metadata(&self.root)
            .map_err(|error| self.trouble(&error))?
            .permissions()
            .mode();
        if mode & 0o002 != 0 {
            let what =
                format!("everybody may write into the spool {shown}; nothing is taken from it");
            return Err(Trouble::Spool(
                "spool-open",
                what,
                format!("type: chmod o-w {shown}"),
            ));
        }
        for part in ["tmp", "work", "accepted", "rejected"] {
            let part = self.root.join(part);
            if !part.is_dir() {
                make(&part).map_err(|error| self.trouble(&error))?;
            }
        }
        Ok(())
    }

    fn trouble(&self, error: &std::io::Error) -> Trouble {
        let what = format!("the spool {}: {error}", self.root.display());
        Trouble::Spool("spool-unusable", what, "make it with mode 2770, owned by the service's user and the group of those who drop files".into())
    }

    /// Claims a file that is whole: unchanged for a while, and parsable or too old to be in the
    /// writing still. `cp` and slow writers are thus safe, and a rename is only quicker.
    fn claim(&mut self, file: &Path) -> Result<Option<PathBuf>, Trouble> {
        let facts = match fs::symlink_metadata(file) {
            Ok(facts) => facts,
            Err(_) => return Ok(None),
        };
        if let Some((what, advice)) = unfit(file, &facts) {
            self.tell(file, what, advice);
            return Ok(None);
        }
        let look = (facts.len(), facts.mtime(), facts.mtime_nsec(), facts.ino());
        let now = Instant::now();
        let (last, since, first) = self.seen.entry(file.to_owned()).or_insert((look, now, now));
        if *last != look {
            (*last, *since) = (look, now);
        }
        let paces = &self.context.config.paces;
        if now.duration_since(*since) < paces.spool_settle {
            return Ok(None);
        }
        let text = match fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                let what = format!("the trigger file {} can't be read: {error}", file.display());
                self.tell(file, what, format!("type: chmod g+r {}", file.display()));
                return Ok(None);
            }
        };
        if self.told.remove(file) {
            self.context.health.clear(&notice(file));
        }
        let young = now.duration_since(*first) < paces.spool_patience;
        if young && parse(&text, extension(file)).is_err_and(|error| error.code.starts_with("no-"))
        {
            return Ok(None);
        }
        let claimed = self
            .root
            .join("work")
            .join(file.file_name().unwrap_or_default());
        if claimed.exists() {
            // One of the same name is being taken; the next round comes back.
            return Ok(None);
        }
        fs::rename(file, &claimed).map_err(|error| self.trouble(&error))?;
        self.seen.remove(file);
        Ok(Some(claimed))
    }

    fn tell(&mut self, file: &Path, what: String, advice: String) {
        self.context
            .health
            .raise(&notice(file), "spool-file", what, advice);
        self.told.insert(file.to_owned());
    }

    /// Records what a claimed file says, then puts it away.
    async fn take(&self, file: &Path) -> Result<(), Trouble> {
        let bytes = fs::read(file).map_err(|error| self.trouble(&error))?;
        let key_of = |request: &Request| match &request.id {
            Some(id) => format!("id {id}"),
            None => {
                let name = file.file_name().unwrap_or_default();
                let content =
                    [std::os::unix::ffi::OsStrExt::as_bytes(name), b"\0", &bytes].concat();
                format!("sha256 {}", crate::notebook::sha256(&content))
            }
        };
        let text = String::from_utf8(bytes.clone())
            .map_err(|_| Rejection::new("no-text", "it is not UTF-8"));
        let request = text.and_then(|text| parse(&text, extension(file)));
        let run = match request {
            Ok(request) => {
                let key = key_of(&request);
                if self.context.ledger.request_known(&key).await? {
                    return self.put_away(file, "accepted", None);
                }
                block_in_place(|| resolve(&self.context.config, &request, Some(key)))
            }
            Err(rejection) => Err(rejection),
        };
        match run {
            Ok(run) => {
                measure::run_detected(&run.watch);
                tracing::info!(
                    event = "run.ready",
                    watch = run.watch,
                    run = run.name,
                    "announced by {}",
                    file.display()
                );
                let run = ReadyRun {
                    asked: Some(owner(file)),
                    ..run
                };
                self.context.ledger.ready(&[run]).await?;
                self.context.ready.notify_one();
                self.put_away(file, "accepted", None)
            }
            Err(rejection) => {
                tracing::warn!(
                    code = rejection.code,
                    "rejected {}: {}",
                    file.display(),
                    rejection.message
                );
                self.put_away(file, "rejected", Some(&rejection))
            }
        }
    }

    /// A name that is taken there gets a number; the error is written before the file moves.
    fn put_away(
        &self,
        file: &Path,
        to: &str,
        rejection: Option<&Rejection>,
    ) -> Result<(), Trouble> {
        let folder = self.root.join(to);
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let target = |n: u32| {
            folder.join(if n == 1 {
                name.clone()
            } else {
                crate::notebook::number(&name, n)
            })
        };
        let free = (1..)
            .map(target)
            .find(|path| !path.exists())
            .unwrap_or_else(|| folder.join(&name));
        if let Some(rejection) = rejection {
            let told = serde_json::to_vec_pretty(rejection).unwrap_or_default();
            let beside = free.with_file_name(format!(
                "{}.error",
                free.file_name().unwrap_or_default().to_string_lossy()
            ));
            fs::write(beside, told).map_err(|error| self.trouble(&error))?;
        }
        fs::rename(file, &free).map_err(|error| self.trouble(&error))
    }
}

/// Who has dropped a file.
fn owner(file: &Path) -> Actor {
    fs::metadata(file).map_or_else(|_| "unknown".into(), |facts| account::shown(facts.uid()))
}

/// The key of a file's notice on the board.
fn notice(file: &Path) -> String {
    format!("spool {}", file.display())
}

fn make(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o770)
        .create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o2770))
}

/// The trigger files of a directory, oldest name first.
fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.retain(|file| {
        let hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !hidden && ["json", "toml", "yaml"].contains(&extension(file))
    });
    files.sort();
    Ok(files)
}

fn extension(file: &Path) -> &str {
    file.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

/// What stays where it is, why, and what to do.
fn unfit(file: &Path, facts: &fs::Metadata) -> Option<(String, String)> {
    let shown = file.display();
    let kind = match facts.file_type() {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if !kind.is_file() => "no regular file",
        _ if facts.len() > LARGEST => "larger than 1 MiB",
        _ => return None,
    };
    Some((
        format!("{shown} in the spool is {kind} and is not taken"),
        format!("drop a small regular file; remove {shown}"),
    ))
}

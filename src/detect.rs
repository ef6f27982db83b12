//! Finding runs: notifications are hints, the listing is the truth, the ledger is the memory.
//!
//! Every hint only makes some run due for a look, and looking is idempotent. Nothing is ever
//! written into a watched directory.

mod explain;
mod facts;
mod files;
mod hints;
mod identity;
mod known;
mod learn;
mod look;
mod readers;
pub mod readiness;
mod scan;
mod signature;
pub mod spool;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch as channel};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::checked::Watch;
use crate::health::Health;
use crate::ledger::Ledger;
use crate::run::{Parameters, encode_name};
pub use explain::{Explained, explain};
pub use learn::{Learned, learn};
pub use spool::parameters_of;

/// What detection works with.
#[derive(Clone)]
pub struct Context {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// The board of troubles.
    pub health: Arc<Health>,
    /// Told whenever new jobs are recorded.
    pub ready: Arc<Notify>,
    /// True once the daemon stops.
    pub stop: channel::Receiver<bool>,
}

/// How long the start waits for a watch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches all directories and the spool until the daemon stops. `armed` is told once every watch
/// is set and has been listed for the first time.
pub async fn run(context: Context, armed: oneshot::Sender<()>) {
    let mut tasks = JoinSet::new();
    let mut waiting = Vec::new();
    for at in 0..context.config.watches.len() {
        let (listed, wait) = oneshot::channel();
        waiting.push(wait);
        tasks.spawn(watch::run(context.clone(), at, listed));
    }
    if context.config.spool.is_some() {
        tasks.spawn(spool::run(context.clone()));
    }
    for wait in waiting {
        // An error means that the daemon stops already; a file server that hangs holds up no more
        // than its own watch.
        let _ = tokio::time::timeout(PATIENCE, wait).await;
    }
    let _ = armed.send(());
    while tasks.join_next().await.is_some() {}
}

/// The parameters of every run, before all others.
fn built_in(watch: &str, name: &str, directory: &Path, seen_at: i64) -> Parameters {
    let date = jiff::Timestamp::from_millisecond(seen_at).unwrap_or_default();
    let date = date.to_zoned(jiff::tz::TimeZone::system());
    Parameters::from_iter([
        ("run_name".into(), name.into()),
        ("run_dir".into(), directory.to_string_lossy().into()),
        ("watch".into(), watch.into()),
        ("date".into(), date.strftime("%Y-%m-%d").to_string().into()),
    ])
}

/// The parameters of a watch's run before its metadata, weakest first: built-ins, then named groups.
fn from_name(watch: &Watch, name: &str, path: &Path, seen_at: i64) -> Parameters {
    let is_file = watch.pattern.takes_files() && path.is_file();
    let directory = path.parent().filter(|_| is_file).unwrap_or(path);
    let mut all = built_in(&watch.name, name, directory, seen_at);
    let below = below(watch, path).unwrap_or_else(|| name.to_owned());
    let groups = watch.pattern.groups(&below).into_iter();
    all.extend(groups.map(|(group, text)| (group.to_owned(), text.into())));
    all
}

/// The path below a watch's directory, encoded.
fn below(watch: &Watch, path: &Path) -> Option<String> {
    let below = path.strip_prefix(&watch.directory).ok()?;
    let raw = std::os::unix::ffi::OsStrExt::as_bytes(below.as_os_str());
    (!raw.is_empty()).then(|| encode_name(raw))
}

/// The name of the run that a path below a watch's directory is or is a file of, if its names can
/// be a run's.
fn candidate(watch: &Watch, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(&watch.directory).ok()?;
    let ignored = parts
        .iter()
        .any(|part| watch.ignore.is_match(Path::new(part)));
    let below = below(watch, path).filter(|_| !ignored)?;
    watch.pattern.name(&below)
}

/// How runs in a directory are noticed: `notify` where all changes are noticed by this machine,
/// `notify+poll` where some may come from elsewhere, `poll` without notifications.
pub async fn backend(directory: &Path) -> &'static str {
    let directory = directory.to_owned();
    let root = tokio::task::spawn_blocking(move || facts::Root::of(&directory));
    // It may hang; then it is no local one.
    match tokio::time::timeout(Duration::from_secs(1), root).await {
        _ if !hints::are_wanted() => "poll",
        Ok(Ok(Ok(root))) if root.local => "notify",
        _ => "notify+poll",
    }
}

/// How many runs lie below a watch's directory.
///
/// # Errors
/// When it can't be listed.
pub fn count_runs(watch: &Watch) -> std::io::Result<usize> {
    let mut runs = scan::all(watch)?;
    if watch.pattern.has_segments() {
        runs.sort_by_cached_key(|place| place.name(watch));
        runs.dedup_by_key(|place| place.name(watch));
    }
    Ok(runs.len())
}

/// The newest run directories of all watches, at most `count`, newest first; which watches could
/// not be listed is seen by `check`.
#[must_use]
pub fn newest_runs(config: &Config, count: usize) -> Vec<PathBuf> {
    let changed = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|facts| facts.modified())
            .ok()
    };
    let listed = config.watches.iter().flat_map(|watch| {
        let scan = scan::all(watch).unwrap_or_default();
        scan.into_iter().map(|place| place.path(watch))
    });
    let mut runs: Vec<_> = listed.map(|path| (changed(&path), path)).collect();
    runs.sort_by(|one, other| other.cmp(one));
    runs.into_iter().map(|(_, path)| path).take(count).collect()
}

//! Finding runs: notifications are hints, the listing is the truth, the ledger is the memory.
//!
//! Every hint only makes some run due for a look, and looking is idempotent. Nothing is ever
//! written into a watched directory.

mod hints;
mod listing;
mod look;
mod readers;
pub mod readiness;
pub mod spool;
mod watch;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Notify, oneshot, watch as channel};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::checked::Watch;
use crate::health::Health;
use crate::ledger::Ledger;
use crate::run::{Parameters, encode_name};
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
        // An error means that the daemon stops already.
        let _ = wait.await;
    }
    let _ = armed.send(());
    while tasks.join_next().await.is_some() {}
}

/// The parameters of a run before its metadata, weakest first: built-ins, then named groups.
fn from_name(
    watch: &str,
    name: &str,
    path: &Path,
    seen_at: i64,
    pattern: Option<&Watch>,
) -> Parameters {
    let mut all = Parameters::new();
    all.insert("run_name".into(), name.into());
    all.insert("run_dir".into(), path.to_string_lossy().into());
    all.insert("watch".into(), watch.into());
    let date = jiff::Timestamp::from_millisecond(seen_at).unwrap_or_default();
    let date = date
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d")
        .to_string();
    all.insert("date".into(), date.into());
    let Some(watch) = pattern else { return all };
    if let Some(groups) = watch.pattern.captures(name) {
        for group in watch.pattern.capture_names().flatten() {
            if let Some(text) = groups.name(group) {
                all.insert(group.into(), text.as_str().into());
            }
        }
    }
    all
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
    let none = HashSet::new();
    let listed = config.watches.iter();
    let listed = listed.filter_map(|watch| listing::new_runs(watch, &none).ok());
    let mut runs: Vec<_> = listed
        .flatten()
        .map(|(_, path)| (changed(&path), path))
        .collect();
    runs.sort_by(|one, other| other.cmp(one));
    runs.into_iter().map(|(_, path)| path).take(count).collect()
}

/// The name of an entry of a watched directory, if it can be a run's.
fn candidate(watch: &Watch, raw: &std::ffi::OsStr) -> Option<String> {
    let name = encode_name(std::os::unix::ffi::OsStrExt::as_bytes(raw));
    (!watch.ignore.is_match(Path::new(raw)) && watch.pattern.is_match(&name)).then_some(name)
}

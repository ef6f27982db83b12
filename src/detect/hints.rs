//! Notifications of the file system, as hints: what is lost costs time, never a run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::{Config, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Hints that wait to be taken; more only set the flag for a scan.
const WAITING: usize = 4096;

/// The most watches; what is above is looked at in turn.
const MOST: usize = 4096;

/// The hints of one watched directory.
pub(super) struct Hints {
    watcher: Option<RecommendedWatcher>,
    paths: mpsc::Receiver<PathBuf>,
    rescan: Arc<AtomicBool>,
    watched: HashSet<PathBuf>,
    most: usize,
}

impl Hints {
    /// Hints about a root; where there can be none, what is wrong. Polling is slower and finds the
    /// same.
    pub(super) fn of(root: &Path) -> (Self, Result<(), String>) {
        if !are_wanted() {
            return (Self::silent(), Ok(()));
        }
        let (sender, paths) = mpsc::channel(WAITING);
        let rescan = Arc::new(AtomicBool::new(false));
        let mut hints = Self {
            paths,
            rescan: rescan.clone(),
            ..Self::silent()
        };
        let watched = watcher(sender, rescan).and_then(|mut watcher| {
            watcher.watch(root, RecursiveMode::NonRecursive)?;
            hints.watcher = Some(watcher);
            Ok(())
        });
        let told = watched.map_err(|error| explained(&error));
        (hints, told)
    }

    /// No hints at all.
    pub(super) fn silent() -> Self {
        Self {
            watcher: None,
            paths: mpsc::channel(1).1,
            rescan: Arc::default(),
            watched: HashSet::new(),
            most: most(),
        }
    }

    /// Watches a directory below the root too, if there is room.
    ///
    /// # Errors
    /// What the system refuses, and how to raise the limit.
    pub(super) fn watch(&mut self, path: &Path) -> Result<(), String> {
        let Some(watcher) = &mut self.watcher else {
            return Ok(());
        };
        if self.watched.len() >= self.most || self.watched.contains(path) {
            return Ok(());
        }
        match watcher.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(path.to_owned());
                Ok(())
            }
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                Err(explained(&error))
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "polled, not watched");
                Ok(())
            }
        }
    }

    /// Whether a directory below the root is watched.
    pub(super) fn watches(&self, path: &Path) -> bool {
        self.watched.contains(path)
    }

    /// Ends the watch of a directory below the root.
    pub(super) fn unwatch(&mut self, path: &Path) {
        if let Some(watcher) = &mut self.watcher
            && self.watched.remove(path)
        {
            // It fails where the directory is gone, and its watch with it.
            let _ = watcher.unwatch(path);
        }
    }

    /// The next hint; for ever if there are none.
    pub(super) async fn next(&mut self) -> PathBuf {
        match self.paths.recv().await {
            Some(path) => path,
            None => std::future::pending().await,
        }
    }

    /// A hint that is there already.
    pub(super) fn another(&mut self) -> Option<PathBuf> {
        self.paths.try_recv().ok()
    }

    /// Whether hints were lost since it was asked last.
    pub(super) fn lost(&self) -> bool {
        self.rescan.swap(false, Ordering::Relaxed)
    }
}

/// Whether notifications are used; tests show that nothing depends on them.
pub(super) fn are_wanted() -> bool {
    std::env::var_os("NBCOURIER_TEST_NO_NOTIFY").is_none()
}

fn watcher(
    sender: mpsc::Sender<PathBuf>,
    rescan: Arc<AtomicBool>,
) -> notify::Result<RecommendedWatcher> {
    // Returns at once, since the kernel's queue overflows behind a slow handler.
    let handler = move |event: notify::Result<Event>| match event {
        Ok(event) if !event.need_rescan() => {
            let mut paths = event.paths.into_iter();
            if paths.any(|path| sender.try_send(path).is_err()) {
                rescan.store(true, Ordering::Relaxed);
            }
        }
        _ => {
            rescan.store(true, Ordering::Relaxed);
            // A full queue wakes as well.
            let _ = sender.try_send(PathBuf::new());
        }
    };
    // Never opens or writes: those slow the DAQ's own writer down two- to threefold.
    let mask = EventKindMask::CREATE
        | EventKindMask::REMOVE
        | EventKindMask::MODIFY_NAME
        | EventKindMask::ACCESS_CLOSE;
    let config = Config::default()
        .with_event_kinds(mask)
        .with_follow_symlinks(false);
    RecommendedWatcher::new(handler, config)
}

/// A quarter of what the user may have, since other programs of theirs need some too.
fn most() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    let limit = limit
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok());
    limit.map_or(MOST, |limit| (limit / 4).min(MOST))
}

fn explained(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "this user's watches are used up (fs.inotify.max_user_watches)".into()
        }
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(24) => {
            "this user's watchers are used up (fs.inotify.max_user_instances)".into()
        }
        _ => error.to_string(),
    }
}

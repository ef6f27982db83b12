//! Notifications of the file system, as hints: what is lost costs time, never a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::{Config, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Hints that wait to be taken; more only set the flag for a listing.
const WAITING: usize = 4096;

/// Runs that are watched each; above it they are looked at in turn.
const RUNS: usize = 4096;

/// The hints of one watched directory.
pub(super) struct Hints {
    watcher: Option<RecommendedWatcher>,
    paths: mpsc::Receiver<PathBuf>,
    relist: Arc<AtomicBool>,
    runs: usize,
}

impl Hints {
    /// A source of hints; without one there is only polling, which is slower and finds the same.
    pub(super) fn new() -> (Self, Option<String>) {
        let (sender, paths) = mpsc::channel(WAITING);
        let relist = Arc::new(AtomicBool::new(false));
        let flag = relist.clone();
        // Returns at once, since the kernel's queue overflows behind a slow handler.
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) if !event.need_rescan() => {
                if event
                    .paths
                    .into_iter()
                    .any(|path| sender.try_send(path).is_err())
                {
                    flag.store(true, Ordering::Relaxed);
                }
            }
            _ => {
                flag.store(true, Ordering::Relaxed);
                // A full queue wakes as well.
                let _ = sender.try_send(PathBuf::new());
            }
        };
        if std::env::var_os("NBCOURIER_TEST_NO_NOTIFY").is_some() {
            return (
                Self {
                    watcher: None,
                    paths,
                    relist,
                    runs: 0,
                },
                None,
            );
        }
        // Never opens or writes: those slow the DAQ's own writer down two- to threefold.
        let mask = EventKindMask::CREATE
            | EventKindMask::REMOVE
            | EventKindMask::MODIFY_NAME
            | EventKindMask::ACCESS_CLOSE;
        let config = Config::default()
            .with_event_kinds(mask)
            .with_follow_symlinks(false);
        let (watcher, trouble) = match RecommendedWatcher::new(handler, config) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        (
            Self {
                watcher,
                paths,
                relist,
                runs: 0,
            },
            trouble,
        )
    }

    /// Watches the root, anew if it was watched.
    pub(super) fn watch_root(&mut self, root: &Path) -> Result<(), String> {
        let Some(watcher) = &mut self.watcher else {
            return Ok(());
        };
        // It fails where nothing was watched, or the old one is gone.
        let _ = watcher.unwatch(root);
        watcher
            .watch(root, RecursiveMode::NonRecursive)
            .map_err(|error| error.to_string())
    }

    /// Watches a run that is not complete, if there is room; else it is polled.
    pub(super) fn watch_run(&mut self, run: &Path) {
        if self.runs >= RUNS {
            return;
        }
        if let Some(watcher) = &mut self.watcher {
            match watcher.watch(run, RecursiveMode::NonRecursive) {
                Ok(()) => self.runs += 1,
                Err(error) => tracing::debug!(run = %run.display(), %error, "polled, not watched"),
            }
        }
    }

    /// Ends the watch of a run.
    pub(super) fn unwatch_run(&mut self, run: &Path) {
        if let Some(watcher) = &mut self.watcher
            && watcher.unwatch(run).is_ok()
        {
            self.runs = self.runs.saturating_sub(1);
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
        self.relist.swap(false, Ordering::Relaxed)
    }
}

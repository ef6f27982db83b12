//! The sign of life of the daemon's loops, by which systemd's watchdog is fed.
//!
//! The process has one watchdog, and so one list of loops, however often they are started anew.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinError;

/// The loops that should turn, by number: what each is called, and when it has turned last.
static LOOPS: Mutex<BTreeMap<u64, (String, Instant)>> = Mutex::new(BTreeMap::new());

fn loops() -> MutexGuard<'static, BTreeMap<u64, (String, Instant)>> {
    LOOPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loops that should turn and have not for longer than this.
#[must_use]
pub fn still(limit: Duration) -> Vec<String> {
    let loops = loops();
    let still = loops.values().filter(|(_, last)| last.elapsed() > limit);
    still.map(|(name, _)| name.clone()).collect()
}

/// The pulse of one loop. One that ends drops it; one that panics is missed.
#[derive(Debug)]
pub struct Pulse {
    number: u64,
    name: String,
    /// The longest that the loop may sleep.
    pub pace: Duration,
}

impl Pulse {
    /// Of a loop that turns from now on, and sleeps no longer than this at once.
    #[must_use]
    pub fn new(name: String, pace: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let pulse = Self { number, name, pace };
        pulse.beat();
        pulse
    }

    /// It has turned.
    pub fn beat(&self) {
        loops().insert(self.number, (self.name.clone(), Instant::now()));
    }

    /// Does what touches files that may lie anywhere. A file server that hangs does so for as long as it
    /// likes, and no restart cures it: meanwhile the loop counts as turning.
    ///
    /// # Errors
    /// When the work has panicked.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let mut work = pin!(tokio::task::spawn_blocking(work));
        loop {
            self.beat();
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(self.pace) => {}
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            loops().remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn is_still(name: &str, limit: Duration) -> bool {
        still(limit).iter().any(|still| still == name)
    }

    #[tokio::test]
    async fn a_loop_is_missed_when_it_sleeps_or_panics_but_not_when_it_has_ended() {
        let one = Pulse::new("one".into(), SHORT);
        let other = Pulse::new("other".into(), SHORT);
        assert!(!is_still("one", Duration::from_secs(60)));
        tokio::time::sleep(SHORT).await;
        one.beat();
        assert!(is_still("other", SHORT) && !is_still("one", SHORT * 100));
        // Another of its name has begun before it ends.
        let again = Pulse::new("other".into(), SHORT);
        drop(other);
        tokio::time::sleep(SHORT).await;
        assert!(is_still("one", SHORT) && is_still("other", SHORT));
        drop((one, again));
        assert!(!is_still("one", SHORT) && !is_still("other", SHORT));
        let lost = Pulse::new("lost".into(), SHORT);
        let task = tokio::spawn(async move {
            let _lost = lost;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        tokio::time::sleep(SHORT).await;
        assert!(is_still("lost", SHORT));
    }

    #[tokio::test]
    async fn a_loop_that_waits_for_files_turns() {
        let pulse = Pulse::new("waits".into(), SHORT);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let hangs = tokio::spawn(async move { pulse.aside(move || wait.recv()).await });
        tokio::time::sleep(SHORT * 20).await;
        assert!(!is_still("waits", SHORT * 19));
        drop(go);
        assert!(hangs.await.expect("no panic").expect("no panic").is_err());
    }
}

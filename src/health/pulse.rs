//! The sign of life of the daemon's loops, by which systemd's watchdog is fed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinError;

use super::Health;

/// The loops that should turn, and when each has turned last.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Instant>>);

impl Turns {
    /// A loop that has not turned for longer than this.
    pub(super) fn still(&self, limit: Duration) -> Option<String> {
        let turns = self.table();
        let mut still = turns.iter().filter(|(_, last)| last.elapsed() > limit);
        still.next().map(|(name, _)| name.clone())
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pulse of one loop. One that ends drops it; one that panics is missed.
#[derive(Debug)]
pub struct Pulse {
    health: Arc<Health>,
    name: String,
    /// The longest that the loop may sleep.
    pub pace: Duration,
}

impl Pulse {
    /// Of a loop that turns from now on, and sleeps no longer than this at once.
    #[must_use]
    pub fn new(health: &Arc<Health>, name: String, pace: Duration) -> Self {
        let health = health.clone();
        let pulse = Self { health, name, pace };
        pulse.beat();
        pulse
    }

    /// It has turned.
    pub fn beat(&self) {
        let mut turns = self.health.turns.table();
        turns.insert(self.name.clone(), Instant::now());
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
            self.health.turns.table().remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_loop_is_missed_when_it_sleeps_or_panics_but_not_when_it_has_ended() {
        let health = Arc::new(Health::default());
        let one = Pulse::new(&health, "one".into(), SHORT);
        let other = Pulse::new(&health, "other".into(), SHORT);
        assert_eq!(health.still(Duration::from_secs(60)), None);
        tokio::time::sleep(SHORT).await;
        one.beat();
        assert_eq!(health.still(SHORT).as_deref(), Some("other"));
        drop(other);
        tokio::time::sleep(SHORT).await;
        assert_eq!(health.still(SHORT).as_deref(), Some("one"));
        drop(one);
        assert_eq!(health.still(SHORT), None);
        let lost = Pulse::new(&health, "lost".into(), SHORT);
        let task = tokio::spawn(async move {
            let _lost = lost;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        tokio::time::sleep(SHORT).await;
        assert_eq!(health.still(SHORT).as_deref(), Some("lost"));
    }

    #[tokio::test]
    async fn a_loop_that_waits_for_files_turns() {
        let health = Arc::new(Health::default());
        let pulse = Pulse::new(&health, "watch".into(), SHORT);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let hangs = tokio::spawn(async move { pulse.aside(move || wait.recv()).await });
        tokio::time::sleep(SHORT * 10).await;
        assert_eq!(health.still(SHORT * 5), None);
        drop(go);
        assert!(hangs.await.expect("no panic").expect("no panic").is_err());
    }
}

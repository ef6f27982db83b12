//! How far this machine's clock is off an authorization server's: it refuses what was made in its
//! future or is over in its eyes, and says only that the client is invalid.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// More than this is told, seconds.
const TOLERATED: i64 = 30;
/// What an assertion is backdated by when this clock is ahead.
const BACKDATED: Duration = Duration::from_secs(10);

/// What the last answer told; seconds that the server is ahead.
#[derive(Default)]
pub(super) struct Clock(Mutex<Option<i64>>);

impl Clock {
    /// Notes the `Date` of an answer that has just come, and warns once if it is far off.
    pub(super) fn note(&self, date: Option<Timestamp>, server: &str) {
        let Some(date) = date else {
            return;
        };
        let ahead = date.as_second() - Timestamp::now().as_second();
        let before = self.replace(ahead);
        let was_fine = before.is_none_or(|before| before.abs() <= TOLERATED);
        if let (Some(remark), true) = (self.remark(), was_fine) {
            tracing::warn!("{server}: {remark}");
        }
    }

    /// What a person should know, if the clocks are far apart.
    pub(super) fn remark(&self) -> Option<String> {
        let ahead = (*self.lock()).filter(|ahead| ahead.abs() > TOLERATED)?;
        let side = if ahead > 0 { "behind" } else { "ahead of" };
        Some(format!(
            "this machine's clock is {} s {side} the server's",
            ahead.abs()
        ))
    }

    /// The time that an assertion of now bears.
    pub(super) fn assertion_time(&self) -> SystemTime {
        let now = SystemTime::now();
        match *self.lock() {
            Some(ahead) if ahead < 0 => now - BACKDATED,
            _ => now,
        }
    }

    fn replace(&self, ahead: i64) -> Option<i64> {
        self.lock().replace(ahead)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_told_and_one_that_is_ahead_backdates() {
        let clock = Clock::default();
        let note = |ahead: i64| {
            let date = Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
            clock.note(Some(date), "the server");
        };
        note(20);
        assert_eq!(clock.remark(), None);
        note(300);
        assert!(clock.remark().expect("a remark").contains("s behind"));
        note(-300);
        assert!(clock.remark().expect("a remark").contains("s ahead of"));
        assert!(clock.assertion_time() < SystemTime::now() - Duration::from_secs(9));
        clock.note(None, "the server");
        assert!(clock.remark().is_some());
    }
}

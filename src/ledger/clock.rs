//! The time by which a ledger goes.
//!
//! Of one machine it is that machine's. Of several it is the database's: a machine whose clock is a
//! day ahead must not take what others are delivering, nor wait until tomorrow.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::engine::Engine;
use super::{Ledger, LedgerError};
use crate::job::millis;

/// A clock that is ahead by more milliseconds was set, and didn't drift.
const SET: i64 = 30_000;

/// The ledger's time, by the time since the machine's start, which nobody sets.
#[derive(Debug)]
pub(super) struct Clock {
    /// The ledger's time less the time since the start, milliseconds.
    started: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            started: now() - since_boot(),
        }
    }
}

/// Now, in milliseconds since 1970, UTC, by this machine.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Milliseconds since the machine's start, with the time in which it slept.
fn since_boot() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    millis(Duration::from_secs(time.tv_sec.unsigned_abs())) + time.tv_nsec / 1_000_000
}

impl Ledger {
    /// Now, in milliseconds since 1970, UTC, by the ledger. It doesn't jump: a clock that was set is
    /// followed by [`Ledger::follow_clock`].
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock().started.saturating_add(since_boot())
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows this machine's clock, where the ledger goes by it. If it was set, what is planned
    /// moves with it, and nothing ages by it; by how many milliseconds.
    ///
    /// # Errors
    /// When the ledger can't be written; the clock is not followed then.
    pub async fn follow_clock(&self) -> Result<Option<i64>, LedgerError> {
        if self.is_shared() {
            return Ok(None);
        }
        let by = now() - self.now();
        let set = (by.abs() > SET).then_some(by);
        if set.is_some() {
            self.shift(by).await?;
        }
        self.clock().started += by;
        Ok(set)
    }

    /// Moves all that is planned, and nothing ages by it.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn shift(&self, by: i64) -> Result<(), LedgerError> {
        let mut db = self.begin().await?;
        for sql in [
            "UPDATE jobs SET next_attempt_at = next_attempt_at + $1, excused_ms = excused_ms + $1 \
             WHERE state IN ('waiting', 'delivering')",
            "UPDATE jobs SET held_at = held_at + $1, excused_ms = excused_ms + $1 WHERE state = 'held'",
            "UPDATE holds SET next_probe_at = next_probe_at + $1 \
             WHERE next_probe_at BETWEEN 1 AND 9000000000000",
            "UPDATE destinations SET returned_at = returned_at + $1",
            "UPDATE spawns SET begun_at = begun_at + $1, ends_by = ends_by + $1, \
               ended_at = ended_at + $1",
        ] {
            sqlx::query(sql).bind(by).execute(&mut *db).await?;
        }
        Ok(db.commit().await?)
    }

    /// Asks the database for the time.
    pub(super) async fn set_clock(&self) -> Result<(), LedgerError> {
        if self.engine == Engine::Sqlite {
            return Ok(());
        }
        let sql = format!("SELECT {}", self.engine.clock());
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        let at: i64 = query.fetch_one(&self.read).await?;
        self.clock().started = at - since_boot();
        Ok(())
    }
}

//! The time by which a ledger goes.
//!
//! Of one machine it is that machine's. Of several it is the database's: a machine whose clock is a
//! day ahead must not take what others are delivering, nor wait until tomorrow.

use std::sync::PoisonError;
use std::time::Instant;

use super::engine::Engine;
use super::{Ledger, LedgerError};
use crate::job::millis;

/// When it was so late, by the database.
#[derive(Debug, Default)]
pub(super) struct Clock(Option<(i64, Instant)>);

/// Now, in milliseconds since 1970, UTC, by this machine.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

impl Ledger {
    /// Now, in milliseconds since 1970, UTC, by the ledger.
    #[must_use]
    pub fn now(&self) -> i64 {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        match clock.0 {
            Some((at, since)) => at.saturating_add(millis(since.elapsed())),
            None => now(),
        }
    }

    /// The machine's clock was set: what is planned moves with it, and nothing ages by it.
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
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.0 = Some((at, Instant::now()));
        Ok(())
    }
}

//! Figures for those who watch the daemon: cheap to ask, however long the history.

use super::engine::Location;
use super::{Ledger, LedgerError};
use crate::job::JobState;

/// The states that a job leaves again, or should: each has an index of its own.
pub const OPEN: [JobState; 4] = [
    JobState::Waiting,
    JobState::Delivering,
    JobState::Held,
    JobState::Failed,
];

impl Ledger {
    /// When the oldest waiting job of each destination was made, milliseconds since 1970, UTC.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn oldest_waiting(&self) -> Result<Vec<(String, i64)>, LedgerError> {
        let work = async {
            let sql = "SELECT j.destination, j.created_at FROM jobs j JOIN ( \
                         SELECT min(id) AS id FROM jobs WHERE state = 'waiting' \
                         GROUP BY destination) AS first ON first.id = j.id";
            Ok(sqlx::query_as(sql).fetch_all(&self.read).await?)
        };
        self.engine.within(work).await
    }

    /// How large it is, bytes.
    ///
    /// # Errors
    /// When it can't be told.
    pub async fn bytes(&self) -> Result<i64, LedgerError> {
        if let Location::File(file) = self.location.as_ref() {
            let size = |end: &str| {
                let mut path = file.clone().into_os_string();
                path.push(end);
                // There may be no log beside it.
                std::fs::metadata(path).map_or(0, |facts| facts.len())
            };
            return Ok(i64::try_from(size("") + size("-wal")).unwrap_or(i64::MAX));
        }
        let work = async {
            let sql = "SELECT pg_database_size(current_database())";
            Ok(sqlx::query_scalar(sql).fetch_one(&self.read).await?)
        };
        self.engine.within(work).await
    }
}

//! What has happened last.

use super::{Ledger, LedgerError};

impl Ledger {
    /// The number of the last event: another one means that something has happened.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn last_event(&self) -> Result<i64, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT COALESCE(max(id), 0) FROM events";
                Ok(sqlx::query_scalar(sql).fetch_one(&self.read).await?)
            })
            .await
    }

    /// The run that was delivered last, and when.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn last_delivered(&self) -> Result<Option<(String, i64)>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT r.name, e.at FROM events e JOIN runs r ON r.id = e.run \
                           WHERE e.event = 'delivered' ORDER BY e.id DESC LIMIT 1";
                Ok(sqlx::query_as(sql).fetch_optional(&self.read).await?)
            })
            .await
    }
}

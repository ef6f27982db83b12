//! The last good version of every template that was read.

use sqlx::Row as _;

use super::{Ledger, LedgerError};

impl Ledger {
    /// Keeps this version of a template in place of the one before.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn keep_template(
        &self,
        source: &str,
        sha256: &str,
        bytes: &[u8],
        now: i64,
    ) -> Result<(), LedgerError> {
        // Most deliveries find the version that is kept already.
        let sql = "SELECT EXISTS (SELECT 1 FROM templates WHERE source = ? AND sha256 = ?)";
        let known: bool = sqlx::query_scalar(sql)
            .bind(source)
            .bind(sha256)
            .fetch_one(&self.read)
            .await?;
        if known {
            return Ok(());
        }
        let sql = "INSERT INTO templates (source, sha256, bytes, read_at) VALUES (?, ?, ?, ?) \
                   ON CONFLICT (source) DO UPDATE SET sha256 = excluded.sha256, \
                     bytes = excluded.bytes, read_at = excluded.read_at";
        sqlx::query(sql)
            .bind(source)
            .bind(sha256)
            .bind(bytes)
            .bind(now)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The last good version of a template, and when it was first read (milliseconds since 1970,
    /// UTC).
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn kept_template(&self, source: &str) -> Result<Option<(Vec<u8>, i64)>, LedgerError> {
        let sql = "SELECT bytes, read_at FROM templates WHERE source = ?";
        let row = sqlx::query(sql)
            .bind(source)
            .fetch_optional(&self.read)
            .await?;
        Ok(match row {
            Some(row) => Some((row.try_get("bytes")?, row.try_get("read_at")?)),
            None => None,
        })
    }
}

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
        self.engine.within(async {
        // Most deliveries find the version that is kept already.
        let sql = "SELECT count(*) FROM templates WHERE source = $1 AND sha256 = $2";
        let known: i64 = sqlx::query_scalar(sql)
            .bind(source)
            .bind(sha256)
            .fetch_one(&self.read)
            .await?;
        if known > 0 {
            return Ok(());
        }
        let sql = "INSERT INTO templates (source, sha256, bytes, read_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (source) DO UPDATE SET sha256 = excluded.sha256, \
                     bytes = excluded.bytes, read_at = excluded.read_at";
        self.run(sqlx::query(sql)
            .bind(source)
            .bind(sha256)
            .bind(bytes)
            .bind(now)).await?;
        Ok(())
    }).await
    }

    /// The last good version of a template, and when it was first read (milliseconds since 1970,
    /// UTC).
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn kept_template(&self, source: &str) -> Result<Option<(Vec<u8>, i64)>, LedgerError> {
        self.engine
            .within(async {
                let sql = "SELECT bytes, read_at FROM templates WHERE source = $1";
                let row = sqlx::query(sql)
                    .bind(source)
                    .fetch_optional(&self.read)
                    .await?;
                Ok(match row {
                    Some(row) => Some((row.try_get("bytes")?, row.try_get("read_at")?)),
                    None => None,
                })
            })
            .await
    }
}

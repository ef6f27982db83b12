//! Which runs a person means.

use regex::Regex;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::QueryAs;

use super::{Ledger, LedgerError, RunRow};

/// A run as far as a choice needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its number in the ledger.
    pub id: i64,
    /// Its watch.
    pub watch: String,
    /// Its name.
    pub name: String,
    /// Which run of that name.
    pub incarnation: i64,
    /// When it was first seen, milliseconds since 1970, UTC.
    pub seen_at: i64,
}

type Columns = (i64, String, String, i64, i64);

impl From<Columns> for Named {
    fn from((id, watch, name, incarnation, seen_at): Columns) -> Self {
        Self {
            id,
            watch,
            name,
            incarnation,
            seen_at,
        }
    }
}

impl Named {
    /// `watch:name`, which tells runs of one name apart.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}:{}", self.watch, self.name)
    }
}

/// Whether the text holds `*` (any characters) or `?` (one).
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

impl Ledger {
    /// The runs whose name, or `watch:name`, is this text or matches this pattern, oldest first.
    /// Runs of exactly this name are meant alone.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn matching(&self, pattern: &str) -> Result<Vec<Named>, LedgerError> {
        // LIKE may take letters of either case for the same; what it leaves out doesn't match.
        let sql = "SELECT id, watch, name, incarnation, seen_at FROM runs \
                   WHERE name LIKE $1 ESCAPE '\\' OR (watch || ':' || name) LIKE $1 ESCAPE '\\' \
                   ORDER BY id";
        let mut found = self.named(sqlx::query_as(sql).bind(like(pattern))).await?;
        let is_exact = |run: &Named| run.name == pattern || run.whole() == pattern;
        if found.iter().any(is_exact) {
            found.retain(is_exact);
        } else if let Some(shape) = shape(pattern) {
            found.retain(|run| shape.is_match(&run.name) || shape.is_match(&run.whole()));
        }
        Ok(found)
    }

    /// The newest runs, at most so many.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn newest(&self, limit: i64) -> Result<Vec<Named>, LedgerError> {
        let sql = "SELECT id, watch, name, incarnation, seen_at FROM runs \
                   ORDER BY id DESC LIMIT $1";
        self.named(sqlx::query_as(sql).bind(limit)).await
    }

    async fn named(
        &self,
        query: QueryAs<'_, Any, Columns, AnyArguments>,
    ) -> Result<Vec<Named>, LedgerError> {
        let rows = async { Ok(query.fetch_all(&self.read).await?) };
        let rows: Vec<Columns> = self.engine.within(rows).await?;
        Ok(rows.into_iter().map(Named::from).collect())
    }

    /// The runs seen at or after `since` that have a job in this state, oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs_with(&self, state: &str, since: i64) -> Result<Vec<i64>, LedgerError> {
        let sql = "SELECT DISTINCT j.run FROM jobs j JOIN runs r ON r.id = j.run \
                   WHERE j.state = $1 AND r.seen_at >= $2 ORDER BY j.run";
        let query = sqlx::query_scalar(sql).bind(state).bind(since);
        let rows = async { Ok(query.fetch_all(&self.read).await?) };
        self.engine.within(rows).await
    }

    /// The run of that number.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn numbered(&self, id: i64) -> Result<Option<RunRow>, LedgerError> {
        let query = sqlx::query_as("SELECT * FROM runs WHERE id = $1").bind(id);
        let row = async { Ok(query.fetch_optional(&self.read).await?) };
        self.engine.within(row).await
    }
}

/// The pattern as SQL's LIKE has it, with `\` as its escape.
pub(super) fn like(pattern: &str) -> String {
    let mut like = String::new();
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    like
}

fn shape(pattern: &str) -> Option<Regex> {
    let escaped = regex::escape(pattern)
        .replace("\\*", ".*")
        .replace("\\?", ".");
    Regex::new(&format!("^(?s:{escaped})$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_and_nothing_else_is_special() {
        let cases = [
            ("run_*", "run_1", true),
            ("run_*", "Run_1", false),
            ("run_*", "old/run_1", false),
            ("*run_?", "2026-11-21/run_7", true),
            ("run_?", "run_17", false),
            ("run_?", "run_é", true),
            ("a.b*", "a+b", false),
            ("a.b*", "a.b", true),
            ("[x]*", "x", false),
            ("50%25*", "50%25", true),
            ("*", "", true),
            ("\\a*", "\\ab", true),
        ];
        for (pattern, name, matches) in cases {
            let shape = shape(pattern).expect("a shape");
            assert_eq!(shape.is_match(name), matches, "{pattern} {name}");
        }
        assert_eq!(like("50%_\\*?"), "50\\%\\_\\\\%_");
    }
}

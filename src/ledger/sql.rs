//! A statement whose length depends on what is given to it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, AnyConnection, Arguments as _, Encode, FromRow, Type};

use super::LedgerError;

/// A statement in the making, with `$1`, `$2`, … for its values.
pub(super) struct Sql {
    text: String,
    /// The same with `?`. For `SQLite` `$1` is a name, which it seeks among all those before it: in a
    /// statement with thousands of values that takes a hundred times as long as all the rest.
    nameless: String,
    arguments: AnyArguments,
}

impl Sql {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            nameless: text.to_owned(),
            arguments: AnyArguments::default(),
        }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self.nameless.push_str(text);
        self
    }

    /// A value in this place.
    pub(super) fn bind<'t, T>(&mut self, value: T) -> &mut Self
    where
        T: Encode<'t, Any> + Type<Any>,
    {
        if let Err(error) = self.arguments.add(value) {
            // Texts, numbers and bytes are always taken; the statement then lacks one and fails.
            tracing::error!(%error, "a value was not taken");
        }
        self.text.push('$');
        self.text.push_str(&self.arguments.len().to_string());
        self.nameless.push('?');
        self
    }

    /// One more value of a row.
    pub(super) fn and<'t, T>(&mut self, value: T) -> &mut Self
    where
        T: Encode<'t, Any> + Type<Any>,
    {
        self.push(", ").bind(value)
    }

    /// Values in parentheses, separated by commas.
    pub(super) fn list<'t, T>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self
    where
        T: Encode<'t, Any> + Type<Any>,
    {
        self.push("(");
        self.separated(values, |sql, value| {
            sql.bind(value);
        });
        self.push(")")
    }

    /// `VALUES` with a row for each item.
    pub(super) fn rows<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        row: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.push("VALUES ");
        self.separated(items, |sql, item| {
            sql.push("(");
            row(sql, item);
            sql.push(")");
        });
        self
    }

    fn separated<T>(&mut self, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        for (number, item) in items.into_iter().enumerate() {
            if number > 0 {
                self.push(", ");
            }
            each(self, item);
        }
    }

    /// The statement as this engine reads it best.
    fn text_for(&mut self, db: &AnyConnection) -> String {
        std::mem::take(match db.backend_name() {
            "SQLite" => &mut self.nameless,
            _ => &mut self.text,
        })
    }

    pub(super) async fn execute(mut self, db: &mut AnyConnection) -> Result<u64, LedgerError> {
        let text = self.text_for(db);
        let query = sqlx::query_with(sqlx::AssertSqlSafe(text), self.arguments);
        Ok(query.execute(db).await?.rows_affected())
    }

    pub(super) async fn all<R>(mut self, db: &mut AnyConnection) -> Result<Vec<R>, LedgerError>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let text = self.text_for(db);
        let query = sqlx::query_as_with(sqlx::AssertSqlSafe(text), self.arguments);
        Ok(query.fetch_all(db).await?)
    }
}

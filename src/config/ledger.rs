//! `[ledger]`.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::checked::{LedgerTable, LedgerUrl};
use super::item::Item;
use super::secret::SecretRef;
use super::table::Table;
use super::values::{secret, some_time};

/// The file in the state directory.
const USUAL: &str = "ledger.db";
/// Calendar years count 365 days.
const YEAR: Duration = Duration::from_secs(365 * 86400);
const EXAMPLES: &str = "write \"sqlite:ledger.db\", or \"postgres://USER@HOST/DATABASE\"";
const NO_PASSWORD: &str = "take it out of the URL, put it into a file of its own and name that: \
                           password = { credential = \"ledger\" }";

/// Reads the table; `state` is the state directory.
pub(super) fn ledger(table: Table<'_>, state: &Path) -> LedgerTable {
    let usual = || LedgerUrl::Sqlite(state.join(USUAL));
    let item = table.get("url");
    let url = item
        .as_ref()
        .map_or_else(|| Some(usual()), |item| url(item, state));
    let password = table.read("password", |item| password(item, url.as_ref()));
    let keep = table.read("keep", some_time).unwrap_or(YEAR);
    table.finish();
    LedgerTable {
        url: url.unwrap_or_else(usual),
        password,
        keep,
    }
}

fn url(item: &Item<'_>, state: &Path) -> Option<LedgerUrl> {
    let text = item.text()?.trim();
    match text.split_once(':') {
        Some(("sqlite", file)) => sqlite(item, file, state).map(LedgerUrl::Sqlite),
        Some(("postgres" | "postgresql", _)) => postgres(item, text).map(LedgerUrl::Postgres),
        _ => item.no("`url` is no ledger", EXAMPLES),
    }
}

/// Only the state directory is locked against a second daemon and known to be on a local disk.
fn sqlite(item: &Item<'_>, file: &str, state: &Path) -> Option<PathBuf> {
    let file = file.strip_prefix("//").unwrap_or(file);
    let path = state.join(file);
    let named = matches!(path.components().next_back(), Some(Component::Normal(_)));
    if file.contains(['\0', '?']) || file.starts_with(':') || !named {
        return item.no("`url` names no file", EXAMPLES);
    }
    if path.parent() != Some(state) {
        let hint = "write its name alone, as in \"sqlite:ledger.db\"; \
                    `[daemon] state` says where it lies";
        return item.no("the ledger lies in the state directory", hint);
    }
    Some(path)
}

fn postgres(item: &Item<'_>, text: &str) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return item.no(&format!("`url` is no URL: {error}"), EXAMPLES),
    };
    let given = |(key, _): (std::borrow::Cow<'_, str>, _)| key == "password";
    if url.password().is_some() || url.query_pairs().any(given) {
        return item.no("a password doesn't belong into `url`", NO_PASSWORD);
    }
    // A path of a socket is a parameter: postgres://USER@localhost/DATABASE?host=/run/postgresql
    if url.host_str().is_none_or(str::is_empty) {
        return item.no("`url` names no host", EXAMPLES);
    }
    let database = url.path().trim_matches('/');
    if database.is_empty() || database.contains('/') || url.fragment().is_some() {
        return item.no("`url` names no database", EXAMPLES);
    }
    Some(url)
}

fn password(item: &Item<'_>, url: Option<&LedgerUrl>) -> Option<SecretRef> {
    if item.value.is_str() {
        return item.no(
            "a password doesn't belong into the configuration",
            "put it into a file of its own: password = { credential = \"ledger\" }",
        );
    }
    let found = secret(item, "`password` of [ledger]".into())?;
    if matches!(url, Some(LedgerUrl::Sqlite(_))) {
        let hint = "it belongs to url = \"postgres://USER@HOST/DATABASE\"";
        return item.no("a SQLite ledger has no password", hint);
    }
    Some(found)
}

//! `auth` of a destination.

use super::checked::Auth;
use super::item::Item;
use super::kerberos::kerberos;
use super::oauth::oauth;
use super::secret::SecretRef;
use super::table::Table;
use super::values::{command, secret};

/// How calls to the destination of this table are authenticated.
pub(super) fn auth(table: &Table<'_>) -> Option<Auth> {
    let auth = table
        .must(
            "auth",
            "auth.token = { file = \"/etc/nbcourier/credentials/NAME\" }",
        )?
        .table(format!("`auth` of {}", table.title))?;
    let found = auth.one_of(&["token", "oauth", "kerberos", "command"]);
    let read = found.and_then(|item| match item.key {
        "oauth" => oauth(&item, within(&auth, "oauth")).map(|oauth| Auth::OAuth(Box::new(oauth))),
        "kerberos" => {
            let is_hub = table.has("hub");
            kerberos(&item, within(&auth, "kerberos"), is_hub)
                .map(|kerberos| Auth::Kerberos(Box::new(kerberos)))
        }
        "command" => command(&item).map(Auth::Command),
        _ => token(&item, within(&auth, "token")).map(Auth::Token),
    });
    auth.finish();
    read
}

/// How a table in `auth` is called.
fn within(auth: &Table<'_>, key: &str) -> String {
    auth.title.replacen("auth", &format!("auth.{key}"), 1)
}

fn token(item: &Item<'_>, title: String) -> Option<SecretRef> {
    let hint =
        "put it into a file of its own: token = { file = \"/etc/nbcourier/credentials/NAME\" }";
    by_reference(item, title, "a token", hint)
}

/// A secret by reference; the secret itself doesn't stand in the configuration.
pub(super) fn by_reference(
    item: &Item<'_>,
    title: String,
    what: &str,
    hint: &str,
) -> Option<SecretRef> {
    if item.value.is_str() {
        return item.no(
            &format!("{what} doesn't belong into the configuration"),
            hint,
        );
    }
    secret(item, title)
}

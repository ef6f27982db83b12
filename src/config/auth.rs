//! `auth` of a destination.

use super::checked::Auth;
use super::secret::SecretRef;
use super::table::Table;
use super::values::secret;

/// How calls to the destination of this table are authenticated.
pub(super) fn auth(table: &Table<'_>) -> Option<Auth> {
    let auth = table
        .must(
            "auth",
            "auth.token = { file = \"/etc/nbcourier/credentials/NAME\" }",
        )?
        .table(format!("`auth` of {}", table.title))?;
    let token = token(&auth);
    auth.finish();
    token.map(Auth::Token)
}

fn token(auth: &Table<'_>) -> Option<SecretRef> {
    let item = auth.must(
        "token",
        "token = { file = \"/etc/nbcourier/credentials/NAME\" }",
    )?;
    if item.value.is_str() {
        let hint =
            "put it into a file of its own: token = { file = \"/etc/nbcourier/credentials/NAME\" }";
        return item.no("a token doesn't belong into the configuration", hint);
    }
    secret(&item, auth.title.replacen("auth", "auth.token", 1))
}

//! A destination that is a program.

use super::auth::auth;
use super::checked::{Command, Kind};
use super::item::Item;
use super::table::Table;
use super::values::{command, link, path};

/// What `command` of this table says; a credential is its own affair, unless `auth` is set.
pub(super) fn program(table: &Table<'_>, item: &Item<'_>) -> Option<Kind> {
    let open = table.read("open", link);
    let ca_file = table.read("ca_file", path);
    let has_auth = table.has("auth");
    let auth = has_auth.then(|| auth(table));
    if !has_auth {
        // It may hold one all the same.
        let _ = table.get("auth");
    }
    Some(Kind::Command(Command {
        words: command(item)?,
        auth: match auth {
            Some(read) => Some(read?),
            None => None,
        },
        ca_file,
        open,
    }))
}

//! `[status]`.

use std::net::SocketAddr;

use super::item::Item;
use super::secret::SecretRef;
use super::table::Table;
use super::values::secret;

/// What the table says.
pub(super) struct Status {
    pub(super) listen: Option<SocketAddr>,
    pub(super) read_token: Option<SecretRef>,
    pub(super) contact: Option<String>,
}

/// Reads the table. Beyond loopback the page is served to those with a token only.
pub(super) fn status(table: Table<'_>) -> Status {
    let usual = Some(SocketAddr::from(([127, 0, 0, 1], 8750)));
    let guarded = table.has("read_token");
    let listen = table.read("listen", |item| listen(item, guarded));
    let status = Status {
        listen: listen.unwrap_or(usual),
        read_token: table.read("read_token", read_token),
        contact: table.read("contact", Item::text).map(str::to_owned),
    };
    table.finish();
    status
}

fn listen(item: &Item<'_>, guarded: bool) -> Option<Option<SocketAddr>> {
    let text = item.text()?;
    if text == "off" {
        return Some(None);
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if guarded || address.ip().is_loopback() => Some(Some(address)),
        Ok(_) => {
            let hint = "set read_token = { credential = \"page\" }, or write \"127.0.0.1:8750\"";
            item.no("beyond loopback the page needs a `read_token`", hint)
        }
        Err(_) => item.no(
            "`listen` is no address",
            "write \"127.0.0.1:8750\" or \"off\"",
        ),
    }
}

fn read_token(item: &Item<'_>) -> Option<SecretRef> {
    if item.value.is_str() {
        return item.no(
            "a token doesn't belong into the configuration",
            "put it into a file of its own: read_token = { credential = \"page\" }",
        );
    }
    secret(item, "`read_token` of [status]".into())
}

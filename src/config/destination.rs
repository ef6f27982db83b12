//! `[destination.NAME]`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use toml::de::DeValue;

use super::auth::auth;
use super::checked::{Auth, Destination, Hub, Kind, Profile, Server};
use super::command::program;
use super::item::Item;
use super::superfacility::{self, superfacility};
use super::swan;
use super::table::Table;
use super::values::{base_url, has_placeholder, link, object, path, pattern_text, some_time};

const KINDS: [&str; 5] = ["hub", "server", "path", "superfacility", "command"];

/// The keys that only some kinds know.
const SPECIAL: [(&str, &[&str]); 16] = [
    ("user", &["hub", "command"]),
    ("users", &["hub", "command"]),
    ("server_name", &["hub"]),
    ("spawn", &["hub"]),
    ("profile", &["hub"]),
    ("spawn_options", &["hub"]),
    ("spawn_timeout", &["hub"]),
    ("max_spawns_per_hour", &["hub"]),
    ("stop_after", &["hub"]),
    ("keep_alive", &["hub"]),
    ("ca_file", &["hub", "server", "superfacility", "command"]),
    ("pin_sha256", &["hub", "server"]),
    ("auth", &["hub", "server", "superfacility", "command"]),
    ("open", &["path", "superfacility", "command"]),
    ("machine", &["superfacility"]),
    ("max_bytes", &["superfacility"]),
];

pub(super) fn destination(table: Table<'_>) -> Option<Destination> {
    let of_kind = table.one_of(&KINDS);
    let kind = of_kind.as_ref().map(|item| item.key);
    let directory = match kind {
        Some("superfacility") => superfacility::directory(&table),
        _ => table.read("directory", directory),
    };
    let concurrency = table.read("concurrency", count).unwrap_or(4);
    for (key, kinds) in SPECIAL {
        match kind {
            Some(kind) if !kinds.contains(&kind) => {
                let message = format!("`{key}` doesn't apply to a `{kind}` destination");
                table.refuse(
                    key,
                    &message,
                    &format!("it belongs to: {}", kinds.join(", ")),
                );
            }
            Some(_) => {}
            // Which keys apply is not known.
            None => drop(table.get(key)),
        }
    }
    let (user, users) = match kind {
        Some("hub" | "command") => users(&table),
        _ => (None, vec![]),
    };
    let kind = of_kind.and_then(|item| self::kind(&table, &item));
    let name = table.name.to_owned();
    table.finish();
    Some(Destination {
        name,
        kind: kind?,
        user,
        users,
        directory: directory.unwrap_or_else(|| "runs/{date}".into()),
        concurrency,
    })
}

fn kind(table: &Table<'_>, item: &Item<'_>) -> Option<Kind> {
    match item.key {
        "hub" => hub(table, item),
        "superfacility" => superfacility(table, item),
        "command" => program(table, item),
        "server" => {
            let ca_file = table.read("ca_file", path);
            let pin_sha256 = table.read("pin_sha256", pin);
            let auth = auth(table);
            let url = base_url(item)?;
            Some(Kind::Server(Server {
                url,
                auth: auth?,
                ca_file,
                pin_sha256,
            }))
        }
        _ => {
            let open = table.read("open", link);
            Some(Kind::Path {
                root: path(item)?,
                open,
            })
        }
    }
}

fn hub(table: &Table<'_>, item: &Item<'_>) -> Option<Kind> {
    let server_name = table
        .read("server_name", Item::text)
        .unwrap_or_default()
        .to_owned();
    let spawn = table.read("spawn", Item::flag).unwrap_or(true);
    let profile = table.read("profile", profile).unwrap_or_default();
    let spawn_options = table.read("spawn_options", |item| match profile {
        Profile::Swan => swan::options(item),
        Profile::None => object(item).map(Value::Object),
    });
    let spawn_timeout = table.read("spawn_timeout", some_time);
    let max_spawns_per_hour = table.read("max_spawns_per_hour", some);
    let stop_after = table.read("stop_after", time_or_off);
    let keep_alive = table.read("keep_alive", Item::flag).unwrap_or(false);
    let ca_file = table.read("ca_file", path);
    let pin_sha256 = table.read("pin_sha256", pin);
    let auth = auth(table);
    let url = base_url(item)?;
    if let Some(Auth::Kerberos(kerberos)) = &auth
        && let Some(login) = &kerberos.login_url
        && login.origin() != url.origin()
    {
        let hint = "a login begins and ends at the hub, which leads to its site's sign-on itself";
        table.note("`login_url` is not on the hub", hint);
    }
    Some(Kind::Hub(Hub {
        url,
        auth: auth?,
        server_name,
        spawn,
        profile,
        spawn_options,
        spawn_timeout: spawn_timeout.unwrap_or(Duration::from_secs(600)),
        max_spawns_per_hour: max_spawns_per_hour.unwrap_or(60),
        stop_after: stop_after.unwrap_or(Some(Duration::from_secs(1800))),
        keep_alive,
        ca_file,
        pin_sha256,
    }))
}

fn profile(item: &Item<'_>) -> Option<Profile> {
    match item.text()? {
        "none" => Some(Profile::None),
        "swan" => Some(Profile::Swan),
        _ => item.no(
            "`profile` is unknown",
            "valid are \"swan\" (CERN SWAN) and \"none\"",
        ),
    }
}

/// The pattern of the user's name, and the users it may act for.
fn users(table: &Table<'_>) -> (Option<String>, Vec<String>) {
    let item = table.get("user");
    let user = item.as_ref().and_then(pattern_text);
    let users = table.read("users", |item| item.list(|user| name(user)));
    if let (Some(item), Some(user)) = (item, &user) {
        let nobody = users.as_ref().is_none_or(Vec::is_empty);
        if user.is_empty() {
            item.no::<()>(
                "`user` is empty",
                "leave it out to deliver to the token's owner",
            );
        } else if has_placeholder(user) && nobody && !table.has("users") {
            let hint = "add users = [\"alice\", \"bob\"]: the only ones it may act for";
            item.no::<()>("a `user` with a placeholder needs `users`", hint);
        }
    }
    (user, users.unwrap_or_default())
}

fn name(item: &Item<'_>) -> Option<String> {
    match item.text()? {
        "" => item.no("a user has no name", ""),
        name => Some(name.to_owned()),
    }
}

/// A pattern of a directory below the user's root.
fn directory(item: &Item<'_>) -> Option<String> {
    let text = pattern_text(item)?;
    let climbs = Path::new(&text)
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    if text.starts_with('/') || climbs {
        let hint = "it is relative to the destination's root, such as \"runs/{date}\"";
        return item.no("`directory` leaves the destination", hint);
    }
    Some(text)
}

/// A SHA-256 in hex digits, as `openssl x509 -fingerprint -sha256` prints it.
fn pin(item: &Item<'_>) -> Option<[u8; 32]> {
    let text = item.text()?;
    let digits = text.rsplit('=').next().unwrap_or_default();
    let digits: String = digits.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let hex = digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit());
    if !hex {
        let hint =
            "write what this prints: openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE";
        return item.no(&format!("`{}` is no SHA-256", item.key), hint);
    }
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap_or_default();
    Some(std::array::from_fn(byte))
}

/// A time, or "off", which is none.
fn time_or_off(item: &Item<'_>) -> Option<Option<Duration>> {
    match item.value {
        DeValue::String(text) if text == "off" => Some(None),
        _ => some_time(item).map(Some),
    }
}

fn some(item: &Item<'_>) -> Option<u32> {
    let number = item.whole()?;
    if number == 0 {
        let hint = "spawn = false starts no server at all";
        return item.no(&format!("`{}` must be 1 or more", item.key), hint);
    }
    Some(number)
}

fn count(item: &Item<'_>) -> Option<usize> {
    let number = match item.value {
        DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => return item.wrong("a number"),
    };
    let valid = number.filter(|number| (1..=64).contains(number));
    valid.or_else(|| item.no(&format!("`{}` is out of range", item.key), "1 to 64"))
}

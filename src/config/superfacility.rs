//! A `superfacility` destination.

use super::auth::auth;
use super::checked::{Kind, Superfacility};
use super::item::Item;
use super::table::Table;
use super::values::{base_url, link, path, pattern_text};

/// A link into NERSC's `JupyterHub`, whose servers have names and whose files begin at `/`. This one
/// runs on a login node of Perlmutter, from where all of NERSC's file systems can be seen.
const OPEN: &str =
    "https://jupyter.nersc.gov/user/{user}/perlmutter-login-node-base/lab/tree/{path}";

/// The API is for "small files"; no number is published. Bytes.
const MAX_BYTES: u32 = 10 << 20;

/// What is downloaded to be compared travels as base64, and answers are read up to 64 MiB. Bytes.
const MOST_BYTES: u32 = 32 << 20;

pub(super) fn superfacility(table: &Table<'_>, item: &Item<'_>) -> Option<Kind> {
    let machine = table.must("machine", "machine = \"perlmutter\"");
    let machine = machine.and_then(|item| self::machine(&item));
    let open = table.read("open", open);
    let max_bytes = table.read("max_bytes", max_bytes);
    let ca_file = table.read("ca_file", path);
    let auth = auth(table);
    Some(Kind::Superfacility(Superfacility {
        url: base_url(item)?,
        auth: auth?,
        machine: machine?,
        open: open.unwrap_or_else(|| OPEN.into()),
        max_bytes: max_bytes.unwrap_or(MAX_BYTES),
        ca_file,
    }))
}

/// A pattern of the directory there, from the root on.
pub(super) fn directory(table: &Table<'_>) -> Option<String> {
    let item = table.must(
        "directory",
        "directory = \"/global/cfs/cdirs/PROJECT/runs\"",
    )?;
    let text = pattern_text(&item)?;
    let Some(below) = text.strip_prefix('/') else {
        let hint = "it begins at the root there, such as \"/global/cfs/cdirs/PROJECT/runs\"";
        return item.no("`directory` is not the whole path", hint);
    };
    if !below.trim_end_matches('/').split('/').all(is_name) {
        let hint = "its names are made of letters, digits, `_`, `-` and `.`, with a `.` never first; placeholders may stand in them";
        return item.no("`directory` holds what no path there may have", hint);
    }
    Some(text)
}

/// Whether a name holds only what may stand in a path there, beside its placeholders.
fn is_name(name: &str) -> bool {
    let mut inside = false;
    let plain = name.chars().all(|c| match c {
        '{' | '}' => {
            inside = c == '{';
            true
        }
        c => inside || Superfacility::takes(c),
    });
    plain && !name.is_empty() && !name.starts_with('.')
}

fn machine(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.is_empty() || text.starts_with('.') || !text.chars().all(Superfacility::takes) {
        return item.no(
            "`machine` is no name of a machine",
            "such as \"perlmutter\"",
        );
    }
    Some(text.to_owned())
}

fn open(item: &Item<'_>) -> Option<String> {
    let text = link(item)?;
    let rest = text.replace("{user}", "").replace("{path}", "");
    if rest.contains('{') {
        return item.no(
            "`open` holds another placeholder",
            "it knows {user} and {path}",
        );
    }
    Some(text)
}

fn max_bytes(item: &Item<'_>) -> Option<u32> {
    let bytes = item.whole()?;
    if !(1..=MOST_BYTES).contains(&bytes) {
        let hint = format!("1 to {MOST_BYTES}; the API is for small files");
        return item.no("`max_bytes` is out of range", &hint);
    }
    Some(bytes)
}

//! Every secret that the tests make is looked for in all that a daemon leaves: it may stand in its
//! own private file only.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Room, files};

static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes a secret.
pub fn note(secret: &str) {
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.insert(secret.to_owned());
}

/// All secrets noted so far, as they are and in the forms in which they travel.
fn pattern() -> Option<regex::bytes::Regex> {
    use base64::Engine as _;
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let encode = |secret: &String| {
        let plain = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
        let percent = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        [secret.clone(), plain, percent].map(|form| regex::escape(&form))
    };
    let forms: Vec<String> = secrets.iter().flat_map(encode).collect();
    let all = regex::bytes::RegexBuilder::new(&forms.join("|"))
        .size_limit(1 << 28)
        .build();
    (!forms.is_empty()).then(|| all.expect("a pattern"))
}

/// Fails if a secret stands in what the room's daemon wrote, shows or was started with.
pub fn assert_kept(room: &Room) {
    let Some(secrets) = pattern() else { return };
    for file in left(room.dir.path()) {
        let below = file.strip_prefix(room.dir.path()).expect("below the room");
        let bytes = fs::read(&file).unwrap_or_default();
        if secrets.is_match(&bytes) && !is_home(below, &file) {
            panic!("a secret stands in {}", below.display());
        }
    }
    for process in fs::read_dir("/proc").expect("/proc").flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&line).contains(&*room.dir.path().to_string_lossy());
        assert!(
            !ours || !secrets.is_match(&line),
            "a secret stands among the arguments of {}",
            process.path().display()
        );
    }
    for path in ["/", "/run/1", "/api/v1/runs", "/api/v1/status", "/metrics"] {
        let shown = page(room, path).unwrap_or_default();
        assert!(!secrets.is_match(&shown), "a secret stands in {path}");
    }
}

/// The files that the daemon may have written: neither the runs, nor pipes, nor links.
fn left(room: &Path) -> Vec<PathBuf> {
    let parts = fs::read_dir(room).into_iter().flatten().flatten();
    let parts = parts.filter(|part| part.file_name() != "data");
    let below = parts.flat_map(|part| match part.file_type() {
        Ok(kind) if kind.is_dir() => files(&part.path()),
        _ => vec![part.path()],
    });
    below
        .filter(|file| fs::symlink_metadata(file).is_ok_and(|facts| facts.is_file()))
        .collect()
}

/// Whether it is a private file in which a secret may be kept: not one of those that the daemon
/// writes, but for rotated tokens.
fn is_home(below: &Path, file: &Path) -> bool {
    let is_private = fs::metadata(file).is_ok_and(|facts| facts.permissions().mode() & 0o077 == 0);
    let written = ["log", "notebooks"];
    let is_written = written.iter().any(|part| below.starts_with(part))
        || below.starts_with("state") && !below.starts_with("state/tokens");
    is_private && !is_written
}

/// What the daemon's page answers, if it is up.
pub fn page(room: &Room, path: &str) -> Option<Vec<u8>> {
    let log = room.log();
    let (_, address) = log.rsplit_once("page=\"http://")?;
    let address = address.split_once('/')?.0.parse().ok()?;
    let patience = Duration::from_secs(2);
    let mut stream = std::net::TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    // A frozen daemon shows nothing.
    let _ = stream.read_to_end(&mut answer);
    Some(answer)
}

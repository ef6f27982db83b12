//! The rooms of the house depend on each other one way only.

use std::path::{Path, PathBuf};

/// A room (path below `src`, without `.rs`) and what its files may name after `use crate::`.
/// Rooms that join the edges (`deliver`, `worker`, `daemon`, `status`, `cli`) stand above all.
const RULES: &[(&str, &[&str])] = &[
    ("run", &[]),
    ("redact", &[]),
    ("process", &[]),
    ("account", &[]),
    ("pulse", &[]),
    ("failure", &["redact"]),
    ("retry", &[]),
    ("text", &["run"]),
    ("notebook", &["run", "text"]),
    ("job", &["config", "failure", "notebook", "retry", "run"]),
    (
        "config",
        &[
            "failure", "notebook", "process", "redact", "retry", "run", "text",
        ],
    ),
    ("health", &[]),
    ("measure", &[]),
    ("http", &["failure", "measure", "redact"]),
    (
        "auth",
        &["config", "failure", "http", "process", "redact", "retry"],
    ),
    ("spawns", &["job", "retry"]),
    ("ledger", &["failure", "job", "retry", "run", "spawns"]),
    (
        "detect",
        &[
            "account", "text", "config", "failure", "health", "job", "ledger", "measure",
            "notebook", "process", "pulse", "retry", "run",
        ],
    ),
    (
        "jupyter",
        &[
            "auth",
            "config",
            "destination",
            "failure",
            "http",
            "job",
            "ledger",
            "measure",
            "notebook",
            "retry",
            "spawns",
        ],
    ),
    ("path", &["config", "destination", "failure", "notebook"]),
    (
        "superfacility",
        &[
            "auth",
            "config",
            "destination",
            "failure",
            "http",
            "notebook",
        ],
    ),
    (
        "command",
        &[
            "auth",
            "config",
            "destination",
            "failure",
            "notebook",
            "path",
            "process",
        ],
    ),
    (
        "destination",
        &[
            "auth",
            "command",
            "config",
            "failure",
            "http",
            "jupyter",
            "ledger",
            "path",
            "retry",
            "run",
            "superfacility",
        ],
    ),
];

/// Rooms without IO, tokio or clock.
const PURE: &[&str] = &[
    "run",
    "failure",
    "job",
    "retry",
    "spawns",
    "text",
    "notebook",
    "config/checked",
    "config/pattern",
    "detect/readiness",
    "detect/identity",
    "jupyter/swan/form",
    "jupyter/swan/literal",
];

/// What a pure room never names.
const IO: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "reqwest",
    "sqlx",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
];

fn files(room: &str) -> Vec<PathBuf> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let mut files = vec![base.with_extension("rs")];
    let mut folders = vec![base];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                folder if folder.is_dir() => folders.push(folder),
                file => files.push(file),
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "rs") && file.exists());
    files
}

/// The code of a file up to its tests.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("a source file");
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn every_room_uses_only_what_stands_below_it() {
    for (room, allowed) in RULES {
        let files = files(room);
        assert!(!files.is_empty(), "no room {room}");
        for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
            for used in code(file).split("use crate::").skip(1) {
                let name: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let own = room == &name;
                assert!(
                    own || allowed.contains(&name.as_str()),
                    "{} uses crate::{name}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_ground_floor_does_no_io_and_asks_no_clock() {
    for room in PURE {
        for file in files(room) {
            let code = code(&file);
            for word in IO {
                assert!(!code.contains(word), "{} names {word}", file.display());
            }
        }
    }
}

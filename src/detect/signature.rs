//! Whether anything in a run has changed, as cheaply as can be told.

use std::collections::hash_map::DefaultHasher;
use std::fs::Metadata;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Entries and levels that are taken in, so that a look stays cheap however large a run is.
const ENTRIES: usize = 10_000;
const LEVELS: usize = 8;

/// What differs after nearly every change below these places: names, sizes and times are only ever
/// compared for equality, with themselves, since copied data keep old times and clocks of file
/// servers differ.
pub(super) fn signature<'p>(places: impl IntoIterator<Item = &'p Path>) -> String {
    let mut sum = Sum::default();
    for place in places {
        if let Ok(facts) = std::fs::metadata(place) {
            sum.add(place.as_os_str().as_bytes(), 0, &facts);
            if facts.is_dir() {
                sum.directory(place);
            }
        }
    }
    format!("{} {} {:?} {:x}", sum.count, sum.size, sum.latest, sum.hash)
}

/// When anything that is no directory was written last below a place.
pub(super) fn newest(place: &Path) -> Option<SystemTime> {
    let facts = std::fs::metadata(place).ok()?;
    let mut sum = Sum::default();
    match facts.is_dir() {
        true => sum.directory(place),
        false => sum.add(b"", 0, &facts),
    }
    sum.written
}

#[derive(Default)]
struct Sum {
    written: Option<SystemTime>,
    count: usize,
    size: u64,
    latest: (i64, i64, i64, i64),
    hash: u64,
}

impl Sum {
    fn add(&mut self, name: &[u8], level: usize, facts: &Metadata) {
        let mut hasher = DefaultHasher::new();
        (name, level).hash(&mut hasher);
        // Independent of the order in which the entries come.
        self.hash = self.hash.wrapping_add(hasher.finish());
        self.count += 1;
        self.size = self.size.wrapping_add(facts.len());
        let times = (
            facts.ctime(),
            facts.ctime_nsec(),
            facts.mtime(),
            facts.mtime_nsec(),
        );
        self.latest = self.latest.max(times);
        if !facts.is_dir() {
            self.written = self.written.max(facts.modified().ok());
        }
    }

    fn directory(&mut self, top: &Path) {
        let mut levels = vec![(top.to_owned(), 1)];
        while let Some((directory, level)) = levels.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let Ok(facts) = entry.metadata() else {
                    continue;
                };
                self.add(entry.file_name().as_bytes(), level, &facts);
                if self.count >= ENTRIES {
                    return;
                }
                if facts.is_dir() && level < LEVELS {
                    levels.push((entry.path(), level + 1));
                }
            }
        }
    }
}

//! What the files of runs tell: which of them comes last, and which hold metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::run::Parameters;
use crate::text::{Format, object, utf8};

/// A run's files by name.
pub(super) type Files = BTreeMap<String, (PathBuf, Metadata)>;

/// Larger files are no markers, bytes.
const MARKER: u64 = 64 << 10;

/// Larger files are no metadata, bytes.
const METADATA: u64 = 4 << 20;

/// The files of a directory, or of the one that holds a file.
pub(super) fn files(folder: &Path) -> Files {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = listed.filter_map(|entry| {
        let facts = entry.metadata().ok().filter(Metadata::is_file)?;
        Some((entry.file_name().into_string().ok()?, (entry.path(), facts)))
    });
    files.collect()
}

/// The key `ready`, by the file that was written last in most runs.
pub(super) fn end(runs: &[Files], evidence: &mut Vec<String>) -> String {
    let last = |name: &&String| {
        let is_last = |run: &&Files| {
            let time = |name: &String| run.get(name).and_then(|(_, facts)| facts.modified().ok());
            run.len() > 1 && run.keys().all(|other| time(name) >= time(other))
        };
        runs.iter().filter(is_last).count()
    };
    let usual = usual(runs);
    let small = |name: &&String| {
        let size = |run: &Files| run.get(*name).map_or(0, |(_, facts)| facts.len());
        runs.iter().all(|run| size(run) <= MARKER)
    };
    let empty = |name: &String| {
        runs.iter()
            .all(|run| run.get(name).is_none_or(|file| file.1.len() == 0))
    };
    let marker = usual
        .iter()
        .filter(small)
        .max_by_key(|name| (last(name), empty(name)));
    match marker.filter(|name| last(name) * 5 >= runs.len() * 4) {
        Some(marker) => {
            let (count, of) = (last(&marker), runs.len());
            evidence.push(format!(
                "{marker} was written last in {count} of {of} runs: it ends a run"
            ));
            format!("ready = {{ marker = {} }}\n", quoted(marker))
        }
        None => {
            evidence.push("no small file was written last in most runs: a run ends when nothing has changed for two minutes".into());
            "ready = { quiet = \"120s\" }\n".into()
        }
    }
}

/// The key `parameters`, by the files that can be read.
pub(super) fn metadata(runs: &[Files], evidence: &mut Vec<String>) -> String {
    let mut entries = Vec::new();
    for name in usual(runs) {
        let read: Vec<Parameters> = runs.iter().filter_map(|run| read(run, &name)).collect();
        if read.is_empty() || read.len() * 10 < runs.len() * 9 {
            continue;
        }
        let keys: BTreeSet<&str> = read
            .iter()
            .flat_map(|read| read.keys())
            .map(String::as_str)
            .collect();
        let shown: Vec<&str> = keys.iter().take(8).copied().collect();
        if !keys.iter().all(|key| is_name(key)) {
            evidence.push(format!(
                "{name} can be read, but has keys that are no names ({}): pick some with `keys`",
                shown.join(", ")
            ));
            continue;
        }
        let optional = if read.len() < runs.len() {
            ", optional = true"
        } else {
            ""
        };
        evidence.push(format!(
            "{name} tells {} in {} of {} runs",
            shown.join(", "),
            read.len(),
            runs.len()
        ));
        entries.push(format!("{{ file = {}{optional} }}", quoted(&name)));
    }
    if entries.is_empty() {
        evidence.push("no file of metadata was found".into());
        return "parameters = []\n".into();
    }
    format!("parameters = [{}]\n", entries.join(", "))
}

/// The names that nine of ten runs have.
fn usual(runs: &[Files]) -> Vec<String> {
    let mut counts = BTreeMap::<&String, usize>::new();
    for name in runs.iter().flat_map(BTreeMap::keys) {
        *counts.entry(name).or_default() += 1;
    }
    let usual = counts
        .into_iter()
        .filter(|(_, count)| count * 10 >= runs.len() * 9);
    usual.map(|(name, _)| name.clone()).collect()
}

fn read(run: &Files, name: &str) -> Option<Parameters> {
    let (path, facts) = run.get(name)?;
    let format = Format::of_extension(path.extension()?.to_str()?)?;
    if facts.len() > METADATA {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (text, _) = utf8(&bytes).ok()?;
    object(format.read(text).ok()?)
        .ok()
        .filter(|found| !found.is_empty())
}

fn is_name(key: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    key.starts_with(|c: char| c.is_alphabetic() || c == '_') && key.chars().all(letter)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! Learning a watch from the runs that are there already: `nbcourier init --learn`.

mod inside;
mod shape;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inside::Files;

use super::{files, from_name, identity, scan};
use crate::config::checked::{Condition, Reader, Watch};
use crate::config::{preset, preset_names};

/// Entries that are looked at, so that a data tree of years is learned from in seconds.
const MOST: usize = 20_000;

/// Runs whose files are compared.
const RUNS: usize = 50;

/// What was learned.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The keys of the watch table, as TOML, without `directory`.
    pub table: String,
    /// What speaks for each of them.
    pub evidence: Vec<String>,
}

/// An entry of the tree.
struct Entry {
    below: String,
    path: PathBuf,
    is_dir: bool,
}

/// Learns from the runs below a directory.
///
/// # Errors
/// Why nothing can be learned from it.
pub fn learn(directory: &Path) -> Result<Learned, String> {
    let entries = walk(directory)?;
    if let Some(learned) = by_preset(directory) {
        return Ok(learned);
    }
    let (runs, files) = runs(&entries).ok_or_else(|| {
        let shown = directory.display();
        format!("{shown} holds no two entries whose names differ in a number only: take some runs first, or write `pattern` by hand")
    })?;
    let names: Vec<String> = runs.iter().map(|run| run.below.clone()).collect();
    let pattern = shape::pattern(&names, files);
    let kind = if files { "files" } else { "directories" };
    let example = names.last().map_or("", String::as_str);
    let mut evidence = vec![format!(
        "{} {kind} such as {example} have this pattern",
        names.len()
    )];
    let mut table = format!("pattern = '{pattern}'\n");
    table += &match files {
        true => of_files(&mut evidence),
        // The last may be in the taking.
        false => {
            let older = &runs[..runs.len().saturating_sub(1).max(1)];
            let newest = older.iter().rev().take(RUNS);
            let seen: Vec<Files> = newest.map(|run| inside::files(&run.path)).collect();
            inside::end(&seen, &mut evidence) + &inside::metadata(&seen, &mut evidence)
        }
    };
    Ok(Learned { table, evidence })
}

fn of_files(evidence: &mut Vec<String>) -> String {
    evidence.push("a run that is a file ends when a later one begins, or when nothing has changed for two minutes".into());
    "ready = { any = [{ superseded = \"60s\" }, { quiet = \"120s\" }] }\nparameters = []\n".into()
}

/// The entries down to three levels, none that is always ignored.
fn walk(directory: &Path) -> Result<Vec<Entry>, String> {
    let ignored = preset("generic-dir", directory).map(|watch| watch.ignore);
    let mut entries = Vec::new();
    let mut folders = vec![(directory.to_owned(), String::new(), 1)];
    while let Some((folder, below, level)) = folders.pop() {
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if level == 1 => return Err(format!("{}: {error}", folder.display())),
            Err(_) => continue,
        };
        for entry in listed.flatten().take(MOST.saturating_sub(entries.len())) {
            let (name, path) = (entry.file_name(), entry.path());
            if ignored
                .as_ref()
                .is_some_and(|ignored| ignored.is_match(&name))
            {
                continue;
            }
            let below = format!("{below}{}", name.to_string_lossy());
            let is_dir = path.is_dir();
            if is_dir && level < 3 {
                folders.insert(0, (path.clone(), format!("{below}/"), level + 1));
            }
            entries.push(Entry {
                below,
                path,
                is_dir,
            });
        }
    }
    Ok(entries)
}

/// The preset of a known system whose names, files and ends are here.
fn by_preset(directory: &Path) -> Option<Learned> {
    // Those that fit anything are learned key by key.
    let own = preset_names().filter(|name| !name.starts_with("generic") && *name != "spool");
    let fits = own.filter_map(|name| {
        let watch = preset(name, directory)?;
        let runs = scan::all(&watch).ok()?;
        let newest: Vec<_> = runs.iter().rev().take(RUNS).collect();
        let fits = newest
            .iter()
            .filter(|place| fits(&watch, &place.path(&watch)));
        let count = fits.count();
        let groups = newest
            .first()
            .map_or(0, |place| watch.pattern.groups(&place.0).len());
        // Two runs, and nearly all of them; the last may be in the taking.
        (count >= 2 && count + 1 >= newest.len()).then_some((groups, name, runs.len(), watch))
    });
    let (_, name, count, watch) = fits.max_by_key(|(groups, ..)| *groups)?;
    Some(Learned {
        table: format!("preset = \"{name}\"\n"),
        evidence: vec![
            format!("{count} runs have the names and files of the preset `{name}`"),
            format!("a run is complete when {}", watch.ready),
        ],
    })
}

/// Whether a run has what its preset asks for, and can be told by more than its name.
fn fits(watch: &Watch, path: &Path) -> bool {
    let known = from_name(watch, "", path, 0);
    let base = path.parent().filter(|_| path.is_file()).unwrap_or(path);
    let there = |glob: &str| files::first(base, glob, &known).is_ok_and(|file| file.is_some());
    let marked = |condition: &Condition| match condition {
        Condition::Marker(globs) => globs.iter().any(|glob| there(&glob.0)),
        _ => false,
    };
    let read = watch.parameters.iter().filter_map(|reader| match reader {
        Reader::File {
            file,
            optional: false,
            ..
        } => Some(file.as_str()),
        _ => None,
    });
    let needed: Vec<&str> = read
        .chain(watch.requires.iter().map(|glob| glob.0.as_str()))
        .collect();
    let told = path.is_file() || !needed.is_empty() || any(&watch.ready, &marked);
    told && needed.into_iter().all(there)
}

fn any(condition: &Condition, is: &impl Fn(&Condition) -> bool) -> bool {
    match condition {
        Condition::Any(parts) | Condition::All(parts) => parts.iter().any(|part| any(part, is)),
        condition => is(condition),
    }
}

/// The entries that are the runs, and whether they are files: of those whose names have one shape,
/// directories that hold files themselves come first, then other directories, then files.
fn runs(entries: &[Entry]) -> Option<(Vec<&Entry>, bool)> {
    let mut shapes = BTreeMap::<(usize, String), Vec<&Entry>>::new();
    for entry in entries
        .iter()
        .filter(|entry| shape::is_numbered(&entry.below))
    {
        let level = entry.below.matches('/').count();
        let key = (
            level,
            format!("{}{}", shape::shape(&entry.below), entry.is_dir),
        );
        shapes.entry(key).or_default().push(entry);
    }
    let several = || shapes.values().filter(|runs| runs.len() > 1);
    let holds_files = |run: &&&Entry| {
        let inside = format!("{}/", run.below);
        let mut files = entries.iter().filter(|entry| !entry.is_dir);
        files.any(|file| {
            file.below
                .strip_prefix(&inside)
                .is_some_and(|name| !name.contains('/'))
        })
    };
    let with_files = several().filter(|runs| runs[0].is_dir);
    let mut with_files = with_files.filter(|runs| {
        runs.iter().take(RUNS).filter(holds_files).count() * 2 >= runs.len().min(RUNS)
    });
    let most = |dirs: bool| {
        several()
            .filter(|runs| runs[0].is_dir == dirs)
            .max_by_key(|runs| runs.len())
    };
    let runs = with_files
        .next()
        .or_else(|| most(true))
        .or_else(|| most(false))?;
    let mut runs = runs.clone();
    runs.sort_by(|one, other| identity::natural(&one.below, &other.below));
    let files = !runs[0].is_dir;
    Some((runs, files))
}

//! One look at one run: what state it is in, from the file system alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::facts::identity_of;
use super::readers::Sources;
use super::readiness::{Verdict, count, judge};
use super::signature::signature;
use super::{files, from_name, identity, readers};
use crate::config::checked::{Condition, Content, FileGlob, Reader, Watch};
use crate::ledger::{RunRow, SeenRun};
use crate::notebook::sha256;
use crate::run::{Parameters, RunState};
use crate::text::at;

/// A run that is not complete yet, as this process has observed it.
#[derive(Debug)]
pub(super) struct Pending {
    /// Its number in the ledger.
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) incarnation: i64,
    pub(super) path: PathBuf,
    /// Its further files, where a run can have several.
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) seen_at: i64,
    /// What it is known again by.
    pub(super) identity: Option<String>,
    /// Whether only a person has it delivered.
    pub(super) held: bool,
    /// Whether it counts towards `max_new_per_hour`.
    pub(super) counted: bool,
    /// Its signature at the very first start of the watch.
    pub(super) baseline: Option<String>,
    /// What the ledger says it waits for.
    pub(super) reason: Option<String>,
    /// What it was found to wait for last; told to the ledger when found twice.
    pub(super) found: Option<String>,
    /// When it is looked at next.
    pub(super) due: Instant,
    /// When it was taken up, hinted at or seen to change last.
    pub(super) stirred: Instant,
    /// Since when a later run is known.
    pub(super) superseded: Option<Instant>,
    /// Since when nothing is there.
    pub(super) gone: Option<Instant>,
    /// The identity of the root below which it was seen.
    pub(super) root: Option<String>,
    /// Whether it was a directory at the last look.
    pub(super) is_directory: bool,
    /// Whether a watch was asked for.
    pub(super) armed: bool,
    /// How often in a row its metadata could not be read.
    pub(super) failed: u32,
    signature: Option<String>,
    since: Instant,
}

impl Pending {
    /// One that was recorded just now under this number.
    pub(super) fn of(id: i64, run: SeenRun) -> Self {
        let now = Instant::now();
        Self {
            id,
            name: run.name,
            incarnation: run.incarnation,
            files: BTreeSet::new(),
            path: run.path,
            seen_at: run.seen_at,
            identity: run.identity,
            held: run.held,
            counted: run.counted,
            baseline: run.baseline,
            reason: None,
            found: None,
            due: now,
            stirred: now,
            superseded: None,
            gone: None,
            root: run.root,
            is_directory: false,
            armed: false,
            failed: 0,
            signature: None,
            since: now,
        }
    }

    /// One that the ledger remembers.
    pub(super) fn new(run: RunRow) -> Self {
        let reason = run.reason.clone();
        let seen = SeenRun {
            watch: run.watch,
            name: run.name,
            incarnation: run.incarnation,
            path: run.path,
            seen_at: run.seen_at,
            state: RunState::Acquiring,
            reason: None,
            baseline: run.baseline,
            identity: run.identity,
            root: run.root,
            held: run.held,
            counted: run.counted,
            parameters: Parameters::new(),
            jobs: vec![],
        };
        Self {
            reason,
            ..Self::of(run.id, seen)
        }
    }

    /// The same, seen below the root of this identity.
    pub(super) fn below(mut self, root: Option<String>) -> Self {
        self.root = root;
        self
    }

    /// How long nothing has changed, as observed.
    fn unchanged(&mut self) -> (String, Duration) {
        let now = Instant::now();
        let others = self.files.iter().filter(|file| **file != self.path);
        let files = std::iter::once(&self.path).chain(others);
        let signature = signature(files.map(PathBuf::as_path));
        if self.signature.as_ref() != Some(&signature) {
            self.signature = Some(signature.clone());
            (self.since, self.stirred) = (now, now);
        }
        (signature, now.duration_since(self.since))
    }

    /// Whether another run lies where it was.
    fn is_another(&self) -> bool {
        match (&self.identity, identity_of(&self.path)) {
            (Some(known), Some(found)) => *known != found,
            _ => false,
        }
    }

    /// Whether anything of it is there; the first of several files may have been moved away.
    fn is_there(&mut self) -> bool {
        if self.path.exists() {
            self.gone = None;
            return true;
        }
        if let Some(other) = self.files.iter().find(|file| file.exists()) {
            self.identity = identity_of(other);
            self.path = other.clone();
            return true;
        }
        self.gone = self.gone.or(Some(Instant::now()));
        false
    }
}

/// What relative file names are relative to: a directory that is the run, or that holds its file.
fn base(run: &Path) -> &Path {
    match run.is_dir() {
        true => run,
        false => run.parent().unwrap_or(run),
    }
}

/// A complete run's metadata.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) parameters: Parameters,
    pub(super) sources: Sources,
    pub(super) digest: Option<String>,
}

/// What a look found.
#[derive(Debug)]
pub(super) enum Found {
    /// Not complete, or complete and not settled.
    Waiting,
    /// Complete as far as its condition goes, but for this.
    Lacking(String),
    /// Nothing of it is there.
    Gone,
    /// Another run has its name.
    Another,
    /// Complete, unchanged since the very first start.
    Existed,
    /// Complete; its metadata are to be read.
    Complete,
    /// Complete, and read.
    Ready(Box<Read>),
}

/// Reads the metadata of a complete run, commands up to `limit` each.
pub(super) fn read_complete(watch: &Watch, run: &Pending, limit: Duration) -> Found {
    match read_now(watch, (&run.name, &run.path), (run.seen_at, limit)) {
        // What was read may be of the other one.
        _ if run.is_another() => Found::Another,
        Ok(read) => Found::Ready(Box::new(read)),
        Err(lacks) => Found::Lacking(lacks),
    }
}

/// Looks at a run.
pub(super) fn look(watch: &Watch, run: &mut Pending) -> Found {
    if !run.is_there() {
        return Found::Gone;
    }
    if run.is_another() {
        return Found::Another;
    }
    run.is_directory = run.path.is_dir();
    if run.is_directory
        && let Err(error) = std::fs::read_dir(&run.path)
    {
        return Found::Lacking(format!("its directory can't be read: {error}"));
    }
    let known = from_name(watch, &run.name, &run.path, run.seen_at);
    if condition(watch, run, &known).is_err() {
        return Found::Waiting;
    }
    if let Err(lacks) = requires(base(&run.path), &watch.requires, &known) {
        return Found::Lacking(lacks);
    }
    if !watch.settle.is_zero() || run.baseline.is_some() {
        let (signature, unchanged) = run.unchanged();
        if run.baseline.as_ref() == Some(&signature) {
            return Found::Existed;
        }
        if unchanged < watch.settle {
            return Found::Waiting;
        }
    }
    Found::Complete
}

/// Whether the watch's condition is met.
fn condition(watch: &Watch, run: &mut Pending, known: &Parameters) -> Verdict {
    judge(&watch.ready, &mut |leaf| observe(watch, run, known, leaf))
}

/// One look at a condition that is made of no others.
fn observe(watch: &Watch, run: &mut Pending, known: &Parameters, leaf: &Condition) -> Verdict {
    let met = match leaf {
        Condition::Marker(globs) => {
            let base = base(&run.path);
            let mut found = globs.iter().map(|glob| files::first(base, &glob.0, known));
            found.try_fold(false, |any, found| Ok::<_, String>(any || found?.is_some()))?
        }
        Condition::Quiet(quiet) => {
            let (_, unchanged) = run.unchanged();
            unchanged >= *quiet
        }
        Condition::Appears => true,
        Condition::Content(content) => has_content(base(&run.path), content, known)?,
        Condition::Superseded(grace) => run
            .superseded
            .is_some_and(|since| since.elapsed() >= *grace),
        Condition::Counter(file) => reached(&watch.directory.join(file), &run.name, known)?,
        Condition::External | Condition::Any(_) | Condition::All(_) => false,
    };
    match met {
        true => Ok(()),
        false => Err(leaf.to_string()),
    }
}

fn has_content(base: &Path, content: &Content, known: &Parameters) -> Result<bool, String> {
    let file = (content.file.as_str(), content.format);
    let entries = readers::value(base, file, known)?;
    let found = entries
        .as_ref()
        .and_then(|entries| at(entries, &content.key));
    let text = match found {
        None | Some(Value::Null) => return Ok(false),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    Ok(content.equals.as_ref().is_none_or(|wanted| *wanted == text))
}

/// Whether the number in a counter file is not below the run's.
fn reached(file: &Path, name: &str, known: &Parameters) -> Result<bool, String> {
    let shown = file.display();
    let text = readers::beginning(file).map_err(|why| format!("{shown} can be read: {why}"))?;
    let text = String::from_utf8_lossy(&text);
    let Some(last) = count(&text) else {
        return Err(format!("{shown} holds a number"));
    };
    let number = known.get("run").and_then(serde_json::Value::as_str);
    let number = number
        .unwrap_or(name)
        .trim_start_matches(|c: char| !c.is_ascii_digit());
    let (number, last) = (number.trim_start_matches('0'), last.trim_start_matches('0'));
    Ok(identity::natural(number, last).is_le())
}

/// Whether each of the files that must be there is.
fn requires(base: &Path, globs: &[FileGlob], known: &Parameters) -> Verdict {
    for glob in globs {
        if files::first(base, &glob.0, known)?.is_none() {
            return Err(format!("{} is not there yet", glob.0));
        }
    }
    Ok(())
}

/// A run's metadata over what its name tells, as they are now, whether it is complete or not;
/// commands may take up to `limit` each.
///
/// # Errors
/// What is missing or wrong.
pub(super) fn read_now(
    watch: &Watch,
    (name, path): (&str, &Path),
    (seen_at, limit): (i64, Duration),
) -> Result<Read, String> {
    let mut parameters = from_name(watch, name, path, seen_at);
    let (mut sources, readers) = (Sources::new(), &watch.parameters);
    readers::merge(base(path), (readers, limit), &mut parameters, &mut sources)?;
    let digest = (!sources.is_empty()).then(|| {
        let read = parameters
            .iter()
            .filter(|(key, _)| sources.contains_key(*key));
        let read: Parameters = read
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        sha256(Value::Object(read).to_string().as_bytes())
    });
    Ok(Read {
        parameters,
        sources,
        digest,
    })
}

/// What a run lacks whose condition is met; commands are not asked.
pub(super) fn lacks(watch: &Watch, run: &Pending) -> Option<String> {
    let known = from_name(watch, &run.name, &run.path, run.seen_at);
    let base = base(&run.path);
    let files = watch
        .parameters
        .iter()
        .filter(|reader| matches!(reader, Reader::File { .. }));
    let files: Vec<Reader> = files.cloned().collect();
    let read = || {
        let (parameters, sources) = (&mut known.clone(), &mut Sources::new());
        readers::merge(base, (&files, Duration::ZERO), parameters, sources)
    };
    requires(base, &watch.requires, &known)
        .and_then(|()| read())
        .err()
}

/// Whether a run is complete at this one look, and its signature.
pub(super) fn complete_now(watch: &Watch, run: &mut Pending) -> (bool, String) {
    let complete = waits_for(watch, run).is_ok();
    (complete, run.unchanged().0)
}

/// What a run's condition waits for.
pub(super) fn waits_for(watch: &Watch, run: &mut Pending) -> Verdict {
    let known = from_name(watch, &run.name, &run.path, run.seen_at);
    condition(watch, run, &known)
}

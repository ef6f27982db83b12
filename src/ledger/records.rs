//! Runs as detection hands them over.

use std::collections::BTreeMap;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::{Actor, RunRow};
use crate::job::PlannedJob;
use crate::run::{Parameters, RunState};

/// Rows of one statement.
pub(super) const AT_ONCE: usize = 500;

/// A run that was seen and is not to be delivered yet, or never.
#[derive(Clone, Debug)]
pub struct SeenRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Which run of that name, from 1.
    pub incarnation: i64,
    /// Its directory or first file.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// `Acquiring` or `Ignored`.
    pub state: RunState,
    /// Why it is ignored, or what it waits for.
    pub reason: Option<String>,
    /// Its signature at the very first start of its watch, if it was there then.
    pub baseline: Option<String>,
    /// What it is known again by, where the file system tells.
    pub identity: Option<String>,
    /// The identity of the directory that its watch looked at.
    pub root: Option<String>,
    /// Whether only a person has it delivered.
    pub held: bool,
    /// Whether it counts towards `max_new_per_hour`.
    pub counted: bool,
    /// What is known of it before its metadata.
    pub parameters: Parameters,
    /// The jobs that begin with it.
    pub jobs: Vec<PlannedJob>,
}

/// A run that is complete.
#[derive(Clone, Debug)]
pub struct ReadyRun {
    /// Its watch.
    pub watch: String,
    /// Its name, percent-encoded where needed.
    pub name: String,
    /// Which run of that name; `None` is the latest.
    pub incarnation: Option<i64>,
    /// Its directory or first file.
    pub path: PathBuf,
    /// When it was first seen.
    pub seen_at: i64,
    /// When it was found complete.
    pub ready_at: i64,
    /// Its parameters.
    pub parameters: Parameters,
    /// Where each parameter came from that its name doesn't tell.
    pub sources: BTreeMap<String, String>,
    /// A hash of its metadata, if it has any.
    pub digest: Option<String>,
    /// See [`SeenRun::identity`].
    pub identity: Option<String>,
    /// Its jobs.
    pub jobs: Vec<PlannedJob>,
    /// Who asked for it, by hand or by a trigger file: an ignored run is delivered too then.
    pub asked: Option<Actor>,
    /// The most runs of its watch in an hour, if it counts; 0 is no limit.
    pub limit: Option<u32>,
    /// The request it came with.
    pub request: Option<String>,
}

/// A run that was not recorded, since another one has its identity.
#[derive(Clone, Debug)]
pub struct Twin {
    /// The one that was not recorded.
    pub seen: SeenRun,
    /// The one that is known.
    pub known: RunRow,
}

pub(super) fn text(parameters: &Parameters) -> String {
    serde_json::to_string(parameters).unwrap_or_else(|_| "{}".into())
}

pub(super) fn from_path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

pub(super) fn to_path(bytes: Vec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(bytes).into()
}

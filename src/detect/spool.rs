//! Runs that somebody announces: trigger files in the spool directory, and `submit`.
//!
//! A file is parsed, claimed into `work/`, recorded, then moved to `accepted/`; a bad one goes to
//! `rejected/` with a `.error` beside it. Whatever stands in `work/` at a start is taken again; its
//! key makes that harmless.

mod files;
mod request;

use std::path::{Component, Path, PathBuf};

use tokio::task::block_in_place;

use super::facts::identity_of;
use super::look::{Read, read_now};
use super::readers::Sources;
use super::{Context, built_in, candidate};
use crate::config::Config;
use crate::config::checked::Watch;
use crate::job::{Only, plan};
use crate::ledger::{Actor, ReadyRun, now};
use crate::run::{Parameters, SPOOL, encode_name, path_bytes};
pub(super) use files::run;
pub use request::{Rejection, Request};

/// Takes runs that are announced.
pub struct Submitter {
    context: Context,
}

impl Submitter {
    /// One that records into the same ledger as detection.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
        }
    }

    /// Records a run and its jobs, for whom asked; its watch and name. A run that is known keeps
    /// what it has, and jobs that are missing are made.
    ///
    /// # Errors
    /// What is wrong with the request, or with the ledger just now.
    pub async fn submit(
        &self,
        request: Request,
        who: Actor,
    ) -> Result<(String, String), Rejection> {
        let run = block_in_place(|| resolve(&self.context.config, &request, None))?;
        let run = ReadyRun {
            asked: Some(who),
            ..run
        };
        let named = (run.watch.clone(), run.name.clone());
        let recorded = self.context.ledger.ready(&[run]).await;
        recorded.map_err(|error| Rejection::new("ledger-unwritable", error.to_string()))?;
        self.context.ready.notify_one();
        Ok(named)
    }
}

/// A run as its directory tells it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its watch.
    pub watch: String,
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub parameters: Parameters,
}

/// The parameters that a run directory would be delivered with now.
///
/// # Errors
/// Why there are none.
pub fn parameters_of(config: &Config, path: &Path) -> Result<Told, String> {
    let request = Request {
        path: Some(path.to_owned()),
        ..Request::default()
    };
    let run = resolve(config, &request, None).map_err(|rejection| rejection.message)?;
    Ok(Told {
        watch: run.watch,
        name: run.name,
        parameters: run.parameters,
    })
}

/// The run that a request means, with its parameters and jobs.
fn resolve(config: &Config, request: &Request, key: Option<String>) -> Result<ReadyRun, Rejection> {
    known_tables(config, request)?;
    let (watch, name, path) = identify(config, request)?;
    let seen_at = now();
    let watch_name = watch.map_or(SPOOL, |watch| watch.name.as_str());
    let read = match watch {
        Some(watch) => read_now(watch, (&name, &path), (seen_at, config.paces.command))
            .map_err(|why| Rejection::new("metadata", format!("{}: {why}", path.display())))?,
        None => Read {
            parameters: built_in(SPOOL, &name, &path, seen_at),
            sources: Sources::new(),
            digest: None,
        },
    };
    let mut parameters = read.parameters;
    if let Some(run) = request.run_value() {
        parameters.entry("run").or_insert(run);
    }
    parameters.extend(request.parameters.clone());
    let only = Only {
        user: request.user.clone(),
        to: request.to.clone(),
        notebook: request.notebook.clone(),
        at: None,
    };
    Ok(ReadyRun {
        jobs: plan(config, watch_name, &parameters, &only),
        watch: watch_name.to_owned(),
        name,
        incarnation: None,
        identity: watch.and_then(|_| identity_of(&path)),
        path,
        seen_at,
        ready_at: seen_at,
        parameters,
        sources: read.sources,
        digest: read.digest,
        asked: None,
        limit: None,
        request: key,
    })
}

fn known_tables(config: &Config, request: &Request) -> Result<(), Rejection> {
    let unknown = |kind: &str, name: &String| {
        Rejection::new(
            "unknown-name",
            format!("there is no [{kind}.{name}] in the configuration"),
        )
    };
    if let Some(name) = request
        .to
        .iter()
        .find(|name| config.destination(name).is_none())
    {
        return Err(unknown("destination", name));
    }
    match request
        .notebook
        .iter()
        .find(|name| config.notebook(name).is_none())
    {
        Some(name) => Err(unknown("notebook", name)),
        None => Ok(()),
    }
}

/// Whose run it is, its name and its directory.
fn identify<'a>(
    config: &'a Config,
    request: &Request,
) -> Result<(Option<&'a Watch>, String, PathBuf), Rejection> {
    let watch = match &request.watch {
        None => None,
        Some(name) => Some(config.watch(name).ok_or_else(|| {
            Rejection::new(
                "unknown-name",
                format!("there is no [watch.{name}] in the configuration"),
            )
        })?),
    };
    match (&request.path, request.run_text(), watch) {
        (Some(path), run, _) => {
            let path = checked_path(path)?;
            match below(config, &path) {
                Some((watch, name)) => Ok((Some(watch), name, path)),
                None => {
                    let last = path
                        .file_name()
                        .map(std::os::unix::ffi::OsStrExt::as_bytes)
                        .unwrap_or_default();
                    Ok((
                        None,
                        run.map_or_else(|| encode_name(last), |run| encode_name(run.as_bytes())),
                        path,
                    ))
                }
            }
        }
        (None, Some(run), Some(watch)) => {
            let below: std::ffi::OsString =
                std::os::unix::ffi::OsStringExt::from_vec(path_bytes(&run));
            let path = checked_path(&watch.directory.join(below))?;
            let name = run_of(watch, &path);
            let name = name.ok_or_else(|| {
                Rejection::new(
                    "no-run",
                    format!(
                        "`{run}` is no run of [watch.{}]: its `pattern` does not match",
                        watch.name
                    ),
                )
            })?;
            Ok((Some(watch), name, path))
        }
        (None, Some(run), None) => Ok((None, encode_name(run.as_bytes()), PathBuf::new())),
        (None, None, _) => Err(Rejection::new(
            "no-run",
            "neither `run` nor `path` is there",
        )),
    }
}

fn checked_path(path: &Path) -> Result<PathBuf, Rejection> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Rejection::new(
            "bad-path",
            format!(
                "{}: an absolute path without `..` is needed",
                path.display()
            ),
        ));
    }
    match std::fs::metadata(path) {
        Ok(_) => Ok(path.components().collect()),
        Err(error) => Err(Rejection::new(
            "bad-path",
            format!("{}: {error}", path.display()),
        )),
    }
}

/// The watch whose run this directory is.
fn below<'a>(config: &'a Config, path: &Path) -> Option<(&'a Watch, String)> {
    config
        .watches
        .iter()
        .find_map(|watch| Some((watch, run_of(watch, path)?)))
}

/// The name of the run that this directory or file is.
fn run_of(watch: &Watch, path: &Path) -> Option<String> {
    let takes = path.is_dir() || watch.pattern.takes_files();
    takes.then(|| candidate(watch, path)).flatten()
}

//! Why a path is a run or none, and what it waits for: detection's own rules, in words.

use std::path::Path;

use super::look::{Pending, lacks, waits_for};
use super::scan::Place;
use super::signature::newest;
use super::watch::seen;
use super::{backend, below, candidate};
use crate::config::Config;
use crate::config::checked::Watch;

/// What one watch says of a path.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The watch.
    pub watch: String,
    /// The run that the path is or lies in.
    pub run: Option<String>,
    /// What can be said, each with what it is about.
    pub told: Vec<(&'static str, String)>,
}

/// What each watch says of a path that lies below its directory.
pub async fn explain(config: &Config, path: &Path) -> Vec<Explained> {
    let mut all = Vec::new();
    for watch in &config.watches {
        if path.starts_with(&watch.directory) {
            all.push(said(watch, config, path).await);
        }
    }
    all
}

async fn said(watch: &Watch, config: &Config, path: &Path) -> Explained {
    let mut told = vec![
        ("root", watch.directory.display().to_string()),
        ("watched by", watched_by(watch).await),
        ("pattern", watch.pattern.to_string()),
        ("complete if", watch.ready.to_string()),
    ];
    let run = match run_of(watch, path) {
        Ok(place) => {
            let run = seen(watch, config, &place);
            let name = run.name.clone();
            let written = newest(&run.path).and_then(|at| jiff::Timestamp::try_from(at).ok());
            told.extend(written.map(|at| ("written", format!("{at:.0}"))));
            told.push(waits(watch, Pending::of(0, run)));
            Some(name)
        }
        Err(why) => {
            told.push(("no run", why));
            None
        }
    };
    Explained {
        watch: watch.name.clone(),
        run,
        told,
    }
}

async fn watched_by(watch: &Watch) -> String {
    let every = watch.poll_every.as_secs_f64();
    match backend(&watch.directory).await {
        "notify" => format!("notifications; changed directories are listed every {every} s"),
        "poll" => format!("listing changed directories every {every} s, without notifications"),
        _ => format!(
            "listing every {every} s, since its file system doesn't notify of every change, and notifications"
        ),
    }
}

fn waits(watch: &Watch, mut run: Pending) -> (&'static str, String) {
    match waits_for(watch, &mut run) {
        Err(waits) => ("waits until", waits),
        Ok(()) => match lacks(watch, &run) {
            Some(lacks) => ("lacks", lacks),
            None => (
                "is complete",
                format!(
                    "once nothing has changed for {} s",
                    watch.settle.as_secs_f64()
                ),
            ),
        },
    }
}

/// The run that a path below a watch's directory is or lies in, or why there is none.
fn run_of(watch: &Watch, path: &Path) -> Result<Place, String> {
    let mut part = watch.directory.clone();
    let inside = path.strip_prefix(&watch.directory).unwrap_or(path);
    for (level, name) in inside.components().take(watch.pattern.depth()).enumerate() {
        part.push(name);
        let shown = name.as_os_str().to_string_lossy();
        if watch.ignore.is_match(Path::new(&name)) {
            return Err(format!("`ignore` has names such as `{shown}`"));
        }
        if candidate(watch, &part).is_some() {
            return there(watch, &part);
        }
        if level + 1 < watch.pattern.depth() && !watch.pattern.leads_on(level, &shown) {
            return Err(format!(
                "`{shown}` doesn't match the first {} levels of the pattern",
                level + 1
            ));
        }
    }
    let below = below(watch, path).unwrap_or_default();
    Err(match below.is_empty() {
        true => "it is the watched directory itself".into(),
        false => format!("the pattern doesn't match `{below}`, as a whole"),
    })
}

fn there(watch: &Watch, path: &Path) -> Result<Place, String> {
    let shown = path.display();
    if let Err(error) = std::fs::metadata(path) {
        return Err(format!("its name can be a run's, but {shown}: {error}"));
    }
    if !path.is_dir() && !watch.pattern.takes_files() {
        return Err(format!(
            "{shown} is no directory; only a pattern that names an extension takes files"
        ));
    }
    Ok(Place(below(watch, path).unwrap_or_default()))
}

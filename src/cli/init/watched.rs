//! Where runs appear, and what they are.

use std::path::{Path, PathBuf};

use super::super::{Context, Stop, exit};
use super::ask::ask;
use super::{Arguments, quoted};
use crate::detect::{self, Learned};

/// What stands in a watch of which nothing could be learned.
const KEYS: &str = "# pattern = 'run[_-]?(?<run>\\d+)'            # named groups become parameters\n\
    # ready = { marker = \"DONE\" }               # or { quiet = \"30s\" }, \"appears\"\n\
    # parameters = [\"run.json\"]                 # a metadata file inside the run directory\n";

/// A watch table to be written.
pub(super) struct Watched {
    directory: PathBuf,
    keys: String,
}

impl Watched {
    pub(super) fn text(&self, name: &str) -> String {
        let (directory, keys) = (quoted(&self.directory), &self.keys);
        format!(
            "[watch.{name}]\ndirectory = {directory}            # the parent of the run directories\n{keys}"
        )
    }

    /// The directory's name, as a table may be called.
    pub(super) fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        name.to_string_lossy().chars().map(letter).collect()
    }
}

/// The watch that the arguments ask for, or the person at the terminal.
pub(super) async fn of(context: &Context, arguments: &Arguments) -> Result<Watched, Stop> {
    let directory = match (&arguments.learn, &arguments.watch) {
        (Some(learn), _) => return learned(context, learn),
        (None, Some(watch)) => std::path::absolute(watch)?,
        (None, None) => {
            let question = "Where do runs appear? The directory that holds them";
            let directory = ask(context, question, existing).await?;
            if let Ok(learned) = detect::learn(&directory) {
                return Ok(told(context, directory, learned));
            }
            directory
        }
    };
    Ok(Watched {
        directory,
        keys: KEYS.into(),
    })
}

/// What is learned from the runs in a directory.
pub(super) fn learned(context: &Context, directory: &Path) -> Result<Watched, Stop> {
    let directory = std::path::absolute(directory)?;
    let learned = detect::learn(&directory).map_err(|why| Stop::new(exit::ARGUMENTS, why))?;
    Ok(told(context, directory, learned))
}

/// The same with the evidence shown.
fn told(context: &Context, directory: PathBuf, learned: Learned) -> Watched {
    let shown = directory.display();
    context.output.note(format!("learned from {shown}:"));
    for line in &learned.evidence {
        context.output.note(format!("  {line}"));
    }
    Watched {
        directory,
        keys: learned.table,
    }
}

fn existing(answer: &str) -> Result<PathBuf, String> {
    match std::path::absolute(answer) {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(format!("there is no directory `{answer}`")),
    }
}

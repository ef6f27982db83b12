//! The files that a program finds: the facts of its notebook, and a token. They go with its run.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::auth::Token;
use crate::destination::terms::temporary;

/// Where they lie: in memory under systemd (its runtime directory), else in the state directory.
pub(super) fn below(state: &Path) -> PathBuf {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    runtime.unwrap_or_else(|| state.to_owned()).join("commands")
}

/// The files of one run, in a directory of their own.
pub(super) struct Files {
    directory: PathBuf,
    has_token: bool,
}

impl Files {
    /// Writes them for a job, for nobody else's eyes.
    pub(super) fn make(
        below: &Path,
        job: &str,
        facts: &Value,
        token: Option<&Token>,
    ) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(below)?;
        let directory = below.join(temporary("", job));
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&directory)?;
        let files = Self {
            directory,
            has_token: token.is_some(),
        };
        write(&files.facts(), facts.to_string().as_bytes())?;
        if let Some(token) = token {
            write(&files.token(), token.secret().expose().as_bytes())?;
        }
        Ok(files)
    }

    /// The variables that name them.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |path: PathBuf| path.display().to_string();
        let mut variables = vec![("NBCOURIER_FACTS", shown(self.facts()))];
        if self.has_token {
            variables.push(("NBCOURIER_TOKEN_FILE", shown(self.token())));
        }
        variables
    }

    fn facts(&self) -> PathBuf {
        self.directory.join("facts.json")
    }

    fn token(&self) -> PathBuf {
        self.directory.join("token")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays is removed before the job's next run, or the first after a start.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

//! A program as a destination: it gets the notebook on its standard input and what is known of it in
//! a file, and says by its exit status (`sysexits.h`) what became of it.
//!
//! It can't be asked what stands there, so it is run at least once for each job, and answers itself
//! for doing it once only.

mod files;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Access, access};
use serde_json::json;
use url::Url;

use crate::auth::{Credential, Renew as _, Token};
use crate::config::checked::{Command, Config, Destination};
use crate::destination::terms::{Found, Report, Wanted};
use crate::failure::{Code, Failure};
use crate::path::link;
use crate::process::{Call, Ended};
use files::Files;

/// The most that it may print, bytes.
const LARGEST: usize = 4 << 20;

/// A longer first line of its output is no link, bytes.
const LONGEST_LINK: usize = 2000;

/// A destination that is a program.
pub struct Program {
    destination: String,
    program: String,
    arguments: Vec<String>,
    open: Option<String>,
    credential: Option<Credential>,
    /// Where the files of its runs lie.
    files: PathBuf,
    limit: Duration,
}

impl Program {
    /// Prepares a destination; runs nothing.
    pub(crate) fn new(
        config: &Config,
        table: &Destination,
        command: &Command,
    ) -> Result<Self, Failure> {
        let mut words = command.words.iter().cloned();
        let credential = command
            .auth
            .as_ref()
            .map(|_| Credential::new(config, table));
        Ok(Self {
            destination: table.name.clone(),
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            open: command.open.clone(),
            credential: credential.transpose()?,
            files: files::below(&config.state),
            limit: config.paces.handover,
        })
    }

    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Whether the program is there and its credential can be had.
    pub(crate) async fn probe(&self, user: Option<&str>) -> Result<Report, Failure> {
        let found = self.find().ok_or_else(|| {
            let what = format!("the command `{}` is not there, or no program", self.program);
            Code::CommandMissing.failure(what)
        })?;
        self.token().await?;
        Ok(Report {
            user: user.unwrap_or_default().to_owned(),
            version: format!("command {}", found.display()),
            server: "can be run".into(),
            ..Report::default()
        })
    }

    /// A place to hand notebooks of this user to.
    pub(crate) fn open(&self, user: Option<&str>) -> CommandPlace<'_> {
        CommandPlace {
            program: self,
            user: user.unwrap_or_default().to_owned(),
            link: Mutex::default(),
        }
    }

    /// The program's file.
    fn find(&self) -> Option<PathBuf> {
        let executable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
        if self.program.contains('/') {
            return Some(PathBuf::from(&self.program)).filter(executable);
        }
        let path = std::env::var_os("PATH")?;
        let mut files = std::env::split_paths(&path).map(|folder| folder.join(&self.program));
        files.find(executable)
    }

    async fn token(&self) -> Result<Option<Token>, Failure> {
        match &self.credential {
            Some(credential) => credential.token().await.map(Some),
            None => Ok(None),
        }
    }

    /// Another token after a refused one, if there is one.
    async fn renewed(&self, refused: Option<&Token>) -> Result<Option<Token>, Failure> {
        match (&self.credential, refused) {
            (Some(credential), Some(refused)) => credential.renewed(refused).await,
            _ => Ok(None),
        }
    }

    fn accepted(&self, token: Option<&Token>) {
        if let (Some(credential), Some(token)) = (&self.credential, token) {
            credential.accepted(token);
        }
    }
}

/// Hands notebooks to a program.
pub struct CommandPlace<'a> {
    program: &'a Program,
    user: String,
    /// Where the last one is, as the program told.
    link: Mutex<Option<String>>,
}

impl CommandPlace<'_> {
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Nobody can tell what stands there.
    pub(crate) fn look(&self) -> Found {
        Found::Absent
    }

    /// Runs the program; once more with another token if it says that the first was refused.
    pub(crate) async fn place(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        let program = self.program;
        let mut token = program.token().await?;
        let mut ended = self.run(path, wanted, token.as_ref()).await?;
        if verdict::is_refusal(&ended)
            && let Some(other) = program.renewed(token.as_ref()).await?
        {
            ended = self.run(path, wanted, Some(&other)).await?;
            token = Some(other);
        }
        verdict::of(&program.program, &ended)?;
        program.accepted(token.as_ref());
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = told(&ended.out);
        Ok(())
    }

    async fn run(
        &self,
        path: &str,
        wanted: &Wanted<'_>,
        token: Option<&Token>,
    ) -> Result<Ended, Failure> {
        let program = self.program;
        let facts = self.facts(path, wanted);
        let files = Files::make(&program.files, wanted.job, &facts, token).map_err(|error| {
            let what = format!("the files for a command can't be written: {error}");
            Code::CommandFailed
                .failure(what)
                .advise("free space on the disk of the state directory, or restore its permissions")
        })?;
        let mut environment = files.environment();
        environment.push(("NBCOURIER_JOB", wanted.job.to_owned()));
        environment.push(("NBCOURIER_DESTINATION", program.destination.clone()));
        let call = Call {
            program: program.program.clone(),
            arguments: program.arguments.clone(),
            environment: Some(environment),
            input: wanted.bytes.to_vec(),
            limit: program.limit,
            most: LARGEST,
        };
        let ended = call.run().await;
        ended.map_err(|trouble| verdict::of_trouble(&program.program, &trouble))
    }

    /// What the program is told.
    fn facts(&self, path: &str, wanted: &Wanted<'_>) -> serde_json::Value {
        let mut facts = json!({
            "job": wanted.job,
            "destination": self.program.destination,
            "user": self.user,
            "path": path,
            "name": path.rsplit('/').next(),
            "sha256": wanted.sha256,
            "url": self.program.open.as_ref().map(|open| link(open, path)),
        });
        if let Some(about) = wanted.about {
            facts["run"] = about.run.into();
            facts["watch"] = about.watch.into();
            facts["notebook"] = about.notebook.into();
            facts["template"] = about.template.into();
            facts["template_sha256"] = about.template_sha256.into();
            facts["parameters"] = json!(about.parameters);
        }
        facts
    }

    /// The temporary names that killed runs have left.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.program.files)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Removes what a killed run has left under this temporary name; what the program took stays.
    pub(crate) fn remove(&self, path: &str) -> Result<(), Failure> {
        let Some(name) = Path::new(path).file_name() else {
            return Ok(());
        };
        match std::fs::remove_dir_all(self.program.files.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Code::CommandFailed
                .failure(format!(
                    "what a killed command left can't be removed: {error}"
                ))),
            _ => Ok(()),
        }
    }

    /// Where a person finds the last notebook: as the program told, else by `open`.
    pub(crate) fn url(&self, path: &str) -> Option<String> {
        let told = self
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        told.or_else(|| self.program.open.as_ref().map(|open| link(open, path)))
    }
}

/// The first line of what it printed, if that is a link that may be shown.
fn told(out: &[u8]) -> Option<String> {
    let line = out.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let url = Url::parse(line).ok()?;
    let is_one = line.len() <= LONGEST_LINK && !line.contains(char::is_whitespace);
    let shown = is_one
        && matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    shown.then(|| url.to_string())
}

#[cfg(test)]
mod tests;

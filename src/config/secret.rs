//! Secrets by reference: where one is kept, and how it is read.

mod command;
mod file;
mod value;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::failure::{Code, Failure};
use crate::process;
pub use value::Secret;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A file, read before every use.
    File(PathBuf),
    /// A name below `/etc/nbcourier/credentials`, else below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A command that prints it.
    Command(Vec<String>),
    /// An environment variable; made by [`SecretRef::env`].
    Env(String),
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential `{name}`"),
            Self::Command(words) => {
                write!(f, "command `{}`", words.first().map_or("", String::as_str))
            }
            Self::Env(name) => write!(f, "environment variable `{name}`"),
        }
    }
}

impl SecretRef {
    /// An environment variable, which no program that is run gets to see.
    #[must_use]
    pub fn env(name: String) -> Self {
        process::hide(&name);
        Self::Env(name)
    }

    /// The file it is kept in, if it is kept in one that can be seen now.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => credential_paths(name)
                .into_iter()
                .find(|path| readable(path)),
            Self::Command(_) | Self::Env(_) => None,
        }
    }

    /// When and how large its file is: differs once the secret has been replaced.
    #[must_use]
    pub fn version(&self) -> Option<(SystemTime, u64)> {
        let facts = std::fs::metadata(self.path()?).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    }

    /// What could be better about the place it is kept in.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Env(name) => Some(format!(
                "every process of this user can read the environment variable `{name}`; a file of mode 0600 is safer"
            )),
            _ => file::remark(&self.path()?),
        }
    }

    /// Reads a secret of one word, as tokens are; white space around it is dropped.
    ///
    /// # Errors
    /// `credential-unreadable`, naming where it was looked for; never the value.
    pub async fn read(&self) -> Result<Secret, Failure> {
        let text = self.fetch().await;
        text.and_then(|text| value::word(&text))
            .map_err(|why| self.unreadable(&why))
    }

    /// Reads a secret of several lines, as keys are: line ends become `\n`, none is at the end.
    ///
    /// # Errors
    /// As [`SecretRef::read`].
    pub async fn text(&self) -> Result<Secret, Failure> {
        let text = self.fetch().await;
        text.and_then(|text| value::lines(&text))
            .map_err(|why| self.unreadable(&why))
    }

    async fn fetch(&self) -> Result<Zeroizing<String>, String> {
        let bytes = match self {
            Self::File(path) => file::read(path),
            Self::Credential(name) => {
                let paths = credential_paths(name);
                match paths.iter().find(|path| readable(path)) {
                    Some(path) => file::read(path),
                    None => Err(format!("no readable file at {}", list(&paths))),
                }
            }
            Self::Command(words) => command::ask(words).await,
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => Ok(Zeroizing::new(text.into_bytes())),
                Err(_) => Err("it is not set".into()),
            },
        };
        value::text(&bytes?)
    }

    /// A failure that says why it can't be used.
    #[must_use]
    pub fn unreadable(&self, why: &str) -> Failure {
        Code::CredentialUnreadable.failure(format!("the secret can't be read from {self}: {why}"))
    }
}

fn credential_paths(name: &str) -> Vec<PathBuf> {
    let mut paths = vec![Path::new(file::CREDENTIALS).join(name)];
    if let Some(directory) = file::credentials_directory() {
        paths.push(directory.join(format!("nbcourier_{name}")));
        paths.push(directory.join(name));
    }
    paths
}

fn readable(path: &Path) -> bool {
    std::fs::File::open(path).is_ok()
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}

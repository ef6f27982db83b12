//! Secrets by reference: where one is kept, and a type for its value that cannot be printed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::failure::{Code, Failure};

/// Where an administrator keeps replaceable credentials.
const CREDENTIALS: &str = "/etc/nbcourier/credentials";

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A file, read before every use.
    File(PathBuf),
    /// A name below `/etc/nbcourier/credentials`, else below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A command that prints it.
    Command(Vec<String>),
    /// An environment variable.
    Env(String),
}

/// A secret's value. It prints as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A value that was issued or made.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Sixteen hex digits that tell two secrets apart and reveal neither.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(self.0.as_bytes())[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
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

    /// Reads a secret of one word; white space around it is dropped.
    ///
    /// # Errors
    /// `credential-unreadable`, naming where it was looked for; never the value.
    pub async fn read(&self) -> Result<Secret, Failure> {
        let text = self.text().await?;
        match text.expose() {
            word if word.contains(char::is_whitespace) => {
                Err(self.unreadable("it has more than one word"))
            }
            word if word.chars().any(char::is_control) => {
                Err(self.unreadable("it is no plain text"))
            }
            _ => Ok(text),
        }
    }

    /// Reads a secret of any number of lines, such as a key; white space around it is dropped.
    ///
    /// # Errors
    /// As [`SecretRef::read`].
    pub async fn text(&self) -> Result<Secret, Failure> {
        let text = match self {
            Self::File(path) => read_file(path),
            Self::Credential(name) => {
                let paths = credential_paths(name);
                match paths.iter().find(|path| readable(path)) {
                    Some(path) => read_file(path),
                    None => Err(format!("no readable file at {}", list(&paths))),
                }
            }
            Self::Command(words) => run(words).await,
            Self::Env(name) => std::env::var(name).map_err(|_| "it is not set".into()),
        };
        let text = text.and_then(|text| match text.trim() {
            "" => Err("it is empty".into()),
            text => Ok(Secret(text.to_owned())),
        });
        text.map_err(|why| self.unreadable(&why))
    }

    /// A failure that says why it can't be used.
    #[must_use]
    pub fn unreadable(&self, why: &str) -> Failure {
        Code::CredentialUnreadable.failure(format!("the secret can't be read from {self}: {why}"))
    }
}

fn credential_paths(name: &str) -> Vec<PathBuf> {
    let mut paths = vec![Path::new(CREDENTIALS).join(name)];
    if let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        let directory = PathBuf::from(directory);
        paths.push(directory.join(format!("nbcourier_{name}")));
        paths.push(directory.join(name));
    }
    paths
}

fn readable(path: &Path) -> bool {
    std::fs::File::open(path).is_ok()
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn read_file(path: &Path) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is no regular file".into());
    }
    if facts.permissions().mode() & 0o004 != 0 {
        return Err(format!(
            "everybody can read it; type: chmod o-rwx {}",
            path.display()
        ));
    }
    if facts.len() > 64 * 1024 {
        return Err("it is larger than 64 KiB".into());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

async fn run(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let call = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let limit = std::time::Duration::from_secs(30);
    let output = match tokio::time::timeout(limit, call).await {
        Err(_) => return Err("the command did not end within 30 s".into()),
        Ok(output) => output.map_err(|error| error.to_string())?,
    };
    if !output.status.success() {
        return Err(format!("the command ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "the command printed no plain text".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_secret_file_is_trimmed_and_refused_when_everybody_can_read_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        std::fs::write(&path, " abc\n").expect("write");
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        set(0o600).expect("chmod");
        let secret = SecretRef::File(path.clone())
            .read()
            .await
            .expect("readable");
        assert_eq!(secret.expose(), "abc");
        assert_eq!(format!("{secret:?}"), "[secret]");
        set(0o644).expect("chmod");
        let refused = SecretRef::File(path.clone())
            .read()
            .await
            .expect_err("refused");
        assert!(refused.what.contains("chmod o-rwx"), "{refused}");
    }
}

//! CERN SWAN: whose space, and which software.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::{Context, Stop, exit};
use super::ask::{ask, is_possible};
use super::place::text;
use super::{Arguments, quoted};

/// CERN's.
pub(super) const URL: &str = "https://swan.cern.ch";

/// What is known of it.
pub(super) struct Swan {
    pub(super) url: String,
    /// The key of a service account; else a person's token.
    keytab: Option<PathBuf>,
    /// Release and platform; else what the account chose last.
    software: Option<(String, String)>,
}

impl Swan {
    pub(super) fn at(url: String) -> Self {
        Self {
            url,
            keytab: None,
            software: None,
        }
    }

    pub(super) fn has_token(&self) -> bool {
        self.keytab.is_none()
    }

    /// What the arguments say, and what the person at the terminal does.
    pub(super) async fn complete(
        &mut self,
        context: &Context,
        arguments: &Arguments,
    ) -> Result<(), Stop> {
        let wrong = |why: String| Stop::new(exit::ARGUMENTS, why);
        self.keytab = match &arguments.keytab {
            Some(file) => account(&file.to_string_lossy()).map_err(wrong)?,
            None if arguments.token => None,
            None => {
                let question = "Whose space in SWAN? The keytab of a service account (its file), or `token` for a person's own token";
                ask(context, question, account).await?
            }
        };
        self.software = match &arguments.release {
            Some(release) => software(release).map_err(wrong)?,
            None if is_possible() => {
                let question = "Which software? RELEASE/PLATFORM as on SWAN's start page, such as LCG_110_swan/x86_64-el9-gcc13-opt; nothing for what that account chose last";
                ask(context, question, software).await?
            }
            None => None,
        };
        Ok(())
    }

    /// The keys of its table, with that of a token if it has one.
    pub(super) fn table(&self, project: &str, token: &str) -> String {
        let auth = match &self.keytab {
            Some(keytab) => format!("auth.kerberos = {{ keytab = {} }}", quoted(keytab)),
            // SWAN forgets a person who is idle for hours, and the token with them.
            None => format!("{token}\nkeep_alive = true"),
        };
        format!(
            "hub = {}\nprofile = \"swan\"                          # spawn_options are checked before they are sent\n\
             directory = {}           # from the user's home on; the first below SWAN_projects is a project\n{auth}\n{}",
            text(&self.url),
            text(&format!("SWAN_projects/{project}")),
            self.options()
        )
    }

    fn options(&self) -> String {
        let (mark, release, platform) = match &self.software {
            Some((release, platform)) => ("", release.as_str(), platform.as_str()),
            None => ("# ", "LCG_110_swan", "x86_64-el9-gcc13-opt"),
        };
        let lines = [
            "[destination.swan.spawn_options]          # without this table, what the account chose last".into(),
            "software_source = \"lcg\"".into(),
            format!("lcg = {}", text(release)),
            format!("platforms = {}", text(platform)),
            "cores = 2".into(),
            "memory = \"8G\"".into(),
        ];
        lines.map(|line: String| format!("{mark}{line}\n")).concat()
    }
}

/// A keytab's file, or none where it is a token.
fn account(answer: &str) -> Result<Option<PathBuf>, String> {
    if answer == "token" {
        return Ok(None);
    }
    let wrong = |why: &str| format!("`{answer}`: {why}");
    let path = std::path::absolute(answer).map_err(|error| wrong(&error.to_string()))?;
    match is_keytab(&path) {
        Ok(true) => Ok(Some(path)),
        Ok(false) => Err(wrong(
            "this is no keytab; a token doesn't belong here, say `token`",
        )),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

/// By the format's number and version, with which such files begin.
fn is_keytab(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(2).read_to_end(&mut head)?;
    Ok(matches!(head.as_slice(), [5, 1 | 2]))
}

/// Release and platform, or none.
fn software(answer: &str) -> Result<Option<(String, String)>, String> {
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    match answer.rsplit_once('/') {
        _ if answer.is_empty() => Ok(None),
        Some((release, platform)) if is_word(release) && is_word(platform) => {
            Ok(Some((release.into(), platform.into())))
        }
        _ => Err(format!(
            "`{answer}` is no RELEASE/PLATFORM, with a slash between them"
        )),
    }
}

//! `auth.command`: a program of the site's own that gives a credential.
//!
//! It prints it, or writes it into the file for which `{file}` stands among its words: one that isn't
//! there yet, in a directory of its own that is removed afterwards. Either way it is told apart by
//! content: one line is a token, or the path of a cookie file; JSON is what Kubernetes' and AWS'
//! programs of this kind print, or a token endpoint's answer; a cookie file is one.

mod answer;
mod login;

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::door::Door;
use super::{Engine, Fetched, Token};
use crate::config::checked::Scheme;
use crate::config::secret::Secret;
use crate::failure::{Code, Failure};
use crate::process::{Call, Ended, Trouble, with_words};
use crate::retry::Paces;
use answer::{Found, understand};

/// The most that it may print or write, bytes.
const LARGEST: usize = 64 << 10;

/// How long a credential is used that doesn't say when it ends, and any set of cookies at least.
const ASSUMED: Duration = Duration::from_secs(300);

/// Stands among the words for the file that is read in place of what is printed.
const FILE: &str = "{file}";

/// The program of a destination's credential.
pub(super) struct Asked {
    call: Call,
    /// What it is called in messages.
    origin: String,
    /// Where its cookies have to be a login.
    door: Option<Door>,
    /// At least so long after a login tool has failed it is left alone: who tries too often is
    /// locked out.
    pause: Duration,
    /// What it gave last.
    pub(super) engine: Engine,
}

impl Asked {
    pub(super) fn new(
        words: &[String],
        (destination, door): (&str, Option<Door>),
        paces: &Paces,
    ) -> Self {
        let is_program = |word: &&String| *word != "env" && !word.contains('=');
        let name = words.iter().find(is_program).or(words.first());
        let mut words = words.iter().cloned();
        Self {
            origin: format!("command `{}`", name.map_or("", String::as_str)),
            call: Call {
                program: words.next().unwrap_or_default(),
                arguments: words.collect(),
                environment: Some(vec![("NBCOURIER_DESTINATION", destination.to_owned())]),
                input: Vec::new(),
                limit: paces.command,
                most: LARGEST,
            },
            door,
            pause: paces.probe,
            engine: Engine::new(paces.probe),
        }
    }

    pub(super) async fn token(&self) -> Result<Token, Failure> {
        self.engine.token(None, |_| self.fetch()).await
    }

    pub(super) async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        self.engine.renewed(refused, None, |_| self.fetch()).await
    }

    async fn fetch(&self) -> Result<Fetched, Failure> {
        let logs_in = self.call.arguments.iter().any(|word| word.contains(FILE));
        let fetched = self.credential(logs_in).await;
        fetched.map_err(|failure| {
            let pause = failure.retry_after.max(logs_in.then_some(self.pause));
            failure.after(pause)
        })
    }

    async fn credential(&self, logs_in: bool) -> Result<Fetched, Failure> {
        let mut found = match logs_in {
            true => self.log_in().await?,
            false => self.ask().await?,
        };
        if let (Some(door), Some(cookies)) = (&self.door, &found.cookies) {
            let own = door.proven(cookies).await.map_err(login::refused)?;
            found = found.of(own);
        }
        Ok(self.fetched(found))
    }

    /// What it prints; the words of a failure never hold what it said.
    async fn ask(&self) -> Result<Found, Failure> {
        let found = self.run(self.call.clone()).await;
        let found = found.map_err(|(why, _)| why).and_then(printed);
        let found = found.and_then(|text| understand(&text, SystemTime::now()));
        self.admitted(found.map_err(|why| self.gives_none(&why))?)
    }

    /// What it writes into a file, whatever its exit status says: CERN's tool ends well without a
    /// login.
    async fn log_in(&self) -> Result<Found, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("nbcourier-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir();
        let directory =
            directory.map_err(|error| self.gives_none(&format!("no directory for it: {error}")))?;
        let file = directory.path().join("credential");
        let mut call = self.call.clone();
        for word in &mut call.arguments {
            *word = word.replace(FILE, &file.to_string_lossy());
        }
        let ended = self.run(call).await;
        let ended = ended.map_err(|(why, words)| self.failed(&why, &words))?;
        let found = written(&file).and_then(|text| understand(&text, SystemTime::now()));
        let found = found.map_err(|why| self.gives_none(&why));
        match found.and_then(|found| self.admitted(found)) {
            Err(_) if !ended.status.success() => {
                let why = format!("it ended with {}", ended.status);
                Err(self.failed(&why, &ended.complaint))
            }
            found => found,
        }
    }

    /// Runs it to its end; else why there was none, and its last words.
    async fn run(&self, call: Call) -> Result<Ended, (String, String)> {
        let (ended, origin) = (call.run().await, &self.origin);
        match &ended {
            Ok(Ended {
                status, complaint, ..
            }) => tracing::debug!(said = complaint, "{origin} ended with {status}"),
            Err(trouble) => tracing::debug!("{origin}: {trouble}"),
        }
        ended.map_err(|trouble| match trouble {
            Trouble::Killed { why, complaint } => (why, complaint),
            absent => (absent.to_string(), String::new()),
        })
    }

    fn admitted(&self, found: Found) -> Result<Found, Failure> {
        if let (Some(door), Some(cookies)) = (&self.door, &found.cookies) {
            login::admit(cookies, door, &self.origin)?;
        }
        Ok(found)
    }

    /// A login tool's failure: what it says on its standard error is no credential, and tells whom
    /// it takes to mend it.
    fn failed(&self, why: &str, words: &str) -> Failure {
        let failure = login::understood(words, &self.origin);
        failure.unwrap_or_else(|| self.gives_none(&with_words(why, words)))
    }

    fn gives_none(&self, why: &str) -> Failure {
        let what = format!("{} gives no credential: {why}", self.origin);
        Code::CredentialCommandFailed.failure(what)
    }

    fn fetched(&self, found: Found) -> Fetched {
        let (secret, origin) = (Secret::new(found.value), self.origin.clone());
        let Some(cookies) = found.cookies else {
            return Fetched {
                token: Token::kept(secret, origin, Scheme::Token),
                life: Some(found.life.unwrap_or(ASSUMED)),
                is_assumed: found.life.is_none(),
            };
        };
        let life = found.life.map(|life| life.max(ASSUMED));
        Fetched {
            token: Token::of_cookies(cookies, secret, origin),
            // A hub tells when it takes them no more.
            life: life.or(self.door.is_none().then_some(ASSUMED)),
            is_assumed: true,
        }
    }
}

/// What it printed, if it has ended well.
fn printed(ended: Ended) -> Result<Zeroizing<String>, String> {
    if !ended.status.success() {
        return Err(format!("it ended with {}", ended.status));
    }
    plain(ended.out).ok_or_else(|| "it printed no plain text".into())
}

/// What it wrote.
fn written(file: &Path) -> Result<Zeroizing<String>, String> {
    let wrong = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "it wrote no file".to_owned(),
        _ => format!("its file can't be read: {error}"),
    };
    let mut bytes = Vec::new();
    let file = File::open(file).map_err(wrong)?.take(LARGEST as u64 + 1);
    let length = { file }.read_to_end(&mut bytes).map_err(wrong)?;
    match plain(bytes) {
        Some(text) if length <= LARGEST => Ok(text),
        _ => Err("its file is no plain text of at most 64 KiB".into()),
    }
}

fn plain(bytes: Vec<u8>) -> Option<Zeroizing<String>> {
    let text = String::from_utf8(bytes).map_err(|error| Zeroizing::new(error.into_bytes()));
    text.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;

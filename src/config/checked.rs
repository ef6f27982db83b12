//! The configuration as the rest of the program sees it: checked values only.
//!
//! Pure: reading files is the business of [`crate::config`].

mod announce;
mod destination;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use globset::GlobSet;

pub use super::pattern::Pattern;
use super::secret::SecretRef;
use crate::retry::{Paces, RetryPolicy};
use crate::run::Parameters;
use crate::text::Format;
pub use announce::{Announcer, News, Receiver};
pub use destination::{
    Auth, ClientAuth, Command, Destination, Endpoint, Hub, Kerberos, Kind, OAuth, Profile, Proof,
    Scheme, Server, Superfacility, Tickets,
};

/// A whole configuration. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Config {
    /// The main file.
    pub file: PathBuf,
    /// Log filter, `info` by default.
    pub log: String,
    /// The state directory.
    pub state: PathBuf,
    /// `[ledger]`.
    pub ledger: LedgerTable,
    /// `[retry]`.
    pub retry: RetryPolicy,
    /// Every fixed pace.
    pub paces: Paces,
    /// Where the page is served; `None` is "off".
    pub listen: Option<SocketAddr>,
    /// Whoever reads the page shows this token, if there is one.
    pub read_token: Option<SecretRef>,
    /// Whom to ask, shown on the page and in the User-Agent.
    pub contact: Option<String>,
    /// `[watch.NAME]`.
    pub watches: Vec<Watch>,
    /// `[spool] directory`.
    pub spool: Option<PathBuf>,
    /// `[notebook.NAME]`.
    pub notebooks: Vec<Notebook>,
    /// `[destination.NAME]`.
    pub destinations: Vec<Destination>,
    /// `[announce.NAME]`.
    pub announcers: Vec<Announcer>,
}

impl Config {
    /// The watch of that name.
    #[must_use]
    pub fn watch(&self, name: &str) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.name == name)
    }

    /// The notebook table of that name.
    #[must_use]
    pub fn notebook(&self, name: &str) -> Option<&Notebook> {
        self.notebooks.iter().find(|notebook| notebook.name == name)
    }

    /// The destination of that name.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        self.destinations
            .iter()
            .find(|destination| destination.name == name)
    }
}

/// Where runs and jobs are recorded, and for how long.
#[derive(Clone, Debug)]
pub struct LedgerTable {
    /// The database.
    pub url: LedgerUrl,
    /// Where the database's password is kept; only `PostgreSQL` has one.
    pub password: Option<SecretRef>,
    /// How long the history of a run that is over is kept.
    pub keep: Duration,
}

/// The database of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerUrl {
    /// A file in the state directory.
    Sqlite(PathBuf),
    /// A `PostgreSQL` database, without a password.
    Postgres(url::Url),
}

/// A directory in which runs appear.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its name.
    pub name: String,
    /// The directory below which the runs lie.
    pub directory: PathBuf,
    /// The preset that filled what is not set.
    pub preset: String,
    /// Matches a run's whole path below `directory`; its named groups become parameters.
    pub pattern: Pattern,
    /// When a run is complete.
    pub ready: Condition,
    /// Files without which no run is complete.
    pub requires: Vec<FileGlob>,
    /// How long a complete run must be unchanged.
    pub settle: Duration,
    /// After how long an incomplete run counts as stalled.
    pub max_wait: Duration,
    /// Where its metadata come from, merged in order.
    pub parameters: Vec<Reader>,
    /// Names that are never runs.
    pub ignore: GlobSet,
    /// What becomes of runs that are there at the very first start.
    pub existing: Existing,
    /// Above it, the notebooks of further runs are held; 0 is no limit.
    pub max_new_per_hour: u32,
    /// Between two listings.
    pub poll_every: Duration,
}

/// The parameters that nothing read can replace.
pub const BUILT_IN: [&str; 3] = ["run_name", "run_dir", "watch"];

/// Where metadata come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A file.
    File {
        /// Absolute, or relative to the run directory; a glob, with placeholders.
        file: String,
        /// How it is read.
        format: Format,
        /// Whether a run is complete without it.
        optional: bool,
        /// The parameters to take, and where in the file each is; `None` takes every key.
        keys: Option<Vec<(String, String)>>,
    },
    /// What a command prints, as JSON; its arguments may hold placeholders.
    Command(Vec<String>),
}

/// A glob for files of a run, or anywhere by its whole path; `{name}` stands for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGlob(pub String);

/// When a run is complete.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A file matches one of these globs.
    Marker(Vec<FileGlob>),
    /// Nothing in the run has changed for so long, as observed.
    Quiet(Duration),
    /// As soon as it is there.
    Appears,
    /// A metadata file has this entry.
    Content(Content),
    /// A later run has begun, so long ago.
    Superseded(Duration),
    /// The number in this file has reached the run's; relative to the watch directory.
    Counter(PathBuf),
    /// Only a trigger file or `submit` says so.
    External,
    /// One of these.
    Any(Vec<Condition>),
    /// All of these.
    All(Vec<Condition>),
}

/// An entry of a metadata file that says that the run is over.
#[derive(Clone, Debug)]
pub struct Content {
    /// The file, named as a metadata file is.
    pub file: String,
    /// How it is written.
    pub format: Format,
    /// The entry: a key, or keys with dots between them.
    pub key: String,
    /// Its value as text; `None` is any.
    pub equals: Option<String>,
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |conditions: &[Self], word: &str| {
            let each: Vec<String> = conditions.iter().map(ToString::to_string).collect();
            each.join(word)
        };
        match self {
            Self::Marker(globs) => {
                let globs: Vec<&str> = globs.iter().map(|glob| glob.0.as_str()).collect();
                write!(f, "{} appears", globs.join(" or "))
            }
            Self::Quiet(quiet) => write!(f, "nothing has changed for {} s", quiet.as_secs_f64()),
            Self::Appears => f.write_str("it appears"),
            Self::Content(Content {
                file, key, equals, ..
            }) => match equals {
                None => write!(f, "{file} has `{key}`"),
                Some(value) => write!(f, "{file} has `{key}` = {value}"),
            },
            Self::Superseded(grace) => {
                write!(f, "a later run began {} s ago", grace.as_secs_f64())
            }
            Self::Counter(file) => write!(f, "{} has reached its number", file.display()),
            Self::External => f.write_str("a trigger file or `nbcourier submit` says so"),
            Self::Any(conditions) => f.write_str(&list(conditions, ", or ")),
            Self::All(conditions) => f.write_str(&list(conditions, ", and ")),
        }
    }
}

/// What becomes of runs that are there at the very first start of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They are remembered, not delivered.
    Ignore,
    /// They are delivered.
    All,
    /// Those that began at or after this time (milliseconds since 1970, UTC) are delivered.
    Since(i64),
    /// The newest so many are delivered.
    Last(usize),
}

/// A template and what is made of it.
#[derive(Clone, Debug)]
pub struct Notebook {
    /// Its name.
    pub name: String,
    /// Where its template lies.
    pub template: Source,
    /// Pattern of the notebook's file name.
    pub file_name: String,
    /// Watches whose runs get it; `None` is all, the spool included.
    pub watches: Option<Vec<String>>,
    /// Destinations it goes to; `None` is all.
    pub to: Option<Vec<String>>,
    /// An expression over the run's parameters; `None` is every run.
    pub when: Option<String>,
    /// Further parameters; strings may hold placeholders.
    pub parameters: Parameters,
    /// What becomes of parameters that the template doesn't declare.
    pub unknown: Unknown,
    /// When in the life of a run it is made.
    pub at: At,
}

/// When in the life of a run a notebook is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// When the run appears; only built-ins and named groups are known then.
    Begin,
    /// When it is complete.
    #[default]
    End,
}

/// Where a template lies; both may hold placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file on this machine.
    File(PathBuf),
    /// A file on the server of the notebook's user, below their root.
    Contents(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Contents(path) => write!(f, "contents:{path}"),
        }
    }
}

/// What becomes of parameters that a template doesn't declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// They are injected all the same, with a warning.
    #[default]
    Warn,
    /// They are injected silently.
    Inject,
    /// The job is held.
    Error,
}

//! Where notebooks go: one interface over hubs, servers, directories, machines and programs.

pub mod terms;

use std::path::Path;

use tokio::task::block_in_place;

use crate::auth::Credential;
use crate::command::{CommandPlace, Program};
use crate::config::checked::{self, Config, Kind};
use crate::failure::Failure;
use crate::jupyter::{Jupyter, JupyterPlace};
use crate::ledger::Ledger;
use crate::path::Directory;
use crate::superfacility::{Superfacility, SuperfacilityPlace};
pub use terms::{About, Accepted, Choices, Found, Report, TOKEN_ENDS, Wanted, Warning, temporary};

/// A destination that can be asked and delivered to.
pub enum Destination {
    /// A `JupyterHub` or a plain Jupyter Server.
    Jupyter(Box<Jupyter>),
    /// A directory.
    Directory(Directory),
    /// A machine of NERSC.
    Superfacility(Box<Superfacility>),
    /// A program.
    Program(Program),
}

impl Destination {
    /// Prepares a destination; asks nothing yet. With a `ledger`, users' servers are started at the
    /// pace that all who use it share; without one, whenever they are needed.
    ///
    /// # Errors
    /// When its certificate authorities can't be read.
    pub fn new(
        config: &Config,
        table: &checked::Destination,
        ledger: Option<&Ledger>,
    ) -> Result<Self, Failure> {
        Ok(match &table.kind {
            Kind::Command(command) => Self::Program(Program::new(config, table, command)?),
            Kind::Path { root, open } => Self::Directory(Directory::new(root, open.as_deref())),
            Kind::Hub(_) | Kind::Server(_) => {
                let jupyter = Jupyter::new(config, table, ledger.cloned())?;
                Self::Jupyter(Box::new(jupyter))
            }
            Kind::Superfacility(facility) => {
                let facility = Superfacility::new(config, table, facility)?;
                Self::Superfacility(Box::new(facility))
            }
        })
    }

    /// What its calls are signed by, if by anything.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Jupyter(jupyter) => Some(jupyter.credential()),
            Self::Superfacility(facility) => Some(facility.credential()),
            Self::Program(program) => program.credential(),
            Self::Directory(_) => None,
        }
    }

    /// Whether everything is there that a delivery for `user` needs. Starts and writes nothing.
    ///
    /// # Errors
    /// What a delivery would meet.
    pub async fn probe(
        &self,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<Report, Failure> {
        match self {
            Self::Jupyter(jupyter) => jupyter.probe(user, memory).await,
            Self::Directory(directory) => block_in_place(|| directory.probe()),
            Self::Superfacility(facility) => facility.probe().await,
            Self::Program(program) => program.probe(user).await,
        }
    }

    /// Whether it answers at all, which is no sign of life of any user there; the last report with
    /// what is new of it.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub async fn glance(&self, last: Report) -> Result<Report, Failure> {
        match self {
            Self::Jupyter(jupyter) => jupyter.glance(last).await,
            _ => Ok(last),
        }
    }

    /// What it lets choose from, and what is chosen wrongly; `None` where there is nothing of the
    /// kind. Starts and writes nothing.
    pub async fn choices(&self) -> Option<Choices> {
        match self {
            Self::Jupyter(jupyter) => jupyter.choices().await,
            _ => None,
        }
    }

    /// Authenticates, makes sure that the user's server runs, and returns a place to create in.
    ///
    /// # Errors
    /// Whatever stands between the daemon and a running server.
    pub async fn open(
        &self,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<Place<'_>, Failure> {
        Ok(match self {
            Self::Jupyter(jupyter) => Place::Jupyter(jupyter.open(user, memory).await?),
            Self::Directory(directory) => Place::Directory(directory),
            Self::Superfacility(facility) => Place::Superfacility(facility.open().await?),
            Self::Program(program) => Place::Command(program.open(user)),
        })
    }
}

/// A user's root, ready to create in. Paths are relative to it, with `/`.
pub enum Place<'a> {
    /// On a Jupyter server.
    Jupyter(JupyterPlace<'a>),
    /// In a directory.
    Directory(&'a Directory),
    /// On a machine of NERSC; its root is that of the machine.
    Superfacility(SuperfacilityPlace<'a>),
    /// By a program.
    Command(CommandPlace<'a>),
}

impl Place<'_> {
    /// What stands at `path`: this job's notebook if its hash or its embedded job id says so.
    ///
    /// # Errors
    /// When it can't be told.
    pub async fn look(&self, path: &str, wanted: &Wanted<'_>) -> Result<Found, Failure> {
        match self {
            Self::Jupyter(place) => place.look(path, wanted).await,
            Self::Directory(directory) => block_in_place(|| directory.look(path, wanted)),
            Self::Superfacility(place) => place.look(path, wanted).await,
            Self::Command(place) => Ok(place.look()),
        }
    }

    /// Creates a notebook at a path where nothing stood; never replaces anything.
    ///
    /// # Errors
    /// `name-taken` if something stands there by now; `answer-lost` if it isn't known.
    pub async fn place(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        match self {
            Self::Jupyter(place) => place.place(path, wanted).await,
            Self::Directory(directory) => block_in_place(|| directory.place(path, wanted)),
            Self::Superfacility(place) => place.place(path, wanted).await,
            Self::Command(place) => place.place(path, wanted).await,
        }
    }

    /// The bytes of a text file; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be told.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Jupyter(place) => place.read(path).await,
            Self::Directory(directory) => block_in_place(|| directory.read(path)),
            Self::Superfacility(place) => place.read(path).await,
            Self::Command(_) => Ok(None),
        }
    }

    /// Removes what an earlier attempt of the job left beside `path` under its temporary name.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn sweep(&self, path: &str, job: &str) -> Result<(), Failure> {
        self.remove(&temporary(path, job)).await.map(drop)
    }

    /// Removes a file of our own making; fine if it isn't there. Whether this place can do so: one
    /// that can't never has temporary files.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn remove(&self, path: &str) -> Result<bool, Failure> {
        match self {
            Self::Jupyter(place) => place.remove(path).await?,
            Self::Directory(directory) => block_in_place(|| directory.remove(path))?,
            Self::Command(place) => place.remove(path)?,
            Self::Superfacility(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Where a notebook for trying out goes: always the same where it can't be removed.
    #[must_use]
    pub fn test_path(&self, id: &str) -> String {
        match self {
            Self::Superfacility(place) => place.test_path(),
            _ => format!("nbcourier-check-{id}.ipynb"),
        }
    }

    /// The jobs whose temporary names stand in a directory.
    ///
    /// # Errors
    /// When the directory is there and can't be listed.
    pub async fn leftovers(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let names = match self {
            Self::Jupyter(place) => place.list(directory).await?,
            Self::Directory(root) => block_in_place(|| root.list(directory))?,
            Self::Superfacility(_) => Vec::new(),
            Self::Command(place) => place.leftovers(),
        };
        Ok(names.iter().filter_map(|name| owner(name)).collect())
    }

    /// Where a person opens the notebook, if that can be told.
    #[must_use]
    pub fn url(&self, path: &str) -> Option<String> {
        match self {
            Self::Jupyter(place) => Some(place.url(path)),
            Self::Directory(directory) => directory.url(path),
            Self::Superfacility(place) => Some(place.url(path)),
            Self::Command(place) => place.url(path),
        }
    }

    /// Says that a delivery there is over.
    pub async fn leave(&self) {
        if let Self::Jupyter(place) = self {
            place.leave().await;
        }
    }

    /// The user; empty for a directory.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Jupyter(place) => place.user(),
            Self::Directory(_) => "",
            Self::Superfacility(place) => place.user(),
            Self::Command(place) => place.user(),
        }
    }
}

/// The job of a temporary name.
fn owner(name: &str) -> Option<String> {
    let name = Path::new(name).file_name()?.to_str()?;
    name.strip_prefix("nbcourier-")?
        .strip_suffix(".part")
        .map(str::to_owned)
}

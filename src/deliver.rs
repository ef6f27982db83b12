//! One attempt to deliver one job: render, open the destination, create.
//!
//! A few short idempotent steps; the process may be killed between any two. What follows from a
//! failure is not decided here.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::config::checked;
use crate::destination::{Accepted, Destination, Found, Place, Report, Wanted};
use crate::failure::{Code, Failure};
use crate::health::Health;
use crate::job::{Created, Order, Outcome};
use crate::ledger::{Claimed, Ledger};
use crate::notebook::{self, NotebookCode, NotebookError, Stamp, Template};
use crate::run::Parameters;

/// Built-in parameters, injected only where the template declares them.
const BUILT_IN: [&str; 4] = ["run_name", "run_dir", "watch", "date"];

/// Numbers that are tried for a taken name before a person is asked.
const NUMBERS: u32 = 1000;

/// All that deliveries share.
pub struct Desk {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// The board of troubles.
    pub health: Arc<Health>,
    /// The destinations by name; one that can't be used says why.
    pub destinations: HashMap<String, Result<Destination, Failure>>,
    /// Deliveries at once, by destination.
    permits: HashMap<String, Semaphore>,
    /// Directories in which old temporary names have been looked for since the start.
    swept: Mutex<HashSet<String>>,
    /// Destinations whose jobs wait for an outage to end.
    troubled: Mutex<HashSet<String>>,
}

impl Desk {
    /// Opens the destinations of a configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, ledger: Ledger, health: Arc<Health>) -> Self {
        let contact = config.contact.as_deref();
        let open = |d: &checked::Destination| {
            (d.name.clone(), Destination::new(d, &config.paces, contact))
        };
        let permits = |d: &checked::Destination| (d.name.clone(), Semaphore::new(d.concurrency));
        Self {
            destinations: config.destinations.iter().map(open).collect(),
            permits: config.destinations.iter().map(permits).collect(),
            config,
            ledger,
            health,
            swept: Mutex::default(),
            troubled: Mutex::default(),
        }
    }

    /// The destination of that name.
    ///
    /// # Errors
    /// `destination-removed`, or why it can't be used.
    pub fn destination(&self, name: &str) -> Result<&Destination, Failure> {
        match self.destinations.get(name) {
            Some(destination) => destination.as_ref().map_err(Clone::clone),
            None => Err(Code::DestinationRemoved.failure(format!(
                "[destination.{name}] is no longer in the configuration"
            ))),
        }
    }

    /// Asks a destination whether all is there that a delivery needs, for this user or the first
    /// it may act for, and remembers the credential that it accepted.
    ///
    /// # Errors
    /// What a delivery would meet.
    pub async fn probe(&self, name: &str, user: Option<&str>) -> Result<Report, Failure> {
        let destination = self.destination(name)?;
        let table = self.config.destination(name);
        let first = table.and_then(|table| table.users.first().or(table.user.as_ref()));
        let memory = self.ledger.last_accepted(name).await.ok().flatten();
        let memory = memory.map(|(fingerprint, at, _)| Accepted {
            fingerprint,
            at: crate::status::time(at),
        });
        let report = destination
            .probe(user.or(first.map(String::as_str)), memory.as_ref())
            .await?;
        if let Some(fingerprint) = &report.token_fingerprint {
            let expires_at = report.token_expires_at.as_deref();
            if let Err(error) = self.ledger.accepted(name, fingerprint, expires_at).await {
                tracing::debug!(%error, "the accepted credential is not remembered");
            }
        }
        Ok(report)
    }

    /// The credential that a destination accepted last.
    async fn memory(&self, name: &str) -> Option<Accepted> {
        let (fingerprint, at, _) = self.ledger.last_accepted(name).await.ok().flatten()?;
        Some(Accepted {
            fingerprint,
            at: crate::status::time(at),
        })
    }

    /// Notes that jobs for this destination wait for an outage to end.
    pub fn troubled(&self, destination: &str) {
        if let Ok(mut troubled) = self.troubled.lock() {
            troubled.insert(destination.to_owned());
        }
    }

    /// After a success: what waited for an outage to end is due now.
    pub async fn recovered(&self, destination: &str) {
        let was = self
            .troubled
            .lock()
            .is_ok_and(|mut troubled| troubled.remove(destination));
        if was && let Err(error) = self.ledger.hurry(destination, crate::ledger::now()).await {
            tracing::debug!(%error, "waiting jobs keep their times");
        }
    }
}

/// Delivers one job.
pub async fn deliver(desk: &Desk, job: &Claimed) -> Outcome {
    match attempt(desk, job).await {
        Ok((created, url)) => Outcome::Delivered(created, url),
        Err(failure) => Outcome::Failed(failure),
    }
}

async fn attempt(desk: &Desk, job: &Claimed) -> Result<(Created, Option<String>), Failure> {
    let destination = desk.destination(&job.order.destination)?;
    let user = user_of(&desk.config, job)?;
    let notebook = render(&desk.config, &job.order)?;
    let place = destination
        .open(
            user.as_deref(),
            desk.memory(&job.order.destination).await.as_ref(),
        )
        .await?;
    let permit = desk
        .permits
        .get(&job.order.destination)
        .map(Semaphore::acquire);
    let _permit = match permit {
        Some(permit) => permit.await.ok(),
        None => None,
    };
    sweep_once(desk, job, &place, &notebook.path).await?;
    create(desk, job, &place, &notebook).await
}

/// A notebook ready to be created.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The path asked for, below the user's root.
    pub path: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their sha256.
    pub sha256: String,
    /// The template's sha256.
    pub template_sha256: String,
}

/// Renders the notebook of a job as it would be delivered now.
///
/// # Errors
/// `notebook-removed`, `template-invalid`, `parameter-missing`, `parameter-invalid`.
pub fn render(config: &Config, job: &Order) -> Result<Rendered, Failure> {
    let Some(table) = config.notebook(&job.notebook) else {
        let what = format!(
            "[notebook.{}] is no longer in the configuration",
            job.notebook
        );
        return Err(Code::NotebookRemoved.failure(what));
    };
    let Some(destination) = config.destination(&job.destination) else {
        let what = format!(
            "[destination.{}] is no longer in the configuration",
            job.destination
        );
        return Err(Code::DestinationRemoved.failure(what));
    };
    let template = read_template(&table.template)?;
    let named =
        |error: NotebookError| notebook_failure(&format!("[notebook.{}]", table.name), &error);
    let parameters = parameters(&template, table, &job.parameters).map_err(named)?;
    let stamp = Stamp {
        job: Some(&job.uid),
        run: Some(&job.run),
        watch: Some(&job.watch),
    };
    let bytes = notebook::render(&template, &parameters, &stamp).map_err(named)?;
    let directory =
        notebook::expand_path(&destination.directory, &job.parameters).map_err(named)?;
    let file = notebook::expand_path(&table.file_name, &job.parameters).map_err(named)?;
    if file.strip_suffix(".ipynb").is_none_or(str::is_empty) {
        let what = format!(
            "`name` of [notebook.{}] gives `{file}`, which is no notebook's name",
            table.name
        );
        return Err(Code::NameUnusable.failure(what));
    }
    Ok(Rendered {
        path: if directory.is_empty() {
            file
        } else {
            format!("{directory}/{file}")
        },
        sha256: notebook::sha256(&bytes),
        bytes,
        template_sha256: template.sha256().to_owned(),
    })
}

/// Reads a template from disk.
///
/// # Errors
/// `template-invalid`, naming the file.
pub fn read_template(path: &Path) -> Result<Template, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Code::TemplateInvalid.failure(format!(
            "the template {} can't be read: {error}",
            path.display()
        ))
    })?;
    Template::parse(&bytes)
        .map_err(|error| notebook_failure(&format!("the template {}", path.display()), &error))
}

/// What goes into the cell: the run's parameters, built-ins only where declared, then the table's.
fn parameters(
    template: &Template,
    table: &checked::Notebook,
    run: &Parameters,
) -> Result<Parameters, NotebookError> {
    let wanted = |name: &str| !BUILT_IN.contains(&name) || template.declares(name);
    let mut all: Parameters = run
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    for (name, value) in &table.parameters {
        all.insert(name.clone(), notebook::expand_value(value, run)?);
    }
    Ok(all)
}

fn notebook_failure(place: &str, error: &NotebookError) -> Failure {
    let code = match error.code {
        NotebookCode::TemplateInvalid => Code::TemplateInvalid,
        NotebookCode::ParameterInvalid => Code::ParameterInvalid,
        NotebookCode::ParameterMissing => Code::ParameterMissing,
    };
    let failure = code.failure(format!("{place}: {}", error.what));
    if error.advice.is_empty() {
        failure
    } else {
        failure.advise(error.advice.clone())
    }
}

/// The user a job is for; `None` is the credential's owner.
fn user_of(config: &Config, job: &Claimed) -> Result<Option<String>, Failure> {
    let Some(destination) = config.destination(&job.order.destination) else {
        return Ok(None);
    };
    let user = match (&destination.user, job.user.as_str()) {
        (None, "") => return Ok(None),
        (Some(pattern), "") => {
            notebook::expand(pattern, &job.order.parameters).map_err(|error| {
                notebook_failure(
                    &format!("`user` of [destination.{}]", destination.name),
                    &error,
                )
            })?
        }
        (_, user) => user.to_owned(),
    };
    let allowed = destination.users.contains(&user) || destination.user.as_ref() == Some(&user);
    if allowed {
        return Ok(Some(user));
    }
    let what = format!(
        "`{user}` is not among `users` of [destination.{}]",
        destination.name
    );
    Err(Code::UserRefused.failure(what))
}

/// The lowest free name: ours → done; taken → the next number; absent → created.
async fn create(
    desk: &Desk,
    job: &Claimed,
    place: &Place<'_>,
    notebook: &Rendered,
) -> Result<(Created, Option<String>), Failure> {
    let uid = job.order.uid.as_str();
    let wanted = Wanted {
        job: uid,
        bytes: &notebook.bytes,
        sha256: &notebook.sha256,
    };
    let numbered = (2..NUMBERS).map(|n| notebook::number(&notebook.path, n));
    let names = job
        .path
        .iter()
        .cloned()
        .chain([notebook.path.clone()])
        .chain(numbered);
    for path in names {
        match place.look(&path, &wanted).await? {
            Found::Taken => continue,
            Found::Ours => {
                place.sweep(&path, uid).await?;
                return Ok((Created::AlreadyThere, place.url(&path)));
            }
            Found::Absent => {}
        }
        let hashes = (notebook.template_sha256.as_str(), notebook.sha256.as_str());
        let recorded = desk.ledger.record_target(job, &path, hashes).await;
        let ours = recorded.map_err(|error| Code::LedgerUnwritable.failure(error.to_string()))?;
        if !ours {
            return Err(Code::Internal.failure("the job was taken away meanwhile"));
        }
        place.place(&path, &wanted).await?;
        let plain = path == notebook.path;
        let created = if plain {
            Created::Created
        } else {
            Created::Numbered
        };
        return Ok((created, place.url(&path)));
    }
    Err(Code::NameUnusable.failure(format!(
        "{} and its numbers up to {NUMBERS} are all taken at {}",
        notebook.path, job.order.destination
    )))
}

/// Removes what a killed daemon left in this directory, once a start; only names of jobs that the
/// ledger knows and that are not on their way, since others may share the directory.
async fn sweep_once(
    desk: &Desk,
    job: &Claimed,
    place: &Place<'_>,
    path: &str,
) -> Result<(), Failure> {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let key = format!("{}\n{}\n{directory}", job.order.destination, place.user());
    let fresh = desk.swept.lock().is_ok_and(|swept| !swept.contains(&key));
    if !fresh {
        return Ok(());
    }
    let left = place.leftovers(directory).await?;
    let ours = desk.ledger.not_delivering(&left).await;
    for uid in ours.map_err(|error| Code::LedgerUnwritable.failure(error.to_string()))? {
        place.sweep(path, &uid).await?;
    }
    if let Ok(mut swept) = desk.swept.lock() {
        swept.insert(key);
    }
    Ok(())
}

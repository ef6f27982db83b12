//! One attempt to deliver one job: render, open the destination, create.
//!
//! A few short idempotent steps; the process may be killed between any two. What follows from a
//! failure is not decided here.

mod desk;
mod render;
mod template;

use std::time::Duration;

use crate::config::Config;
use crate::config::checked::Notebook;
use crate::destination::{About, Found, Place, Wanted};
use crate::failure::{Code, Failure};
use crate::job::{Created, Outcome};
use crate::ledger::{Claimed, LedgerError, Step, Target};
use crate::notebook;
pub use desk::Desk;
pub use render::{Rendered, describe_unknown, render};
use template::newest;
pub use template::{Chosen, at_hand, survey};

/// Numbers that are tried for a taken name before a person is asked.
const NUMBERS: u32 = 1000;

/// Between two looks whether there is room at a destination.
const FULL: Duration = Duration::from_millis(100);

/// Delivers one job.
pub async fn deliver(desk: &Desk, job: &Claimed) -> Outcome {
    match attempt(desk, job).await {
        Ok((created, url)) => Outcome::Delivered(created, url),
        Err(outcome) => outcome,
    }
}

async fn attempt(desk: &Desk, job: &Claimed) -> Result<(Created, Option<String>), Outcome> {
    let destination = desk.destination(&job.order.destination)?;
    let user = user_of(&desk.config, job)?;
    let (chosen, table) = Chosen::for_order(&desk.config, &job.order)?;
    // What can be told without the network is told before a server is started.
    let early = match &chosen {
        Chosen::File { path, .. } => {
            let _turn = desk.turn().await;
            enter(desk, job, Step::Local).await?;
            let read = at_length(|| template::read_file(path));
            Some(rendered(desk, job, table, &chosen, read).await?)
        }
        Chosen::Contents(_) => {
            desk.is_rendered(job.id);
            None
        }
    };
    let memory = desk.memory(&job.order.destination).await;
    // A server may take minutes to start; it goes on doing so when nobody waits for it.
    let place = tokio::select! {
        place = destination.open(user.as_deref(), memory.as_ref()) => place?,
        () = desk.stopped() => return Err(Outcome::Interrupted),
    };
    let notebook = match early {
        Some(notebook) => notebook,
        None => {
            let read = place.read(chosen.path()).await?;
            let read = read.ok_or_else(|| "there is no such file, or it isn't text".to_owned());
            let _turn = desk.turn().await;
            enter(desk, job, Step::Local).await?;
            rendered(desk, job, table, &chosen, read).await?
        }
    };
    let _permits = desk.permit(&job.order.destination, &job.user).await;
    sweep_once(desk, job, &place, &notebook.path).await?;
    let created = create(desk, job, &place, (&notebook, chosen.path())).await;
    place.leave().await;
    Ok(created?)
}

/// Records what the job does now; an error if it is no longer ours.
async fn enter(desk: &Desk, job: &Claimed, step: Step) -> Result<(), Failure> {
    let ours = desk.ledger.step(job, step).await;
    if !ours.map_err(unwritable)? {
        return Err(lost());
    }
    match step {
        Step::Local => desk.begins(job.id),
        Step::Network => desk.is_rendered(job.id),
    }
    Ok(())
}

fn unwritable(error: LedgerError) -> Failure {
    Code::LedgerUnwritable.failure(error.to_string())
}

fn lost() -> Failure {
    Code::LeaseLost.failure("the job was taken away meanwhile")
}

/// Does what may take seconds on this thread, from which others take over all else: whoever is next
/// to write into the ledger must not wait for it.
fn at_length<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Renders by the newest good version of the template.
async fn rendered(
    desk: &Desk,
    job: &Claimed,
    table: &Notebook,
    chosen: &Chosen,
    read: Result<Vec<u8>, String>,
) -> Result<Rendered, Failure> {
    let source = chosen.source(&job.order.destination, &job.user);
    let template = newest((&desk.ledger, &desk.health), chosen, &source, read).await?;
    let notebook = at_length(|| render(&desk.config, table, template, &job.order))?;
    if let Some(warning) = &notebook.warning {
        desk.warn_once(warning);
    }
    enter(desk, job, Step::Network).await?;
    Ok(notebook)
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
                render::notebook_failure(
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
    (notebook, template): (&Rendered, &str),
) -> Result<(Created, Option<String>), Failure> {
    let uid = job.order.uid.as_str();
    let wanted = wanted(job, notebook, template);
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
        record(desk, job, &path, hashes).await?;
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

fn wanted<'a>(job: &'a Claimed, notebook: &'a Rendered, template: &'a str) -> Wanted<'a> {
    let about = About {
        run: &job.order.run,
        watch: &job.order.watch,
        notebook: &job.order.notebook,
        template,
        template_sha256: &notebook.template_sha256,
        parameters: &job.order.parameters,
    };
    Wanted {
        job: &job.order.uid,
        bytes: &notebook.bytes,
        sha256: &notebook.sha256,
        recorded: job.path.as_deref(),
        about: Some(about),
    }
}

/// Records the target, as soon as not too many are being created there by all machines.
async fn record(
    desk: &Desk,
    job: &Claimed,
    path: &str,
    hashes: (&str, &str),
) -> Result<(), Failure> {
    let most = desk.most(&job.order.destination);
    loop {
        let recorded = desk.ledger.record_target(job, path, hashes, most).await;
        match recorded.map_err(unwritable)? {
            Target::Recorded => return Ok(()),
            Target::Lost => return Err(lost()),
            Target::Full => tokio::time::sleep(FULL).await,
        }
    }
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
    for uid in ours.map_err(unwritable)? {
        place.sweep(path, &uid).await?;
    }
    if let Ok(mut swept) = desk.swept.lock() {
        swept.insert(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::assert_told;

    #[test]
    fn what_comes_between_a_job_and_its_record_is_told() {
        let full = LedgerError::Io("/var/lib/nbcourier/ledger.db: the ledger: disk is full".into());
        let told = [
            (
                "a ledger that can't be written".to_owned(),
                unwritable(full),
            ),
            ("a job that another machine has".to_owned(), lost()),
        ];
        assert_told("ledger", told);
    }
}

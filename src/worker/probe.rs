//! Finding out that the cause of a hold is gone: by its probe at a fixed pace, and at once when the
//! secret or template behind it has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Worker;
use crate::deliver::{self, Chosen, Desk};
use crate::destination::{Report, TOKEN_ENDS, Warning};
use crate::failure::{Class, Code, Probe};
use crate::job::millis;
use crate::ledger::{Hold, LedgerError, now};

/// A larger template is read only for a job: read, it takes many times as much memory, and only the
/// ends of a daemon in the middle of a job are counted. Bytes.
const LARGE: u64 = 8 << 20;

/// What a file looked like when a hold was first seen.
type Version = Option<(SystemTime, u64)>;

/// What the probes remember between two rounds.
#[derive(Default)]
pub(super) struct Probes {
    versions: HashMap<i64, Version>,
    surveyed: HashMap<String, (Instant, Version)>,
    templates: HashMap<String, Version>,
}

impl Probes {
    /// How long a changed file may stay unnoticed, in time of the probes.
    pub(super) fn pause(desk: &Desk) -> Duration {
        desk.config.paces.probe / 60
    }

    /// Asks every destination at start, hourly, and when its secret has changed: so a refused
    /// token is known before the first run ends, its end in time, and a once accepted one is
    /// remembered. On the hour nothing is asked that keeps a user alive ([`Desk::survey`]).
    pub(super) fn survey(&mut self, desk: &Arc<Desk>, worker: &mut Worker) {
        for table in &desk.config.destinations {
            let version = of_credential(desk, &table.name);
            let known = self.surveyed.get(&table.name);
            let well = !desk.health.is_up(&trouble_of(&table.name));
            let pause = desk.config.paces.probe * if well { 60 } else { 1 };
            if known.is_some_and(|(at, seen)| at.elapsed() < pause && *seen == version) {
                continue;
            }
            let is_routine = well && known.is_some_and(|(_, seen)| *seen == version);
            self.surveyed
                .insert(table.name.clone(), (Instant::now(), version));
            let (desk, name) = (desk.clone(), table.name.clone());
            worker.tasks.spawn(async move {
                survey(&desk, &name, is_routine).await;
            });
        }
    }

    /// Looks at every template file at start and whenever it has changed: a broken one is known
    /// before the next run ends, and a good one is kept for the day it isn't. A large one waits for
    /// its job.
    pub(super) fn survey_templates(&mut self, desk: &Arc<Desk>, worker: &mut Worker) {
        for template in desk.config.notebooks.iter().filter_map(Chosen::fixed) {
            let version = file(&template);
            let known = self.templates.insert(template.path().to_owned(), version);
            if known == Some(version) || is_large(version) {
                continue;
            }
            let desk = desk.clone();
            worker.tasks.spawn(async move {
                deliver::survey(&desk.ledger, &desk.health, &template).await;
            });
        }
    }

    /// Starts the probes that are due.
    pub(super) async fn start_due(&mut self, desk: &Arc<Desk>, worker: &mut Worker) {
        // The next round asks again; the worker's own claim reports a ledger in trouble.
        let Ok(holds) = desk.ledger.holds().await else {
            return;
        };
        self.versions
            .retain(|id, _| holds.iter().any(|hold| hold.id == *id));
        for hold in holds {
            let version = version(desk, &hold);
            let seen = self.versions.insert(hold.id, version);
            let changed = match seen {
                Some(seen) => seen != version,
                None => is_since(version, hold.since),
            };
            if (changed || hold.next_probe_at <= desk.ledger.now())
                && let Err(error) = start(desk, worker, hold, changed).await
            {
                tracing::debug!(%error, "a probe could not be started");
            }
        }
    }
}

fn file(template: &Chosen) -> Version {
    let facts = std::fs::metadata(template.path()).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

fn is_large(version: Version) -> bool {
    version.is_some_and(|(_, bytes)| bytes > LARGE)
}

/// Whether a file was changed after this time (milliseconds since 1970, UTC), while nobody looked.
fn is_since(version: Version, time: i64) -> bool {
    let modified = version.and_then(|(at, _)| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    // One of the future tells nothing.
    modified.is_some_and(|at| (time + 1..=now()).contains(&millis(at)))
}

fn version(desk: &Desk, hold: &Hold) -> Version {
    match (&hold.notebook, &hold.destination) {
        (Some(notebook), _) => file(&Chosen::fixed(desk.config.notebook(notebook)?)?),
        (None, Some(destination)) => of_credential(desk, destination),
        (None, None) => None,
    }
}

/// The secret behind a destination's credential.
fn of_credential(desk: &Desk, destination: &str) -> Version {
    desk.destination(destination).ok()?.credential()?.version()
}

/// The key of a destination's trouble on the board.
pub(super) fn trouble_of(destination: &str) -> String {
    format!("destination {destination}")
}

async fn survey(desk: &Desk, name: &str, is_routine: bool) {
    let warning = format!("warning {name}");
    match desk.survey(name, is_routine).await {
        Ok(report) => {
            desk.health.clear(&trouble_of(name));
            tell_end(desk, name, &report);
            returned(desk, name).await;
            if report.troubles().next().is_none() {
                desk.health.clear(&warning);
            } else {
                let join = |of: fn(&Warning) -> &str| {
                    let each: Vec<&str> = report.troubles().map(of).collect();
                    each.join("; ")
                };
                let what = join(|warning| &warning.what);
                desk.health.raise(
                    &warning,
                    "destination-warning",
                    format!("[destination.{name}]: {what}"),
                    join(|warning| &warning.advice),
                );
            }
        }
        Err(failure) => {
            let what = format!("[destination.{name}]: {}", failure.what);
            desk.health.raise(
                &trouble_of(name),
                failure.code.as_str(),
                what,
                failure.advice(),
            );
        }
    }
}

/// A token that a person has to replace soon.
fn tell_end(desk: &Desk, name: &str, report: &Report) {
    let key = format!("token {name}");
    match report.ending(jiff::Timestamp::now()) {
        None => desk.health.clear(&key),
        Some(ending) => {
            let what = format!("[destination.{name}]: {ending}");
            desk.health.raise(&key, "token-expires", what, TOKEN_ENDS);
        }
    }
}

/// A destination that was in trouble answers.
async fn returned(desk: &Desk, name: &str) {
    let returned = async {
        match desk.ledger.is_troubled(name).await? {
            true => desk.ledger.returned(name, desk.ledger.now()).await,
            false => Ok(()),
        }
    };
    if let Err(error) = returned.await {
        tracing::debug!(%error, "waiting jobs keep their times");
    }
}

/// The next probe is planned before this one begins, so that none runs twice.
async fn start(
    desk: &Arc<Desk>,
    worker: &mut Worker,
    hold: Hold,
    changed: bool,
) -> Result<(), LedgerError> {
    let first_since_start = hold.next_probe_at == 0;
    desk.ledger
        .probe_later(hold.id, desk.ledger.now() + millis(desk.config.paces.probe))
        .await?;
    let probe = match Code::from_name(&hold.code).map(|code| code.row().class) {
        Some(Class::Hold(Probe::Template)) if is_large(version(desk, &hold)) => Probe::Try,
        Some(Class::Hold(probe)) => probe,
        // A code of another version: let a job tell.
        _ => Probe::Try,
    };
    match probe {
        Probe::Restart if !first_since_start => {}
        Probe::Changed if changed => desk.ledger.release(hold.id, desk.ledger.now()).await?,
        Probe::Person | Probe::Changed => {}
        Probe::Restart | Probe::Try => {
            let at = Instant::now();
            if let Some(job) = desk.ledger.claim_held(hold.id, desk.ledger.now()).await? {
                worker.start(desk, job, at);
            }
        }
        Probe::Destination | Probe::Template => {
            let desk = desk.clone();
            worker.tasks.spawn(async move {
                ask(&desk, &hold, probe).await;
            });
        }
    }
    Ok(())
}

async fn ask(desk: &Desk, hold: &Hold, probe: Probe) {
    let gone = match (probe, &hold.notebook, &hold.destination) {
        (Probe::Template, Some(notebook), _) => desk
            .config
            .notebook(notebook)
            .and_then(Chosen::fixed)
            .is_some_and(|template| template.read().is_ok()),
        (_, _, Some(destination)) => {
            let well = desk.probe(destination, hold.user.as_deref()).await.is_ok();
            if well {
                desk.health.clear(&trouble_of(destination));
                returned(desk, destination).await;
            }
            well
        }
        _ => false,
    };
    if gone && let Err(error) = desk.ledger.release(hold.id, desk.ledger.now()).await {
        tracing::warn!(%error, "a hold could not be released; the next probe tries again");
    }
}

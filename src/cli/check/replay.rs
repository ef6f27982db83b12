//! `nbcourier check --replay N`: what would become of the last runs, before the next ones come.

use std::collections::BTreeMap;

use super::super::Context;
use super::{Check, State};
use crate::config::Config;
use crate::deliver::{self, Chosen};
use crate::detect;
use crate::failure::Failure;
use crate::job::{self, Only, PlannedJob};
use crate::ledger::{Filter, Ledger};
use crate::run::{Parameters, SPOOL};

/// A run as it would be delivered now.
struct Replayed {
    watch: String,
    name: String,
    parameters: Parameters,
}

/// What became of the runs in one notebook table.
#[derive(Default)]
struct Tally {
    /// Runs that it is for.
    runs: usize,
    /// What failed, with the first run it failed for, and for how many.
    failures: BTreeMap<String, (Failure, String, usize)>,
    /// Warnings, each with the first run.
    warnings: BTreeMap<String, String>,
}

pub(super) async fn run(
    context: &Context,
    config: &Config,
    ledger: Option<&Ledger>,
    count: usize,
) -> Vec<Check> {
    let (runs, mut checks) = runs(config, ledger, count).await;
    if runs.is_empty() && checks.is_empty() {
        let advice = "make one by hand, or see whether `pattern` matches their names";
        return vec![Check::trouble(
            "replay",
            State::Warning,
            "there is no run yet",
            advice,
        )];
    }
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for (at, run) in runs.iter().enumerate() {
        context.output.progress("replaying run", at, runs.len());
        let jobs = job::plan(config, &run.watch, &run.parameters, &Only::default());
        for table in &config.notebooks {
            let tally = tallies.entry(&table.name).or_default();
            let mine: Vec<&PlannedJob> = jobs
                .iter()
                .filter(|job| job.notebook == table.name)
                .collect();
            tally.runs += usize::from(!mine.is_empty());
            for job in mine {
                attempt(config, ledger, run, job, tally).await;
            }
        }
    }
    for (table, tally) in tallies {
        checks.extend(tally.checks(&format!("replay {table}"), runs.len()));
    }
    checks
}

/// The newest runs, those from the spool where there are too few directories; and what is wrong
/// with their metadata.
async fn runs(
    config: &Config,
    ledger: Option<&Ledger>,
    count: usize,
) -> (Vec<Replayed>, Vec<Check>) {
    let (mut runs, mut checks) = (Vec::new(), Vec::new());
    for path in detect::newest_runs(config, count) {
        match detect::parameters_of(config, &path) {
            Ok(told) => runs.push(Replayed {
                watch: told.watch,
                name: told.name,
                parameters: told.parameters,
            }),
            Err(what) => {
                let advice =
                    "correct the file, or make it `optional`; the run isn't complete without it";
                checks.push(Check::trouble("replay", State::Failed, what, advice));
            }
        }
    }
    if let Some(ledger) = ledger {
        let known = ledger.runs(&Filter::default()).await.unwrap_or_default();
        let spooled = known.into_iter().filter(|run| run.watch == SPOOL);
        let room = count.saturating_sub(runs.len() + checks.len());
        runs.extend(spooled.take(room).map(|run| Replayed {
            watch: run.watch,
            name: run.name,
            parameters: run.parameters,
        }));
    }
    (runs, checks)
}

async fn attempt(
    config: &Config,
    ledger: Option<&Ledger>,
    run: &Replayed,
    job: &PlannedJob,
    tally: &mut Tally,
) {
    match render(config, ledger, run, job).await {
        Ok(warnings) => {
            for warning in warnings {
                tally
                    .warnings
                    .entry(warning)
                    .or_insert_with(|| run.name.clone());
            }
        }
        Err(failure) => {
            let known = tally.failures.entry(failure.what.clone());
            let (_, _, count) = known.or_insert_with(|| (failure, run.name.clone(), 0));
            *count += 1;
        }
    }
}

async fn render(
    config: &Config,
    ledger: Option<&Ledger>,
    run: &Replayed,
    job: &PlannedJob,
) -> Result<Vec<String>, Failure> {
    let order = job.dry_order(&run.watch, &run.name, &run.parameters);
    let (chosen, table) = Chosen::for_order(config, &order)?;
    let source = chosen.source(&job.destination, &job.user);
    let (template, remark) = deliver::at_hand(ledger, &chosen, &source).await?;
    let rendered = deliver::render(config, table, template, &order)?;
    Ok(remark.into_iter().chain(rendered.warning).collect())
}

impl Tally {
    fn checks(self, name: &str, runs: usize) -> Vec<Check> {
        let mut checks = Vec::new();
        for (failure, run, count) in self.failures.into_values() {
            let times = if count > 1 {
                format!(", and {} more", count - 1)
            } else {
                String::new()
            };
            let what = format!("{run}{times}: {} ({})", failure.what, failure.code.as_str());
            checks.push(Check::trouble(name, State::Failed, what, failure.advice()));
        }
        for (warning, run) in self.warnings {
            let advice = "nothing, if it is meant so";
            checks.push(Check::trouble(
                name,
                State::Warning,
                format!("{run}: {warning}"),
                advice,
            ));
        }
        if self.runs == 0 {
            let what = format!("none of the last {runs} runs gets it");
            let advice = "nothing, if `watch` and `when` are meant so";
            checks.push(Check::trouble(name, State::Warning, what, advice));
        } else if checks.iter().all(|check| check.state != State::Failed) {
            let what = format!("rendered for {} of the last {runs} runs", self.runs);
            checks.insert(0, Check::ok(name, what));
        }
        checks
    }
}

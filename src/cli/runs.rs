//! `nbcourier runs`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::{Context, Stop, choose, exit, output};
use crate::ledger::{Filter, Ledger};
use crate::status::json;

/// Runs listed without `--all`.
const SHOWN: i64 = 50;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these: a name or `watch:name`, in which `*` stands for any characters and `?` for one;
    /// a `run` parameter or a job's id
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Only runs in this state, or with a job in it
    #[arg(long, value_parser = ["acquiring", "ready", "ignored", "waiting", "delivering", "delivered", "held", "failed", "skipped"])]
    state: Option<String>,
    /// Only runs seen since: 8h, 2d, or a date such as 2026-11-01
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// All of them, not only the last 50
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let filter = Filter {
        state: arguments.state.clone(),
        since: arguments.since.as_deref().map(choose::since).transpose()?,
        limit: (!arguments.all).then_some(SHOWN),
    };
    let ledger = context.ledger(&config).await?;
    let runs = match arguments.runs.is_empty() {
        true => json::runs(&ledger, &filter).await?,
        false => chosen(&ledger, &arguments.runs, &filter).await?,
    };
    if context.output.json {
        context.output.value(&Value::Array(runs));
    } else {
        table(context, &runs);
    }
    Ok(exit::DONE)
}

/// The runs that are meant by these words, newest first.
async fn chosen(ledger: &Ledger, words: &[String], filter: &Filter) -> Result<Vec<Value>, Stop> {
    let mut meant = BTreeSet::new();
    for word in words {
        let runs = choose::listed(ledger, word).await?;
        let since = filter.since.unwrap_or(i64::MIN);
        let runs = runs.into_iter().filter(|run| run.seen_at >= since);
        meant.extend(runs.map(|run| run.id));
    }
    let most = filter.limit.and_then(|limit| usize::try_from(limit).ok());
    let wanted = |run: &Value| {
        let state = filter.state.as_deref();
        state.is_none_or(|state| is_in(run, state))
    };
    let mut runs = Vec::new();
    for id in meant.into_iter().rev() {
        if most == Some(runs.len()) {
            break;
        }
        if let Some(row) = ledger.numbered(id).await? {
            let run = json::run(&row, &ledger.jobs(id).await?);
            runs.extend(Some(run).filter(wanted));
        }
    }
    Ok(runs)
}

/// Whether a run, or a job of it, is in this state.
fn is_in(run: &Value, state: &str) -> bool {
    let mut jobs = run["jobs"].as_array().into_iter().flatten();
    run["state"] == state || jobs.any(|job| job["state"] == state)
}

/// One line a job, newest run first.
pub(super) fn table(context: &Context, runs: &[Value]) {
    match lines(runs, true) {
        lines if lines.is_empty() => context.output.note("no runs"),
        lines => lines.iter().for_each(|line| context.output.line(line)),
    }
}

/// The lines of the table, with times or without; none where there are no runs.
pub(super) fn lines(runs: &[Value], times: bool) -> Vec<String> {
    let mut rows = Vec::new();
    for run in runs {
        let jobs = run["jobs"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if jobs.is_empty() {
            let reason = run["reason"].as_str().unwrap_or_default();
            rows.push(row(
                run,
                &format!("{} {reason}", text(&run["state"])),
                "-",
                "",
            ));
        }
        for job in jobs {
            let destination = match job["user"].as_str() {
                Some(user) => format!("{}/{user}", text(&job["destination"])),
                None => text(&job["destination"]).to_owned(),
            };
            rows.push(row(run, text(&job["state"]), &destination, &detail(job)));
        }
    }
    let mut head = vec!["RUN", "SEEN", "STATE", "DESTINATION", "NOTEBOOK"];
    if rows.is_empty() {
        return vec![];
    }
    if !times {
        head.remove(1);
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
    }
    output::table(&head, rows)
}

fn row(run: &Value, state: &str, destination: &str, detail: &str) -> Vec<String> {
    let seen = text(&run["seen_at"]).parse::<Timestamp>().ok();
    let seen = seen.map(|seen| {
        seen.to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    });
    let cells = [
        text(&run["name"]),
        seen.as_deref().unwrap_or_default(),
        state.trim(),
        destination,
        detail,
    ];
    cells.into_iter().map(str::to_owned).collect()
}

fn detail(job: &Value) -> String {
    let failure = &job["failure"];
    if failure.is_null() {
        return text(&job["path"]).to_owned();
    }
    format!("{} ({})", text(&failure["what"]), text(&failure["code"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

//! `nbcourier runs`.

use jiff::Timestamp;
use serde_json::Value;

use super::{Context, Stop, choose, exit, output};
use crate::status::ask::Question;

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
    let question = Question::Listed {
        words: arguments.runs.clone(),
        state: arguments.state.clone(),
        since: arguments.since.as_deref().map(choose::since).transpose()?,
        limit: (!arguments.all).then_some(SHOWN),
    };
    let runs = context.read(&question).await?;
    if context.output.json {
        context.output.value(&runs);
    } else {
        table(context, runs.as_array().map_or(&[], Vec::as_slice));
    }
    Ok(exit::DONE)
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

//! `nbcourier runs`.

use jiff::{Span, Timestamp, Zoned};
use serde_json::Value;

use super::{Context, Stop, exit};
use crate::ledger::Filter;
use crate::status::json;

/// Runs listed without `--all`.
const SHOWN: i64 = 50;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
        since: arguments.since.as_deref().map(since).transpose()?,
        limit: (!arguments.all).then_some(SHOWN),
    };
    let runs = json::runs(&context.ledger(&config).await?, &filter).await?;
    if context.output.json {
        context.output.value(&Value::Array(runs));
    } else {
        table(context, &runs);
    }
    Ok(exit::DONE)
}

/// The start of a span of time that ends now, or a date.
fn since(text: &str) -> Result<i64, Stop> {
    let now = Zoned::now();
    let past = text
        .parse::<Span>()
        .ok()
        .and_then(|span| now.checked_sub(span.abs()).ok());
    let date = || {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        date.to_zoned(now.time_zone().clone()).ok()
    };
    let start = past.or_else(date).map(|start| start.timestamp());
    start
        .or_else(|| text.parse().ok())
        .map(Timestamp::as_millisecond)
        .ok_or_else(|| {
            Stop::new(
                exit::ARGUMENTS,
                format!("`{text}` is no time: write 8h, 2d, or a date such as 2026-11-01"),
            )
        })
}

/// One line a job, newest run first.
pub(super) fn table(context: &Context, runs: &[Value]) {
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
    if rows.is_empty() {
        context.output.note("no runs");
    } else {
        context
            .output
            .table(&["RUN", "SEEN", "STATE", "DESTINATION", "NOTEBOOK"], rows);
    }
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

//! `nbcourier status`.

use serde_json::Value;

use super::{Context, Stop, exit, runs, socket};
use crate::config::Config;
use crate::ledger::Filter;
use crate::status::json;

/// Runs shown below the health.
const SHOWN: i64 = 10;

pub(super) async fn run(context: &Context) -> Result<u8, Stop> {
    let config = context.load()?;
    let (status, down) = match socket::ask::<()>(&config, "/status", None).await {
        Ok(status) => (status, None),
        Err(stop) => (from_ledger(context, &config).await?, Some(stop)),
    };
    if context.output.json {
        context.output.value(&status);
    } else {
        print(context, &status, down.is_some());
        let filter = Filter {
            limit: Some(SHOWN),
            ..Filter::default()
        };
        // Why there may be none is said above.
        if let Ok(ledger) = context.ledger(&config).await {
            runs::table(context, &json::runs(&ledger, &filter).await?);
        }
    }
    if let Some(stop) = down {
        return Err(stop);
    }
    let well = status["health"].as_array().is_some_and(Vec::is_empty);
    Ok(if well { exit::DONE } else { exit::NOT_WELL })
}

async fn from_ledger(context: &Context, config: &Config) -> Result<Value, Stop> {
    let ledger = context.ledger(config).await?;
    Ok(json::status(config, &ledger, &json::Alive::default()).await?)
}

fn print(context: &Context, status: &Value, down: bool) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let up = if down {
        "not running".into()
    } else {
        format!("up since {}", text(&status["up_since"]))
    };
    let page = status["page"]
        .as_str()
        .map(|page| format!(" · page {page}"))
        .unwrap_or_default();
    context.output.line(format!(
        "nbcourier {} · {up}{page}",
        text(&status["version"])
    ));
    for trouble in status["health"].as_array().into_iter().flatten() {
        context.output.line(format!("! {}", text(&trouble["what"])));
        context
            .output
            .line(format!("  what to do: {}", text(&trouble["advice"])));
    }
    for destination in status["destinations"].as_array().into_iter().flatten() {
        let until = destination["token_expires_at"].as_str();
        let until = until
            .map(|until| format!(", token expires {until}"))
            .unwrap_or_default();
        context.output.line(format!(
            "{:<20} {}{until}",
            text(&destination["name"]),
            text(&destination["state"])
        ));
    }
    let jobs = status["jobs"].as_object().into_iter().flatten();
    let counts: Vec<String> = jobs
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    context.output.line(format!("jobs: {}", counts.join(", ")));
    context.output.line("");
}

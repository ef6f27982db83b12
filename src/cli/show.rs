//! `nbcourier show`.

use serde_json::Value;

use super::{Context, Stop, exit};
use crate::ledger::{Ledger, RunRow};
use crate::status::json;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run's name, `watch:name`, its `run` parameter or a job's id
    run: String,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let ledger = context.ledger(&config).await?;
    let row = find(&ledger, &arguments.run).await?;
    let mut run = json::run(&row, &ledger.jobs(row.id).await?);
    let events: Vec<Value> = ledger
        .events(row.id)
        .await?
        .iter()
        .map(json::event)
        .collect();
    if context.output.json {
        run["events"] = Value::Array(events);
        context.output.value(&run);
    } else {
        print(context, &run, &events);
    }
    Ok(exit::DONE)
}

/// The one run that `text` means.
pub(super) async fn find(ledger: &Ledger, text: &str) -> Result<RunRow, Stop> {
    let mut found = ledger.find(text).await?;
    match (found.len(), found.pop()) {
        (1, Some(run)) => Ok(run),
        (0, _) | (_, None) => {
            let message = format!("no run is known as `{text}`");
            Err(Stop::new(exit::ARGUMENTS, message)
                .hint("nbcourier runs --all lists what is known"))
        }
        (_, Some(last)) => {
            found.push(last);
            let names: Vec<String> = found
                .iter()
                .map(|run| format!("{}:{}", run.watch, run.name))
                .collect();
            let message = format!("`{text}` can mean {}", names.join(" or "));
            Err(Stop::new(exit::ARGUMENTS, message).hint("say which, as WATCH:NAME"))
        }
    }
}

fn print(context: &Context, run: &Value, events: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |name: &str, value: &str| context.output.line(format!("{name:<12}{value}"));
    line(
        "run",
        &format!("{}:{}", text(&run["watch"]), text(&run["name"])),
    );
    line("directory", &text(&run["path"]));
    line("seen", &text(&run["seen_at"]));
    line("complete", &text(&run["ready_at"]));
    let reason = run["reason"]
        .as_str()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    line("state", &format!("{}{reason}", text(&run["state"])));
    for (name, value) in run["parameters"].as_object().into_iter().flatten() {
        line("parameter", &format!("{name} = {value}"));
    }
    for job in run["jobs"].as_array().into_iter().flatten() {
        context.output.line("");
        line("job", &text(&job["job"]));
        line(
            "notebook",
            &match job["user"].as_str() {
                Some(user) => format!(
                    "{} for {user} at {}",
                    text(&job["notebook"]),
                    text(&job["destination"])
                ),
                None => format!(
                    "{} at {}",
                    text(&job["notebook"]),
                    text(&job["destination"])
                ),
            },
        );
        line(
            "state",
            &format!("{}, {} attempts", text(&job["state"]), job["attempts"]),
        );
        line("path", &text(&job["path"]));
        line("open", &text(&job["url"]));
        if !job["failure"].is_null() {
            line(
                "because",
                &format!(
                    "{} ({})",
                    text(&job["failure"]["what"]),
                    text(&job["failure"]["code"])
                ),
            );
            line("what to do", &text(&job["failure"]["advice"]));
        }
    }
    context.output.line("");
    for event in events {
        let actor = event["actor"]
            .as_str()
            .map(|actor| format!(" by {actor}"))
            .unwrap_or_default();
        let detail = event["detail"].as_str().unwrap_or_default();
        context.output.line(
            format!(
                "{}  {}{actor}  {detail}",
                text(&event["at"]),
                text(&event["event"])
            )
            .trim_end(),
        );
    }
}

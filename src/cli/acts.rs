//! `nbcourier retry`, `skip` and `submit`: what a person does by hand, through the control socket.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Context, Stop, exit, render, runs, show, socket};
use crate::config::Config;
use crate::job::JobState;
use crate::ledger::Ledger;
use crate::status::control::ActRequest;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false).args(["runs", "held", "failed"]))]
pub(super) struct RetryArguments {
    /// A run's name, `watch:name`, its `run` parameter or a job's id
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// All runs with a job that waits for a person
    #[arg(long)]
    held: bool,
    /// All runs with a job that was given up
    #[arg(long)]
    failed: bool,
    /// A new copy, by today's template, beside each notebook that stands already
    #[arg(long)]
    fresh: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SkipArguments {
    /// A run's name, `watch:name`, its `run` parameter or a job's id
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct SubmitArguments {
    /// Run directories
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// A parameter, typed as papermill does
    #[arg(short, long = "parameter", num_args = 2, value_names = ["NAME", "VALUE"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    parameters: Vec<String>,
    /// Wait until all are delivered or need a person
    #[arg(long)]
    wait: bool,
}

pub(super) async fn retry(context: &Context, arguments: &RetryArguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let ledger = context.ledger(&config).await?;
    let runs = match (arguments.held, arguments.failed) {
        (true, _) => ledger.runs_with(JobState::Held.as_str()).await?,
        (_, true) => ledger.runs_with(JobState::Failed.as_str()).await?,
        _ => find_all(&ledger, &arguments.runs).await?,
    };
    act(
        context,
        &config,
        "/retry",
        ActRequest {
            runs,
            fresh: arguments.fresh,
        },
    )
    .await
}

pub(super) async fn skip(context: &Context, arguments: &SkipArguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let runs = find_all(&context.ledger(&config).await?, &arguments.runs).await?;
    act(context, &config, "/skip", ActRequest { runs, fresh: false }).await
}

/// All are found before anything is done.
async fn find_all(ledger: &Ledger, texts: &[String]) -> Result<Vec<i64>, Stop> {
    let mut runs = Vec::new();
    for text in texts {
        runs.push(show::find(ledger, text).await?.id);
    }
    Ok(runs)
}

async fn act(
    context: &Context,
    config: &Config,
    path: &str,
    request: ActRequest,
) -> Result<u8, Stop> {
    let acted = socket::ask(config, path, Some(&request)).await?;
    if context.output.json {
        context.output.value(&acted);
    } else {
        let word = if path == "/skip" {
            "skipped"
        } else {
            "due now"
        };
        let left = acted["unchanged"].as_u64().unwrap_or_default();
        let left = if left > 0 {
            format!(", {left} left as they are")
        } else {
            String::new()
        };
        context
            .output
            .note(format!("{} jobs {word}{left}", acted["changed"]));
    }
    Ok(exit::DONE)
}

pub(super) async fn submit(context: &Context, arguments: &SubmitArguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let parameters = render::parameters(&arguments.parameters);
    let mut names = Vec::new();
    for (done, path) in arguments.paths.iter().enumerate() {
        context
            .output
            .progress("submitted", done, arguments.paths.len());
        let path = std::path::absolute(path)?;
        let request = json!({ "path": path, "parameters": parameters });
        let run = socket::ask(&config, "/submit", Some(&request)).await?;
        names.push(format!(
            "{}:{}",
            run["watch"].as_str().unwrap_or_default(),
            run["name"].as_str().unwrap_or_default()
        ));
    }
    let ledger = context.ledger(&config).await?;
    loop {
        let mut submitted = Vec::new();
        for name in &names {
            let row = show::find(&ledger, name).await?;
            submitted.push(crate::status::json::run(&row, &ledger.jobs(row.id).await?));
        }
        let open = |state: &Value| state == "waiting" || state == "delivering";
        if !arguments.wait || !states(&submitted).any(open) {
            return Ok(report(context, arguments.wait, submitted));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn states(runs: &[Value]) -> impl Iterator<Item = &Value> {
    runs.iter()
        .filter_map(|run| run["jobs"].as_array())
        .flatten()
        .map(|job| &job["state"])
}

fn report(context: &Context, waited: bool, submitted: Vec<Value>) -> u8 {
    let well = !waited || states(&submitted).all(|state| state == "delivered");
    if context.output.json {
        context.output.value(&Value::Array(submitted));
    } else {
        runs::table(context, &submitted);
    }
    if well { exit::DONE } else { exit::NOT_WELL }
}

//! `nbcourier retry`, `skip` and `submit`: what a person does by hand, through the control socket.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Context, Stop, choose, exit, render, runs, socket};
use crate::config;
use crate::job::JobState;
use crate::ledger::Acted;
use crate::status::ask::Question;
use crate::status::control::ActRequest;

const ACT_CODES: &str = "Exit codes: 0 done; 1 some runs are too old to be delivered again; \
2 no such run; 69 the daemon is not running; 74 the ledger can't be written; 77 the socket is for others.";

/// Runs at once: the daemon goes on between two requests.
const CHUNK: usize = 1000;

/// Which jobs are meant.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["runs", "held", "failed"]))]
struct Which {
    /// A run's name or `watch:name`, in which `*` stands for any characters and `?` for one; its
    /// `run` parameter or a job's id
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Only jobs that wait for a person, of these runs or of all
    #[arg(long, conflicts_with = "failed")]
    held: bool,
    /// Only jobs that were given up, of these runs or of all
    #[arg(long)]
    failed: bool,
    /// Only runs seen since: 8h, 2d, or a date such as 2026-11-01
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl Which {
    fn state(&self) -> Option<JobState> {
        match (self.held, self.failed) {
            (true, _) => Some(JobState::Held),
            (_, true) => Some(JobState::Failed),
            _ => None,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = ACT_CODES)]
pub(super) struct RetryArguments {
    #[command(flatten)]
    which: Which,
    /// A new copy, by today's template, beside each notebook that stands already
    #[arg(long)]
    fresh: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = ACT_CODES)]
pub(super) struct SkipArguments {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 with --wait: some is not delivered; 2 it can't be taken; 69 the daemon is not running; 74 the ledger can't be written; 77 the socket is for others."
)]
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
    act(context, ("/retry", arguments.fresh), &arguments.which).await
}

pub(super) async fn skip(context: &Context, arguments: &SkipArguments) -> Result<u8, Stop> {
    act(context, ("/skip", false), &arguments.which).await
}

/// All runs are found before anything is done.
async fn act(context: &Context, (path, fresh): (&str, bool), which: &Which) -> Result<u8, Stop> {
    let state = config::state(&context.config);
    let question = Question::Meant {
        words: which.runs.clone(),
        state: which.state(),
        since: which.since.as_deref().map(choose::since).transpose()?,
    };
    let runs: Vec<i64> = read(context.read(&question).await?)?;
    let mut acted = Acted::default();
    for (number, some) in runs.chunks(CHUNK).enumerate() {
        let done = number * CHUNK;
        context.output.progress("done", done, runs.len());
        let request = ActRequest {
            runs: some.to_vec(),
            fresh,
            state: which.state(),
        };
        let answer = socket::ask(&state, path, Some(&request)).await;
        acted += read::<Acted>(answer.map_err(|stop| interrupted(stop, done, runs.len()))?)?;
    }
    context.output.progress("done", runs.len(), runs.len());
    summary(context, (path, which), runs.len(), acted);
    Ok(match acted.pruned {
        0 => exit::DONE,
        _ => exit::NOT_WELL,
    })
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Stop> {
    serde_json::from_value(answer)
        .map_err(|error| Stop::new(exit::LATER, format!("the daemon's answer: {error}")))
}

/// What was done before stays done.
fn interrupted(stop: Stop, done: usize, all: usize) -> Stop {
    let message = match done {
        0 => stop.message,
        _ => format!("{}; {done} of {all} runs are done", stop.message),
    };
    Stop { message, ..stop }
}

fn summary(context: &Context, (path, which): (&str, &Which), runs: usize, acted: Acted) {
    if context.output.json {
        let mut value = json!(acted);
        value["runs"] = json!(runs);
        return context.output.value(&value);
    }
    let since = which.since.as_deref();
    let since = since.map_or_else(String::new, |since| format!(" seen since {since}"));
    let word = if path == "/skip" {
        "skipped"
    } else {
        "due now"
    };
    let left = match acted.unchanged {
        0 => String::new(),
        1 => ", 1 left as it is".into(),
        left => format!(", {left} left as they are"),
    };
    context.output.note(match (runs, which.state()) {
        (0, None) => format!("none of these runs was{since}"),
        (0, Some(state)) => format!("no job of a run{since} is {}", state.as_str()),
        _ => {
            let jobs = many(acted.changed, "job");
            format!("{jobs} of {} {word}{left}", many(runs as u64, "run"))
        }
    });
    if acted.pruned > 0 {
        context.output.note(format!(
            "{} can't be delivered again: older than `[ledger] keep`, the parameters are forgotten; \
             nbcourier render --run PATH OUT reads them from the disk",
            many(acted.pruned, "job")
        ));
    }
}

fn many(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

pub(super) async fn submit(context: &Context, arguments: &SubmitArguments) -> Result<u8, Stop> {
    let state = config::state(&context.config);
    let parameters = render::parameters(&arguments.parameters);
    let mut names = Vec::new();
    for (done, path) in arguments.paths.iter().enumerate() {
        context
            .output
            .progress("submitted", done, arguments.paths.len());
        let path = std::path::absolute(path)?;
        let request = json!({ "path": path, "parameters": parameters });
        let run = socket::ask(&state, "/submit", Some(&request)).await?;
        names.push(format!(
            "{}:{}",
            run["watch"].as_str().unwrap_or_default(),
            run["name"].as_str().unwrap_or_default()
        ));
    }
    loop {
        let mut submitted = Vec::new();
        for word in &names {
            let mut run = context
                .read(&Question::Whole { word: word.clone() })
                .await?;
            if let Some(run) = run.as_object_mut() {
                run.retain(|key, _| key != "sources" && key != "events");
            }
            submitted.push(run);
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

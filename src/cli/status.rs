//! `nbcourier status`.

mod screen;
mod watch;

use serde_json::Value;

use super::{Context, Stop, exit, is_closed, output, runs, socket};
use crate::config;
use crate::status::ask::{self, Question};
use crate::status::json;

/// Runs shown below the health.
const SHOWN: i64 = 10;

/// Narrower terminals show no times.
const NARROW: usize = 60;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is well; 1 something needs a person; 69 the daemon is not running (what \
its ledger says is printed all the same); 77 its socket is for others; 78 its configuration has mistakes."
)]
pub(super) struct Arguments {
    /// Go on until Ctrl-C: redrawn on a terminal; with --json a line for each change
    #[arg(long)]
    watch: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    if arguments.watch {
        return watch::run(context).await;
    }
    let seen = Seen::look(context).await?;
    if context.output.json {
        context.output.value(&seen.status);
    } else {
        let up = seen.up();
        seen.lines(&up, usize::MAX)
            .iter()
            .for_each(|line| context.output.line(line));
        if seen.runs.is_empty() {
            context.output.note("no runs");
        }
    }
    match seen.trouble {
        Some(stop) => Err(stop),
        None if seen.is_well() => Ok(exit::DONE),
        None => Ok(exit::NOT_WELL),
    }
}

/// What one look shows.
struct Seen {
    status: Value,
    runs: Vec<Value>,
    /// Why it is the ledger that was read and not the daemon that has answered, or what is wrong
    /// with the configuration's files.
    trouble: Option<Stop>,
}

impl Seen {
    /// The daemon is asked, which doesn't need its configuration to be in order still; where it
    /// doesn't answer, its ledger is read.
    async fn look(context: &Context) -> Result<Self, Stop> {
        let state = config::state(&context.config);
        match socket::ask::<()>(&state, "/status", None).await {
            Ok(status) => {
                let runs = socket::ask(&state, "/ask", Some(&last())).await;
                Ok(Self {
                    status,
                    // Why there may be none is in the health.
                    runs: runs.map_or_else(|_| vec![], runs_of),
                    trouble: context.load().err(),
                })
            }
            // Only the service and root may look into it.
            Err(stop) if is_closed(&state) => Err(stop),
            Err(stop) => Self::of_ledger(context, stop).await,
        }
    }

    async fn of_ledger(context: &Context, stop: Stop) -> Result<Self, Stop> {
        let config = context.load()?;
        let ledger = context.ledger(&config).await?;
        Ok(Self {
            status: json::status(&config, &ledger, &json::Alive::default()).await?,
            runs: runs_of(ask::answer(&ledger, &last()).await?),
            trouble: Some(stop),
        })
    }

    fn is_well(&self) -> bool {
        let health = self.status["health"].as_array();
        self.trouble.is_none() && health.is_some_and(Vec::is_empty)
    }

    /// Whether the daemon runs, in words.
    fn up(&self) -> String {
        match (self.status["up_since"].as_str(), &self.trouble) {
            (Some(since), _) => format!("up since {since}"),
            (None, Some(stop)) if stop.code == exit::REFUSED => "this is from its ledger".into(),
            (None, _) => "not running".into(),
        }
    }

    /// What is wrong with the configuration of a daemon that runs, unless it says so itself.
    fn mistake(&self) -> Option<String> {
        let (_, stop) = (self.status["up_since"].as_str()?, self.trouble.as_ref()?);
        let mut health = self.status["health"].as_array().into_iter().flatten();
        if health.any(|trouble| trouble["code"] == "reload-refused") {
            return None;
        }
        let first = stop.message.lines().next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        Some(format!(
            "! the configuration's files have mistakes now: {first}"
        ))
    }

    /// Health first, then the last runs, in lines of at most this width.
    fn lines(&self, up: &str, width: usize) -> Vec<String> {
        let status = &self.status;
        let page = status["page"].as_str();
        let page = page
            .map(|page| format!(" · page {page}"))
            .unwrap_or_default();
        let version = text(&status["version"]);
        let mut lines = output::wrapped(&format!("nbcourier {version} · {up}{page}"), width);
        if let Some(what) = self.mistake() {
            lines.extend(output::wrapped(&what, width));
            let advice = "  what to do: see `nbcourier check --offline`; the daemon goes on with the former one";
            lines.extend(output::wrapped(advice, width));
        }
        for trouble in status["health"].as_array().into_iter().flatten() {
            lines.extend(output::wrapped(
                &format!("! {}", text(&trouble["what"])),
                width,
            ));
            let advice = format!("  what to do: {}", text(&trouble["advice"]));
            lines.extend(output::wrapped(&advice, width));
        }
        let destinations = status["destinations"].as_array().into_iter().flatten();
        lines.extend(destinations.flat_map(|table| output::wrapped(&destination(table), width)));
        let jobs = status["jobs"].as_object().into_iter().flatten();
        let counts: Vec<String> = jobs
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        lines.extend(output::wrapped(
            &format!("jobs: {}", counts.join(", ")),
            width,
        ));
        lines.push(String::new());
        let runs = runs::lines(&self.runs, width >= NARROW);
        lines.extend(runs.iter().map(|line| output::cut(line, width)));
        lines
    }
}

fn destination(table: &Value) -> String {
    let until = table["token_expires_at"].as_str();
    let until = until
        .map(|until| format!(", token expires {until}"))
        .unwrap_or_default();
    format!(
        "{:<20} {}{until}",
        text(&table["name"]),
        text(&table["state"])
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The last runs.
fn last() -> Question {
    Question::Listed {
        words: vec![],
        state: None,
        since: None,
        limit: Some(SHOWN),
    }
}

fn runs_of(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(runs) => runs,
        _ => vec![],
    }
}

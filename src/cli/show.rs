//! `nbcourier show`.

use serde_json::Value;

use super::{Context, Stop, exit};
use crate::detect::{self, Explained};
use crate::status::ask::Question;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run's name, `watch:name`, its `run` parameter or a job's id; or a path, to see why it is
    /// a run or none and what it waits for
    #[arg(value_name = "RUN|PATH")]
    run: String,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let path = std::path::absolute(&arguments.run)?;
    let said = detect::explain(&config, &path).await;
    if said.is_empty() && arguments.run.starts_with(['/', '.']) {
        let message = format!("no watch looks at {}", path.display());
        let watched = config
            .watches
            .iter()
            .map(|watch| watch.directory.display().to_string());
        let watched: Vec<String> = watched.collect();
        return Err(Stop::new(exit::ARGUMENTS, message)
            .hint(format!("watched are: {}", watched.join(", "))));
    }
    if said.is_empty() {
        let word = arguments.run.clone();
        show(
            context,
            &context.read(&Question::Whole { word }).await?,
            &said,
        );
        return Ok(exit::DONE);
    }
    let known = known(context, &said).await;
    let mut run = known.unwrap_or_else(|| serde_json::json!({ "path": path }));
    run["detection"] = detection(&said);
    show(context, &run, &said);
    Ok(exit::DONE)
}

/// The run that a watch has found at the path; where the daemon has not run yet, nothing is known.
async fn known(context: &Context, said: &[Explained]) -> Option<Value> {
    for each in said {
        if let Some(name) = &each.run {
            let word = format!("{}:{name}", each.watch);
            if let Ok(run) = context.read(&Question::Whole { word }).await {
                return Some(run);
            }
        }
    }
    None
}

fn detection(said: &[Explained]) -> Value {
    let each = said.iter().map(|said| {
        let mut all = serde_json::Map::new();
        all.insert("watch".into(), said.watch.clone().into());
        all.insert("run".into(), said.run.clone().into());
        let told = said.told.iter();
        all.extend(told.map(|(about, text)| (about.replace(' ', "_"), text.clone().into())));
        Value::Object(all)
    });
    each.collect()
}

fn show(context: &Context, run: &Value, said: &[Explained]) {
    if context.output.json {
        return context.output.value(run);
    }
    let line = |name: &str, value: &str| context.output.line(format!("{name:<12}{value}"));
    for each in said {
        line("watch", &each.watch);
        for (about, text) in &each.told {
            line(about, text);
        }
    }
    if run["name"].is_null() {
        return line("ledger", "knows nothing of it");
    }
    if !said.is_empty() {
        context.output.line("");
    }
    print(context, run);
}

fn print(context: &Context, run: &Value) {
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
    if let Some(at) = run["pruned_at"].as_str() {
        line(
            "forgotten",
            &format!("{at}: parameters and history (`[ledger] keep`)"),
        );
    }
    for (name, value) in run["parameters"].as_object().into_iter().flatten() {
        let source = run["sources"][name].as_str();
        let source = source
            .map(|source| format!("  ({source})"))
            .unwrap_or_default();
        line("parameter", &format!("{name} = {value}{source}"));
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
    for event in run["events"].as_array().into_iter().flatten() {
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

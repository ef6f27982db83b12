//! `nbcourier check`.

mod announcer;
mod destination;
mod replay;

use std::path::Path;

use serde_json::json;

use super::{Context, Stop, exit};
use crate::config::Config;
use crate::config::checked::{Notebook, Watch};
use crate::deliver::Chosen;
use crate::detect;
use crate::failure::Failure;
use crate::run::encode_name;
use announcer::announcer;
use destination::destination;
pub(super) use destination::exit_code;

#[derive(Debug, Default, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is well, warnings aside; 1 a watch, template or delivery is not; 69 a hub is not reachable; 77 credentials are refused; 78 the configuration has mistakes."
)]
pub(super) struct Arguments {
    /// Ask no hub and no server
    #[arg(long)]
    offline: bool,
    /// Also upload a test notebook to each destination, removed again where that is possible; starts
    /// servers
    #[arg(long, conflicts_with = "offline")]
    deliver: bool,
    /// Also render every notebook for the last N real runs, without network
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    replay: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Failed,
}

/// One line of the answer.
struct Check {
    name: String,
    state: State,
    what: String,
    advice: String,
    /// The exit code that a failure asks for.
    code: u8,
}

impl Check {
    fn ok(name: &str, what: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: State::Ok,
            what: what.into(),
            advice: String::new(),
            code: exit::DONE,
        }
    }

    fn failed(name: &str, failure: &Failure, code: u8) -> Self {
        let what = format!("{} ({})", failure.what, failure.code.as_str());
        Self {
            name: name.into(),
            state: State::Failed,
            what,
            advice: failure.advice().into(),
            code,
        }
    }

    fn trouble(name: &str, state: State, what: impl Into<String>, advice: &str) -> Self {
        let code = if state == State::Failed {
            exit::NOT_WELL
        } else {
            exit::DONE
        };
        Self {
            name: name.into(),
            state,
            what: what.into(),
            advice: advice.into(),
            code,
        }
    }
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = match context.load() {
        Ok(config) => config,
        Err(stop) if context.output.json => {
            let check = Check {
                code: stop.code,
                ..Check::trouble(
                    "config",
                    State::Failed,
                    stop.message,
                    "correct the configuration",
                )
            };
            return Ok(report(context, &[check]));
        }
        Err(stop) => return Err(stop),
    };
    let mut checks = vec![Check::ok("config", config.file.display().to_string())];
    checks.extend(config.watches.iter().map(watch));
    checks.extend(config.spool.as_deref().map(spool));
    checks.extend(config.notebooks.iter().map(notebook));
    for table in &config.announcers {
        checks.push(announcer(table).await);
    }
    checks.extend(page(&config).await);
    let ledger = context.ledger(&config).await.ok();
    if let Some(count) = arguments.replay {
        checks.extend(replay::run(context, &config, ledger.as_ref(), usize::from(count)).await);
    }
    if !arguments.offline {
        for table in &config.destinations {
            checks.extend(destination(&config, table, ledger.as_ref(), arguments.deliver).await);
        }
    }
    Ok(report(context, &checks))
}

/// Configuration before credentials before reachability before the rest.
fn report(context: &Context, checks: &[Check]) -> u8 {
    let first = [
        exit::CONFIGURATION,
        exit::REFUSED,
        exit::UNREACHABLE,
        exit::NOT_WELL,
    ];
    let code = first
        .into_iter()
        .find(|code| checks.iter().any(|check| check.code == *code));
    let code = code.unwrap_or(exit::DONE);
    if context.output.json {
        context.output.value(&json!({ "ok": code == exit::DONE, "checks": checks.iter().map(to_json).collect::<Vec<_>>() }));
        return code;
    }
    for check in checks {
        let mark = match check.state {
            State::Ok => "✓",
            State::Warning => "!",
            State::Failed => "✗",
        };
        context
            .output
            .line(format!("{mark} {:<24} {}", check.name, check.what));
        if !check.advice.is_empty() {
            context
                .output
                .line(format!("  {:<24} what to do: {}", "", check.advice));
        }
    }
    let verdict = if code == exit::DONE {
        "ready"
    } else {
        "not ready: see the lines marked ✗"
    };
    context.output.note(verdict);
    code
}

fn to_json(check: &Check) -> serde_json::Value {
    let state = match check.state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failed => "failed",
    };
    json!({ "name": check.name, "state": state, "what": check.what, "advice": check.advice })
}

fn watch(watch: &Watch) -> Check {
    let name = format!("watch {}", watch.name);
    let shown = watch.directory.display();
    let runs = match detect::count_runs(watch) {
        Ok(runs) => runs,
        Err(error) => {
            let what = format!("{shown}: {error}");
            let advice = unreadable_advice(&watch.directory);
            return Check::trouble(&name, State::Failed, what, advice);
        }
    };
    let entries = std::fs::read_dir(&watch.directory).into_iter().flatten();
    let mut names = entries.flatten().map(|entry| entry.file_name());
    let other = names.find(|name| !watch.ignore.is_match(name));
    if let Some(other) = other.filter(|_| runs == 0) {
        let other = encode_name(std::os::unix::ffi::OsStrExt::as_bytes(&*other));
        let what = format!("{shown}: nothing in it, such as `{other}`, matches the pattern");
        let advice =
            "compare `pattern` with the names; it must match the whole path below `directory`";
        return Check::trouble(&name, State::Warning, what, advice);
    }
    let what = format!(
        "{shown}: {runs} match the pattern; a run is complete when {}",
        watch.ready
    );
    Check::ok(&name, what)
}

/// The shipped unit hides the homes, which looks like a missing right.
fn unreadable_advice(directory: &Path) -> &'static str {
    let hidden = ["/home", "/root", "/run/user"]
        .iter()
        .any(|home| directory.starts_with(home));
    if hidden {
        "give the service's user the right to read it, and set `ProtectHome=read-only` in a drop-in of the unit"
    } else {
        "make it, mount it, or give the service's user the right to read it"
    }
}

fn spool(directory: &Path) -> Check {
    match std::fs::read_dir(directory) {
        Ok(_) => Check::ok("spool", directory.display().to_string()),
        Err(error) => Check::trouble(
            "spool",
            State::Failed,
            format!("{}: {error}", directory.display()),
            "make it with mode 2770, owned by the service's user and the group of those who drop files",
        ),
    }
}

/// The page, where it asks for a token.
async fn page(config: &Config) -> Option<Check> {
    let (address, token) = (config.listen?, config.read_token.as_ref()?);
    Some(match token.read().await {
        Ok(_) => {
            let what = format!("http://{address}/ for those who have the token from {token}");
            Check::ok("page", what)
        }
        Err(failure) => Check::failed("page", &failure, exit::REFUSED),
    })
}

fn notebook(table: &Notebook) -> Check {
    let name = format!("notebook {}", table.name);
    let Some(template) = Chosen::fixed(table) else {
        let what = format!(
            "{} is read for each run; --replay renders it",
            table.template
        );
        return Check::ok(&name, what);
    };
    match template.read() {
        Err(failure) => Check::failed(&name, &failure, exit::NOT_WELL),
        Ok(template) => {
            let declared = template.declared().unwrap_or_default();
            let names: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
            let declares = match names.as_slice() {
                [] => "no parameters".into(),
                names => names.join(", "),
            };
            let what = format!("{} declares {declares}", table.template);
            match template.remark() {
                Some(remark) => {
                    let what = format!("{what}; {remark}");
                    Check::trouble(&name, State::Warning, what, "save it again from Jupyter")
                }
                None => Check::ok(&name, what),
            }
        }
    }
}

//! The command line: one file a command. Data goes to stdout, everything else to stderr.

mod acts;
mod backup;
mod check;
mod choose;
mod daemon;
mod demo;
mod generate;
mod init;
mod log;
mod output;
mod reload;
mod render;
mod runs;
mod show;
mod socket;
mod status;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::Value;

use crate::config::{self, Config};
use crate::ledger::{Ledger, LedgerError};
use crate::status::ask::{self, Question, Refused};
use output::Output;

/// Delivers a notebook for every finished run into its physicist's own Jupyter.
#[derive(Debug, Parser)]
#[command(name = "nbcourier", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// The configuration.
    #[arg(
        short,
        long,
        global = true,
        env = "NBCOURIER_CONFIG",
        value_name = "FILE",
        default_value = "/etc/nbcourier/nbcourier.toml"
    )]
    config: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Only warnings; twice: only errors.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    quiet: u8,
    /// More about what is being done; twice: everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Colour.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, but something asked about is not well; 2 arguments; \
69 daemon or hub not reachable; 74 ledger not writable; 75 try later; 77 credentials or socket refused; \
78 configuration, second daemon, damaged or newer ledger; 130 interrupted.";

const RELOAD_CODES: &str = "Exit codes: 0 it counts now; 69 the daemon is not running; 77 the socket is for \
others; 78 it has mistakes, or differs in what only a restart can change: the former one still counts.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, render and deliver; systemd starts this
    Daemon(daemon::Arguments),
    /// Write a commented configuration, check it, say what is next; on a terminal, ask for what is missing
    Init(init::Arguments),
    /// Check configuration, watches, templates, credentials, hub and scopes
    Check(check::Arguments),
    /// Health first, then the last runs
    Status(status::Arguments),
    /// List runs
    Runs(runs::Arguments),
    /// Everything that happened to a run
    Show(show::Arguments),
    /// Deliver now what waits, is held or failed; a delivered notebook stays as it is
    Retry(acts::RetryArguments),
    /// Never deliver
    Skip(acts::SkipArguments),
    /// Deliver run directories by hand
    Submit(acts::SubmitArguments),
    /// Take over the configuration as its files now stand, or say why it can't be (as SIGHUP does)
    #[command(after_help = RELOAD_CODES)]
    Reload,
    /// Copy the ledger into a new file, while the daemon runs
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the ledger, which is kept beside it; the daemon must be stopped
    Restore(backup::RestoreArguments),
    /// Render a notebook without any network
    Render(render::Arguments),
    /// See the whole thing work, in a directory of its own
    Demo(demo::Arguments),
    /// What packages hold besides the program
    #[command(subcommand, hide = true)]
    Generate(generate::What),
}

/// An early end: exit code, message, hint.
#[derive(Debug)]
struct Stop {
    code: u8,
    message: String,
    hint: Option<String>,
}

/// Exit codes, as sysexits(3) where it has one.
mod exit {
    pub(super) const DONE: u8 = 0;
    pub(super) const NOT_WELL: u8 = 1;
    pub(super) const ARGUMENTS: u8 = 2;
    pub(super) const UNREACHABLE: u8 = 69;
    pub(super) const LEDGER: u8 = 74;
    pub(super) const LATER: u8 = 75;
    pub(super) const REFUSED: u8 = 77;
    pub(super) const CONFIGURATION: u8 = 78;
    pub(super) const INTERRUPTED: u8 = 130;
}

impl Stop {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unusable(what) => Self::new(exit::CONFIGURATION, what),
            LedgerError::Refused(what) => {
                Self::new(exit::REFUSED, what).hint("see `[ledger] url` and `password`")
            }
            LedgerError::Io(what) => Self::new(exit::LEDGER, what),
        }
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Words { message, hint } => Self::new(exit::ARGUMENTS, message).hint(hint),
            Refused::Ledger(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::new(exit::LEDGER, error.to_string())
    }
}

/// What every command gets.
struct Context {
    config: PathBuf,
    output: Output,
    verbosity: i16,
}

impl Context {
    fn load(&self) -> Result<Config, Stop> {
        config::load(&self.config)
            .map_err(|mistakes| Stop::new(exit::CONFIGURATION, mistakes.to_string()))
    }

    /// What the ledger says. Where only the service may read it, or the configuration that names it
    /// is broken, the daemon is asked.
    async fn read(&self, question: &Question) -> Result<Value, Stop> {
        let state = config::state(&self.config);
        let broken = match self.load() {
            Ok(config) if !is_closed(&state) => {
                let ledger = self.ledger(&config).await?;
                return Ok(ask::answer(&ledger, question).await?);
            }
            loaded => loaded.err(),
        };
        let answer = socket::ask(&state, "/ask", Some(question)).await;
        answer.map_err(|stop| match broken {
            Some(broken) if stop.code == exit::UNREACHABLE => broken,
            _ => stop,
        })
    }

    /// The ledger for reading; without one there is nothing to read yet.
    async fn ledger(&self, config: &Config) -> Result<Ledger, Stop> {
        let location = crate::daemon::location(config).await?;
        let ledger = Ledger::open_to_read(&location).await?;
        ledger.ok_or_else(|| no_ledger(config))
    }
}

/// Whether only others may look into a state directory.
fn is_closed(state: &Path) -> bool {
    std::fs::read_dir(state).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn no_ledger(config: &Config) -> Stop {
    let state = config.state.display();
    let message = format!("no ledger in {state}: the daemon has not run yet");
    Stop::new(exit::UNREACHABLE, message).hint(
        "start it: sudo systemctl start nbcourier (systemctl status nbcourier says why it ended)",
    )
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context {
        output: Output::new(cli.json, cli.color),
        verbosity: i16::from(cli.verbose) - i16::from(cli.quiet),
        config: cli.config,
    };
    // Rendering waits for nothing; threads would be most of its time.
    let mut builder = match cli.command {
        Command::Render(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&context, &Stop::from(error)),
    };
    let done = runtime.block_on(run(&context, cli.command));
    // A blocking read of a directory that hangs must not hold the exit.
    runtime.shutdown_background();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(stop) => end(&context, &stop),
    }
}

fn end(context: &Context, stop: &Stop) -> ExitCode {
    context.output.error(&stop.message, stop.hint.as_deref());
    ExitCode::from(stop.code)
}

async fn run(context: &Context, command: Command) -> Result<u8, Stop> {
    let interruptible = !matches!(command, Command::Daemon(_) | Command::Demo(_));
    let work = async {
        match command {
            Command::Daemon(arguments) => daemon::run(context, &arguments).await,
            Command::Init(arguments) => init::run(context, &arguments).await,
            Command::Check(arguments) => check::run(context, &arguments).await,
            Command::Status(arguments) => status::run(context, &arguments).await,
            Command::Runs(arguments) => runs::run(context, &arguments).await,
            Command::Show(arguments) => show::run(context, &arguments).await,
            Command::Retry(arguments) => acts::retry(context, &arguments).await,
            Command::Skip(arguments) => acts::skip(context, &arguments).await,
            Command::Submit(arguments) => acts::submit(context, &arguments).await,
            Command::Reload => reload::run(context).await,
            Command::Backup(arguments) => backup::backup(context, &arguments).await,
            Command::Restore(arguments) => backup::restore(context, &arguments).await,
            Command::Render(arguments) => render::run(context, &arguments).await,
            Command::Demo(arguments) => demo::run(context, &arguments).await,
            Command::Generate(what) => generate::run(context, &what),
        }
    };
    tokio::select! {
        done = work => done,
        Ok(()) = tokio::signal::ctrl_c(), if interruptible => Ok(exit::INTERRUPTED),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

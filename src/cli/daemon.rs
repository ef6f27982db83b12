//! `nbcourier daemon`.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Context, Stop, exit};
use crate::{config::Config, daemon};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Do only one half of the work, where several machines share a ledger
    #[arg(long, value_name = "HALF")]
    only: Option<daemon::Only>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = context.load()?;
    log(context, &config)?;
    if rustix::process::geteuid().is_root() {
        tracing::warn!("running as root, which nothing here needs: give it a user of its own");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = daemon::start(Arc::new(config), arguments.only).await?;
    tracing::info!(
        page = running.page,
        "nbcourier {} is ready",
        env!("CARGO_PKG_VERSION")
    );
    tell_systemd(&[NotifyState::Ready]);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell_systemd(&[NotifyState::Stopping]);
    tracing::info!("stopping");
    running.stop().await;
    Ok(exit::DONE)
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// Log lines on stderr, as `log` in the configuration says; `-v` and `-q` win.
pub(super) fn log(context: &Context, config: &Config) -> Result<(), Stop> {
    let wanted = match context.verbosity {
        0 => config.log.as_str(),
        1 => "nbcourier=debug,info",
        2.. => "trace",
        -1 => "warn",
        _ => "error",
    };
    let filter = EnvFilter::try_new(wanted)
        .map_err(|error| Stop::new(exit::CONFIGURATION, format!("`log`: {error}")))?;
    let line = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(context.output.coloured());
    // The journal stamps its lines itself.
    let started = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => line.without_time().try_init(),
        None => line.try_init(),
    };
    started.map_err(|error| Stop::new(exit::CONFIGURATION, error.to_string()))
}

//! `nbcourier daemon`.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::{Context, Stop, exit, log};
use crate::daemon;
use crate::status::control::Reload;
use crate::status::service::tell;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 after SIGTERM or SIGINT; 74 the ledger can't be opened; 77 its database refuses the role; 78 mistakes in the configuration, a second daemon, a damaged or newer ledger. SIGHUP is `nbcourier reload`."
)]
pub(super) struct Arguments {
    /// Do only one half of the work, where several machines share a ledger
    #[arg(long, value_name = "HALF")]
    only: Option<daemon::Only>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let _log = log::start(context, &config)?;
    if rustix::process::geteuid().is_root() {
        tracing::warn!("running as root, which nothing here needs: give it a user of its own");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut running = daemon::start(Arc::new(config), arguments.only).await?;
    tracing::info!(
        page = running.page(),
        "nbcourier {} is ready",
        env!("CARGO_PKG_VERSION")
    );
    tell(&[NotifyState::Ready]);
    let reloads = running.reloads();
    let reload_at_hangup = async {
        while hangup.recv().await.is_some() {
            let (answer, verdict) = oneshot::channel();
            let who = "SIGHUP".into();
            // Log and status have the verdict.
            let _ = reloads.send(Reload { who, answer }).await;
            let _ = verdict.await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.attend() => {}
        () = reload_at_hangup => {}
    }
    tell(&[NotifyState::Stopping]);
    tracing::info!("stopping");
    running.stop().await;
    Ok(exit::DONE)
}

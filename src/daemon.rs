//! The daemon: puts the rooms together, one way, and takes them apart again.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::deliver::Desk;
use crate::detect;
use crate::detect::spool::Submitter;
use crate::health::Health;
use crate::ledger::{Ledger, LedgerError, StateLock, now};
use crate::status::control::{self, Control};
use crate::status::json::Alive;
use crate::status::page::{self, Page};
use crate::worker;

/// A running daemon.
pub struct Running {
    /// The page's URL, if it is served.
    pub page: Option<String>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    ledger: Ledger,
    _lock: StateLock,
}

/// Starts everything; returns once the watches are set.
///
/// # Errors
/// Only what makes running senseless: the state directory or ledger can't be used, or another
/// daemon uses it. A hub, a token, a template, a watch directory that is bad never is.
pub async fn start(config: Arc<Config>) -> Result<Running, LedgerError> {
    let lock = StateLock::take(&config.state)?;
    let ledger = Ledger::open(&config.state).await?;
    let health = Arc::new(Health::default());
    let ready = Arc::new(Notify::new());
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();

    let (page, url) = serve_page(&config, &ledger, &health, stopped.clone()).await;
    let context = detect::Context {
        config: config.clone(),
        ledger: ledger.clone(),
        health: health.clone(),
        ready: ready.clone(),
        stop: stopped.clone(),
    };
    let control = Control {
        page,
        submitter: Arc::new(Submitter::new(&context)),
        ready: ready.clone(),
    };
    serve_control(&config.state, control, &health, stopped.clone()).await;

    let (armed, all_armed) = tokio::sync::oneshot::channel();
    tasks.spawn(detect::run(context, armed));
    let desk = Arc::new(Desk::new(config, ledger.clone(), health));
    tasks.spawn(worker::run(desk, ready, stopped));
    // An error means that detection ended before it began, which its own log explains.
    let _ = all_armed.await;
    Ok(Running {
        page: url,
        stop,
        tasks,
        ledger,
        _lock: lock,
    })
}

impl Running {
    /// Stops: nothing new begins, what runs may end within its grace time.
    pub async fn stop(mut self) {
        // Nobody listening any more is as good.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
        self.ledger.close().await;
    }
}

async fn stop_of(mut stopped: watch::Receiver<bool>) {
    // An error means that the daemon is gone already.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn serve_control(
    state: &Path,
    control: Control,
    health: &Health,
    stopped: watch::Receiver<bool>,
) {
    let socket = control::socket(state);
    if let Err(error) = control::serve(&socket, control, stop_of(stopped)).await {
        let what = format!(
            "the control socket {} can't be made: {error}",
            socket.display()
        );
        health.raise(
            "control",
            "control-socket",
            what,
            "`retry`, `skip` and `submit` don't work until it can; detection and delivery do",
        );
    }
}

/// A page that can't be served is a notice, never an end: delivery is what matters.
async fn serve_page(
    config: &Arc<Config>,
    ledger: &Ledger,
    health: &Arc<Health>,
    stopped: watch::Receiver<bool>,
) -> (Page, Option<String>) {
    let mut url = None;
    let mut listener = None;
    if let Some(address) = config.listen {
        match TcpListener::bind(address).await {
            Ok(bound) => {
                url = bound
                    .local_addr()
                    .ok()
                    .map(|address| format!("http://{address}/"));
                listener = Some(bound);
            }
            Err(error) => {
                let what = format!("the page can't be served at {address}: {error}");
                health.raise(
                    "page",
                    "page-unserved",
                    what,
                    "set another `[status] listen` and restart",
                );
            }
        }
    }
    let (board, up_since, shown) = (health.clone(), now(), url.clone());
    let alive = move || Alive {
        up_since: Some(up_since),
        notices: board.notices(),
        page: shown.clone(),
    };
    let page = Page {
        config: config.clone(),
        ledger: ledger.clone(),
        alive: Arc::new(alive),
    };
    if let Some(listener) = listener {
        let router = page::router(page.clone());
        tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop_of(stopped));
            if let Err(error) = served.await {
                tracing::warn!(%error, "the page has ended");
            }
        });
    }
    (page, url)
}

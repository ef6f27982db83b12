//! The daemon: puts the rooms together, one way, and takes them apart again.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::checked::LedgerUrl;
use crate::deliver::Desk;
use crate::detect;
use crate::detect::spool::Submitter;
use crate::health::Health;
use crate::ledger::{self, Ledger, LedgerError, Location, StateLock, now};
use crate::status::announce;
use crate::status::control::{self, Control};
use crate::status::json::Alive;
use crate::status::page::{self, Page};
use crate::worker;

/// The one half that a daemon does, where several share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Find runs and record them.
    Detect,
    /// Deliver what is recorded.
    Deliver,
}

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
pub async fn start(config: Arc<Config>, only: Option<Only>) -> Result<Running, LedgerError> {
    let lock = StateLock::take(&config.state)?;
    let location = location(&config).await?;
    if let Location::File(file) = &location {
        ledger::complete_restore(file)?;
    }
    let ledger = Ledger::open(&location).await?;
    if only != Some(Only::Detect) {
        ledger.take_back().await?;
    }
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
    let desk = (only != Some(Only::Detect)).then(|| {
        let desk = Desk::new(
            config.clone(),
            ledger.clone(),
            health.clone(),
            stopped.clone(),
        );
        Arc::new(desk)
    });
    let delivers = desk.clone();
    let control = Control {
        wake: Arc::new(move || delivers.iter().for_each(|desk| desk.wake())),
        page,
        submitter: Arc::new(Submitter::new(&context)),
        ready: ready.clone(),
    };
    serve_control(&config.state, control, &health, stopped.clone()).await;

    let all_armed = (only != Some(Only::Deliver)).then(|| {
        let (armed, all_armed) = tokio::sync::oneshot::channel();
        tasks.spawn(detect::run(context, armed));
        all_armed
    });
    tasks.spawn(announce::run(announce::Context {
        config: config.clone(),
        ledger: ledger.clone(),
        health: health.clone(),
        stop: stopped.clone(),
    }));
    if let Some(desk) = desk {
        tasks.spawn(ledger.clone().listen(ready.clone(), stopped.clone()));
        tasks.spawn(worker::run(desk, ready, stopped));
    }
    if let Some(all_armed) = all_armed {
        // An error means that detection ended before it began, which its own log explains.
        let _ = all_armed.await;
    }
    Ok(Running {
        page: url,
        stop,
        tasks,
        ledger,
        _lock: lock,
    })
}

/// Where the ledger of this configuration lies.
///
/// # Errors
/// When the password can't be read.
pub async fn location(config: &Config) -> Result<Location, LedgerError> {
    let url = match &config.ledger.url {
        LedgerUrl::Sqlite(file) => return Ok(Location::File(file.clone())),
        LedgerUrl::Postgres(url) => url,
    };
    let mut url = url.clone();
    if let Some(password) = &config.ledger.password {
        let read = password.read().await;
        let secret = read.map_err(|failure| LedgerError::Refused(failure.to_string()))?;
        // Every URL of a database has a host, and so takes a password.
        let _ = url.set_password(Some(secret.expose()));
    }
    Ok(Location::Server {
        url,
        password: config.ledger.password.as_ref().map_or_else(
            || "nowhere: `[ledger] password` is not set".to_owned(),
            ToString::to_string,
        ),
        owner: format!("{}:{}", machine(), config.state.display()),
        lease: config.paces.lease,
    })
}

/// The name of this machine.
fn machine() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
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

//! The daemon: puts the rooms together, one way, and takes them apart again.

mod doors;
mod reload;
mod rooms;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::checked::LedgerUrl;
use crate::deliver::Desk;
use crate::health::Health;
use crate::ledger::{self, Ledger, LedgerError, Location, StateLock, now};
use crate::status::announce;
use crate::status::control::Reload;
use crate::status::service;
use crate::worker;
use doors::Doors;
use rooms::Rooms;

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
    house: House,
    rooms: Rooms,
    /// The worker's, which goes on with what it delivers whatever the configuration is.
    desks: Option<watch::Sender<Arc<Desk>>>,
    /// The announcers', who may still tell one thing for the configuration before.
    announcing: watch::Sender<announce::Context>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    asked: mpsc::Receiver<Reload>,
    _lock: StateLock,
}

/// What stays while configurations come and go.
struct House {
    only: Option<Only>,
    ledger: Ledger,
    /// Troubles of the daemon itself.
    health: Arc<Health>,
    /// Told whenever there is something to deliver.
    ready: Arc<Notify>,
    /// Milliseconds since 1970, UTC.
    up_since: i64,
    reloads: mpsc::Sender<Reload>,
    doors: Doors,
    /// The page's URL, if it is served.
    page: Option<String>,
}

/// Starts everything; returns once the watches are set.
///
/// # Errors
/// Only what makes running senseless: the state directory or ledger can't be used, or another
/// daemon uses it. A hub, a token, a template, a watch directory that is bad never is.
pub async fn start(config: Arc<Config>, only: Option<Only>) -> Result<Running, LedgerError> {
    let (lock, ledger) = open(&config, only).await?;
    let (reloads, asked) = mpsc::channel(1);
    let health = Arc::new(Health::default());
    let pace = config.paces.poll;
    let doors = Doors::open(&config, &health).await;
    let mut house = House {
        only,
        ledger,
        page: doors.url(),
        doors,
        health,
        ready: Arc::default(),
        up_since: now(),
        reloads,
    };
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut rooms = Rooms::start(&mut house, config, None);
    let desks = rooms.desk.clone().map(|desk| {
        let (desks, newest) = watch::channel(desk);
        let (ledger, ready) = (house.ledger.clone(), house.ready.clone());
        tasks.spawn(ledger.listen(ready.clone(), stopped.clone()));
        tasks.spawn(worker::run(newest, ready, stopped.clone()));
        desks
    });
    let announcing = watch::Sender::new(rooms.announcing.clone());
    tasks.spawn(announce::follow(announcing.subscribe()));
    rooms.armed().await;
    let (own, newest) = (house.health.clone(), announcing.subscribe());
    let notices = move || [own.notices(), newest.borrow().health.notices()].concat();
    tasks.spawn(service::run((house.ledger.clone(), notices), pace, stopped));
    Ok(Running {
        house,
        rooms,
        desks,
        announcing,
        stop,
        tasks,
        asked,
        _lock: lock,
    })
}

/// The ledger, for this process alone where it lies in the state directory.
async fn open(config: &Config, only: Option<Only>) -> Result<(StateLock, Ledger), LedgerError> {
    let lock = StateLock::take(&config.state)?;
    let location = location(config).await?;
    if let Location::File(file) = &location {
        ledger::complete_restore(file)?;
    }
    let ledger = Ledger::open(&location).await?;
    if only != Some(Only::Detect) {
        ledger.take_back().await?;
    }
    Ok((lock, ledger))
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
    /// The page's URL, if it is served.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        self.house.page.as_deref()
    }

    /// By which reloads are asked for.
    #[must_use]
    pub fn reloads(&self) -> mpsc::Sender<Reload> {
        self.house.reloads.clone()
    }

    /// Takes up reloads as they are asked for, one after the other, for ever.
    pub async fn attend(&mut self) {
        while let Some(Reload { who, answer }) = self.asked.recv().await {
            // Whoever asked may have gone; it is done all the same.
            let _ = answer.send(self.reload(&who).await);
        }
    }

    /// Stops: nothing new begins, what runs may end within its grace time.
    pub async fn stop(mut self) {
        // Nobody listening any more is as good.
        let _ = self.stop.send(true);
        self.house.doors.close();
        self.rooms.stop().await;
        drop(self.announcing);
        while self.tasks.join_next().await.is_some() {}
        self.house.ledger.close().await;
    }
}

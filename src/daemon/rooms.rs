//! What a configuration stands for, started with it and ended with it: detection, the desk of the
//! deliveries, what answers at the doors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::{House, Only};
use crate::config::Config;
use crate::deliver::Desk;
use crate::detect;
use crate::detect::spool::Submitter;
use crate::health::Health;
use crate::status::announce;
use crate::status::control::Control;
use crate::status::json::Alive;
use crate::status::page::Page;

/// The rooms of one configuration.
pub(super) struct Rooms {
    pub(super) config: Arc<Config>,
    /// `None` where only runs are found.
    pub(super) desk: Option<Arc<Desk>>,
    stop: watch::Sender<bool>,
    /// What announcers need.
    pub(super) announcing: announce::Context,
    detection: JoinSet<()>,
    armed: Option<oneshot::Receiver<()>>,
    /// Whether the watches are set.
    watching: Arc<AtomicBool>,
}

impl Rooms {
    /// Starts all but the worker, which stays; `former` is the desk that it has had.
    pub(super) fn start(house: &mut House, config: Arc<Config>, former: Option<&Desk>) -> Self {
        let (stop, stopped) = watch::channel(false);
        // A board of its own: what former rooms still say is about a configuration that is over.
        let context = detect::Context {
            config: config.clone(),
            ledger: house.ledger.clone(),
            health: Arc::new(Health::default()),
            ready: house.ready.clone(),
            stop: stopped.clone(),
        };
        let announcing = announce::Context {
            config: config.clone(),
            ledger: context.ledger.clone(),
            health: context.health.clone(),
            stop: stopped.clone(),
        };
        let desk = (house.only != Some(Only::Detect)).then(|| {
            let (ledger, health) = (context.ledger.clone(), context.health.clone());
            Arc::new(Desk::new(config.clone(), ledger, health, stopped).after(former))
        });
        let watching = Arc::new(AtomicBool::new(false));
        answer(house, &context, (desk.clone(), watching.clone()));
        let mut detection = JoinSet::new();
        let armed = (house.only != Some(Only::Deliver)).then(|| {
            let (arm, armed) = oneshot::channel();
            detection.spawn(detect::run(context, arm));
            armed
        });
        Self {
            config,
            desk,
            stop,
            announcing,
            detection,
            armed,
            watching,
        }
    }

    /// Waits until the watches are set.
    pub(super) async fn armed(&mut self) {
        if let Some(armed) = self.armed.take() {
            // An error means that detection ended before it began, which its own log explains.
            let _ = armed.await;
        }
        self.watching.store(true, Ordering::Relaxed);
    }

    /// Ends detection; deliveries that only wait are given back.
    pub(super) async fn stop(&mut self) {
        // Nobody listening any more is as good.
        let _ = self.stop.send(true);
        while self.detection.join_next().await.is_some() {}
    }
}

/// What answers at the doors.
fn answer(
    house: &mut House,
    context: &detect::Context,
    (desk, watching): (Option<Arc<Desk>>, Arc<AtomicBool>),
) {
    let (own, board) = (house.health.clone(), context.health.clone());
    let (up_since, url) = (house.up_since, house.page.clone());
    let alive = move || Alive {
        up_since: Some(up_since),
        notices: [own.notices(), board.notices()].concat(),
        page: url.clone(),
        watching: watching.load(Ordering::Relaxed),
    };
    let page = Page {
        config: context.config.clone(),
        ledger: house.ledger.clone(),
        alive: Arc::new(alive),
    };
    let control = Control {
        wake: Arc::new(move || desk.iter().for_each(|desk| desk.wake())),
        page: page.clone(),
        submitter: Arc::new(Submitter::new(context)),
        ready: house.ready.clone(),
        reloads: house.reloads.clone(),
    };
    house.doors.lead_to(page, control);
}

//! Where the daemon is spoken to: the page's address and the control socket. They stay open while
//! configurations come and go, so that nobody meets a closed door in between.

use std::net::SocketAddr;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::config::Config;
use crate::health::Health;
use crate::status::control::{self, Control};
use crate::status::page::{self, Page};

/// The open doors; one that can't be opened is a notice, never an end: delivery is what matters.
pub(super) struct Doors {
    /// With the address that was asked for, and the one it is.
    page: Option<(Door<TcpListener>, [SocketAddr; 2])>,
    control: Option<Door<UnixListener>>,
    /// What stands behind them.
    rooms: Option<(watch::Sender<Page>, watch::Sender<Control>)>,
}

/// One door; it closes when this is dropped, and what was asked by then is answered.
struct Door<L> {
    /// Until somebody answers there.
    listener: Option<L>,
    open: watch::Sender<()>,
}

impl Doors {
    /// Opens both.
    pub(super) async fn open(config: &Config, health: &Health) -> Self {
        Self {
            page: page(config, health).await,
            control: socket(config, health),
            rooms: None,
        }
    }

    /// Opens the page where this configuration wants it; where it is there already, it stays.
    pub(super) async fn follow(&mut self, config: &Config, health: &Health) {
        let now = self.page.as_ref().map(|(_, [wanted, _])| *wanted);
        if now != config.listen {
            self.page = None;
            health.clear("page");
            self.page = page(config, health).await;
        }
    }

    /// The page's URL, if it is served.
    pub(super) fn url(&self) -> Option<String> {
        let (_, [_, address]) = self.page.as_ref()?;
        Some(format!("http://{address}/"))
    }

    /// From now on these answer.
    pub(super) fn lead_to(&mut self, page: Page, control: Control) {
        let (pages, controls) = self.rooms.get_or_insert_with(|| {
            let pages = watch::Sender::new(page.clone());
            (pages, watch::Sender::new(control.clone()))
        });
        pages.send_replace(page);
        controls.send_replace(control);
        if let Some((listener, closed)) = self.page.as_mut().and_then(|(door, _)| door.first()) {
            tokio::spawn(page::serve(listener, pages.subscribe(), closed));
        }
        if let Some((listener, closed)) = self.control.as_mut().and_then(Door::first) {
            control::serve(listener, controls.subscribe(), closed);
        }
    }

    /// Closes both.
    pub(super) fn close(&mut self) {
        (self.page, self.control) = (None, None);
    }
}

impl<L> Door<L> {
    fn new(listener: L) -> Self {
        Self {
            listener: Some(listener),
            open: watch::Sender::new(()),
        }
    }

    /// For the first who answers here: what to listen to, and until when.
    fn first(&mut self) -> Option<(L, impl Future<Output = ()> + Send + use<L>)> {
        let mut open = self.open.subscribe();
        let closed = async move { while open.changed().await.is_ok() {} };
        Some((self.listener.take()?, closed))
    }
}

async fn page(config: &Config, health: &Health) -> Option<(Door<TcpListener>, [SocketAddr; 2])> {
    let address = config.listen?;
    let bound = TcpListener::bind(address).await;
    // A port 0 is any.
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    match bound {
        Ok((bound, listener)) => Some((Door::new(listener), [address, bound])),
        Err(error) => {
            let what = format!("the page can't be served at {address}: {error}");
            let advice =
                "set another `[status] listen`, or end what listens there; then `nbcourier reload`";
            health.raise("page", "page-unserved", what, advice);
            None
        }
    }
}

fn socket(config: &Config, health: &Health) -> Option<Door<UnixListener>> {
    let socket = control::socket(&config.state);
    match control::bind(&socket) {
        Ok(listener) => Some(Door::new(listener)),
        Err(error) => {
            let what = format!(
                "the control socket {} can't be made: {error}",
                socket.display()
            );
            let advice = "let the service's user write into that directory and restart nbcourier; \
                          until then `retry`, `skip`, `submit` and `reload` don't work, but \
                          detection and delivery do";
            health.raise("control", "control-socket", what, advice);
            None
        }
    }
}

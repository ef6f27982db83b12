//! The hub, with one user's server.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::hub::Hub;
use crate::progress;
use crate::watched::used;

/// The user whom everything is for.
pub(crate) const USER: &str = "alice";

/// A running hub.
pub(crate) struct Site {
    pub(crate) hub: Hub,
}

impl Site {
    pub(crate) fn start() -> Self {
        Self { hub: Hub::start() }
    }

    /// The base of the user's contents API.
    pub(crate) fn contents(&self) -> String {
        format!("{}/user/{USER}/api/contents", self.hub.url)
    }

    /// A directory of the user's, on the disk.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.hub.home(USER).join(name)
    }

    /// The seconds of a core that the user's server has used.
    pub(crate) fn server_used(&self) -> f64 {
        let servers = self.hub.servers(USER).into_iter();
        servers.map(|(pid, _)| used(pid.cast_unsigned())).sum()
    }

    /// Ends hub and proxy, and starts them again so long after; when the hub answered again. The
    /// user's server stays.
    pub(crate) fn restart(&mut self, away: Duration) -> Instant {
        let begun = Instant::now();
        if let Some(mut proxy) = self.hub.proxy.take() {
            proxy.signal(Signal::TERM);
            self.hub.down();
            proxy.wait(30);
        }
        progress("the hub and its proxy are down");
        sleep(away.saturating_sub(begun.elapsed()));
        self.hub.start_proxy();
        self.hub.up();
        progress("the hub is back");
        Instant::now()
    }
}

//! Making sure that a user's server runs.
//!
//! The user model and the server itself decide, never the status of the POST: `JupyterHub` 6.1
//! answers 201 while a spawn is pending if the one before had failed.

pub(super) mod allowed;
mod progress;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::Method;
use url::Url;

use super::classify::{Call, classify};
use super::hub::{Ready, Server};
use super::swan::Home;
use super::{Jupyter, lock};
use crate::auth::Token;
use crate::config::checked::Hub;
use crate::failure::{Code, Failure};
use crate::job::millis;
use crate::measure;

/// How long a ready server may stay without a route before it is reported.
const ROUTE: Duration = Duration::from_secs(10);

/// A server that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Its URL.
    pub(super) url: Url,
    /// Where its user's paths begin.
    pub(super) home: Home,
    /// Nbcourier started it, and may stop it if nobody uses it.
    pub(super) is_own: bool,
}

/// What is known of one user's server.
#[derive(Default)]
pub(super) struct Gate {
    /// When it was last recorded that nbcourier used it.
    pub(super) noted: Mutex<Option<Instant>>,
    /// What it was when it was last found ready.
    ready: Mutex<Option<Running>>,
    /// Held by the one who starts it; what the last start failed by, in the hub's words.
    pub(super) starts: tokio::sync::Mutex<Option<Failure>>,
}

/// What a hub answered to the wish for a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Posted {
    Started,
    Running,
    Stopping,
}

impl Gate {
    /// Forgets that the server was ready.
    pub(super) fn forget(&self) {
        *lock(&self.ready) = None;
    }
}

impl Jupyter {
    /// The user's running server, started if need be and allowed.
    pub(super) async fn ensure_server(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
    ) -> Result<Running, Failure> {
        let gate = self.gate(user);
        if let Some(running) = self.known(hub, token, user).await? {
            return Ok(running);
        }
        let mut last = gate.starts.lock().await;
        if let Some(running) = self.known(hub, token, user).await? {
            return Ok(running);
        }
        match self.start(hub, token, user, last.as_ref()).await {
            Ok((url, ready)) => {
                self.start_ended(hub, user, true).await;
                *last = None;
                let is_own = self.is_own((hub, user), &ready).await;
                let home = self
                    .home((hub, user), token, (&url, &ready.options))
                    .await?;
                let running = Running { url, home, is_own };
                *lock(&gate.ready) = Some(running.clone());
                Ok(running)
            }
            Err(failure) if has_failed(&failure) => {
                *last = Some(failure.clone());
                let wait = self.start_ended(hub, user, false).await;
                Err(failure.after(wait))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The server that was last found ready, if it need not be looked for again.
    async fn known(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
    ) -> Result<Option<Running>, Failure> {
        let Some(running) = lock(&self.gate(user).ready).clone() else {
            return Ok(None);
        };
        if running.home == Home::Root {
            return Ok(Some(running));
        }
        // Meanwhile somebody may have started the other interface, where paths begin elsewhere.
        let home = match self.server(hub, token, user).await {
            Ok(Server::Ready(ready)) => Home::told(&ready.options, user),
            Ok(_) => None,
            // Nobody starts anything at a hub that doesn't answer, and the server may be well.
            Err(_) => return Ok(Some(running)),
        };
        Ok(Some(running).filter(|running| home.as_ref() == Some(&running.home)))
    }

    async fn start(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
        last: Option<&Failure>,
    ) -> Result<(Url, Ready), Failure> {
        let begun = Instant::now();
        let deadline = begun + hub.spawn_timeout;
        let patience = Instant::now() + ROUTE;
        let mut asked = false;
        while Instant::now() < deadline {
            match self.server(hub, token, user).await? {
                Server::Ready(ready) => match self.reached(&ready.path).await {
                    Ok(url) if asked => {
                        self.tell_start(user, begun.elapsed());
                        return Ok((url, ready));
                    }
                    Ok(url) => return Ok((url, ready)),
                    Err(failure) if failure.code != Code::NoRoute => return Err(failure),
                    // It may have crashed unnoticed: asked for a start, the hub looks.
                    Err(_) if hub.spawn && !asked => {
                        asked = self.ask_to_start(hub, token, user, last).await?;
                    }
                    Err(failure) if Instant::now() > patience => return Err(failure),
                    Err(_) => {}
                },
                Server::Starting => {
                    // Who asked for it is all the same: a daemon before this one, another machine.
                    asked = true;
                    self.follow(hub, token, user, deadline).await;
                }
                Server::Stopping => {}
                Server::Stopped if !hub.spawn => return Err(not_running(user)),
                Server::Stopped if asked => return Err(self.failed(hub, token, user).await),
                Server::Stopped => asked = self.ask_to_start(hub, token, user, last).await?,
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(not_ready(hub, user))
    }

    fn tell_start(&self, user: &str, took: Duration) {
        let destination = self.client.destination().unwrap_or_default();
        measure::spawned(destination, took);
        let (event, duration_ms) = ("server.spawned", millis(took));
        tracing::info!(event, destination, user, duration_ms, "the server runs");
    }

    /// Asks for a start if it is allowed now. `false`: it is still stopping, ask again.
    async fn ask_to_start(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
        last: Option<&Failure>,
    ) -> Result<bool, Failure> {
        self.start_allowed(hub, user, last).await?;
        let posted = self.post_start(hub, token, user).await;
        let begun = match &posted {
            Ok(posted) => *posted == Posted::Started,
            Err(failure) => has_failed(failure),
        };
        if !begun {
            self.start_turned_down(hub, user).await;
        }
        Ok(posted? != Posted::Stopping)
    }

    async fn post_start(&self, hub: &Hub, token: &Token, user: &str) -> Result<Posted, Failure> {
        let url = self.url(&Self::server_path(hub, user))?;
        let mut request = self.request(Method::POST, url, Some(token));
        // Without a body the hub repeats the user's last choice.
        if let Some(options) = &hub.spawn_options {
            request = request.json(options);
        }
        // A lost answer is no harm: at the next attempt the model tells.
        let reply = self.send(Call::Spawn, request).await?;
        if matches!(reply.status, 201 | 202) {
            tracing::info!(user, "starting the server");
            return Ok(Posted::Started);
        }
        if reply.status == 400 && reply.words().contains("already running") {
            return Ok(Posted::Running);
        }
        let failure = classify(Call::Spawn, &reply);
        match failure.code {
            Code::ServerStopped => Ok(Posted::Stopping),
            Code::SpawnFailed if failure.retry_after.is_none() => {
                Err(self.failed(hub, token, user).await)
            }
            _ => Err(failure),
        }
    }

    /// The server's URL if it answers there: after a restart of the proxy, or a crash, the model
    /// says ready while nothing answers.
    async fn reached(&self, path: &str) -> Result<Url, Failure> {
        let server = self.url(path)?;
        match self.server_version(&server).await {
            Ok(_) => Ok(server),
            Err(failure) if failure.code == Code::ServerStopped => Err(no_route(&failure)),
            Err(failure) => Err(failure),
        }
    }
}

pub(super) fn not_running(user: &str) -> Failure {
    let what = format!("{user}'s server is not running and `spawn` is false");
    Code::ServerNotRunning.failure(what)
}

pub(super) fn not_ready(hub: &Hub, user: &str) -> Failure {
    let what = format!(
        "{user}'s server was not ready within {} s",
        hub.spawn_timeout.as_secs()
    );
    Code::SpawnTimeout.failure(what)
}

pub(super) fn no_route(failure: &Failure) -> Failure {
    let what = format!(
        "the hub says that the server is ready, but {}",
        failure.what
    );
    Code::NoRoute.failure(what)
}

/// Whether a start came to nothing. With a time to come again nothing was tried: the hub was too
/// busy, or the pause after a failure lasts.
fn has_failed(failure: &Failure) -> bool {
    matches!(failure.code, Code::SpawnFailed | Code::SpawnTimeout) && failure.retry_after.is_none()
}

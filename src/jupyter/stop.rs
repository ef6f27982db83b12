//! Stopping a user's server that nbcourier started, if nobody used it: a guest leaves no light on.

use std::time::Instant;

use reqwest::Method;
use serde_json::Value;

use super::classify::{Call, classify};
use super::hub::{Ready, Server, time};
use super::spawn::allowed::server_key;
use super::{Jupyter, lock};
use crate::auth::Token;
use crate::config::checked::Hub;
use crate::failure::{Class, Failure};
use crate::ledger::{Ledger, LedgerError};
use crate::spawns::Started;

impl Jupyter {
    /// Whether nbcourier started the server that runs; it is remembered then, to be stopped.
    pub(super) async fn is_own(&self, (hub, user): (&Hub, &str), ready: &Ready) -> bool {
        let wanted = self.ledger.as_ref().zip(ready.started_at);
        let Some((ledger, started_at)) = wanted.filter(|_| hub.stop_after.is_some()) else {
            return false;
        };
        let key = server_key(hub, user);
        let known = (started_at, self.paces.probe);
        let own = ledger.own_server((self.base.as_str(), &key), &self.name, known);
        own.await.unwrap_or_else(|error| {
            tracing::debug!(user, %error, "the server is left to the hub to stop");
            false
        })
    }

    /// Records that such a server was used; often enough that what the hub sees of it later than
    /// this and a pause of the probes is somebody else's use.
    pub(super) async fn used(&self, user: &str) {
        let gate = self.gate(user);
        let fresh = |at: Instant| at.elapsed() < self.paces.probe / 2;
        if lock(&gate.noted).is_some_and(fresh) {
            return;
        }
        let (Some(hub), Some(ledger)) = (&self.hub, &self.ledger) else {
            return;
        };
        let key = server_key(hub, user);
        match ledger.use_server(self.base.as_str(), &key).await {
            Ok(()) => *lock(&gate.noted) = Some(Instant::now()),
            Err(error) => tracing::debug!(user, %error, "the server seems used by somebody else"),
        }
    }

    /// Stops the servers that were started for this destination, whose time is over, and that nobody
    /// but nbcourier has used; none that a job for one of the `tables` on this hub needs.
    ///
    /// # Errors
    /// When the ledger can't be read or written.
    pub(crate) async fn stop_unused(&self, tables: &[&str]) -> Result<(), LedgerError> {
        let (Some(hub), Some(ledger)) = (&self.hub, &self.ledger) else {
            return Ok(());
        };
        let Some(after) = hub.stop_after else {
            return Ok(());
        };
        for server in ledger.idle_servers(&self.name, after).await? {
            self.stop_if_unused((hub, ledger), &server, tables).await?;
        }
        Ok(())
    }

    async fn stop_if_unused(
        &self,
        (hub, ledger): (&Hub, &Ledger),
        server: &Started,
        tables: &[&str],
    ) -> Result<(), LedgerError> {
        let user = user_of(hub, &server.server);
        let gate = self.gate(user);
        // Whoever begins to deliver now waits here, and finds it stopped.
        let Ok(_turn) = gate.starts.try_lock() else {
            return Ok(());
        };
        gate.forget();
        if ledger.is_awaited(tables, user).await? {
            return Ok(());
        }
        match self.stop(hub, user, server).await {
            Err(failure) if matches!(failure.code.row().class, Class::Retry(_)) => {
                tracing::debug!(user, "the server is not stopped yet: {failure}");
                return Ok(());
            }
            Err(failure) => tracing::info!(user, "the server is left to the hub: {failure}"),
            Ok(true) => tracing::info!(user, "stopped the server that was started for deliveries"),
            Ok(false) => tracing::info!(user, "the server is somebody else's by now, or gone"),
        }
        ledger.forget_server(self.base.as_str(), server).await
    }

    /// Stops the user's server, unless it is another one by now, or somebody has used it.
    async fn stop(&self, hub: &Hub, user: &str, known: &Started) -> Result<bool, Failure> {
        let (_, token) = match self.minting().await? {
            Some(minting) => self.minted_for(minting, Some(user)).await?,
            None => self.known_for(Some(user), None).await?,
        };
        let Server::Ready(ready) = self.server(hub, &token, user).await? else {
            return Ok(false);
        };
        let Some(started_at) = ready.started_at else {
            return Ok(false);
        };
        let is_quiet = |active_at: Option<i64>| {
            known.is_unused(
                started_at,
                active_at.unwrap_or(started_at),
                self.paces.probe,
            )
        };
        if !is_quiet(ready.active_at) || !self.is_idle(&token, &ready, is_quiet).await? {
            return Ok(false);
        }
        let url = self.url(&Self::server_path(hub, user))?;
        let request = self.request(Method::DELETE, url, Some(&token));
        let reply = self.send(Call::Stop, request).await?;
        match reply.status {
            202 | 204 => Ok(true),
            _ => Err(classify(Call::Stop, &reply)),
        }
    }

    /// Whether the server itself, which knows it sooner than the hub, has seen nobody; and runs no
    /// kernels and no terminals.
    async fn is_idle(
        &self,
        token: &Token,
        ready: &Ready,
        is_quiet: impl Fn(Option<i64>) -> bool,
    ) -> Result<bool, Failure> {
        let server = self.url(&ready.path)?;
        let ask = async |path: &str| -> Result<Value, Failure> {
            let mut url = super::join(&server, path)?;
            url.set_query(Some("no_track_activity=1"));
            let request = self.get(url, Some(token));
            // A server may have no terminals at all.
            Ok(self.ask(Call::Use, request, &[200, 404]).await?.json())
        };
        let status = ask("api/status").await?;
        let is_free = status["kernels"] == 0 && status["connections"] == 0;
        if !is_free || !is_quiet(time(&status, "last_activity")) {
            return Ok(false);
        }
        let terminals = ask("api/terminals").await?;
        Ok(terminals.as_array().is_none_or(Vec::is_empty))
    }
}

/// The user of a server.
fn user_of<'a>(hub: &Hub, key: &'a str) -> &'a str {
    match hub.server_name.as_str() {
        "" => key,
        _ => key.split('/').next().unwrap_or(key),
    }
}

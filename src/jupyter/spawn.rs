//! Making sure that a user's server runs.
//!
//! The user model and the server itself decide, never the status of the POST: `JupyterHub` 6.1
//! answers 201 while a spawn is pending if the one before had failed. One start at a time for each
//! user, and a pause after failed ones: some hubs shut themselves down after a few.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::classify::{Call, classify};
use super::hub::Server;
use super::{Jupyter, lock};
use crate::config::checked::Hub;
use crate::config::secret::Secret;
use crate::failure::{Code, Failure};
use crate::retry::backoff;

/// Starts of one user's server in an hour, of those that fail.
const FAILURES_AN_HOUR: usize = 5;

/// How long a ready server may stay without a route before it is reported.
const ROUTE: Duration = Duration::from_secs(10);

/// How long a progress without news is followed before the model is asked again: a proxy may hold
/// the stream back.
const SILENCE: Duration = Duration::from_secs(10);

/// What is known of one user's server.
#[derive(Default)]
pub(super) struct Gate {
    /// Its URL when it was last found ready.
    ready: Mutex<Option<Url>>,
    /// Held by the one who starts it.
    starts: tokio::sync::Mutex<Failures>,
}

/// The failed starts of one user's server.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    recent: VecDeque<Instant>,
    last: Option<(Failure, Instant)>,
}

impl Gate {
    /// Forgets that the server was ready.
    pub(super) fn forget(&self) {
        *lock(&self.ready) = None;
    }
}

impl Failures {
    /// The last failure again, while its pause lasts.
    fn standing(&self) -> Result<(), Failure> {
        match &self.last {
            Some((failure, until)) if *until > Instant::now() => Err(failure
                .clone()
                .after(Some(until.duration_since(Instant::now())))),
            _ => Ok(()),
        }
    }

    /// Adds a failure; its pause grows with each in a row, and with more than five in an hour
    /// lasts until the first of them is an hour old. The hour scales with the pace.
    fn add(&mut self, failure: Failure, (first, longest): (Duration, Duration)) -> Failure {
        let now = Instant::now();
        let hour = first * 120;
        self.in_a_row += 1;
        self.recent.retain(|at| now.duration_since(*at) < hour);
        self.recent.push_back(now);
        let mut pause = backoff((first, longest), self.in_a_row, failure.retry_after, 0.0);
        if self.recent.len() >= FAILURES_AN_HOUR
            && let Some(oldest) = self.recent.front()
        {
            pause = pause.max((*oldest + hour).duration_since(now));
        }
        self.last = Some((failure.clone(), now + pause));
        failure.after(Some(pause))
    }
}

impl Jupyter {
    /// The URL of the user's running server, started if need be and allowed.
    pub(super) async fn ensure_server(
        &self,
        hub: &Hub,
        token: &Secret,
        user: &str,
    ) -> Result<Url, Failure> {
        let gate = self.gate(user);
        if let Some(url) = lock(&gate.ready).clone() {
            return Ok(url);
        }
        let mut failures = gate.starts.lock().await;
        if let Some(url) = lock(&gate.ready).clone() {
            return Ok(url);
        }
        match self.start(hub, token, user, &failures).await {
            Ok(url) => {
                *failures = Failures::default();
                *lock(&gate.ready) = Some(url.clone());
                Ok(url)
            }
            Err(failure)
                if matches!(failure.code, Code::SpawnFailed | Code::SpawnTimeout)
                    && failure.retry_after.is_none() =>
            {
                Err(failures.add(failure, self.paces.spawn))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn start(
        &self,
        hub: &Hub,
        token: &Secret,
        user: &str,
        failures: &Failures,
    ) -> Result<Url, Failure> {
        let deadline = Instant::now() + hub.spawn_timeout;
        let patience = Instant::now() + ROUTE;
        let mut asked = false;
        while Instant::now() < deadline {
            match self.server(hub, token, user).await? {
                Server::Ready(path) => match self.reached(&path).await {
                    Ok(url) => return Ok(url),
                    Err(failure) if failure.code != Code::NoRoute => return Err(failure),
                    // It may have crashed unnoticed: asked for a start, the hub looks.
                    Err(_) if hub.spawn && !asked => {
                        asked = self.post_start(hub, token, user).await?
                    }
                    Err(failure) if Instant::now() > patience => return Err(failure),
                    Err(_) => {}
                },
                Server::Starting => self.follow(hub, token, user, deadline).await,
                Server::Stopping => {}
                Server::Stopped if !hub.spawn => {
                    let what = format!("{user}'s server is not running and `spawn` is false");
                    return Err(Code::ServerNotRunning.failure(what));
                }
                Server::Stopped if asked => return Err(self.failed(hub, token, user).await),
                Server::Stopped => {
                    failures.standing()?;
                    asked = self.post_start(hub, token, user).await?;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let what = format!(
            "{user}'s server was not ready within {} s",
            hub.spawn_timeout.as_secs()
        );
        Err(Code::SpawnTimeout.failure(what))
    }

    /// Asks for a start. `false`: it is still stopping, ask again.
    async fn post_start(&self, hub: &Hub, token: &Secret, user: &str) -> Result<bool, Failure> {
        let mut request = self.client.request(
            Method::POST,
            self.url(&Self::server_path(hub, user))?,
            Some(token),
        );
        // Without a body the hub repeats the user's last choice.
        if let Some(options) = &hub.spawn_options {
            request = request.json(options);
        }
        // A lost answer is no harm: at the next attempt the model tells.
        let reply = self.client.send(request, false).await?;
        if matches!(reply.status, 201 | 202)
            || (reply.status == 400 && reply.words().contains("already running"))
        {
            tracing::info!(user, "starting the server");
            return Ok(true);
        }
        let failure = classify(Call::Spawn, &reply);
        match failure.code {
            Code::ServerStopped => Ok(false),
            Code::SpawnFailed => Err(self.failed(hub, token, user).await),
            _ => Err(failure),
        }
    }

    /// A failed start in the hub's words: the POST's answer has none, the progress has.
    async fn failed(&self, hub: &Hub, token: &Secret, user: &str) -> Failure {
        let soon = Instant::now() + Duration::from_secs(5);
        let told = self.progress(hub, token, user, soon).await;
        let why = told
            .filter(|why| !why.is_empty())
            .unwrap_or_else(|| "the hub gives no reason".into());
        let options = match &hub.spawn_options {
            Some(options) => format!("; spawn_options sent: {options}"),
            None => String::new(),
        };
        Code::SpawnFailed.failure(format!("{user}'s server did not start: {why}{options}"))
    }

    /// Waits until the start is over, one way or the other; what it came to, the model tells.
    async fn follow(&self, hub: &Hub, token: &Secret, user: &str, deadline: Instant) {
        let told = self.progress(hub, token, user, deadline).await;
        tracing::debug!(user, told, "the start is over");
    }

    /// Reads the progress until it ends; the message of a failure, if there is one.
    async fn progress(
        &self,
        hub: &Hub,
        token: &Secret,
        user: &str,
        deadline: Instant,
    ) -> Option<String> {
        let url = self
            .url(&format!("{}/progress", Self::server_path(hub, user)))
            .ok()?;
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.get(url, Some(token)).timeout(left);
        let (reply, answer) = self.client.stream(request).await.ok()?;
        if reply.status != 200 {
            return None;
        }
        let mut events = answer.bytes_stream().eventsource();
        while let Ok(Some(Ok(event))) = tokio::time::timeout(SILENCE, events.next()).await {
            let event: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
            if event["failed"] == true {
                let message = event["message"].as_str().unwrap_or_default();
                return Some(
                    message
                        .chars()
                        .map(|c| if c.is_control() { ' ' } else { c })
                        .take(300)
                        .collect(),
                );
            }
            if event["ready"] == true {
                return None;
            }
        }
        None
    }

    /// The server's URL if it answers there: after a restart of the proxy, or a crash, the model
    /// says ready while nothing answers.
    async fn reached(&self, path: &str) -> Result<Url, Failure> {
        let server = self.url(path)?;
        match self.server_version(&server).await {
            Ok(_) => Ok(server),
            Err(failure) if failure.code == Code::ServerStopped => {
                let what = format!(
                    "the hub says that the server is ready, but {}",
                    failure.what
                );
                Err(Code::NoRoute.failure(what))
            }
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_starts_come_slower_and_at_most_five_an_hour() {
        let pace = (Duration::from_secs(30), Duration::from_secs(600));
        let mut failures = Failures::default();
        assert!(failures.standing().is_ok());
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let failure = failures.add(Code::SpawnFailed.failure("x"), pace);
            pauses.push(failure.retry_after.expect("a pause").as_secs());
            assert!(failures.standing().is_err());
        }
        assert_eq!(pauses[..4], [30, 60, 120, 240]);
        assert!(pauses[4] >= 3590, "{pauses:?}");
    }
}

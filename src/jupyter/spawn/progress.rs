//! What a hub tells of a start: the stream of its progress.

use std::time::{Duration, Instant};

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::auth::Token;
use crate::config::checked::Hub;
use crate::failure::{Code, Failure};
use crate::jupyter::{Jupyter, swan};

/// How long a progress without news is followed before the model is asked again: a proxy may hold
/// the stream back.
const SILENCE: Duration = Duration::from_secs(10);

impl Jupyter {
    /// A failed start in the hub's words: the POST's answer has none, the progress has.
    pub(super) async fn failed(&self, hub: &Hub, token: &Token, user: &str) -> Failure {
        let soon = Instant::now() + Duration::from_secs(5);
        let told = self.progress(hub, token, user, soon).await;
        let why = told
            .filter(|why| !why.is_empty())
            .unwrap_or_else(|| "the hub gives no reason".into());
        let options = match &hub.spawn_options {
            Some(options) => format!("; spawn_options sent: {options}"),
            None => String::new(),
        };
        let what = format!("{user}'s server did not start: {why}{options}");
        let failure = Code::SpawnFailed.failure(what);
        match swan::advice::on_start(hub) {
            Some(advice) => failure.advise(advice),
            None => failure,
        }
    }

    /// Waits until the start is over, one way or the other; what it came to, the model tells.
    pub(super) async fn follow(&self, hub: &Hub, token: &Token, user: &str, deadline: Instant) {
        let told = self.progress(hub, token, user, deadline).await;
        tracing::debug!(user, told, "the start is over");
    }

    /// Reads the progress until it ends; the message of a failure, if there is one.
    async fn progress(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
        deadline: Instant,
    ) -> Option<String> {
        let url = self
            .url(&format!("{}/progress", Self::server_path(hub, user)))
            .ok()?;
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.get(url, Some(token)).into_request().timeout(left);
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
}

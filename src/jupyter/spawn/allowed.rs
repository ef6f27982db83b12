//! Asking the ledger whether a server may be started now, and telling it what came of it.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::checked::Hub;
use crate::failure::{Code, Failure};
use crate::jupyter::Jupyter;
use crate::spawns::{Limits, NotNow, Why};

impl Jupyter {
    /// Takes the right to start a user's server, or says when to ask again: in the words of the
    /// start that failed `last`, where it is its pause that lasts.
    pub(super) async fn start_allowed(
        &self,
        hub: &Hub,
        user: &str,
        last: Option<&Failure>,
    ) -> Result<(), Failure> {
        let Some(ledger) = &self.ledger else {
            return Ok(());
        };
        let (key, limits, now) = (server_key(hub, user), self.limits(hub), ledger.now());
        let begun = ledger
            .begin_spawn(self.base.as_str(), &key, (&limits, now))
            .await;
        match begun.map_err(|error| Code::LedgerUnwritable.failure(error.to_string()))? {
            Ok(()) => Ok(()),
            Err(refused) => {
                let failure = match last {
                    Some(last) if matches!(refused.why, Why::Failing(_)) => last.clone(),
                    _ => self.limited(user, refused),
                };
                Err(failure.after(Some(wait(refused, now))))
            }
        }
    }

    /// Records what a start came to; how long until the next one is allowed, if it isn't now.
    pub(super) async fn start_ended(
        &self,
        hub: &Hub,
        user: &str,
        succeeded: bool,
    ) -> Option<Duration> {
        let ledger = self.ledger.as_ref()?;
        let (key, limits, now) = (server_key(hub, user), self.limits(hub), ledger.now());
        let end = ledger.end_spawn(self.base.as_str(), &key, succeeded, (&limits, now));
        match end.await {
            Ok(next) => next.err().map(|refused| wait(refused, now)),
            Err(error) => {
                // It counts as running until its timeout, which is the safe side.
                tracing::warn!(user, %error, "what the start came to is not recorded");
                None
            }
        }
    }

    /// Forgets a start that the hub turned down.
    pub(super) async fn start_turned_down(&self, hub: &Hub, user: &str) {
        if let Some(ledger) = &self.ledger {
            let key = server_key(hub, user);
            if let Err(error) = ledger.withdraw_spawn(self.base.as_str(), &key).await {
                tracing::debug!(user, %error, "a start that was none counts as one");
            }
        }
    }

    fn limits(&self, hub: &Hub) -> Limits {
        Limits {
            an_hour: hub.max_spawns_per_hour,
            pause: self.paces.spawn,
            timeout: hub.spawn_timeout,
        }
    }

    pub(in crate::jupyter) fn limited(&self, user: &str, refused: NotNow) -> Failure {
        let (base, next) = (self.base.as_str(), time(refused.until));
        let (why, advice) = match refused.why {
            Why::Starting => (
                format!("{user}'s server is being started already"),
                "nothing; the notebook follows once the server runs",
            ),
            Why::Failing(times) => (
                format!(
                    "{user}'s server has failed to start (within the last hour: {times} times)"
                ),
                "start the server in the browser, or see what the hub says there",
            ),
            Why::HubFailing => (
                format!(
                    "the last starts on {base} failed, so that servers are started one after the other there"
                ),
                "nothing yet; if starts go on failing, tell the hub's administrator",
            ),
            Why::HubFull(most) => (
                format!("{base} has been asked to start {most} servers within an hour"),
                "nothing; or raise `max_spawns_per_hour` if the hub's administrator agrees, then `nbcourier reload`",
            ),
        };
        let what = format!("{why}; the next try for {user} is at {next}");
        Code::SpawnLimited.failure(what).advise(advice)
    }
}

/// What tells a user's server from the others on the hub. No user's name has a `/`.
pub(in crate::jupyter) fn server_key(hub: &Hub, user: &str) -> String {
    match hub.server_name.as_str() {
        "" => user.to_owned(),
        name => format!("{user}/{name}"),
    }
}

fn wait(refused: NotNow, now: i64) -> Duration {
    Duration::from_millis(refused.until.abs_diff(now))
}

/// A time to the second, RFC 3339.
fn time(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

//! The hub's REST API: whose token, which servers.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use super::classify::Call;
use super::{Jupyter, swan, text};
use crate::auth::Token;
use crate::config::checked::Hub;
use crate::destination::terms::Accepted;
use crate::failure::{Code, Failure};

/// What one path segment keeps as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'@');

/// One path segment, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A user's server as the hub's user model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Stopped,
    Starting,
    Stopping,
    Ready(Ready),
}

/// A server that runs, in the hub's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    /// The path of its URL.
    pub(super) path: String,
    /// The options that it was started with; null if they can't be seen.
    pub(super) options: Value,
    /// When it was started, milliseconds since 1970, UTC.
    pub(super) started_at: Option<i64>,
    /// When somebody used it last.
    pub(super) active_at: Option<i64>,
}

impl Ready {
    fn of(server: &Value) -> Self {
        Self {
            path: text(server, "url").to_owned(),
            options: server["user_options"].clone(),
            started_at: time(server, "started"),
            active_at: time(server, "last_activity"),
        }
    }
}

/// The time of a JSON field, milliseconds since 1970, UTC.
pub(super) fn time(value: &Value, field: &str) -> Option<i64> {
    let time: Timestamp = text(value, field).parse().ok()?;
    Some(time.as_millisecond())
}

/// The name of the user whom a token belongs to.
pub(super) fn owner_of(owner: &Value) -> Result<String, Failure> {
    if owner["kind"] == "service" {
        let what = format!(
            "the token belongs to the service `{}`, and no user is named",
            text(owner, "name")
        );
        return Err(Code::UserUnknown
            .failure(what)
            .advise("set `user` (and `users`) in the destination, then `nbcourier reload`"));
    }
    Ok(text(owner, "name").to_owned())
}

/// An issued token that its target refuses, twice.
pub(super) fn not_for_it(base: &str, token: &Token) -> Failure {
    let said = token.claims().map(|claims| format!("; {claims}"));
    let what = format!(
        "{base} refuses the token that was just issued to {}{}",
        token.origin(),
        said.unwrap_or_default()
    );
    Code::TokenRefused.failure(what)
}

impl Jupyter {
    /// The hub's own account of a token; works with every valid one.
    pub(super) async fn who_am_i(
        &self,
        token: &Token,
        memory: Option<&Accepted>,
    ) -> Result<Value, Failure> {
        let request = self.get(self.url("hub/api/user")?, Some(token));
        match self.ask(Call::WhoAmI, request, &[200]).await {
            Ok(reply) => Ok(reply.json()),
            Err(failure) if failure.code == Code::TokenUnknown => Err(self.refused(token, memory)),
            Err(failure) => Err(failure),
        }
    }

    /// The hub refuses an expired, a revoked and a never known token alike; what tells them apart
    /// is whether this very token was accepted before.
    pub(super) fn refused(&self, token: &Token, memory: Option<&Accepted>) -> Failure {
        let base = self.base.as_str();
        if token.is_issued() {
            return not_for_it(base, token);
        }
        if token.is_cookies() {
            let what = format!("{base} refuses its own cookies, from {}", token.origin());
            let advice = format!(
                "log in to {base} in a browser as that account: it may be gone, or its sign-on revoked"
            );
            return Code::TokenUnknown.failure(what).advise(advice);
        }
        let (lapsed, login) = swan::advice::on_token(self.hub.as_ref());
        let page = format!("{login}make a token at {base}hub/token");
        if let Some(accepted) =
            memory.filter(|memory| memory.fingerprint == token.secret().fingerprint())
        {
            let what = format!(
                "{base} accepted the token until {} and refuses it now: it has expired or was revoked{lapsed}",
                accepted.at
            );
            return Code::TokenExpired.failure(what).advise(format!(
                "{page} and replace the old one; no restart is needed"
            ));
        }
        let value = token.secret().expose();
        let from_server = value.len() == 48 && value.bytes().all(|b| b.is_ascii_hexdigit());
        let hint = if from_server {
            "; it looks like a server's own token, from its log or `jupyter server list`"
        } else {
            ""
        };
        let what = format!(
            "{base} does not know the token from {}{hint}{lapsed}",
            token.origin()
        );
        Code::TokenUnknown
            .failure(what)
            .advise(format!("{page} and put it there; no restart is needed"))
    }

    /// The user's server, from the user model and nothing else.
    pub(super) async fn server(
        &self,
        hub: &Hub,
        token: &Token,
        user: &str,
    ) -> Result<Server, Failure> {
        let request = self.get(
            self.url(&format!("hub/api/users/{}", segment(user)))?,
            Some(token),
        );
        let model = self.ask(Call::Model, request, &[200]).await?.json();
        // A stopped server is absent from the map; without the right to see it there is no map.
        let Some(servers) = model["servers"].as_object() else {
            let what = format!(
                "the token may not see {user}'s servers: it lacks the scope read:servers!user={user}"
            );
            return Err(Code::ScopeMissing.failure(what));
        };
        let Some(server) = servers.get(&hub.server_name) else {
            return Ok(Server::Stopped);
        };
        Ok(
            match (server["ready"].as_bool(), server["pending"].as_str()) {
                (_, Some("stop")) => Server::Stopping,
                (Some(true), _) => Server::Ready(Ready::of(server)),
                (_, Some(_)) => Server::Starting,
                _ => Server::Stopped,
            },
        )
    }

    /// The API path of the user's server, below the hub's.
    pub(super) fn server_path(hub: &Hub, user: &str) -> String {
        match hub.server_name.as_str() {
            "" => format!("hub/api/users/{}/server", segment(user)),
            name => format!("hub/api/users/{}/servers/{}", segment(user), segment(name)),
        }
    }

    /// Whether the server at this URL answers: the model alone doesn't tell that the proxy has a
    /// route to it.
    pub(super) async fn server_version(&self, server: &Url) -> Result<String, Failure> {
        let mut url = super::join(server, "api")?;
        // Or else this call would keep the server from being culled.
        url.set_query(Some("no_track_activity=1"));
        let reply = self
            .ask(Call::ServerVersion, self.get(url, None), &[200])
            .await?;
        Ok(text(&reply.json(), "version").to_owned())
    }
}

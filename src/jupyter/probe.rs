//! The one probe: behind `check`, the release of holds and the page. Starts and writes nothing.

use serde_json::Value;

use super::classify::Call;
use super::hub::{Server, not_for_it, owner_of, segment};
use super::scopes::Scopes;
use super::{Jupyter, text};
use crate::auth::{SET_CLOCK, Token};
use crate::config::checked::Hub;
use crate::destination::terms::{Accepted, Report, Warning};
use crate::failure::{Code, Failure};
use crate::http::Reply;

/// A clock that differs by no more than this is as good as set, seconds.
const SKEW: i64 = 30;

impl Jupyter {
    pub(super) async fn probe_hub(
        &self,
        hub: &Hub,
        token: &Token,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<Report, Failure> {
        let reply = self.hub_version().await?;
        let version = reply.json();
        let owner = self.who_am_i(token, memory).await?;
        let user = match user {
            Some(user) => user.to_owned(),
            None => owner_of(&owner)?,
        };
        let scopes = Scopes::of(&owner);
        diagnose(hub, &owner, &scopes, &user)?;
        let server = match self.server(hub, token, &user).await? {
            Server::Ready(_) => "server running",
            Server::Starting => "server starting",
            Server::Stopping => "server stopping",
            Server::Stopped => "server stopped",
        };
        Ok(Report {
            version: format!("JupyterHub {}", text(&version, "version")),
            server: server.into(),
            warnings: scopes
                .excess(&format!("user={user}"))
                .map(|what| Warning::new(what, "give it a token with fewer rights"))
                .into_iter()
                .chain(self.credential.remark().map(Warning::from))
                .collect(),
            clock: self.skew(&reply),
            remarks: stays_on(hub, &scopes, &user).into_iter().collect(),
            token_fingerprint: Some(token.secret().fingerprint()),
            token_expires_at: self.token_end(token, &owner).await,
            credential: format!(
                "the token of the {} {}, from {}, may {}",
                text(&owner, "kind"),
                text(&owner, "name"),
                token.origin(),
                scopes.words()
            ),
            is_renewed: token.is_issued(),
            is_activity: owner["kind"] == "user",
            user,
        })
    }

    async fn hub_version(&self) -> Result<Reply, Failure> {
        let request = self.get(self.url("hub/api/")?, None);
        let reply = self.ask(Call::Version, request, &[200]).await?;
        match reply.json()["version"].is_null() {
            true => Err(Code::NotAHub.failure(format!("{} is no JupyterHub", self.base))),
            false => Ok(reply),
        }
    }

    /// The last report, with what a question in nobody's name tells anew.
    pub(crate) async fn glance(&self, last: Report) -> Result<Report, Failure> {
        let reply = self.hub_version().await?;
        Ok(Report {
            clock: self.skew(&reply),
            ..last
        })
    }

    /// That its clock and this machine's differ by more than half a minute.
    fn skew(&self, reply: &Reply) -> Option<Warning> {
        let by = reply.date?.duration_since(jiff::Timestamp::now()).as_secs();
        let way = if by < 0 { "ahead of" } else { "behind" };
        (by.abs() > SKEW).then(|| {
            let what = format!(
                "the clock differs by {} s: this machine's is {way} that of {}",
                by.abs(),
                self.base
            );
            Warning::new(what, SET_CLOCK)
        })
    }

    /// When the token ends, if the hub lets it be asked.
    async fn token_end(&self, token: &Token, owner: &Value) -> Option<String> {
        let id = owner["token_id"].as_str()?;
        let path = format!(
            "hub/api/users/{}/tokens/{}",
            segment(text(owner, "name")),
            segment(id)
        );
        let request = self.get(self.url(&path).ok()?, Some(token));
        let model = self.ask(Call::Model, request, &[200]).await.ok()?.json();
        model["expires_at"].as_str().map(str::to_owned)
    }

    pub(super) async fn probe_server(
        &self,
        token: &Token,
        memory: Option<&Accepted>,
    ) -> Result<Report, Failure> {
        let hub = |what: &str| self.not_a_server(what);
        let reply = self
            .client
            .send(self.get(self.url("api")?, None).into_request(), false)
            .await?;
        if reply.from_hub
            || reply
                .location
                .as_deref()
                .is_some_and(|to| to.contains("/hub/"))
        {
            return Err(hub("a JupyterHub or one of its servers"));
        }
        let reply = self
            .ask(
                Call::ServerVersion,
                self.get(self.url("api")?, None),
                &[200],
            )
            .await?;
        let version = reply.json();
        let mut root = self.url("api/contents/")?;
        root.set_query(Some("content=0"));
        match self
            .ask(Call::Look, self.get(root, Some(token)), &[200])
            .await
        {
            Ok(_) => {}
            Err(failure) if failure.code == Code::TokenUnknown => {
                return Err(self.refused_by_server(token, memory));
            }
            Err(failure) => return Err(failure),
        }
        Ok(Report {
            version: format!("Jupyter Server {}", text(&version, "version")),
            server: "server running".into(),
            token_fingerprint: Some(token.secret().fingerprint()),
            warnings: self
                .credential
                .remark()
                .map(Warning::from)
                .into_iter()
                .collect(),
            clock: self.skew(&reply),
            credential: match token.claims() {
                Some(claims) => format!("the token from {} is accepted; {claims}", token.origin()),
                None => format!("the token from {} is accepted", token.origin()),
            },
            ..Report::default()
        })
    }

    pub(super) fn not_a_server(&self, what: &str) -> Failure {
        Code::NotAServer
            .failure(format!("{} is {what}", self.base))
            .advise("use `hub` in place of `server`, then `nbcourier reload`")
    }

    pub(super) fn refused_by_server(&self, token: &Token, memory: Option<&Accepted>) -> Failure {
        let advice = "take the token from `jupyter server list` on its machine, or start it with `--IdentityProvider.token`, so that it stays the same";
        let base = &self.base;
        if token.is_issued() {
            return not_for_it(base.as_str(), token);
        }
        match memory.filter(|memory| memory.fingerprint == token.secret().fingerprint()) {
            Some(accepted) => {
                let what = format!(
                    "{base} accepted the token until {} and refuses it now: the server has another one",
                    accepted.at
                );
                Code::TokenExpired.failure(what).advise(advice)
            }
            None => Code::TokenUnknown
                .failure(format!(
                    "{base} does not know the token from {}",
                    token.origin()
                ))
                .advise(advice),
        }
    }
}

/// That the token can't stop the servers that are started with it.
fn stays_on(hub: &Hub, scopes: &Scopes, user: &str) -> Option<Warning> {
    let stops = ["delete:servers", "servers", "admin:servers"];
    let is_wanted = hub.spawn && hub.stop_after.is_some();
    (is_wanted && !scopes.cover(&stops, user, &hub.server_name)).then(|| {
        Warning::new(
            "the token may stop no server, so that those which nbcourier starts and nobody uses stay on",
            format!("give it the scope delete:servers!user={user} too, or set `stop_after = \"off\"`"),
        )
    })
}

/// Whether a valid token is the right one, from the most particular cause to the most general.
pub(super) fn diagnose(
    hub: &Hub,
    owner: &Value,
    scopes: &Scopes,
    user: &str,
) -> Result<(), Failure> {
    let server = hub.server_name.as_str();
    let accesses = scopes.cover(&["access:servers"], user, server);
    let name = text(owner, "name");
    if owner["kind"] == "user" && name != user && !accesses {
        let what = format!("the token belongs to {name}, but the notebooks are for {user}");
        return Err(Code::TokenOfOtherUser.failure(what));
    }
    if scopes.of_one_server() {
        let what = format!(
            "the token is a single server's own (of {name}); it opens that server only and is gone when it stops"
        );
        return Err(Code::TokenOfTheServer.failure(what).advise(format!(
            "make a token at {}hub/token and put it in its place; no restart is needed",
            hub.url
        )));
    }
    let missing = |scope: &str| {
        let what = format!("the token of {name} lacks the scope {scope}!user={user}");
        Code::ScopeMissing.failure(what).advise(format!(
            "make a token with access:servers, read:servers and start:servers (JupyterHub 3 to 5: servers) for {user} at {}hub/token and put it in the place of the old one; no restart is needed",
            hub.url
        ))
    };
    if !accesses {
        return Err(missing("access:servers"));
    }
    if hub.spawn && !scopes.cover(&["start:servers", "servers", "admin:servers"], user, server) {
        return Err(missing("start:servers"));
    }
    Ok(())
}

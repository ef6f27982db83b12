//! A hub's own short-lived tokens, made with a credential that may make them and does nothing else:
//! one for each user, with what a delivery needs, kept in memory only.

mod minted;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::classify::{Call, classify};
use super::hub::{owner_of, segment};
use super::scopes::Scopes;
use super::{Jupyter, lock, text};
use crate::auth::{Engine, Fetched, Signed, Token};
use crate::config::checked::{Hub, Scheme};
use crate::config::secret::Secret;
use crate::destination::terms::{Accepted, Report, Warning};
use crate::failure::{Code, Failure};
use crate::http::Reply;

/// How long a token lives that was made for a look only.
const LOOK: Duration = Duration::from_secs(15 * 60);

/// How long a token lives that was made by cookies.
pub(super) const OF_COOKIES: Duration = Duration::from_secs(3600);

/// The scope that stopping a server needs.
const STOP: &str = "delete:servers";

/// Tokens of one user whose owner is remembered.
const REMEMBERED: usize = 8;

/// The tokens that were made.
pub(super) struct Mint {
    /// How long each lives.
    life: Duration,
    /// Whom they are for, as their list at the hub says.
    note: String,
    engines: Mutex<HashMap<String, Arc<Engine>>>,
    /// Fingerprints, and the users they are of.
    owners: Mutex<Vec<(String, String)>>,
    /// The login with which each user's token was made or last accepted.
    logins: Mutex<HashMap<String, Token>>,
}

impl Mint {
    /// Has made nothing yet. Tokens live for `life`, or a quarter of an hour for a mere look.
    pub(super) fn new(life: Duration, destination: &str, looks: bool) -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        Self {
            life: if looks { life.min(LOOK) } else { life },
            note: format!("nbcourier on {host} for [destination.{destination}]"),
            engines: Mutex::default(),
            owners: Mutex::default(),
            logins: Mutex::default(),
        }
    }

    /// The users for whom there is a token, or was until it ended.
    pub(super) fn users(&self) -> Vec<String> {
        let engines = lock(&self.engines);
        let held = engines.iter().filter(|(_, engine)| engine.left().is_some());
        held.map(|(user, _)| user.clone()).collect()
    }

    fn was_good(&self, user: &str, login: &Token) {
        lock(&self.logins).insert(user.to_owned(), login.clone());
    }

    fn remember(&self, token: &Secret, user: &str) {
        let mut owners = lock(&self.owners);
        let mut of_user = owners.iter().rev().filter(|(_, of)| of == user);
        if let Some(oldest) = of_user.nth(REMEMBERED - 1).cloned() {
            owners.retain(|one| *one != oldest);
        }
        owners.push((token.fingerprint(), user.to_owned()));
    }

    fn owner(&self, token: &Token) -> Option<String> {
        let fingerprint = token.secret().fingerprint();
        let owners = lock(&self.owners);
        let owner = owners.iter().find(|(known, _)| *known == fingerprint);
        owner.map(|(_, user)| user.clone())
    }
}

impl Jupyter {
    /// The user, and a token of theirs.
    pub(super) async fn minted_for(
        &self,
        (hub, mint): (&Hub, &Mint),
        user: Option<&str>,
    ) -> Result<(String, Token), Failure> {
        let user = match user {
            Some(user) => user.to_owned(),
            None => owner_of(&self.minter().await?.1)?,
        };
        let engine = self.engine(mint, &user);
        let fetch = |_| self.make(hub, mint, &user);
        let token = engine.token(self.credential.version(), fetch).await?;
        Ok((user, token))
    }

    /// Whether the credential may make what a delivery needs, and then the probe with it.
    pub(super) async fn probe_mint(
        &self,
        (hub, mint): (&Hub, &Mint),
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<Report, Failure> {
        let (strong, owner) = self.minter().await?;
        let user = match user {
            Some(user) => user.to_owned(),
            None => owner_of(&owner)?,
        };
        let scopes = Scopes::of(&owner);
        if !scopes.cover(&["tokens"], &user, &hub.server_name) {
            return Err(may_not(&owner, &user));
        }
        let (user, token) = self.minted_for((hub, mint), Some(&user)).await?;
        let mut report = self.probe_hub(hub, &token, Some(&user), memory).await?;
        // A login is all that its user is: there are none with fewer rights.
        let excess = scopes
            .excess_of_minter(&user)
            .filter(|_| !strong.is_cookies());
        let excess =
            excess.map(|what| Warning::new(what, "give it a credential with fewer rights"));
        report.warnings.extend(excess);
        report.is_renewed = true;
        let left = self.engine(mint, &user).left();
        report.token_expires_at = left.map(|left| (jiff::Timestamp::now() + left).to_string());
        report.credential += &format!(
            "; it was made with the credential of {}, from {}",
            text(&owner, "name"),
            strong.origin()
        );
        Ok(report)
    }

    fn engine(&self, mint: &Mint, user: &str) -> Arc<Engine> {
        let made = || Arc::new(Engine::new(self.paces.probe));
        let mut engines = lock(&mint.engines);
        engines.entry(user.to_owned()).or_insert_with(made).clone()
    }

    /// The credential, and whose it is.
    pub(super) async fn minter(&self) -> Result<(Token, Value), Failure> {
        let token = self.credential.token().await?;
        let request = self.get(self.url("hub/api/user")?, Some(&token));
        match self.ask_strongly(Call::WhoAmI, request, 200).await {
            Ok(reply) => Ok((token, reply.json())),
            Err(failure) if failure.code == Code::TokenUnknown => Err(self.refused(&token, None)),
            Err(failure) => Err(failure),
        }
    }

    /// Has a token made.
    async fn make(&self, hub: &Hub, mint: &Mint, user: &str) -> Result<Fetched, Failure> {
        let version = self.get(self.url("hub/api/")?, None);
        let version = self.ask_strongly(Call::Version, version, 200).await?.json();
        let scopes = wanted(text(&version, "version"), hub, user);
        let strong = self.credential.token().await?;
        let reply = match self.ask_to_make((mint, user), &strong, scopes).await {
            Err(failure) if failure.code == Code::ScopeMissing => {
                return Err(self.not_made(user, failure).await);
            }
            reply => reply?.json(),
        };
        let Some(made) = reply["token"].as_str().filter(|made| !made.is_empty()) else {
            return Err(Code::HubError.failure("the hub made a token and did not tell it"));
        };
        let secret = Secret::new(made.to_owned());
        mint.remember(&secret, user);
        mint.was_good(user, &strong);
        let origin = format!("{}, a token of {user} that the hub made", strong.origin());
        Ok(Fetched {
            token: Token::issued(secret, origin, Scheme::Token),
            life: Some(mint.life),
            is_assumed: false,
        })
    }

    /// Who may not stop servers gets a token that can't, and notebooks all the same.
    async fn ask_to_make(
        &self,
        (mint, user): (&Mint, &str),
        strong: &Token,
        mut scopes: Vec<String>,
    ) -> Result<Reply, Failure> {
        let url = self.url(&format!("hub/api/users/{}/tokens", segment(user)))?;
        let ask = async |scopes: &[String]| {
            let request = self.request(Method::POST, url.clone(), Some(strong));
            let request = request.json(&json!({
                "note": mint.note, "expires_in": mint.life.as_secs().max(1), "scopes": scopes,
            }));
            self.ask_strongly(Call::Mint, request, 201).await
        };
        match ask(&scopes).await {
            Err(failure)
                if failure.code == Code::TokenRequestRefused && failure.what.contains(STOP) =>
            {
                scopes.retain(|scope| !scope.starts_with(STOP));
                ask(&scopes).await
            }
            reply => reply,
        }
    }

    /// The hub says the same of a user that it doesn't know and of one that the credential may make
    /// no tokens for.
    async fn not_made(&self, user: &str, failure: Failure) -> Failure {
        match self.minter().await {
            Ok((_, owner)) if Scopes::of(&owner).cover(&["tokens"], user, "") => {
                Code::UserUnknown.failure(failure.what)
            }
            Ok((_, owner)) => may_not(&owner, user),
            Err(failure) => failure,
        }
    }

    async fn ask_strongly(
        &self,
        call: Call,
        request: Signed<'_>,
        fine: u16,
    ) -> Result<Reply, Failure> {
        let refuses = super::refuses(call);
        let reply = request.send(&self.client, false, refuses, &self.credential);
        let reply = reply.await?;
        match reply.status == fine {
            true => Ok(reply),
            false => Err(classify(call, &reply)),
        }
    }
}

/// What a delivery needs for this user. `start:servers` is new in `JupyterHub` 6; before, `servers`
/// is the least.
fn wanted(version: &str, hub: &Hub, user: &str) -> Vec<String> {
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(6);
    let start = match (hub.spawn, major >= 6) {
        (false, _) => None,
        (true, true) => Some("start:servers"),
        (true, false) => Some("servers"),
    };
    // Before, `servers` stops them too.
    let stop = (major >= 6 && hub.spawn && hub.stop_after.is_some()).then_some(STOP);
    let scopes = ["access:servers", "read:servers"].into_iter();
    let scopes = scopes.chain(start).chain(stop);
    scopes.map(|scope| format!("{scope}!user={user}")).collect()
}

fn may_not(owner: &Value, user: &str) -> Failure {
    let what = format!(
        "the credential of {} may make no token for {user}: it lacks the scope tokens!user={user}",
        text(owner, "name")
    );
    let advice = format!(
        "have the hub's administrator give it the scope tokens!user={user}, as the README shows"
    );
    Code::ScopeMissing.failure(what).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_newest_tokens_of_each_user_is_remembered() {
        let mint = Mint::new(Duration::from_secs(60), "x", false);
        let secret = |user: &str, at: usize| Secret::new(format!("{user}-{at}"));
        for at in 0..20 {
            mint.remember(&secret("alice", at), "alice");
            mint.remember(&secret("bob", at), "bob");
        }
        let owner = |secret| mint.owner(&Token::kept(secret, String::new(), Scheme::Token));
        assert_eq!(owner(secret("bob", 19)).as_deref(), Some("bob"));
        assert_eq!(owner(secret("bob", 12)).as_deref(), Some("bob"));
        assert_eq!(owner(secret("bob", 11)), None);
        assert_eq!(lock(&mint.owners).len(), 2 * REMEMBERED);
    }
}

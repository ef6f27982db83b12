//! A `JupyterHub` or a plain Jupyter Server as a destination.
//!
//! Reports what it saw and never decides about retries. When a user's server may be started belongs
//! to the server and not to a job: [`crate::spawns`].

mod beat;
mod classify;
mod contents;
mod hub;
mod mint;
mod probe;
mod scopes;
mod spawn;
mod stop;
mod swan;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::auth::{Credential, Signed, Token};
use crate::config::checked::{Auth, Config, Destination, Hub, Kind};
use crate::destination::terms::{Accepted, Report};
use crate::failure::{Code, Failure};
use crate::http::{Client, Reply};
use crate::ledger::Ledger;
use crate::retry::Paces;
use classify::{Call, classify};
pub use contents::JupyterPlace;
use mint::Mint;
use spawn::{Gate, Running};
use swan::Home;

/// One hub or server.
pub struct Jupyter {
    /// Of the destination.
    name: String,
    client: Client,
    base: Url,
    /// What only a hub has.
    hub: Option<Hub>,
    credential: Credential,
    /// Where the credential only makes the tokens that are used.
    mint: Option<Mint>,
    paces: Paces,
    /// Where starts of servers are recorded.
    ledger: Option<Ledger>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    /// Whose token was seen last, by its fingerprint.
    owner: Mutex<Option<(String, String)>>,
    /// Directories known to exist, by user.
    directories: Mutex<HashSet<(String, String)>>,
}

impl Jupyter {
    /// Prepares a destination; asks nothing yet.
    pub(crate) fn new(
        config: &Config,
        table: &Destination,
        ledger: Option<Ledger>,
    ) -> Result<Self, Failure> {
        let (base, hub) = match &table.kind {
            Kind::Hub(hub) => (&hub.url, Some(hub.clone())),
            Kind::Server(server) => (&server.url, None),
            Kind::Path { .. } | Kind::Superfacility(_) | Kind::Command(_) => {
                return Err(Code::Internal.failure("this is no Jupyter"));
            }
        };
        let (contact, patience) = (config.contact.as_deref(), config.paces.answer);
        let client = match table.pin_sha256() {
            Some(pin) => Client::pinned(pin, contact, patience)?,
            None => Client::new(table.ca_file(), contact, patience)?,
        };
        let client = client.of(&table.name);
        let mint = match table.auth() {
            Some(Auth::OAuth(oauth)) => oauth.mint,
            Some(Auth::Kerberos(kerberos)) => Some(kerberos.mint),
            // Used if it prints cookies.
            Some(Auth::Command(_)) => Some(mint::OF_COOKIES),
            _ => None,
        };
        Ok(Self {
            name: table.name.clone(),
            client,
            mint: mint.map(|life| Mint::new(life, &table.name, ledger.is_none())),
            base: base.clone(),
            hub,
            credential: Credential::new(config, table)?,
            paces: config.paces,
            ledger,
            gates: Mutex::default(),
            owner: Mutex::default(),
            directories: Mutex::default(),
        })
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(crate) async fn probe(
        &self,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<Report, Failure> {
        if let Some(minting) = self.minting().await? {
            return self.probe_mint(minting, user, memory).await;
        }
        let token = self.credential.token().await?;
        match &self.hub {
            Some(hub) => self.probe_hub(hub, &token, user, memory).await,
            None => self.probe_server(&token, memory).await,
        }
    }

    pub(crate) async fn open(
        &self,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<JupyterPlace<'_>, Failure> {
        let place = |user: String, running: Running, token: Token| JupyterPlace {
            jupyter: self,
            token,
            memory: memory.cloned(),
            user,
            server: running.url,
            home: running.home,
            is_own: running.is_own,
        };
        let Some(hub) = &self.hub else {
            let token = self.credential.token().await?;
            let running = Running {
                url: self.base.clone(),
                home: Home::Root,
                is_own: false,
            };
            return Ok(place(String::new(), running, token));
        };
        let (user, token) = match self.minting().await? {
            Some(minting) => self.minted_for(minting, user).await?,
            None => self.known_for(user, memory).await?,
        };
        match self.ensure_server(hub, &token, &user).await {
            Ok(running) => Ok(place(user, running, token)),
            Err(failure) => Err(self.sharpen(failure, &user, memory).await),
        }
    }

    /// The user, and the token that is there.
    async fn known_for(
        &self,
        user: Option<&str>,
        memory: Option<&Accepted>,
    ) -> Result<(String, Token), Failure> {
        let token = self.credential.token().await?;
        let user = match user {
            Some(user) => user.to_owned(),
            None => self.owner(&token, memory).await?,
        };
        Ok((user, token))
    }

    /// What took the place of a token meanwhile, where there is another one for the asking: so a
    /// delivery in whose middle it is refused meets that once, and not at each of its calls.
    async fn newest(&self, known: &Token, user: &str) -> Result<Token, Failure> {
        match self.minting().await? {
            Some(minting) => Ok(self.minted_for(minting, Some(user)).await?.1),
            None if known.is_issued() || self.credential.may_be_cookies() => {
                self.credential.token().await
            }
            None => Ok(known.clone()),
        }
    }

    /// The hub at which tokens are made, and those that were. A program may print a token that is
    /// used as it is, or cookies, which a user's own server doesn't take.
    async fn minting(&self) -> Result<Option<(&Hub, &Mint)>, Failure> {
        let Some(minting) = self.hub.as_ref().zip(self.mint.as_ref()) else {
            return Ok(None);
        };
        let mints =
            !self.credential.may_be_cookies() || self.credential.token().await?.is_cookies();
        Ok(mints.then_some(minting))
    }

    /// The token's owner, for whom notebooks are if no user is named.
    async fn owner(&self, token: &Token, memory: Option<&Accepted>) -> Result<String, Failure> {
        let fingerprint = token.secret().fingerprint();
        if let Some((_, owner)) = lock(&self.owner)
            .as_ref()
            .filter(|(known, _)| *known == fingerprint)
        {
            return Ok(owner.clone());
        }
        let owner = self.who_am_i(token, memory).await?;
        let name = hub::owner_of(&owner)?;
        *lock(&self.owner) = Some((fingerprint, name.clone()));
        Ok(name)
    }

    /// What a doubtful refusal really is: the probe asks the hub itself.
    async fn sharpen(&self, failure: Failure, user: &str, memory: Option<&Accepted>) -> Failure {
        let doubtful = matches!(
            failure.code,
            Code::TokenUnknown | Code::ScopeMissing | Code::UserUnknown
        );
        if !doubtful {
            return failure;
        }
        let user = (!user.is_empty()).then_some(user);
        // The probe asks the hub only, and never comes here.
        match Box::pin(self.probe(user, memory)).await {
            Err(sharper) => sharper,
            Ok(_) if failure.code == Code::TokenUnknown => self.blame_audience(failure).await,
            Ok(_) => failure,
        }
    }

    /// The hub accepts the token and the user's server doesn't: one that was issued for the asking
    /// is not meant for both.
    async fn blame_audience(&self, failure: Failure) -> Failure {
        match self.credential.token().await {
            Ok(token) if token.is_issued() => Code::TokenRefused.failure(failure.what),
            _ => failure,
        }
    }

    /// Sends a call. One user's frozen server is no trouble of the others.
    async fn send(&self, call: Call, request: Signed<'_>) -> Result<Reply, Failure> {
        let (writes, refuses) = (call.writes(), refuses(call));
        let reply = match self.minting().await? {
            Some(minting) => self.send_minted(minting, request, writes, refuses).await,
            None => {
                let sent = request.send(&self.client, writes, refuses, &self.credential);
                sent.await
            }
        };
        reply.map_err(|failure| match failure.code {
            Code::HubUnreachable if call.is_to_server() => Failure {
                code: Code::ServerUnreachable,
                ..failure
            },
            _ => failure,
        })
    }

    /// A call that is expected to be answered with one of `fine`.
    async fn ask(&self, call: Call, request: Signed<'_>, fine: &[u16]) -> Result<Reply, Failure> {
        let reply = self.send(call, request).await?;
        let page = reply.status == 200 && reply.kind == crate::http::Kind::Html;
        if fine.contains(&reply.status) && !page {
            Ok(reply)
        } else {
            Err(classify(call, &reply))
        }
    }

    fn request<'a>(&self, method: Method, url: Url, token: Option<&'a Token>) -> Signed<'a> {
        Signed::new(self.client.request(method, url), token)
    }

    fn get<'a>(&self, url: Url, token: Option<&'a Token>) -> Signed<'a> {
        self.request(Method::GET, url, token)
    }

    fn gate(&self, user: &str) -> Arc<Gate> {
        lock(&self.gates)
            .entry(user.to_owned())
            .or_default()
            .clone()
    }

    /// A URL below the base; `path` is percent-encoded already.
    fn url(&self, path: &str) -> Result<Url, Failure> {
        join(&self.base, path)
    }
}

/// Whether an answer to this call refuses the token.
fn refuses(call: Call) -> impl Fn(&Reply) -> bool {
    move |reply| reply.status >= 300 && classify(call, reply).code == Code::TokenUnknown
}

fn join(base: &Url, path: &str) -> Result<Url, Failure> {
    base.join(path)
        .map_err(|error| Code::Internal.failure(format!("{base} and {path}: {error}")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text of a JSON field.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

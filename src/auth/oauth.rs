//! Tokens from an authorization server (RFC 6749): for a client itself, by its secret or its key, or
//! for a person by a refresh token.
//!
//! No message holds a secret or a server's answer. Redirects are never followed: they would carry
//! the secret elsewhere.

mod answer;
mod assertion;
pub mod claims;
mod client;
mod clock;
pub mod device;
mod discovery;
mod key;
mod refresh;
mod refusal;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::Method;

use super::engine::{Fetched, Version};
use super::token::Token;
use crate::config::checked::{Config, Destination, OAuth, Proof};
use crate::config::secret::SecretRef;
use crate::failure::{Code, Failure};
use crate::http::{self, Reply, shown};
use answer::Answer;
use client::Client;
use clock::Clock;
use discovery::Metadata;
use refusal::{error, refusal};
use store::{Store, Stored};

/// One that is asked for tokens, and all that is remembered of it.
pub struct Provider {
    oauth: OAuth,
    http: http::Client,
    metadata: discovery::Cache,
    clock: Clock,
    store: Store,
    /// A rotated refresh token that could not be written down yet.
    unsaved: Mutex<Option<Stored>>,
    /// Before a server that issued a refused token again is asked a second and a third time.
    pauses: [Duration; 2],
}

/// Why nothing was issued.
struct Trouble {
    failure: Failure,
    /// The server's word for it; empty if it said none.
    error: String,
    fate: Fate,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It never arrived.
    Unsent,
    /// It was sent, and no whole answer came.
    Lost,
    /// Something answered that may not be the one that acted.
    Unclear,
    /// It was refused.
    Refused,
}

impl Provider {
    /// Prepares it; asks and reads nothing yet.
    ///
    /// # Errors
    /// When the destination's certificate authorities can't be read.
    pub fn new(config: &Config, table: &Destination, oauth: &OAuth) -> Result<Self, Failure> {
        let pause = config.paces.soon.0;
        Ok(Self {
            oauth: oauth.clone(),
            http: http::Client::new(
                table.ca_file(),
                config.contact.as_deref(),
                config.paces.answer,
            )?
            .of(&table.name),
            metadata: discovery::Cache::default(),
            clock: Clock::default(),
            store: Store::new(&config.state, &table.name),
            unsaved: Mutex::default(),
            pauses: [pause, pause * 2],
        })
    }

    /// Differs once a secret behind it has been replaced, or a person has logged in.
    #[must_use]
    pub fn version(&self) -> Version {
        version(&self.oauth, &self.store)
    }

    /// Asks for a token; for another one if `refused` is the one that a server keeps handing out
    /// (Squirro's nodes do, for a second or two). Goes on if its caller is gone: a rotated refresh
    /// token is kept all the same.
    ///
    /// # Errors
    /// Why nothing was issued, and what to do.
    pub async fn fetch(self: Arc<Self>, refused: Option<Token>) -> Result<Fetched, Failure> {
        let task = tokio::spawn(async move {
            for pause in self.pauses {
                let fetched = self.fetch_once().await?;
                if refused.as_ref() != Some(&fetched.token) {
                    return Ok(fetched);
                }
                tokio::time::sleep(pause).await;
            }
            self.fetch_once().await
        });
        task.await
            .unwrap_or_else(|error| Err(Code::Internal.failure(error.to_string())))
    }

    /// The client that asks, as far as that can be told; read anew, since its key may be another one.
    pub async fn client_id(&self) -> Option<String> {
        let metadata = self.metadata.metadata(&self.http, &self.oauth.endpoint);
        let client = Client::read(&self.oauth, &metadata.await.ok()?).await;
        client.ok()?.id().map(str::to_owned)
    }

    /// What a person should know although tokens are issued.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        self.clock.remark()
    }

    async fn fetch_once(&self) -> Result<Fetched, Failure> {
        let metadata = self
            .metadata
            .metadata(&self.http, &self.oauth.endpoint)
            .await?;
        let answer = match &self.oauth.refresh_token {
            Some(source) => self.refreshed(&metadata, source).await,
            None => {
                let asked = self.ask(&metadata, &[("grant_type", "client_credentials")]);
                asked.await.map_err(|trouble| trouble.failure)
            }
        };
        let answer = answer.inspect_err(|failure| {
            if failure.code == Code::TokenRequestRefused {
                self.metadata.forget();
            }
        })?;
        let origin = format!("{} at {}", answer.asker, shown(&metadata.token_url));
        tracing::debug!(
            "a token for {} s was issued to {origin}",
            answer.life.as_secs()
        );
        Ok(Fetched {
            token: Token::issued(answer.access_token, origin, self.oauth.scheme),
            life: Some(answer.life),
            is_assumed: answer.is_assumed,
        })
    }

    /// Asks for a token once.
    async fn ask(&self, metadata: &Metadata, grant: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let unsent = |failure| Trouble::new(failure, Fate::Unsent);
        let client = Client::read(&self.oauth, metadata).await.map_err(unsent)?;
        let form = client.form(self.fields(grant), &metadata.token_url, &self.clock);
        let form = form.map_err(unsent)?;
        let request = self.http.request(Method::POST, metadata.token_url.clone());
        // No write, but whether it arrived matters as much.
        let reply = self.http.send(form.fill(request), true).await;
        let reply = reply.map_err(lost)?;
        self.clock.note(reply.date, &shown(&metadata.token_url));
        match Answer::of(&reply, &client.words()) {
            Some(answer) => Ok(answer),
            None => Err(self.refused(&reply, &client.words())),
        }
    }

    /// What an answer without a token means; a clock that is off may be why.
    fn refused(&self, reply: &Reply, asker: &str) -> Trouble {
        let mut failure = refusal(reply, asker);
        if let Some(remark) = self.clock.remark() {
            failure.what = format!("{}; {remark}", failure.what);
        }
        let fate = match reply.status {
            500..=599 | ..=299 => Fate::Unclear,
            _ => Fate::Refused,
        };
        Trouble {
            error: error(reply),
            ..Trouble::new(failure, fate)
        }
    }

    /// The fields of a request beside those that prove who asks.
    fn fields(&self, grant: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [
            ("audience", &self.oauth.audience),
            ("scope", &self.oauth.scope),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let all = grant.iter().copied().chain(own);
        let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        all.chain(self.oauth.extra.iter().cloned()).collect()
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Stored>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    fn new(failure: Failure, fate: Fate) -> Self {
        Self {
            failure,
            error: String::new(),
            fate,
        }
    }
}

/// The failure of a request that was not answered.
fn down(failure: Failure) -> Failure {
    match failure.code {
        Code::HubUnreachable | Code::AnswerLost => Failure {
            code: Code::TokenEndpointDown,
            ..failure
        },
        _ => failure,
    }
}

fn lost(failure: Failure) -> Trouble {
    let fate = match failure.code {
        Code::AnswerLost => Fate::Lost,
        _ => Fate::Unsent,
    };
    Trouble::new(down(failure), fate)
}

fn version(oauth: &OAuth, store: &Store) -> Version {
    let proof = oauth.proof.as_ref().map(|proof| match proof {
        Proof::Secret(secret, _) | Proof::Key(secret) => secret,
    });
    let files = [proof, oauth.refresh_token.as_ref()].into_iter().flatten();
    let login = store.version().filter(|_| oauth.refresh_token.is_some());
    files
        .filter_map(SecretRef::version)
        .chain(login)
        .reduce(both)
}

/// One version of two files: the newer time, and a number that changes with either.
fn both(one: (SystemTime, u64), other: (SystemTime, u64)) -> (SystemTime, u64) {
    let (old, new) = if one.0 <= other.0 {
        (one, other)
    } else {
        (other, one)
    };
    let age = old
        .0
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    (
        new.0,
        new.1 ^ old.1.rotate_left(32) ^ u64::from(age.subsec_nanos()) ^ age.as_secs(),
    )
}

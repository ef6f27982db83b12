//! Credentials: what signs the calls to a destination, and what follows when it is refused.

mod command;
mod cookies;
mod door;
mod engine;
mod kerberos;
pub mod oauth;
pub mod token;

use std::sync::Arc;

use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;

use crate::config::checked::{Auth, Config, Destination, Kind, Scheme};
use crate::config::secret::SecretRef;
use crate::failure::{Code, Failure};
use crate::http::{Client, Reply};
use command::Asked;
use door::Door;
pub use engine::{Engine, Fetched, Version};
use kerberos::SignOn;
use oauth::Provider;
pub use oauth::claims::Claims;
pub use token::Token;

/// What to do about a clock that is off.
pub const SET_CLOCK: &str = "have this machine's clock set, by NTP: with another time credentials are refused sooner or later";

/// The credential of one destination.
pub struct Credential {
    source: Source,
}

/// Where its tokens come from.
enum Source {
    /// Kept where the operator put one, and to be sent like this.
    Kept(SecretRef, Scheme),
    /// Issued for the asking.
    Issued(Box<Issued>),
    /// The cookies of a login by Kerberos.
    SignedOn(Box<SignOn>),
    /// Given by a program.
    Asked(Box<Asked>),
}

struct Issued {
    engine: Engine,
    provider: Arc<Provider>,
}

/// A request, and what signs it.
pub struct Signed<'a> {
    builder: RequestBuilder,
    token: Option<&'a Token>,
}

impl<'a> Signed<'a> {
    /// Signs a request; without a token it stays as it is.
    #[must_use]
    pub fn new(builder: RequestBuilder, token: Option<&'a Token>) -> Self {
        let builder = match token {
            Some(token) => token.sign(builder),
            None => builder,
        };
        Self { builder, token }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        Self {
            builder: self.builder.json(body),
            ..self
        }
    }

    /// What signs it.
    #[must_use]
    pub fn token(&self) -> Option<&'a Token> {
        self.token
    }

    /// The same with a body of this type.
    #[must_use]
    pub fn body(self, kind: &str, bytes: Vec<u8>) -> Self {
        Self {
            builder: self.builder.header(CONTENT_TYPE, kind).body(bytes),
            ..self
        }
    }

    /// The signed request, for answers that are read as they come.
    pub fn into_request(self) -> RequestBuilder {
        self.builder
    }

    /// Sends it and reads the answer whole. Where `is_refusal` says that the token is refused, or it
    /// is forbidden and may have ended, once more each after what `source` can do about it: with the
    /// same token, once what stands behind it is fresh, then with another one.
    ///
    /// # Errors
    /// As [`Client::send`]; when nothing can be done about a refusal, why.
    pub(crate) async fn send(
        self,
        client: &Client,
        writes: bool,
        is_refusal: impl Fn(&Reply) -> bool,
        source: &impl Renew,
    ) -> Result<Reply, Failure> {
        let again = self.builder.try_clone();
        let mut reply = client.send(self.builder, writes).await?;
        let (Some(token), Some(again)) = (self.token, again) else {
            return Ok(reply);
        };
        let mut token = token.clone();
        for step in [Step::Refresh, Step::Replace] {
            if !is_refusal(&reply) && !source.may_have_ended(&token, &reply) {
                break;
            }
            if let Some(next) = step.taken(source, &token).await?
                && let Some(again) = again.try_clone()
            {
                reply = client.send(next.sign(again), writes).await?;
                token = next;
            }
        }
        if !is_refusal(&reply) && reply.status < 300 {
            source.accepted(&token);
        }
        Ok(reply)
    }
}

/// What is done about a refused token, in this order.
#[derive(Clone, Copy)]
enum Step {
    Refresh,
    Replace,
}

impl Step {
    /// The token to try next, if there is one.
    async fn taken(self, source: &impl Renew, refused: &Token) -> Result<Option<Token>, Failure> {
        match self {
            Self::Refresh => {
                let refreshed = source.refreshed(refused).await?;
                Ok(refreshed.then(|| refused.clone()))
            }
            Self::Replace => source.renewed(refused).await,
        }
    }
}

/// What helps after a refusal: a credential, or a hub that makes tokens.
pub(crate) trait Renew {
    /// Whether what stands behind `refused` was made fresh, so that the same token may be good again.
    ///
    /// # Errors
    /// When it can't be, why.
    async fn refreshed(&self, _refused: &Token) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Another token after `refused`, if there is one.
    ///
    /// # Errors
    /// When a new one can't be had, why.
    async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure>;

    /// Remembers that a token was accepted: refused later, it is worth another one.
    fn accepted(&self, token: &Token);

    /// Some services forbid what they should call unauthorized.
    fn may_have_ended(&self, _token: &Token, _reply: &Reply) -> bool {
        false
    }
}

impl Renew for Credential {
    async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        match &self.source {
            Source::Kept(..) => {
                let token = self.token().await?;
                Ok((token != *refused).then_some(token))
            }
            Source::Issued(issued) => issued.renewed(refused).await,
            Source::SignedOn(sign_on) => sign_on.renewed(refused).await,
            Source::Asked(asked) => asked.renewed(refused).await,
        }
    }

    fn accepted(&self, token: &Token) {
        match &self.source {
            Source::Kept(..) => {}
            Source::Issued(issued) => issued.engine.accepted(token),
            Source::SignedOn(sign_on) => sign_on.engine.accepted(token),
            Source::Asked(asked) => asked.engine.accepted(token),
        }
    }

    fn may_have_ended(&self, token: &Token, reply: &Reply) -> bool {
        let engine = match &self.source {
            Source::Kept(..) => return false,
            Source::Issued(issued) => &issued.engine,
            Source::SignedOn(sign_on) => &sign_on.engine,
            Source::Asked(asked) if token.is_cookies() => &asked.engine,
            Source::Asked(_) => return false,
        };
        reply.status == 403 && engine.is_old(token)
    }
}

impl Credential {
    /// Prepares the credential of a destination that has one; reads and asks nothing yet.
    ///
    /// # Errors
    /// When the destination's certificate authorities can't be read.
    pub fn new(config: &Config, table: &Destination) -> Result<Self, Failure> {
        let source = match table.auth() {
            Some(Auth::Token(secret)) => Source::Kept(secret.clone(), table.scheme()),
            Some(Auth::OAuth(oauth)) => Source::Issued(Box::new(Issued {
                engine: Engine::new(config.paces.probe),
                provider: Arc::new(Provider::new(config, table, oauth)?),
            })),
            Some(Auth::Kerberos(kerberos)) => {
                let Kind::Hub(hub) = &table.kind else {
                    return Err(Code::Internal.failure("a login to what is no hub"));
                };
                let sign_on = SignOn::new(config, table, (&hub.url, kerberos))?;
                Source::SignedOn(Box::new(sign_on))
            }
            Some(Auth::Command(words)) => {
                let door = match &table.kind {
                    Kind::Hub(hub) => Some(Door::new(config, table, &hub.url)?),
                    _ => None,
                };
                let asked = Asked::new(words, (&table.name, door), &config.paces);
                Source::Asked(Box::new(asked))
            }
            None => return Err(Code::Internal.failure("a destination without credential")),
        };
        Ok(Self { source })
    }

    /// The token of now.
    ///
    /// # Errors
    /// When there is none: why, and what to do.
    pub async fn token(&self) -> Result<Token, Failure> {
        match &self.source {
            Source::Kept(secret, scheme) => Ok(Token::kept(
                secret.read().await?,
                secret.to_string(),
                *scheme,
            )),
            Source::Issued(issued) => issued.token().await,
            Source::SignedOn(sign_on) => sign_on.token().await,
            Source::Asked(asked) => asked.token().await,
        }
    }

    /// Whether it may be cookies: those of a login, or that a program gives.
    #[must_use]
    pub fn may_be_cookies(&self) -> bool {
        matches!(self.source, Source::SignedOn(_) | Source::Asked(_))
    }

    /// Asks again at once, whatever was refused: a person says that something has changed.
    pub fn wake(&self) {
        match &self.source {
            Source::Kept(..) => {}
            Source::Issued(issued) => issued.engine.wake(),
            Source::SignedOn(sign_on) => sign_on.engine.wake(),
            Source::Asked(asked) => asked.engine.wake(),
        }
    }

    /// The client that tokens are issued to, as far as its configuration and its key tell.
    pub async fn client_id(&self) -> Option<String> {
        match &self.source {
            Source::Kept(..) | Source::SignedOn(_) | Source::Asked(_) => None,
            Source::Issued(issued) => issued.provider.client_id().await,
        }
    }

    /// What a person should know although there is a token, and what to do about it.
    #[must_use]
    pub fn remark(&self) -> Option<(String, &'static str)> {
        let secrecy = |remark| (remark, "keep it where only the service can read it");
        match &self.source {
            Source::Kept(secret, ..) => secret.remark().map(secrecy),
            Source::SignedOn(sign_on) => sign_on.remark().map(secrecy),
            Source::Asked(_) => None,
            Source::Issued(issued) => Some((issued.provider.remark()?, SET_CLOCK)),
        }
    }

    /// Differs once the secret behind it has been replaced: when and how large its file is.
    #[must_use]
    pub fn version(&self) -> Version {
        match &self.source {
            Source::Kept(secret, _) => secret.version(),
            Source::Issued(issued) => issued.provider.version(),
            Source::SignedOn(sign_on) => sign_on.version(),
            Source::Asked(_) => None,
        }
    }
}

impl Issued {
    async fn token(&self) -> Result<Token, Failure> {
        let fetch = |refused| self.provider.clone().fetch(refused);
        self.engine.token(self.provider.version(), fetch).await
    }

    async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        let fetch = |refused| self.provider.clone().fetch(refused);
        self.engine
            .renewed(refused, self.provider.version(), fetch)
            .await
    }
}

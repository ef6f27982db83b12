//! Credentials: what signs the calls to a destination, and what follows when it is refused.

mod engine;
pub mod token;

use std::time::SystemTime;

use reqwest::RequestBuilder;

use crate::config::checked::Auth;
use crate::failure::Failure;
use crate::http::{Client, Reply};
pub use engine::{Engine, Fetched};
pub use token::Token;

/// The credential of one destination.
pub struct Credential {
    auth: Auth,
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

    /// The signed request, for answers that are read as they come.
    #[must_use]
    pub fn into_request(self) -> RequestBuilder {
        self.builder
    }
}

impl Credential {
    /// Prepares the credential of a destination; reads and asks nothing yet.
    #[must_use]
    pub fn new(auth: &Auth) -> Self {
        Self { auth: auth.clone() }
    }

    /// The token of now.
    ///
    /// # Errors
    /// When there is none: why, and what to do.
    pub async fn token(&self) -> Result<Token, Failure> {
        match &self.auth {
            Auth::Token(secret) => Ok(Token::new(secret.read().await?, secret.to_string())),
        }
    }

    /// Another token after `refused`, if there is one.
    async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        let token = self.token().await?;
        Ok((token != *refused).then_some(token))
    }

    /// Sends a request and reads the answer whole; once more with another token if `is_refusal`
    /// says that the first was refused and there is another one.
    ///
    /// # Errors
    /// As [`Client::send`]; when no new token can be had, why.
    pub async fn send(
        &self,
        client: &Client,
        request: Signed<'_>,
        writes: bool,
        is_refusal: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, Failure> {
        let again = request.builder.try_clone();
        let reply = client.send(request.builder, writes).await?;
        let (Some(token), Some(again)) = (request.token, again) else {
            return Ok(reply);
        };
        if !is_refusal(&reply) {
            return Ok(reply);
        }
        match self.renewed(token).await? {
            Some(token) => client.send(token.sign(again), writes).await,
            None => Ok(reply),
        }
    }

    /// Differs once the secret behind it has been replaced: when and how large its file is.
    #[must_use]
    pub fn version(auth: &Auth) -> Option<(SystemTime, u64)> {
        match auth {
            Auth::Token(secret) => secret.version(),
        }
    }
}

//! A token as it is sent.

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::config::secret::Secret;

/// A token, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    secret: Secret,
    origin: String,
}

impl Token {
    /// A token that `origin` (a file, a command) holds; hubs and servers know the scheme `token`.
    #[must_use]
    pub fn new(secret: Secret, origin: String) -> Self {
        Self { secret, origin }
    }

    /// The value itself, for a look at its form.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Where it comes from, in words.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The request with this token in place of any other.
    #[must_use]
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        // A token has no characters that a header refuses: it is one word of plain text.
        let Ok(mut value) = HeaderValue::try_from(format!("token {}", self.secret.expose())) else {
            return request;
        };
        value.set_sensitive(true);
        request.headers(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }
}

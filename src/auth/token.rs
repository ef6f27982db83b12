//! A token as it is sent.

use std::sync::Arc;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::cookies::Cookies;
use super::oauth::claims::Claims;
use crate::config::checked::Scheme;
use crate::config::secret::Secret;

/// A token, and where it comes from. Copies are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    secret: Secret,
    origin: String,
    scheme: Scheme,
    is_issued: bool,
    /// Sent in its place.
    cookies: Option<Cookies>,
}

impl Token {
    /// A token that `origin` (a file, a command) holds, and that is to be sent like this.
    #[must_use]
    pub fn kept(secret: Secret, origin: String, scheme: Scheme) -> Self {
        Self(Arc::new(Inner {
            secret,
            origin,
            scheme,
            is_issued: false,
            cookies: None,
        }))
    }

    /// Cookies in place of a token; `secret` is the text of their file.
    #[must_use]
    pub fn of_cookies(cookies: Cookies, secret: Secret, origin: String) -> Self {
        Self(Arc::new(Inner {
            secret,
            origin,
            scheme: Scheme::Token,
            is_issued: false,
            cookies: Some(cookies),
        }))
    }

    /// Whether these are cookies: a hub takes them, a user's own server has others.
    #[must_use]
    pub fn is_cookies(&self) -> bool {
        self.0.cookies.is_some()
    }

    /// A token that was just issued to `origin`, and is to be sent like this.
    #[must_use]
    pub fn issued(secret: Secret, origin: String, scheme: Scheme) -> Self {
        Self(Arc::new(Inner {
            secret,
            origin,
            scheme,
            is_issued: true,
            cookies: None,
        }))
    }

    /// Whether it was issued for the asking: refused, it is neither unknown nor old, but not meant
    /// for the one who refuses it.
    #[must_use]
    pub fn is_issued(&self) -> bool {
        self.0.is_issued
    }

    /// What an issued token says of itself, if it is one that says anything.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        Claims::of(self.secret().expose()).filter(|_| self.is_issued())
    }

    /// The value itself, for a look at its form.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// Where it comes from, in words.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The request with this token in place of any other.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        if let Some(cookies) = &self.0.cookies {
            return cookies.sign(request);
        }
        let value = match self.0.scheme {
            Scheme::Bearer => format!("Bearer {}", self.0.secret.expose()),
            Scheme::Token => format!("token {}", self.0.secret.expose()),
            Scheme::Bare => self.0.secret.expose().to_owned(),
        };
        // A token has no characters that a header refuses: it is one word of plain text.
        let Ok(mut value) = HeaderValue::try_from(value) else {
            return request;
        };
        value.set_sensitive(true);
        request.headers(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }
}

//! What follows when a hub refuses a token that it made: a login, where logins make them, and the same
//! token once more; then a new one.

use std::sync::OnceLock;

use super::Mint;
use crate::auth::{Renew, Signed, Token};
use crate::config::checked::Hub;
use crate::failure::Failure;
use crate::http::Reply;
use crate::jupyter::{Jupyter, lock};

/// The tokens of one user, for one call.
struct Minted<'a> {
    jupyter: &'a Jupyter,
    at: (&'a Hub, &'a Mint),
    user: String,
    /// The cookies of when the call was sent, where a login makes the tokens.
    login: Option<Token>,
    /// Those of a later login, on which a refused token was tried again.
    fresh: OnceLock<Token>,
}

impl Renew for Minted<'_> {
    /// A hub that can't refresh its user's sign-on refuses their tokens too; a login brings it up to
    /// date, and the same token is good again unless the user was forgotten meanwhile.
    async fn refreshed(&self, refused: &Token) -> Result<bool, Failure> {
        let Some(login) = &self.login else {
            return Ok(false);
        };
        let ((_, mint), credential) = (self.at, &self.jupyter.credential);
        if !self.jupyter.engine(mint, &self.user).holds(refused) {
            return Ok(false);
        }
        let was_good = lock(&mint.logins).get(&self.user) == Some(login);
        let fresh = match was_good {
            true => credential.renewed(login).await?,
            // The token was tried on a login later than its own already, unless there is one later still.
            false => Some(credential.token().await?).filter(|now| now != login),
        };
        Ok(fresh.is_some_and(|fresh| self.fresh.set(fresh).is_ok()))
    }

    async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        let (hub, mint) = self.at;
        let version = self.jupyter.credential.version();
        let fetch = |_| self.jupyter.make(hub, mint, &self.user);
        let engine = self.jupyter.engine(mint, &self.user);
        engine.renewed(refused, version, fetch).await
    }

    fn accepted(&self, token: &Token) {
        let (_, mint) = self.at;
        self.jupyter.engine(mint, &self.user).accepted(token);
        if let Some(fresh) = self.fresh.get() {
            self.jupyter.credential.accepted(fresh);
        }
        if let Some(login) = self.fresh.get().or(self.login.as_ref()) {
            mint.was_good(&self.user, login);
        }
    }
}

impl Jupyter {
    /// Sends a request, and again if the token that it bears is refused: after a new login, then
    /// with a new token.
    pub(in crate::jupyter) async fn send_minted(
        &self,
        (hub, mint): (&Hub, &Mint),
        request: Signed<'_>,
        writes: bool,
        is_refusal: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, Failure> {
        let Some(user) = request.token().and_then(|token| mint.owner(token)) else {
            return self.client.send(request.into_request(), writes).await;
        };
        // A token that the hub made is good while nobody can log in.
        let login = match self.credential.may_be_cookies() {
            true => self.credential.token().await.ok(),
            false => None,
        };
        let minted = Minted {
            jupyter: self,
            at: (hub, mint),
            user,
            login,
            fresh: OnceLock::new(),
        };
        request
            .send(&self.client, writes, is_refusal, &minted)
            .await
    }
}

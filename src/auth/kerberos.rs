//! `auth.kerberos`: a hub's own cookies, by its site's single sign-on with a Kerberos ticket.
//!
//! The hub leads to the identity provider, that to Kerberos, and all the way back; what comes of it
//! are cookies, with which the hub's own tokens are made. A login counts when the hub's API accepts
//! its cookie, and not before.

mod gssapi;
mod login;
mod page;
#[cfg(test)]
mod stand;
mod ticket;
mod way;

use std::sync::{Mutex, PoisonError};

use url::Url;

use super::door::Door;
use super::engine::{Engine, Fetched, Version};
use super::token::Token;
use crate::config::checked::{Config, Destination, Kerberos, Tickets};
use crate::config::secret::Secret;
use crate::failure::Failure;
use crate::http::Client;
use login::Login;
use ticket::Drawer;

/// What logs in to the hub of one destination, and the cookies of the last login.
pub(super) struct SignOn {
    pub(super) engine: Engine,
    login: Login,
    tickets: Tickets,
    /// What the ticket's file was when there was no login: another one is worth another try.
    failed: Mutex<Option<Version>>,
}

impl SignOn {
    /// Prepares it; asks and reads nothing yet.
    ///
    /// # Errors
    /// When the destination's certificate authorities can't be read.
    pub(super) fn new(
        config: &Config,
        table: &Destination,
        (hub, kerberos): (&Url, &Kerberos),
    ) -> Result<Self, Failure> {
        let (contact, patience) = (config.contact.as_deref(), config.paces.answer);
        let start = match &kerberos.login_url {
            Some(url) => url.clone(),
            None => begins(hub),
        };
        let login = Login {
            door: Door::new(config, table, hub)?,
            start,
            elsewhere: Client::new(table.ca_file(), contact, patience)?.of(&table.name),
            drawer: Drawer::new(kerberos, &table.name, patience),
        };
        Ok(Self {
            engine: Engine::new(config.paces.probe),
            login,
            tickets: kerberos.tickets.clone(),
            failed: Mutex::default(),
        })
    }

    pub(super) async fn token(&self) -> Result<Token, Failure> {
        self.look();
        let token = self.engine.token(self.version(), |_| self.fetch()).await;
        self.remember(token.is_err());
        token
    }

    pub(super) async fn renewed(&self, refused: &Token) -> Result<Option<Token>, Failure> {
        self.look();
        let fetch = |_| self.fetch();
        let token = self.engine.renewed(refused, self.version(), fetch).await;
        self.remember(token.is_err());
        token
    }

    /// Differs once the keytab has been replaced. A cache is filled again every few hours by whoever
    /// keeps it, which is no reason to log in once more.
    pub(super) fn version(&self) -> Version {
        match self.tickets {
            Tickets::Keytab(_) => ticket::version(&self.tickets),
            Tickets::Cache(_) => None,
        }
    }

    /// What a person should know although there is a login.
    pub(super) fn remark(&self) -> Option<String> {
        self.login.drawer.remark()
    }

    async fn fetch(&self) -> Result<Fetched, Failure> {
        let cookies = self.login.cookies().await?;
        let origin = format!("the sign-on by {}", self.login.drawer.origin());
        tracing::info!("logged in to {} by {origin}", self.login.door.hub);
        let text = Secret::new(cookies.file().as_str().to_owned());
        Ok(Fetched {
            token: Token::of_cookies(cookies, text, origin),
            // The hub tells an end, and takes them only until it forgets the user or the sign-on.
            life: None,
            is_assumed: true,
        })
    }

    /// Asks again at once if the file of the ticket is another than at the last failure.
    fn look(&self) {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|failed| failed != ticket::version(&self.tickets)) {
            self.engine.wake();
        }
    }

    fn remember(&self, has_failed: bool) {
        let version = has_failed.then(|| ticket::version(&self.tickets));
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }
}

/// Where a hub leads to its sign-on by itself, whether or not its own page offers a choice.
fn begins(hub: &Url) -> Url {
    let mut url = hub.clone();
    url.set_path(&format!("{}hub/oauth_login", hub.path()));
    url
}

#[cfg(test)]
mod tests;

//! The door of a hub: whether it takes the cookies of a login.

use std::time::SystemTime;

use reqwest::header::{HeaderMap, HeaderName, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::cookies::Cookies;
use crate::config::checked::{Config, Destination};
use crate::failure::{Code, Failure};
use crate::http::{Client, Reply};

/// Where a hub tells whose a cookie is.
const API: &str = "hub/api/user";

/// The cookie by which a hub knows a user; since `JupyterHub` 0.9 it has no other name.
pub(super) const LOGIN: &str = "jupyterhub-hub-login";

/// A hub that logins are for.
pub(super) struct Door {
    /// Its base URL.
    pub(super) hub: Url,
    /// Of which one certificate may be pinned.
    pub(super) client: Client,
}

impl Door {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When the destination's certificate authorities can't be read.
    pub(super) fn new(config: &Config, table: &Destination, hub: &Url) -> Result<Self, Failure> {
        let (contact, patience) = (config.contact.as_deref(), config.paces.answer);
        let client = match table.pin_sha256() {
            Some(pin) => Client::pinned(pin, contact, patience)?,
            None => Client::new(table.ca_file(), contact, patience)?,
        };
        let (hub, client) = (hub.clone(), client.of(&table.name));
        Ok(Self { hub, client })
    }

    /// Whether the cookie of a login is among these.
    pub(super) fn is_open(&self, cookies: &Cookies) -> Result<bool, Failure> {
        Ok(cookies.has(LOGIN, &self.at(API)?))
    }

    /// The hub's own of these cookies, which its API has accepted: a cookie alone proves nothing,
    /// since a hub that can't refresh its user's sign-on takes none.
    ///
    /// # Errors
    /// When it does not, or can't be asked.
    pub(super) async fn proven(&self, cookies: &Cookies) -> Result<Cookies, Failure> {
        let mut cookies = cookies.of_host(&self.hub);
        // The cookie against forged writes is of the new session from the next page on only, and no
        // call of the API gives it (JupyterHub 5.4). This page starts nothing.
        self.get("hub/token", &mut cookies).await?;
        let reply = self.get(API, &mut cookies).await?;
        // The rest of the answer may hold live tokens of other services, and is not looked at.
        if reply.status == 200 && reply.json()["name"].is_string() {
            return Ok(cookies);
        }
        let code = match reply.status {
            429 => Code::HubBusy,
            502 | 504 => Code::HubUnreachable,
            503 => Code::HubDown,
            500.. => Code::HubError,
            _ => Code::Denied,
        };
        let what = format!(
            "the hub gave its cookie and doesn't accept it: {} answered {}",
            reply.url, reply.status
        );
        Err(code.failure(what).after(reply.retry_after))
    }

    async fn get(&self, path: &str, cookies: &mut Cookies) -> Result<Reply, Failure> {
        let url = self.at(path)?;
        let request = self.client.request(Method::GET, url.clone());
        let (reply, _) = send(&self.client, request, (&url, cookies)).await?;
        Ok(reply)
    }

    fn at(&self, path: &str) -> Result<Url, Failure> {
        let url = self.hub.join(path);
        url.map_err(|error| Code::Internal.failure(format!("{}: {error}", self.hub)))
    }
}

/// Sends a request with the cookies that are meant for its address, and keeps those of the answer,
/// whose headers come with it.
pub(super) async fn send(
    client: &Client,
    request: RequestBuilder,
    (at, cookies): (&Url, &mut Cookies),
) -> Result<(Reply, HeaderMap), Failure> {
    let (head, answer) = client.stream(cookies.sign(request)).await?;
    let (headers, now) = (answer.headers().clone(), SystemTime::now());
    for cookie in texts(&headers, SET_COOKIE) {
        cookies.set(at, cookie, now);
    }
    Ok((Client::whole(head, answer, false).await?, headers))
}

/// The plain values of a header.
pub(super) fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

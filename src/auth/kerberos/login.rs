//! A login: requests, cookies and the ticket along the way.

use std::time::SystemTime;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE,
};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::ticket::Drawer;
use super::way::{Answer, Next, Way};
use crate::auth::cookies::Cookies;
use crate::config::secret::Secret;
use crate::failure::{Code, Failure};
use crate::http::{Client, Kind, Reply, shown};

/// A login takes about eight.
const MOST: usize = 20;

/// Where the hub tells whose a cookie is.
const API: &str = "hub/api/user";

/// So much of a page is looked at, bytes.
const LARGEST: usize = 256 << 10;

/// The cookie by which a hub knows a user.
const HUB_COOKIE: &str = "jupyterhub-hub-login";

/// What logs in to a hub.
pub(super) struct Login {
    /// Its base URL.
    pub(super) hub: Url,
    /// Where a login begins.
    pub(super) start: Url,
    /// For the hub, of which one certificate may be pinned.
    pub(super) at_hub: Client,
    /// For all others.
    pub(super) elsewhere: Client,
    /// Where its tickets come from.
    pub(super) drawer: Drawer,
}

impl Login {
    /// The hub's cookies, which its API has accepted.
    ///
    /// # Errors
    /// What stood in the way, and who has to do something about it.
    pub(super) async fn cookies(&self) -> Result<Cookies, Failure> {
        let mut way = Way::new(&self.hub);
        let mut cookies = Cookies::default();
        let (mut at, mut ticket) = (self.start.clone(), None);
        for _ in 0..MOST {
            let answer = self.ask(&way, &at, &mut cookies, ticket.take()).await?;
            let is_in = cookies.has(HUB_COOKIE, &self.at(API)?);
            match way.next(&at, &answer, is_in)? {
                Next::Go(to) => at = to,
                Next::Show => {
                    let host = at.host_str().unwrap_or_default();
                    ticket = Some(self.drawer.ticket(host).await?);
                }
                Next::Arrived => return self.proven(cookies.of_host(&self.hub)).await,
            }
        }
        let what = format!(
            "the login leads on and on: {MOST} steps, the last to {}",
            shown(&at)
        );
        Err(Code::IdpError.failure(what))
    }

    async fn ask(
        &self,
        way: &Way,
        at: &Url,
        cookies: &mut Cookies,
        ticket: Option<Secret>,
    ) -> Result<Answer, Failure> {
        let is_hub = way.is_hub(at);
        let client = if is_hub {
            &self.at_hub
        } else {
            &self.elsewhere
        };
        let request = client.request(Method::GET, at.clone());
        let request = with(request.header(ACCEPT, "text/html"), ticket);
        let sent = send(client, request, (at, cookies)).await;
        let (reply, asks_for_ticket) = sent.map_err(|failure| of_sign_on(failure, is_hub))?;
        tracing::debug!("{} answered {}", reply.url, reply.status);
        let page = &reply.body[..reply.body.len().min(LARGEST)];
        Ok(Answer {
            status: reply.status,
            asks_for_ticket,
            html: match reply.kind {
                Kind::Html => String::from_utf8_lossy(page).into_owned(),
                _ => String::new(),
            },
            words: reply.words(),
            retry_after: reply.retry_after,
            location: reply.location,
        })
    }

    /// A cookie alone proves nothing: a hub that can't refresh its user's sign-on takes none.
    async fn proven(&self, mut cookies: Cookies) -> Result<Cookies, Failure> {
        // The cookie against forged writes is of the new session from the next page on only, and no
        // call of the API gives it (JupyterHub 5.4). This page starts nothing.
        let page = self.at("hub/token")?;
        let request = self.at_hub.request(Method::GET, page.clone());
        send(&self.at_hub, request, (&page, &mut cookies)).await?;
        let url = self.at(API)?;
        let request = self.at_hub.request(Method::GET, url.clone());
        let (reply, _) = send(&self.at_hub, request, (&url, &mut cookies)).await?;
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

    fn at(&self, path: &str) -> Result<Url, Failure> {
        let url = self.hub.join(path);
        url.map_err(|error| Code::Internal.failure(format!("{}: {error}", self.hub)))
    }
}

/// Sends a request with the cookies that are meant for its address, and keeps those of the answer.
/// With it comes whether the answer asks for a ticket.
async fn send(
    client: &Client,
    request: RequestBuilder,
    (at, cookies): (&Url, &mut Cookies),
) -> Result<(Reply, bool), Failure> {
    let (head, answer) = client.stream(cookies.sign(request)).await?;
    let now = SystemTime::now();
    for cookie in texts(answer.headers(), SET_COOKIE) {
        cookies.set(at, cookie, now);
    }
    let asks = texts(answer.headers(), WWW_AUTHENTICATE).any(asks_for_it);
    Ok((Client::whole(head, answer, false).await?, asks))
}

fn with(request: RequestBuilder, ticket: Option<Secret>) -> RequestBuilder {
    let value = ticket.map(|ticket| format!("Negotiate {}", ticket.expose()));
    let Some(Ok(mut value)) = value.map(HeaderValue::try_from) else {
        return request;
    };
    value.set_sensitive(true);
    request.header(AUTHORIZATION, value)
}

fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// Whether Kerberos is among the ways to authenticate that one header names.
fn asks_for_it(header: &str) -> bool {
    let mut ways = header.split(',').map(|way| way.split_whitespace().next());
    ways.any(|way| way.is_some_and(|way| way.eq_ignore_ascii_case("negotiate")))
}

/// What can't be reached is the sign-on, not the hub.
fn of_sign_on(failure: Failure, is_hub: bool) -> Failure {
    match failure.code {
        Code::HubUnreachable if !is_hub => Failure {
            code: Code::TokenEndpointDown,
            ..failure
        },
        _ => failure,
    }
}

#[cfg(test)]
mod tests;

//! A login: requests, cookies and the ticket along the way.

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::ticket::Drawer;
use super::way::{Answer, Next, Way};
use crate::auth::cookies::Cookies;
use crate::auth::door::{Door, send, texts};
use crate::config::secret::Secret;
use crate::failure::{Code, Failure};
use crate::http::{Client, Kind, shown};

/// A login takes about eight.
const MOST: usize = 20;

/// So much of a page is looked at, bytes.
const LARGEST: usize = 256 << 10;

/// What logs in to a hub.
pub(super) struct Login {
    pub(super) door: Door,
    /// Where a login begins.
    pub(super) start: Url,
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
        let mut way = Way::new(&self.door.hub);
        let mut cookies = Cookies::default();
        let (mut at, mut ticket) = (self.start.clone(), None);
        for _ in 0..MOST {
            let answer = self.ask(&way, &at, &mut cookies, ticket.take()).await?;
            let is_in = self.door.is_open(&cookies)?;
            match way.next(&at, &answer, is_in)? {
                Next::Go(to) => at = to,
                Next::Show => {
                    let host = at.host_str().unwrap_or_default();
                    ticket = Some(self.drawer.ticket(host).await?);
                }
                Next::Arrived => return self.door.proven(&cookies).await,
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
            &self.door.client
        } else {
            &self.elsewhere
        };
        let request = client.request(Method::GET, at.clone());
        let request = with(request.header(ACCEPT, "text/html"), ticket);
        let sent = send(client, request, (at, cookies)).await;
        let (reply, headers) = sent.map_err(|failure| of_sign_on(failure, is_hub))?;
        tracing::debug!("{} answered {}", reply.url, reply.status);
        let page = &reply.body[..reply.body.len().min(LARGEST)];
        Ok(Answer {
            status: reply.status,
            asks_for_ticket: texts(&headers, WWW_AUTHENTICATE).any(asks_for_it),
            html: match reply.kind {
                Kind::Html => String::from_utf8_lossy(page).into_owned(),
                _ => String::new(),
            },
            words: reply.words(),
            retry_after: reply.retry_after,
            location: reply.location,
        })
    }
}

fn with(request: RequestBuilder, ticket: Option<Secret>) -> RequestBuilder {
    let value = ticket.map(|ticket| format!("Negotiate {}", ticket.expose()));
    let Some(Ok(mut value)) = value.map(HeaderValue::try_from) else {
        return request;
    };
    value.set_sensitive(true);
    request.header(AUTHORIZATION, value)
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

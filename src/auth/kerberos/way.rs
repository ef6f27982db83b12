//! The way of a login through redirects and pages: what follows from each answer. Asks nothing.
//!
//! A ticket is shown at most once, and only to where the hub itself has led first: to nobody whom
//! a page or a redirect of somebody else names.

use std::time::Duration;

use url::Url;

use super::page::{self, Page};
use crate::config::is_loopback;
use crate::failure::{Code, Failure};
use crate::http::shown;

/// What came back from an address, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// Where a redirect points.
    pub(super) location: Option<String>,
    /// Whether it asks for a Kerberos ticket.
    pub(super) asks_for_ticket: bool,
    /// The page; empty if there is none.
    pub(super) html: String,
    /// The other side's own words.
    pub(super) words: String,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Go there.
    Go(Url),
    /// The same address once more, with a ticket for its host.
    Show,
    /// The hub has given its cookie.
    Arrived,
}

/// How far a login has come.
pub(super) struct Way {
    hub: Url,
    /// Where the hub leads to.
    idp: Option<Url>,
    has_chosen: bool,
    has_shown: bool,
}

impl Way {
    /// A login at the hub of this base URL, not begun.
    pub(super) fn new(hub: &Url) -> Self {
        Self {
            hub: hub.clone(),
            idp: None,
            has_chosen: false,
            has_shown: false,
        }
    }

    pub(super) fn is_hub(&self, url: &Url) -> bool {
        url.origin() == self.hub.origin() && url.path().starts_with(self.hub.path())
    }

    /// What follows from the answer of an address; `is_in`: whether the hub has given its cookie.
    pub(super) fn next(&mut self, at: &Url, answer: &Answer, is_in: bool) -> Result<Next, Failure> {
        if is_in && self.is_hub(at) {
            return Ok(Next::Arrived);
        }
        match (answer.status, &answer.location) {
            (401, _) if answer.asks_for_ticket => self.show(at),
            (301 | 302 | 303 | 307 | 308, Some(to)) => self.follow(at, to),
            _ if self.is_hub(at) => Err(self.refused_by_hub(at, answer)),
            _ => self.read(at, answer),
        }
    }

    fn show(&mut self, at: &Url) -> Result<Next, Failure> {
        let place = shown(at);
        let idp = self.idp.as_ref();
        if !idp.is_some_and(|idp| idp.origin() == at.origin()) {
            let led = idp.map_or("nowhere".into(), |idp| idp.origin().ascii_serialization());
            let what = format!(
                "{place} asks for a Kerberos ticket, but the hub leads to {led}: it was shown none"
            );
            return Err(Code::IdpError.failure(what));
        }
        if self.has_shown {
            let what = format!("{place} refuses the Kerberos ticket that it was shown");
            let advice =
                "see whether the account of the ticket can log in there by Kerberos in a browser";
            return Err(Code::IdpError.failure(what).advise(advice));
        }
        self.has_shown = true;
        Ok(Next::Show)
    }

    fn follow(&mut self, at: &Url, to: &str) -> Result<Next, Failure> {
        let place = shown(at);
        let Ok(url) = at.join(to) else {
            return Err(Code::IdpError.failure(format!("{place} leads to what is no address")));
        };
        let is_private = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        if !is_private {
            let origin = url.origin().ascii_serialization();
            let what = format!("{place} leads to {origin}, where all would travel in the clear");
            return Err(Code::IdpError.failure(what));
        }
        if self.idp.is_none() && !self.is_hub(&url) {
            self.idp = Some(url.clone());
        }
        Ok(Next::Go(url))
    }

    /// What a page of the identity provider comes to.
    fn read(&mut self, at: &Url, answer: &Answer) -> Result<Next, Failure> {
        let place = shown(at);
        let failure = match page::read(&answer.html) {
            Page::Refusal(why) => Code::IdpError.failure(format!("{place} says: {why}")),
            _ if answer.status == 429 || answer.status >= 500 => {
                let what = format!("{place} answered {} {}", answer.status, answer.words);
                let failure = Code::TokenEndpointDown.failure(what.trim_end());
                failure.after(answer.retry_after)
            }
            Page::Otp => Code::NeedOtp.failure(format!("{place} asks for a one-time code")),
            Page::Webauthn => {
                Code::NeedWebauthn.failure(format!("{place} asks for a security key"))
            }
            Page::Consent => Code::Consent.failure(format!("{place} asks for consent")),
            Page::Kerberos(to) if !self.has_chosen => {
                self.has_chosen = true;
                return self.follow(at, &to);
            }
            Page::Kerberos(_) => {
                let what = format!(
                    "{place} offers the login once more: it did not take the Kerberos ticket"
                );
                Code::IdpError.failure(what)
            }
            Page::Other(title) if self.has_chosen || self.has_shown => {
                let what = format!("{place} answered {} with {}", answer.status, named(&title));
                Code::IdpError.failure(what)
            }
            Page::Other(title) => {
                let what = format!(
                    "{place} offers no login by Kerberos: it answered {} with {}",
                    answer.status,
                    named(&title)
                );
                Code::NoButton.failure(what)
            }
        };
        Err(failure)
    }

    /// What it means that the hub neither leads on nor gives its cookie.
    fn refused_by_hub(&self, at: &Url, answer: &Answer) -> Failure {
        let what = format!("{} answered {} {}", shown(at), answer.status, answer.words);
        let what = what.trim_end().to_owned();
        let code = match answer.status {
            429 => Code::HubBusy,
            502 | 504 => Code::HubUnreachable,
            503 => Code::HubDown,
            500.. => Code::HubError,
            401 | 403 => Code::Denied,
            _ if self.idp.is_some() => Code::Denied,
            _ => Code::NoButton,
        };
        let failure = match code {
            Code::NoButton => {
                let advice = format!(
                    "set `login_url` to where the hub's own button leads, such as {}hub/oauth_login",
                    self.hub
                );
                code.failure(format!("{what}, and leads to no sign-on"))
                    .advise(advice)
            }
            Code::Denied => {
                code.failure(format!("the hub gives no cookie after the login: {what}"))
            }
            _ => code.failure(what),
        };
        failure.after(answer.retry_after)
    }
}

fn named(title: &str) -> String {
    match title {
        "" => "no page".into(),
        title => format!("the page `{title}`"),
    }
}

#[cfg(test)]
mod tests;

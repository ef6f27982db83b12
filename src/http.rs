//! The one HTTP client: timeouts, limits, no redirects, no secret in any message.
//!
//! It turns what goes wrong on the way into a [`Failure`]; what an answer means is for its caller.

mod trust;

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response};
use rustls::ClientConfig;
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use crate::failure::{Code, Failure};
use crate::measure;
use crate::redact::cleaned;
use trust::Distrust;
pub use trust::Pin;

/// Answers are read up to this size, bytes.
const LARGEST: usize = 64 << 20;

/// The proxy of a `JupyterHub` closes idle connections after 5 s (measured with 5.3.0), so that a
/// longer pool would meet closed ones.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// What an answer's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By its Content-Type.
    Json,
    /// A web page.
    Html,
    /// Anything else, or none.
    Other,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The URL without query, for messages.
    pub url: String,
    /// The status.
    pub status: u16,
    /// What the body is.
    pub kind: Kind,
    /// The body.
    pub body: Vec<u8>,
    /// Where a redirect points.
    pub location: Option<String>,
    /// How long the other side wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether a `JupyterHub` or one of its servers answered.
    pub from_hub: bool,
    /// The other side's clock, to the second.
    pub date: Option<jiff::Timestamp>,
}

impl Reply {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it says that it is JSON and is none.
    fn is_broken(&self) -> bool {
        let json = || serde_json::from_slice::<IgnoredAny>(&self.body);
        self.kind == Kind::Json && !self.body.is_empty() && json().is_err()
    }

    /// The other side's own words: its message, or the beginning of the text.
    #[must_use]
    pub fn words(&self) -> String {
        let json = self.json();
        // Some answer with a bare text.
        let message = json["message"].as_str().or(json.as_str());
        let message = message.filter(|text| !text.is_empty());
        let text = match (message, self.kind) {
            (Some(message), _) => message.to_owned(),
            (None, Kind::Html) => title(&String::from_utf8_lossy(&self.body)),
            (None, Kind::Json) if json.is_object() => String::new(),
            (None, _) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        // Before it is cut: nobody would know the half of a secret again.
        cleaned(&text)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(200)
            .collect::<String>()
            .trim()
            .to_owned()
    }
}

/// The text of a page that says most: `JupyterHub`'s error page has it in a paragraph.
fn title(page: &str) -> String {
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from)?;
        rest.split_once(to).map(|(text, _)| text.trim().to_owned())
    };
    between("<p>", "</p>")
        .or_else(|| between("<title>", "</title>"))
        .unwrap_or_else(|| "a web page".into())
}

/// A client for one destination.
pub struct Client {
    inner: reqwest::Client,
    /// How long an answer may take, if its request doesn't say otherwise.
    patience: Duration,
    /// The destination whose requests these are.
    destination: Option<String>,
}

impl Client {
    /// A client that trusts the system's certificate authorities and those in `ca_file`, and waits
    /// no longer than `patience` for an answer.
    ///
    /// # Errors
    /// `tls-untrusted` if `ca_file` can't be read as PEM, or holds no certificate.
    pub fn new(
        ca_file: Option<&Path>,
        contact: Option<&str>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        Self::with(trust::config(ca_file, None)?, contact, patience)
    }

    /// The same for a server of which one certificate is trusted, and no other.
    ///
    /// # Errors
    /// None that is expected.
    pub fn pinned(pin: Pin, contact: Option<&str>, patience: Duration) -> Result<Self, Failure> {
        Self::with(trust::config(None, Some(pin))?, contact, patience)
    }

    fn with(tls: ClientConfig, contact: Option<&str>, patience: Duration) -> Result<Self, Failure> {
        let contact = contact
            .map(|contact| format!(" ({contact})"))
            .unwrap_or_default();
        let name = format!("nbcourier/{}{contact}", env!("CARGO_PKG_VERSION"));
        let name: String = name.chars().filter(|c| (' '..='~').contains(c)).collect();
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(name)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(POOL_IDLE)
            .build()
            .map_err(|error| Code::Internal.failure(error.to_string()))?;
        Ok(Self {
            inner,
            patience,
            destination: None,
        })
    }

    /// The same, whose requests are measured as those of a destination.
    #[must_use]
    pub fn of(mut self, destination: &str) -> Self {
        self.destination = Some(destination.to_owned());
        self
    }

    /// The destination whose requests these are.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        self.destination.as_deref()
    }

    /// A request, to be sent by [`Client::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner.request(method, url).timeout(self.patience)
    }

    /// Sends a request and reads the answer whole. `writes`: whether a lost answer leaves it
    /// unknown what has happened.
    ///
    /// # Errors
    /// `hub-unreachable`, `tls-untrusted`, `answer-lost`.
    pub async fn send(&self, request: RequestBuilder, writes: bool) -> Result<Reply, Failure> {
        let request = request.build().map_err(|error| lost(&error, writes))?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let begun = Instant::now();
        let sent = async {
            let sent = self.inner.execute(request).await;
            let answer = sent.map_err(|error| lost(&error, writes))?;
            Self::whole(head(&answer), answer, writes).await
        };
        let reply = sent.await;
        if let Some(destination) = &self.destination {
            let status = reply.as_ref().ok().map(|reply| reply.status);
            let call = (method.as_str(), path.as_str());
            measure::requested(destination, call, status, begun.elapsed());
        }
        reply
    }

    /// Reads the body of an answer whose head was looked at.
    ///
    /// # Errors
    /// As [`Client::send`], for an answer that has begun.
    pub async fn whole(mut reply: Reply, answer: Response, writes: bool) -> Result<Reply, Failure> {
        let mut body = answer.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| unusable(&reply.url, &why(&error), writes))?;
            if reply.body.len() + chunk.len() > LARGEST {
                return Err(unusable(&reply.url, "it has more than 64 MiB", writes));
            }
            reply.body.extend_from_slice(&chunk);
        }
        // Taken for an answer without content it would say that something else stands there.
        if reply.status < 300 && reply.is_broken() {
            return Err(unusable(&reply.url, "it is no whole JSON", writes));
        }
        Ok(reply)
    }

    /// Sends a request and leaves the body to be read as it comes.
    ///
    /// # Errors
    /// As [`Client::send`] for a read.
    pub async fn stream(&self, request: RequestBuilder) -> Result<(Reply, Response), Failure> {
        let answer = request.send().await.map_err(|error| lost(&error, false))?;
        Ok((head(&answer), answer))
    }
}

fn head(answer: &Response) -> Reply {
    let text = |name| {
        answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let kind = match text(CONTENT_TYPE).unwrap_or_default() {
        kind if kind.starts_with("application/json") => Kind::Json,
        kind if kind.starts_with("text/html") => Kind::Html,
        _ => Kind::Other,
    };
    Reply {
        url: shown(answer.url()),
        status: answer.status().as_u16(),
        kind,
        body: Vec::new(),
        location: text(LOCATION).map(str::to_owned),
        retry_after: text(RETRY_AFTER).and_then(retry_after),
        from_hub: answer.headers().contains_key("X-JupyterHub-Version"),
        date: text(DATE).and_then(date),
    }
}

/// Seconds, or a date (RFC 9110).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(text)?.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(date.timestamp())
}

/// A URL as it may be shown: no user, no password, no query.
#[must_use]
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The innermost cause says most.
fn why(error: &reqwest::Error) -> String {
    match causes(error).pop() {
        Some(cause) => cause,
        None if error.is_timeout() => "timed out".into(),
        None => "no answer".into(),
    }
}

fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// An answer that has begun and can't be used.
fn unusable(url: &str, why: &str, writes: bool) -> Failure {
    let code = match writes {
        true => Code::AnswerLost,
        false => Code::HubUnreachable,
    };
    code.failure(format!("the answer of {url} can't be used: {why}"))
}

fn lost(error: &reqwest::Error, writes: bool) -> Failure {
    let (url, why) = (error.url().map(shown).unwrap_or_default(), why(error));
    if let Some(distrust) = Distrust::behind(error) {
        return distrust.failure(&url);
    }
    let (code, what) = match () {
        () if error.is_connect() => (
            Code::HubUnreachable,
            format!("{url} can't be reached: {why}"),
        ),
        () if writes => (
            Code::AnswerLost,
            format!("the answer of {url} was lost: {why}"),
        ),
        () => (
            Code::HubUnreachable,
            format!("{url} does not answer: {why}"),
        ),
    };
    code.failure(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("30"), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO)
        );
        let later = jiff::Timestamp::now() + Duration::from_secs(100);
        let date = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = retry_after(&date).expect("a date").as_secs();
        assert!((98..=100).contains(&wait), "{wait}");
    }

    #[test]
    fn a_shown_url_has_no_user_and_no_query() {
        let url = Url::parse("https://me:pass@hub.example/x?token=abc").expect("a URL");
        assert_eq!(shown(&url), "https://hub.example/x");
    }
}

//! How somebody is told.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use url::Url;

use crate::config::secret::{Secret, SecretRef};
use crate::config::{checked, is_loopback};
use crate::failure::{Code, Failure};
use crate::http::Client;
use crate::process::{Call, with_words};
use crate::redact::cleaned;

/// How long a webhook may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a program may take.
const PROGRAM: Duration = Duration::from_secs(30);

/// The most that a program may print, bytes.
const LARGEST: usize = 1 << 16;

/// Why somebody could not be told.
#[derive(Debug)]
pub struct Untold {
    /// What happened.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// How long they want to be left alone.
    pub retry_after: Option<Duration>,
}

/// Who is told.
pub struct Receiver {
    to: checked::Receiver,
    contact: Option<String>,
}

impl From<Failure> for Untold {
    fn from(failure: Failure) -> Self {
        let advice = match failure.code {
            Code::HubUnreachable | Code::AnswerLost => {
                "nothing yet; if it lasts, see that it runs and can be reached from this machine"
            }
            Code::CredentialUnreadable if failure.advice.is_none() => {
                "put the webhook's URL where the configuration says, readable by the service only"
            }
            _ => failure.advice(),
        };
        Self {
            advice: advice.to_owned(),
            what: failure.what,
            retry_after: failure.retry_after,
        }
    }
}

impl Receiver {
    /// Somebody who is told; `contact` is told to their server.
    #[must_use]
    pub fn new(to: &checked::Receiver, contact: Option<&str>) -> Self {
        Self {
            to: to.clone(),
            contact: contact.map(str::to_owned),
        }
    }

    /// The longest time that it may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        match self.to {
            checked::Receiver::Webhook(_) => ANSWER,
            checked::Receiver::Command(_) => PROGRAM,
        }
    }

    /// Where the messages go, as far as it is no secret. Tells nobody.
    ///
    /// # Errors
    /// When its secret can't be read, or is no URL.
    pub async fn look(&self) -> Result<String, Untold> {
        match &self.to {
            checked::Receiver::Command(words) => Ok(format!(
                "command `{}`",
                words.first().map_or("", String::as_str)
            )),
            checked::Receiver::Webhook(secret) => {
                let (url, _held) = url(secret).await?;
                Ok(format!("webhook at {}", url.origin().ascii_serialization()))
            }
        }
    }

    /// Tells them.
    ///
    /// # Errors
    /// When they were not told, or may not have been.
    pub async fn tell(&self, message: &Value) -> Result<(), Untold> {
        let text = cleaned(&message.to_string()).into_owned();
        match &self.to {
            checked::Receiver::Webhook(secret) => self.post(secret, text).await,
            checked::Receiver::Command(words) => call(words, text).await,
        }
    }

    async fn post(&self, secret: &SecretRef, text: String) -> Result<(), Untold> {
        let (url, _held) = url(secret).await?;
        let origin = url.origin().ascii_serialization();
        let client = Client::new(None, self.contact.as_deref(), ANSWER)?;
        let request = client
            .request(Method::POST, url)
            .header(CONTENT_TYPE, "application/json")
            .body(text);
        let reply = client.send(request, true).await?;
        if (200..300).contains(&reply.status) {
            return Ok(());
        }
        let what = format!("the webhook at {origin} answered {}", reply.status);
        Err(Untold {
            what: with_words(&what, &reply.words()),
            advice: "see that the webhook still exists and put its URL into the secret; \
                     announcements go on by themselves"
                .into(),
            retry_after: reply.retry_after,
        })
    }
}

/// The URL, and its parts kept as secrets for as long as it is used: messages of others may have one
/// without the rest.
async fn url(secret: &SecretRef) -> Result<(Url, [Secret; 2]), Untold> {
    let read = secret.read().await?;
    let wrong = |why: &str| {
        let failure = secret.unreadable(why);
        failure.advise("put the webhook's whole URL there, one that begins with https://")
    };
    let url = Url::parse(read.expose()).map_err(|_| wrong("it is no URL"))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        let why = "plain http is for this machine only (localhost, 127.0.0.1, [::1])";
        return Err(wrong(why).into());
    }
    let path = url[url::Position::BeforePath..].to_owned();
    let without_query = url.path().to_owned();
    let held = [Secret::new(path), Secret::new(without_query)];
    Ok((url, held))
}

async fn call(words: &[String], text: String) -> Result<(), Untold> {
    let program = words.first().cloned().unwrap_or_default();
    let call = Call {
        program: program.clone(),
        arguments: words.iter().skip(1).cloned().collect(),
        environment: Some(Vec::new()),
        input: text.into_bytes(),
        limit: PROGRAM,
        most: LARGEST,
    };
    let untold = |why: String| Untold {
        what: cleaned(&format!("the command `{program}`: {why}")).into_owned(),
        advice: "correct what it complains of; announcements go on by themselves".into(),
        retry_after: None,
    };
    match call.run().await {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(untold(with_words(
            &ended.status.to_string(),
            &ended.complaint,
        ))),
        Err(trouble) => Err(untold(trouble.to_string())),
    }
}

//! A person's login from a machine without a browser (RFC 8628): they type a code on a page of the
//! server's, anywhere, and the refresh token that follows is kept.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::answer::Answer;
use super::client::Client;
use super::discovery::Metadata;
use super::store::{Stored, hash};
use super::{Fate, Provider, Trouble, down};
use crate::config::secret::SecretRef;
use crate::failure::{Code, Failure};

/// No login is waited for longer.
const LONGEST: Duration = Duration::from_secs(1800);
/// Between two questions, if the server names no interval.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a person is asked to do.
pub struct Prompt {
    /// The page to open.
    pub url: String,
    /// The code to type there.
    pub code: String,
    /// The page with the code filled in, if the server has one.
    pub whole: Option<String>,
    /// How long there is time for it.
    pub time: Duration,
}

/// A login that has begun.
struct Begun {
    prompt: Prompt,
    device_code: String,
    interval: Duration,
}

impl Provider {
    /// Has a person log in, and keeps the refresh token that the server issues for them. `tell`
    /// shows them what to do.
    ///
    /// # Errors
    /// When the server has no such login, it was denied or not done in time, or it issued no
    /// refresh token.
    pub async fn login(&self, tell: impl Fn(&Prompt)) -> Result<(), Failure> {
        let Some(source) = &self.oauth.refresh_token else {
            return Err(Code::TokenRequestRefused
                .failure("a login is for a destination with `refresh_token` in `auth.oauth`"));
        };
        let metadata = self
            .metadata
            .metadata(&self.http, &self.oauth.endpoint)
            .await?;
        let begun = self.begin(&metadata).await?;
        tell(&begun.prompt);
        let answer = self.wait(&metadata, begun).await?;
        let Some(token) = answer.refresh_token else {
            return Err(Code::TokenRequestRefused
                .failure(format!("{} issued no refresh token", metadata.token_url))
                .advise("add `offline_access` to `scope` in `auth.oauth`, or whatever the server calls it"));
        };
        let mut lock = self.store.lock().await?;
        let seed = seed(source).await;
        lock.write(&Stored { token, seed }, true)?;
        lock.mark(None)
    }

    async fn begin(&self, metadata: &Metadata) -> Result<Begun, Failure> {
        let Some(url) = &metadata.device_url else {
            return Err(Code::TokenRequestRefused
                .failure("the server names no place where a login of a device begins")
                .advise("set `issuer` in `auth.oauth` if it has one, or put a refresh token into the file that the configuration names"));
        };
        let client = Client::read(&self.oauth, metadata).await?;
        let form = client.form(self.fields(&[]), &metadata.token_url, &self.clock)?;
        let request = form.fill(self.http.request(Method::POST, url.clone()));
        let reply = self.http.send(request, false).await.map_err(down)?;
        let begun = (reply.status == 200)
            .then(|| Begun::of(&reply.json()))
            .flatten();
        begun.ok_or_else(|| self.refused(&reply, &client.words()).failure)
    }

    /// Asks until the person is done.
    async fn wait(&self, metadata: &Metadata, begun: Begun) -> Result<Answer, Failure> {
        let end = Instant::now() + begun.prompt.time;
        let grant = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", begun.device_code.as_str()),
        ];
        let mut interval = begun.interval;
        while Instant::now() < end {
            tokio::time::sleep(interval).await;
            match self.ask(metadata, &grant).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => interval = next(interval, trouble)?,
            }
        }
        Err(Code::GrantRefused
            .failure("nobody logged in in time")
            .advise("run it again"))
    }
}

impl Begun {
    fn of(json: &Value) -> Option<Self> {
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let seconds = |key: &str| json[key].as_u64().map(Duration::from_secs);
        let shown = |key: &str| text(key).filter(|text| !text.chars().any(char::is_control));
        Some(Self {
            prompt: Prompt {
                url: shown("verification_uri").or_else(|| shown("verification_url"))?,
                code: shown("user_code")?,
                whole: shown("verification_uri_complete"),
                time: seconds("expires_in").unwrap_or(LONGEST).min(LONGEST),
            },
            device_code: text("device_code")?,
            interval: seconds("interval")
                .unwrap_or(INTERVAL)
                .clamp(Duration::from_secs(1), Duration::from_secs(60)),
        })
    }
}

/// The pause before the next question (RFC 8628 §3.5); what ends the login is an error.
fn next(interval: Duration, trouble: Trouble) -> Result<Duration, Failure> {
    match trouble.error.as_str() {
        "authorization_pending" => Ok(interval),
        "slow_down" => Ok(interval + INTERVAL),
        _ if trouble.fate != Fate::Refused => Ok((interval * 2).min(Duration::from_secs(60))),
        "access_denied" => Err(trouble
            .failure
            .advise("run it again, and agree on the page")),
        "expired_token" => Err(trouble.failure.advise("run it again")),
        _ => Err(trouble.failure),
    }
}

/// What the operator's file holds by now, which this login replaces; it may hold nothing.
async fn seed(source: &SecretRef) -> Option<String> {
    Some(hash(&source.read().await.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(error: &str, fate: Fate) -> Trouble {
        Trouble {
            failure: Code::GrantRefused.failure(error),
            error: error.into(),
            fate,
        }
    }

    #[test]
    fn a_login_waits_as_the_server_wishes_and_ends_when_it_is_denied() {
        let next = |error, fate| next(INTERVAL, trouble(error, fate)).map(|wait| wait.as_secs());
        assert_eq!(next("authorization_pending", Fate::Refused), Ok(5));
        assert_eq!(next("slow_down", Fate::Refused), Ok(10));
        assert_eq!(next("", Fate::Lost), Ok(10));
        assert_eq!(next("", Fate::Unclear), Ok(10));
        assert!(next("access_denied", Fate::Refused).is_err());
        assert!(next("expired_token", Fate::Refused).is_err());
    }

    #[test]
    fn a_login_needs_a_page_a_code_and_the_device_s_own() {
        let of = |text: &str| Begun::of(&serde_json::from_str(text).expect("JSON"));
        let whole = of(
            r#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://a/device","expires_in":60}"#,
        );
        let whole = whole.expect("a login");
        assert_eq!(
            (whole.interval, whole.prompt.time.as_secs()),
            (INTERVAL, 60)
        );
        for part in [
            "{}",
            r#"{"device_code":"d","verification_uri":"https://a"}"#,
            r#"{"user_code":"A","verification_uri":"https://a"}"#,
            "{\"device_code\":\"d\",\"user_code\":\"A\\u001b[2J\",\"verification_uri\":\"https://a\"}",
        ] {
            assert!(of(part).is_none(), "{part}");
        }
    }
}

//! The client as which tokens are asked for, and how it proves to be itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::assertion::assertion;
use super::clock::Clock;
use super::discovery::Metadata;
use super::key::Key;
use crate::config::checked::{ClientAuth, OAuth, Proof};
use crate::config::secret::Secret;
use crate::failure::{Code, Failure};

/// A client and its secret or key, read anew for every request: both may have been replaced.
pub(super) struct Client {
    id: Option<String>,
    proof: Proven,
}

enum Proven {
    /// A public client, or none.
    Nothing,
    Secret(Secret, ClientAuth),
    /// With the id under which the key signs, and whether the form names it as well.
    Key(Box<Key>, String, bool),
}

impl Client {
    /// Reads what the configuration refers to.
    pub(super) async fn read(oauth: &OAuth, metadata: &Metadata) -> Result<Self, Failure> {
        let configured = oauth.client_id.clone();
        let (id, proof) = match &oauth.proof {
            None => (configured, Proven::Nothing),
            Some(Proof::Secret(secret, method)) => {
                let method = method.unwrap_or(metadata.client_auth);
                (configured, Proven::Secret(secret.text().await?, method))
            }
            Some(Proof::Key(file)) => {
                let text = file.text().await?;
                let key = Key::parse(text.expose());
                let key = key.map_err(|why| file.unreadable(&why))?;
                let id = whose(configured.as_deref(), key.client.as_deref());
                let id = id.map_err(|why| file.unreadable(&why))?;
                let is_named = configured.is_some();
                (Some(id.clone()), Proven::Key(Box::new(key), id, is_named))
            }
        };
        Ok(Self { id, proof })
    }

    /// Its id, if it has one.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Who asks, in words.
    pub(super) fn words(&self) -> String {
        match &self.id {
            Some(id) => format!("client `{id}`"),
            None => "the refresh token".into(),
        }
    }

    /// A form that proves who sends it to the token endpoint `audience`.
    pub(super) fn form(
        &self,
        fields: Vec<(String, String)>,
        audience: &Url,
        clock: &Clock,
    ) -> Result<Form, Failure> {
        let mut form = Form::new(fields);
        match &self.proof {
            Proven::Nothing => {
                if let Some(id) = &self.id {
                    form.field("client_id", id);
                }
            }
            Proven::Secret(secret, method) => {
                let id = self.id.as_deref().unwrap_or_default();
                form.prove_by_secret(id, secret.expose(), *method)?;
            }
            Proven::Key(key, id, is_named) => {
                let made = clock.assertion_time();
                form.prove_by_assertion(assertion(key, id, audience.as_str(), made)?);
                if *is_named {
                    form.field("client_id", id);
                }
            }
        }
        Ok(form)
    }
}

/// The client of a key: the configuration and the key's file may both name it.
fn whose(configured: Option<&str>, of_key: Option<&str>) -> Result<String, String> {
    match (configured, of_key) {
        (Some(one), Some(other)) if one != other => Err(format!(
            "it names the client `{other}`, but `client_id` is `{one}`; remove `client_id` from `auth.oauth`"
        )),
        (Some(id), _) | (None, Some(id)) => Ok(id.to_owned()),
        (None, None) => {
            Err("it doesn't name its client; write `client_id` into `auth.oauth`".into())
        }
    }
}

/// Both parts are encoded as in a form, before base64 (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)))
}

fn sensitive(value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Code::Internal.failure("a client's header could not be made"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A form as it is sent.
pub(super) struct Form {
    fields: Vec<(String, String)>,
    authorization: Option<HeaderValue>,
    /// What was made for it: known to [`crate::redact`] as long as its answer is looked at.
    _made: Vec<Secret>,
}

impl Form {
    fn new(fields: Vec<(String, String)>) -> Self {
        let device_code = fields.iter().filter(|(name, _)| name == "device_code");
        let made = device_code.map(|(_, code)| Secret::new(code.clone()));
        Self {
            _made: made.collect(),
            fields,
            authorization: None,
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    fn prove_by_secret(
        &mut self,
        id: &str,
        secret: &str,
        method: ClientAuth,
    ) -> Result<(), Failure> {
        match method {
            ClientAuth::Basic => {
                let basic = basic(id, secret);
                self.authorization = Some(sensitive(&format!("Basic {basic}"))?);
                self._made.push(Secret::new(basic));
            }
            ClientAuth::Post => {
                self.field("client_id", id);
                self.field("client_secret", secret);
            }
        }
        Ok(())
    }

    fn prove_by_assertion(&mut self, assertion: String) {
        self.field(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        );
        self.field("client_assertion", &assertion);
        self._made.push(Secret::new(assertion));
    }

    /// The request with this form as its body.
    pub(super) fn fill(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let body = Serializer::new(String::new())
            .extend_pairs(&self.fields)
            .finish();
        let request = request
            .header(reqwest::header::ACCEPT, "application/json")
            .header(
                reqwest::header::CONTENT_TYPE,
                "application/x-www-form-urlencoded",
            )
            .body(body);
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_of_a_basic_login_are_encoded_first() {
        let sent = STANDARD
            .decode(basic("nbc:1", "p@ss:w/ord+% ä"))
            .expect("base64");
        assert_eq!(sent, b"nbc%3A1:p%40ss%3Aw%2Ford%2B%25+%C3%A4");
    }

    #[test]
    fn a_key_that_names_another_client_is_refused() {
        assert_eq!(whose(None, Some("a")).as_deref(), Ok("a"));
        assert_eq!(whose(Some("a"), None).as_deref(), Ok("a"));
        assert_eq!(whose(Some("a"), Some("a")).as_deref(), Ok("a"));
        assert!(whose(Some("a"), Some("b")).is_err());
        assert!(whose(None, None).is_err());
    }
}

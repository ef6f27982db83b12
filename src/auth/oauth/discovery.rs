//! Where an issuer's endpoints are (`OpenID` Connect Discovery 1.0 §4, RFC 8414).

use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::config::checked::{ClientAuth, Endpoint};
use crate::failure::{Code, Failure};
use crate::http::{Client, Reply};

/// What is known of an authorization server.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// Where tokens are had.
    pub(super) token_url: Url,
    /// Where a device's login begins (RFC 8628 §4).
    pub(super) device_url: Option<Url>,
    /// How a client's secret is sent.
    pub(super) client_auth: ClientAuth,
}

/// The metadata of an issuer, kept once they are known.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<Metadata>>);

impl Cache {
    /// The metadata of an endpoint; asked for where an issuer is named and nothing is known of it.
    pub(super) async fn metadata(
        &self,
        client: &Client,
        endpoint: &Endpoint,
    ) -> Result<Metadata, Failure> {
        let issuer = match endpoint {
            Endpoint::Token(url) => return Ok(Metadata::at(url)),
            Endpoint::Issuer(issuer) => issuer,
        };
        if let Some(known) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
        {
            return Ok(known);
        }
        let metadata = ask(client, issuer).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(metadata.clone());
        Ok(metadata)
    }

    /// Asks again next time: a server that moved refuses what is asked at its old place.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Metadata {
    fn at(url: &Url) -> Self {
        Self {
            token_url: url.clone(),
            device_url: None,
            client_auth: ClientAuth::Post,
        }
    }
}

async fn ask(client: &Client, issuer: &str) -> Result<Metadata, Failure> {
    let mut places = places(issuer).into_iter();
    loop {
        let place = places.next().ok_or_else(|| {
            let what = format!("{issuer} publishes no metadata below /.well-known/");
            refused(what)
                .advise("correct `issuer` in `auth.oauth`, or write `token_url` in its place")
        })?;
        let reply = client.send(client.request(Method::GET, place), false).await;
        let reply = reply.map_err(super::down)?;
        match reply.status {
            404 => {}
            200 => return read(&reply, issuer),
            _ => {
                return Err(super::refusal::refusal(&reply, "the question for metadata"));
            }
        }
    }
}

/// `OpenID`'s place is below the issuer's path, that of RFC 8414 §3.1 before it.
fn places(issuer: &str) -> Vec<Url> {
    let Ok(base) = Url::parse(issuer) else {
        return vec![];
    };
    let path = base.path().trim_end_matches('/');
    let mut of_openid = base.clone();
    of_openid.set_path(&format!("{path}/.well-known/openid-configuration"));
    let mut of_oauth = base.clone();
    of_oauth.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    vec![of_openid, of_oauth]
}

fn read(reply: &Reply, issuer: &str) -> Result<Metadata, Failure> {
    let json = reply.json();
    let named = json["issuer"].as_str().unwrap_or_default();
    if named != issuer {
        let named: String = named
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let what = format!(
            "{} is of the issuer `{named}`, not of `{issuer}`",
            reply.url
        );
        return Err(refused(what).advise(format!(
            "write issuer = \"{named}\" in `auth.oauth` if that is the one you mean"
        )));
    }
    let url = |key: &str| safe(json[key].as_str()?);
    let token_url = url("token_endpoint");
    Ok(Metadata {
        token_url: token_url
            .ok_or_else(|| refused(format!("{} names no token endpoint with https", reply.url)))?,
        device_url: url("device_authorization_endpoint"),
        client_auth: client_auth(&json["token_endpoint_auth_methods_supported"]),
    })
}

fn refused(what: String) -> Failure {
    Code::TokenRequestRefused.failure(what)
}

/// A URL that secrets may be sent to.
fn safe(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
        url::Host::Domain(name) => name == "localhost",
    };
    (url.scheme() == "https" || url.scheme() == "http" && is_loopback).then_some(url)
}

/// In the body where the server takes it; nothing said means the header (RFC 8414 §2).
fn client_auth(methods: &Value) -> ClientAuth {
    let takes = |method: &str| {
        let methods = methods.as_array();
        methods.is_some_and(|methods| methods.iter().any(|one| one == method))
    };
    match takes("client_secret_post") {
        true => ClientAuth::Post,
        false => ClientAuth::Basic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::oauth::refusal::tests::reply;
    use crate::http::Kind;

    fn metadata(issuer: &str, rest: &str) -> Result<Metadata, Failure> {
        let body = format!(r#"{{"issuer":"{issuer}",{rest}}}"#);
        read(&reply(200, Kind::Json, &body), "https://a.example/realm")
    }

    #[test]
    fn metadata_of_another_issuer_are_refused() {
        let token = r#""token_endpoint":"https://a.example/t""#;
        let known = metadata("https://a.example/realm", token).expect("the issuer's");
        assert_eq!(known.token_url.as_str(), "https://a.example/t");
        assert_eq!(known.client_auth, ClientAuth::Basic);
        for other in ["https://a.example/realm/", "https://a.example", ""] {
            let failure = metadata(other, token).expect_err("another issuer");
            assert_eq!(failure.code, Code::TokenRequestRefused);
        }
        let plain = r#""token_endpoint":"http://a.example/t""#;
        metadata("https://a.example/realm", plain).expect_err("in the clear");
    }

    #[test]
    fn the_secret_goes_into_the_body_where_the_server_takes_it() {
        let both = r#"["client_secret_basic","client_secret_post"]"#;
        let only = r#"["client_secret_basic","private_key_jwt"]"#;
        let of = |text| client_auth(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(of(both), ClientAuth::Post);
        assert_eq!(of(only), ClientAuth::Basic);
    }

    #[test]
    fn metadata_are_looked_for_at_both_places() {
        let places = places("https://a.example/auth/realm/");
        let places: Vec<&str> = places.iter().map(Url::as_str).collect();
        assert_eq!(
            places,
            [
                "https://a.example/auth/realm/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server/auth/realm",
            ]
        );
    }
}

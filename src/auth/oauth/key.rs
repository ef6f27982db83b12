//! The RSA key of a client, in the forms in which people have one: PEM (PKCS#1 or PKCS#8), a JWK or a
//! set of them, and the two files of NERSC's `sfapi_client`, which also name the client.

use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

/// A key, and what its file tells beside it.
pub(super) struct Key {
    pub(super) pair: KeyPair,
    /// The key's own name (`kid`).
    pub(super) id: Option<String>,
    /// The client whom it is of.
    pub(super) client: Option<String>,
}

impl Key {
    /// Reads a key; the error says in words what it is instead, and nothing of its content.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.starts_with('{') {
            return pem(text);
        }
        let json: Value = serde_json::from_str(text)
            .map_err(|error| format!("it is no JSON: line {}", error.line()))?;
        match &json["secret"] {
            Value::Null => jwk(&json),
            secret => Ok(Self {
                client: json["client_id"].as_str().map(str::to_owned),
                ..match secret.as_str() {
                    Some(text) => Self::parse(text)?,
                    None => jwk(secret)?,
                }
            }),
        }
    }
}

/// PEM; a line above it names the client.
fn pem(text: &str) -> Result<Key, String> {
    if text.contains("ENCRYPTED") {
        return Err("the key is encrypted; write it down without a passphrase: openssl rsa -in OLD -out NEW".into());
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| "it holds no private key in PEM or as JWK")?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err("it is no RSA key".into()),
    };
    let above = text.split("-----BEGIN").next().unwrap_or_default().trim();
    let is_name = !above.is_empty() && !above.contains(char::is_whitespace);
    Ok(Key {
        pair: pair.map_err(|error| format!("the RSA key can't be used: {error}"))?,
        id: None,
        client: is_name.then(|| above.to_owned()),
    })
}

/// The first usable key of a JWK (RFC 7517) or a set of them.
fn jwk(json: &Value) -> Result<Key, String> {
    let Some(keys) = json["keys"].as_array() else {
        return one_jwk(json);
    };
    let signs = |key: &&Value| key["kty"] == "RSA" && key["d"].is_string() && key["use"] != "enc";
    one_jwk(
        keys.iter()
            .find(signs)
            .ok_or("no key of the set is a private RSA key")?,
    )
}

fn one_jwk(json: &Value) -> Result<Key, String> {
    if json["kty"] != "RSA" {
        return Err("it is no RSA key".into());
    }
    if json["alg"].as_str().is_some_and(|alg| alg != "RS256") {
        return Err("the key is not for RS256".into());
    }
    let part = |name: &str| {
        let text = json[name]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('=');
        match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) if !bytes.is_empty() => Ok(bytes),
            _ => Err(format!("it lacks the part `{name}` of a private key")),
        }
    };
    // A public part has no leading zeros; some writers leave one in.
    let public = |name| part(name).map(|bytes| bytes[zeros(&bytes)..].to_vec());
    let pair = KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: public("n")?,
            e: public("e")?,
        },
        d: part("d")?,
        p: part("p")?,
        q: part("q")?,
        dP: part("dp")?,
        dQ: part("dq")?,
        qInv: part("qi")?,
    });
    Ok(Key {
        pair: pair.map_err(|error| format!("the RSA key can't be used: {error}"))?,
        id: json["kid"].as_str().map(str::to_owned),
        client: None,
    })
}

fn zeros(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

#[cfg(test)]
mod tests;

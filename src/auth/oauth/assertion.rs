//! A client's assertion of itself (`private_key_jwt`: RFC 7523 §2.2, `OpenID` Connect Core §9).

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::key::Key;
use crate::failure::{Code, Failure};

/// An assertion is used at once.
const LIFE: u64 = 300;

/// A fresh assertion of `client` for the token endpoint `audience`. A server refuses the same one
/// twice, so each request gets its own.
pub(super) fn assertion(
    key: &Key,
    client: &str,
    audience: &str,
    made: SystemTime,
) -> Result<String, Failure> {
    let made = made.duration_since(SystemTime::UNIX_EPOCH);
    let made = made.as_ref().map_or(0, Duration::as_secs);
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = &key.id {
        header["kid"] = Value::from(id.as_str());
    }
    let claims = json!({
        "iss": client,
        "sub": client,
        "aud": audience,
        "iat": made,
        "exp": made + LIFE,
        "jti": format!("{:032x}", rand::random::<u128>()),
    });
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = text.join(".");
    let mut signature = vec![0; key.pair.public_modulus_len()];
    key.pair
        .sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        )
        .map_err(|_| Code::Internal.failure("an assertion could not be signed"))?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

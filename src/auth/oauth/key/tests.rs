//! Every form of a key signs what the same public key verifies.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::assertion::assertion;
use super::*;

/// The parts of a DER structure (X.690 §8.1), each without its tag and length.
fn parts(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let [_, first, rest @ ..] = der {
        let long = usize::from(first.saturating_sub(0x80));
        let length = match long {
            0 => usize::from(*first),
            _ => rest[..long]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        };
        parts.push(rest[long..long + length].to_vec());
        der = &rest[long + length..];
    }
    parts
}

fn pem_of(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..(at + 64).min(text.len())])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

struct Forms {
    public: Vec<u8>,
    pkcs1: String,
    pkcs8: String,
    jwk: Value,
}

fn forms() -> Forms {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
    let whole = parts(&parts(pkcs8.as_ref())[0]);
    let pkcs1 = &whole[2];
    let numbers = parts(&parts(pkcs1)[0]);
    let number = |place: usize| {
        let number = &numbers[place];
        URL_SAFE_NO_PAD.encode(&number[zeros(number)..])
    };
    let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
    let mut jwk = json!({ "kty": "RSA", "kid": "red", "use": "sig" });
    for (place, name) in names.into_iter().enumerate() {
        jwk[name] = Value::from(number(place + 1));
    }
    Forms {
        public: pair.public_key().as_ref().to_vec(),
        pkcs1: pem_of("RSA PRIVATE KEY", pkcs1),
        pkcs8: pem_of("PRIVATE KEY", pkcs8.as_ref()),
        jwk,
    }
}

/// Whether the key signs as the public one verifies; header and claims.
fn signs(key: &Key, public: &[u8]) -> [Value; 2] {
    let made = std::time::SystemTime::now();
    let text = assertion(key, "nbc", "https://a/token", made).expect("signed");
    let (content, signature) = text.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(content.as_bytes(), &signature)
        .expect("the signature of this key");
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64");
    let (header, claims) = content.split_once('.').expect("two parts");
    [header, claims].map(|text| serde_json::from_slice(&part(text)).expect("JSON"))
}

#[test]
fn all_forms_of_a_key_sign_alike() {
    let Forms {
        public,
        pkcs1,
        pkcs8,
        jwk,
    } = forms();
    let encryption = json!({ "kty": "RSA", "use": "enc", "n": "x", "d": "x" });
    let texts = [
        (pkcs1.clone(), None, None),
        (pkcs8.clone(), None, None),
        (jwk.to_string(), Some("red"), None),
        (
            json!({ "keys": [{ "kty": "EC" }, encryption, jwk] }).to_string(),
            Some("red"),
            None,
        ),
        (
            format!("abcdefghijklm\n{pkcs1}"),
            None,
            Some("abcdefghijklm"),
        ),
        (
            json!({ "client_id": "abc", "secret": jwk }).to_string(),
            Some("red"),
            Some("abc"),
        ),
        (
            json!({ "client_id": "abc", "secret": pkcs8 }).to_string(),
            None,
            Some("abc"),
        ),
        (
            json!({ "client_id": "abc", "secret": jwk.to_string() }).to_string(),
            Some("red"),
            Some("abc"),
        ),
    ];
    for (text, id, client) in texts {
        let key = Key::parse(&format!("\n{text}\n")).expect("a key");
        assert_eq!((key.id.as_deref(), key.client.as_deref()), (id, client));
        let [header, claims] = signs(&key, &public);
        assert_eq!(
            (header["alg"].as_str(), header["kid"].as_str()),
            (Some("RS256"), id)
        );
        assert_eq!(claims["iss"], claims["sub"]);
        assert_eq!(
            claims["exp"].as_u64(),
            claims["iat"].as_u64().map(|at| at + 300)
        );
        let [_, again] = signs(&key, &public);
        assert_ne!(claims["jti"], again["jti"], "an assertion is used once");
    }
}

#[test]
fn what_is_no_private_rsa_key_says_what_it_is_and_nothing_of_its_content() {
    let Forms { jwk, pkcs1, .. } = forms();
    let without = |name: &str| {
        let mut jwk = jwk.clone();
        jwk[name] = Value::Null;
        jwk.to_string()
    };
    let mut torn = jwk.clone();
    torn["d"] = jwk["n"].clone();
    let cut = &pkcs1[..pkcs1.len() / 2];
    for (text, told) in [
        ("a token", "no private key"),
        (cut, "no private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "openssl rsa"),
        ("{\"kty\": \"EC\"}", "no RSA key"),
        ("{\"keys\": []}", "no key of the set"),
        ("{\"kty\":", "no JSON"),
        (&without("d"), "`d`"),
        (&without("qi"), "`qi`"),
        (&torn.to_string(), "can't be used"),
    ] {
        let why = Key::parse(text).err().expect("no key");
        assert!(why.contains(told), "{text}: {why}");
    }
}

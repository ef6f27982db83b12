//! What a JWT says of itself. Decoded, never verified: that is for the one that it is meant for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A JWT's claims (RFC 7519 §4.1), as far as they help to tell why it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whom it stands for.
    pub sub: Option<String>,
    /// The services that it is meant for.
    pub aud: Vec<String>,
    /// From its making to its end, by the clock of its maker.
    pub life: Option<Duration>,
}

impl Claims {
    /// The claims of a token; `None` if it is no JWT.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        claims.as_object()?;
        let life = || claims["exp"].as_f64().zip(claims["iat"].as_f64());
        let life = life().and_then(|(end, begin)| Duration::try_from_secs_f64(end - begin).ok());
        Some(Self {
            sub: claims["sub"].as_str().map(shown),
            aud: match &claims["aud"] {
                Value::Array(each) => each.iter().filter_map(Value::as_str).map(shown).collect(),
                one => one.as_str().map(shown).into_iter().collect(),
            },
            life: life.filter(|life| !life.is_zero() && life.as_secs() < 365 * 86400),
        })
    }
}

impl std::fmt::Display for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let aud = match self.aud.as_slice() {
            [] => "no service by name".into(),
            aud => aud.join(", "),
        };
        write!(
            f,
            "it stands for {}, ",
            self.sub.as_deref().unwrap_or("nobody")
        )?;
        write!(f, "is meant for {aud}")?;
        match self.life {
            Some(life) => write!(f, " and lives {} s", life.as_secs()),
            None => Ok(()),
        }
    }
}

/// A name as it can be printed on one line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_says_whom_it_stands_for_and_what_else_is_none() {
        let of = |claims: &str| Claims::of(&format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)));
        let claims = of(r#"{"sub":"nbc","aud":["a","b"],"iat":10,"exp":70}"#).expect("a JWT");
        assert_eq!(claims.sub.as_deref(), Some("nbc"));
        assert_eq!(claims.aud, ["a", "b"]);
        assert_eq!(claims.life, Some(Duration::from_secs(60)));
        let words = "it stands for nbc, is meant for a, b and lives 60 s";
        assert_eq!(claims.to_string(), words);
        assert_eq!(of(r#"{"aud":"a","exp":1}"#).expect("a JWT").life, None);
        assert_eq!(of(r#"{"iat":9,"exp":1}"#).expect("a JWT").life, None);
        assert_eq!(of("[]"), None);
        assert_eq!(Claims::of("0123456789abcdef"), None);
        assert_eq!(Claims::of("a.!.c"), None);
    }
}

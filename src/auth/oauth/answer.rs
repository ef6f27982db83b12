//! What a token endpoint issues (RFC 6749 §5.1), read with patience: servers leave fields out, or
//! write numbers as texts.

use std::time::Duration;

use serde_json::Value;

use super::claims::Claims;
use crate::config::secret::Secret;
use crate::http::Reply;

/// How long a token is used that nothing is known of.
const ASSUMED: Duration = Duration::from_secs(300);
/// No token is used longer without a look: far beyond what any server issues, and harmless for the
/// arithmetic of clocks.
const LONGEST: f64 = 365.0 * 86400.0;

/// What was issued.
pub(super) struct Answer {
    /// To whom, in words.
    pub(super) asker: String,
    pub(super) access_token: Secret,
    /// One that replaces the refresh token that was sent; without one that stays.
    pub(super) refresh_token: Option<Secret>,
    pub(super) life: Duration,
    /// Nothing tells how long the token lives.
    pub(super) is_assumed: bool,
}

impl Answer {
    /// What a reply issues; `None` if it issues nothing that a header could carry.
    pub(super) fn of(reply: &Reply, asker: &str) -> Option<Self> {
        let body = (reply.status < 300).then(|| reply.json())?;
        let access_token = word(&body["access_token"])?;
        let told = seconds(&body["expires_in"]);
        let told = told.or_else(|| Claims::of(&access_token)?.life);
        Some(Self {
            asker: asker.to_owned(),
            refresh_token: word(&body["refresh_token"]).map(Secret::new),
            access_token: Secret::new(access_token),
            life: told.unwrap_or(ASSUMED),
            is_assumed: told.is_none(),
        })
    }
}

/// One word of visible characters.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// A time longer than zero, as a number or a text.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|number: &f64| number.is_finite() && *number > 0.0);
    Duration::try_from_secs_f64(number?.min(LONGEST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::oauth::refusal::tests::reply;
    use crate::http::Kind;

    fn life(body: &str) -> (f64, bool) {
        let answer = Answer::of(&reply(200, Kind::Json, body), "").expect("a token");
        (answer.life.as_secs_f64(), answer.is_assumed)
    }

    #[test]
    fn a_life_is_a_number_or_a_text_and_otherwise_assumed() {
        let with = |life: &str| format!(r#"{{"access_token":"a","expires_in":{life}}}"#);
        assert_eq!(life(&with("600")), (600.0, false));
        assert_eq!(life(&with("\"600\"")), (600.0, false));
        assert_eq!(life(&with("2.5")), (2.5, false));
        for untold in ["0", "-1", "null", "\"\"", "\"soon\"", "\"NaN\"", "[]"] {
            assert_eq!(life(&with(untold)), (300.0, true), "{untold}");
        }
        assert_eq!(life(&with("1e300")), (LONGEST, false));
        assert_eq!(life(r#"{"access_token":"a"}"#), (300.0, true));
    }

    #[test]
    fn a_jwt_tells_its_life_itself() {
        // {"alg":"none"} . {"iat":1000,"exp":1042}
        let jwt = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MTA0Mn0.x";
        assert_eq!(
            life(&format!(r#"{{"access_token":"{jwt}"}}"#)),
            (42.0, false)
        );
    }

    #[test]
    fn what_no_header_can_carry_is_no_token() {
        for body in [
            "{}",
            "[]",
            "<html>",
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"two words"}"#,
            "{\"access_token\":\"a\\nb\"}",
        ] {
            assert!(
                Answer::of(&reply(200, Kind::Json, body), "").is_none(),
                "{body}"
            );
        }
    }
}

//! What a token endpoint's refusal means: one table, first match wins.
//!
//! Rows stand for what RFC 6749 §5.2, RFC 8707 §2 and RFC 8628 §3.5 define and for what Keycloak,
//! oidc-provider 9 and Squirro were seen to answer.

use std::time::Duration;

use crate::failure::{Code, Failure};
use crate::http::{Kind, Reply};
use crate::redact::cleaned;

/// No server is left alone longer for the asking.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// Of the server's own description, characters.
const LONGEST_TEXT: usize = 300;

/// A row: these statuses, this kind of body (any if none is named), this `error` (any if empty).
type Rule = (
    std::ops::RangeInclusive<u16>,
    Option<Kind>,
    &'static str,
    Code,
);

const JSON: Option<Kind> = Some(Kind::Json);

const RULES: &[Rule] = &[
    // Outages, whatever the status.
    (
        100..=599,
        None,
        "temporarily_unavailable",
        Code::TokenEndpointDown,
    ),
    (100..=599, None, "server_error", Code::TokenEndpointDown),
    (100..=599, None, "slow_down", Code::TokenEndpointDown),
    // Keycloak's 500 for a client that has no business with the audience; it never heals by itself.
    (100..=599, None, "unknown_error", Code::AudienceRefused),
    (400..=499, None, "invalid_target", Code::AudienceRefused),
    (400..=499, None, "invalid_client", Code::ClientRefused),
    (400..=499, None, "unauthorized_client", Code::ClientRefused),
    (400..=499, None, "invalid_grant", Code::GrantRefused),
    (400..=499, None, "access_denied", Code::GrantRefused),
    (400..=499, None, "expired_token", Code::GrantRefused),
    (
        400..=499,
        None,
        "invalid_request",
        Code::TokenRequestRefused,
    ),
    (400..=499, None, "invalid_scope", Code::TokenRequestRefused),
    (
        400..=499,
        None,
        "unsupported_grant_type",
        Code::TokenRequestRefused,
    ),
    // Without words, or with others.
    (408..=408, None, "", Code::TokenEndpointDown),
    (429..=429, None, "", Code::TokenEndpointDown),
    (500..=599, None, "", Code::TokenEndpointDown),
    (300..=399, None, "", Code::TokenRequestRefused),
    (401..=401, None, "", Code::ClientRefused),
    (403..=403, None, "", Code::GrantRefused),
    // Squirro's words for a refresh token that it doesn't know, or not any more.
    (404..=404, JSON, "", Code::GrantRefused),
    (410..=410, JSON, "", Code::GrantRefused),
];

/// The code of an answer that issued nothing.
fn code(reply: &Reply, error: &str) -> Code {
    // Cut on its way: what it says is not all that was said.
    if reply.status < 300 && reply.body.starts_with(b"{") && reply.json().is_null() {
        return Code::TokenEndpointDown;
    }
    let rule = RULES.iter().find(|(statuses, kind, word, _)| {
        statuses.contains(&reply.status)
            && kind.is_none_or(|kind| kind == reply.kind)
            && (word.is_empty() || *word == error)
    });
    rule.map_or(Code::TokenRequestRefused, |rule| rule.3)
}

/// The server's word for what is wrong, if it is one.
pub(super) fn error(reply: &Reply) -> String {
    let json = reply.json();
    let error = json["error"].as_str().unwrap_or_default();
    let is_word = (1..=40).contains(&error.len())
        && error
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
    if is_word {
        error.to_owned()
    } else {
        String::new()
    }
}

/// The failure that an answer without a token stands for. `asker` is who asked, in words.
pub(super) fn refusal(reply: &Reply, asker: &str) -> Failure {
    let error = error(reply);
    let code = code(reply, &error);
    let mut words = vec![reply.status.to_string()];
    words.extend((!error.is_empty()).then(|| error.clone()));
    let said = description(reply);
    let said = match (reply.status, &reply.location) {
        (300..=399, Some(_)) => " (a redirect, which would carry the secret elsewhere)".into(),
        (..=299, _) => format!(" without a token: {}", kind(reply.kind)),
        _ if error.is_empty() && said.is_empty() => format!(" ({})", kind(reply.kind)),
        _ if said.is_empty() => String::new(),
        _ => format!(" ({said})"),
    };
    let what = format!(
        "{} answers {asker} with {}{said}",
        reply.url,
        words.join(" ")
    );
    let retry_after = reply.retry_after.map(|wait| wait.min(LONGEST_ASKED));
    let failure = code.failure(what).after(retry_after);
    match advice(reply, &error, code) {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

/// Which setting to look at.
fn advice(reply: &Reply, error: &str, code: Code) -> Option<&'static str> {
    Some(match (error, reply.status) {
        ("invalid_scope", _) => "correct `scope` in `auth.oauth`, then `nbcourier reload`",
        ("unsupported_grant_type", _) => {
            "the server knows no such grant: use another of `secret`, `key` and `refresh_token` in `auth.oauth`, then `nbcourier reload`"
        }
        ("invalid_request", _) => {
            "the server misses a field of the request, or knows none such: correct `audience`, `scope` or `extra` in `auth.oauth`, then `nbcourier reload`"
        }
        (_, 300..=399 | 404 | 405) if code == Code::TokenRequestRefused => {
            "correct `token_url` (or `issuer`) in `auth.oauth`, then `nbcourier reload`"
        }
        (_, ..=299) if code == Code::TokenRequestRefused => {
            "correct `token_url` in `auth.oauth`, then `nbcourier reload`: a login page, a portal or another service answers there"
        }
        _ => return None,
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Json => "JSON",
        Kind::Html => "a web page",
        Kind::Other => "neither JSON nor a web page",
    }
}

/// The server's own words. Cleaned before they are cut: nobody would know the half of a secret again.
fn description(reply: &Reply) -> String {
    let json = reply.json();
    let said = cleaned(json["error_description"].as_str().unwrap_or_default()).into_owned();
    let plain = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(LONGEST_TEXT).collect();
    plain.trim().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalogue::assert_told;
    use crate::config::secret::{Secret, SecretRef};

    pub(in crate::auth::oauth) fn reply(status: u16, kind: Kind, body: &str) -> Reply {
        Reply {
            url: "https://auth.example/token".into(),
            status,
            kind,
            body: body.as_bytes().to_vec(),
            location: (300..400)
                .contains(&status)
                .then(|| "https://other/x?secret".into()),
            retry_after: None,
            from_hub: false,
            date: None,
        }
    }

    fn code_of(status: u16, kind: Kind, body: &str) -> Code {
        refusal(&reply(status, kind, body), "client `nbc`").code
    }

    #[test]
    fn every_refusal_is_told_with_the_setting_to_look_at() {
        let words = [
            "temporarily_unavailable",
            "unknown_error",
            "invalid_target",
            "invalid_client",
            "unauthorized_client",
            "invalid_grant",
            "access_denied",
            "expired_token",
            "invalid_request",
            "invalid_scope",
            "unsupported_grant_type",
        ];
        let told = |met: String, status, kind, body: &str| {
            (met, refusal(&reply(status, kind, body), "client `nbc`"))
        };
        let words = words.map(|word| {
            let body = format!(r#"{{"error":"{word}","error_description":"d"}}"#);
            told(format!("400 {word}"), 400, Kind::Json, &body)
        });
        let statuses = [200, 302, 401, 403, 404, 429, 503];
        let statuses = statuses.map(|status| {
            told(
                format!("{status} a page"),
                status,
                Kind::Html,
                "<title>Sign in</title>",
            )
        });
        let source = SecretRef::File("/etc/nbcourier/refresh".into());
        let lost = words[5].1.clone();
        let lost = super::super::refresh::in_doubt(&source, &lost);
        let lost = ("400 invalid_grant after a lost answer".to_owned(), lost);
        assert_told("oauth", words.into_iter().chain(statuses).chain([lost]));
    }

    #[test]
    fn each_error_word_has_its_code_whatever_stands_beside_it() {
        let of = |status, error: &str| {
            let body = format!(r#"{{"error":"{error}","error_description":"d","x":[1]}}"#);
            code_of(status, Kind::Json, &body)
        };
        for status in [400, 401, 429, 500, 503] {
            for error in ["temporarily_unavailable", "server_error", "slow_down"] {
                assert_eq!(
                    of(status, error),
                    Code::TokenEndpointDown,
                    "{status} {error}"
                );
            }
        }
        assert_eq!(of(500, "unknown_error"), Code::AudienceRefused);
        assert_eq!(of(400, "unknown_error"), Code::AudienceRefused);
        for status in [400, 401, 403] {
            assert_eq!(of(status, "invalid_target"), Code::AudienceRefused);
            assert_eq!(of(status, "invalid_client"), Code::ClientRefused);
            assert_eq!(of(status, "unauthorized_client"), Code::ClientRefused);
            assert_eq!(of(status, "invalid_grant"), Code::GrantRefused);
            assert_eq!(of(status, "access_denied"), Code::GrantRefused);
            assert_eq!(of(status, "expired_token"), Code::GrantRefused);
            for error in ["invalid_request", "invalid_scope", "unsupported_grant_type"] {
                assert_eq!(of(status, error), Code::TokenRequestRefused, "{error}");
            }
        }
        assert_eq!(of(500, "invalid_client"), Code::TokenEndpointDown);
    }

    #[test]
    fn without_a_word_the_status_tells() {
        for (status, code) in [
            (408, Code::TokenEndpointDown),
            (429, Code::TokenEndpointDown),
            (500, Code::TokenEndpointDown),
            (502, Code::TokenEndpointDown),
            (503, Code::TokenEndpointDown),
            (504, Code::TokenEndpointDown),
            (302, Code::TokenRequestRefused),
            (307, Code::TokenRequestRefused),
            (400, Code::TokenRequestRefused),
            (401, Code::ClientRefused),
            (403, Code::GrantRefused),
            (404, Code::TokenRequestRefused),
            (405, Code::TokenRequestRefused),
            (200, Code::TokenRequestRefused),
        ] {
            for body in ["", "<html>", "down for maintenance"] {
                assert_eq!(code_of(status, Kind::Html, body), code, "{status} {body}");
            }
        }
        assert_eq!(code_of(404, Kind::Json, "{}"), Code::GrantRefused);
        assert_eq!(code_of(410, Kind::Json, "{}"), Code::GrantRefused);
        assert_eq!(code_of(200, Kind::Json, "{}"), Code::TokenRequestRefused);
        let cut = r#"{"access_token":"ab"#;
        assert_eq!(code_of(200, Kind::Other, cut), Code::TokenEndpointDown);
    }

    #[test]
    fn a_message_holds_neither_what_was_sent_nor_a_body() {
        let _sent = Secret::new("s3cret".into());
        let told = |status, kind, body: &str| {
            let failure = refusal(&reply(status, kind, body), "client `nbc`");
            format!("{failure} {}", failure.advice())
        };
        let echo = told(
            400,
            Kind::Json,
            r#"{"error":"invalid_grant","error_description":"no s3cret\u0007 here"}"#,
        );
        assert!(
            echo.contains("400 invalid_grant (no [secret]  here)"),
            "{echo}"
        );
        let strange = told(400, Kind::Json, r#"{"error":"No s3cret!","x":"s3cret"}"#);
        assert!(!strange.contains("s3cret"), "{strange}");
        let long = format!(
            r#"{{"error":"invalid_grant","error_description":"{}"}}"#,
            "x".repeat(2000)
        );
        assert!(told(400, Kind::Json, &long).matches('x').count() < 320);
        let redirect = told(307, Kind::Other, "s3cret");
        assert!(
            redirect.contains("token_url") && !redirect.contains("other"),
            "{redirect}"
        );
        let page = told(200, Kind::Html, "<title>s3cret</title>");
        assert!(
            page.contains("a web page") && !page.contains("s3cret"),
            "{page}"
        );
    }

    #[test]
    fn a_refusal_names_the_setting_and_the_wish_to_wait() {
        let mut busy = reply(503, Kind::Other, "");
        busy.retry_after = Some(Duration::from_secs(7200));
        let failure = refusal(&busy, "client `nbc`");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3600)));
        let advice = |error: &str| {
            let body = format!(r#"{{"error":"{error}"}}"#);
            let failure = refusal(&reply(400, Kind::Json, &body), "client `nbc`");
            failure.advice().to_owned()
        };
        assert!(advice("invalid_scope").contains("`scope`"));
        assert!(advice("invalid_target").contains("`audience`"));
        assert!(advice("unsupported_grant_type").contains("`refresh_token`"));
    }
}

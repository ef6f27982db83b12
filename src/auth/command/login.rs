//! What became of a login that a site's own tool did: by its cookies, or by its last words.
//!
//! `auth-get-sso-cookie` 2.2.0 and `cern-sso-cli` 0.32.4 end well where the hub denies, the first also
//! where a second factor is asked for. Each of its runs is then a failed try with that factor, so what
//! a person has to mend is told apart from what mends itself.

use crate::auth::cookies::Cookies;
use crate::auth::door::{Door, LOGIN};
use crate::failure::{Code, Failure};

/// The cookie of one whom Keycloak has let in.
const SIGN_ON: &str = "KEYCLOAK_SESSION";

/// Last words of the tools, in lower case, and what they mean; the first that matches counts. The
/// advice is the code's own where there is none.
const WORDS: [(&str, Code, &str); 13] = [
    ("requires consent", Code::Consent, ""),
    ("read otp", Code::NeedOtp, ""),
    ("authenticator code", Code::NeedOtp, ""),
    ("2fa required", Code::NeedWebauthn, ""),
    ("certif", Code::TlsUntrusted, CA),
    ("contact any kdc", Code::KdcUnreachable, ""),
    ("error getting credentials", Code::NoTicket, ""),
    ("key table file", Code::NoTicket, ""),
    ("no valid credential cache", Code::NoTicket, ""),
    ("could not acquire client credential", Code::NoTicket, ""),
    // Python's tool without a ticket, or with one that has expired.
    ("'nonetype' object has no", Code::NoTicket, ""),
    ("page not recognized", Code::NoButton, PAGE),
    ("no scheme supplied", Code::IdpError, ISS),
];

const CA: &str = "tell the tool of the site's certificate authority: [\"env\", \"REQUESTS_CA_BUNDLE=FILE\", …] for auth-get-sso-cookie, SSL_CERT_FILE for cern-sso-cli";
const PAGE: &str = "see in a browser whether the sign-on is up and offers Kerberos, and whether the tool is given HUB/hub/oauth_login; nbcourier tries again by itself";
const STALE: &str = "log in to the hub in a browser as that account: it may be gone, or its sign-on revoked; if that is well, have the command log in anew; then `nbcourier retry --held`";
const ISS: &str = "auth-get-sso-cookie 2.2.0 can't follow a sign-on that names itself on the way back (`iss`): use `auth.kerberos`, or cern-sso-cli";

/// Whether these cookies are a login, as far as they tell themselves.
pub(super) fn admit(cookies: &Cookies, door: &Door, origin: &str) -> Result<(), Failure> {
    if door.is_open(cookies)? {
        return Ok(());
    }
    let hub = &door.hub;
    let missing = format!("{origin} ended, but there is no cookie `{LOGIN}` of {hub}");
    Err(match cookies.names(SIGN_ON) {
        true => Code::Denied.failure(format!(
            "{missing}: the sign-on let the account in, and the hub did not"
        )),
        false => Code::NeedOtp.failure(format!(
            "{missing} and none of the sign-on: it did not log in, as where the account has a second factor (2FA)"
        )),
    })
}

/// A hub's refusal of cookies that look like a login.
pub(super) fn refused(failure: Failure) -> Failure {
    match failure.code {
        Code::Denied => failure.advise(STALE),
        _ => failure,
    }
}

/// What a tool's last words mean; `None` where they are unknown.
pub(super) fn understood(words: &str, origin: &str) -> Option<Failure> {
    let lower = words.to_lowercase();
    let known = WORDS.iter().find(|(text, ..)| lower.contains(text));
    let code = known.map(|(_, code, _)| *code);
    // What follows is the sign-on's own text.
    let told = lower.contains("login failed: ") && !lower.contains("failed to ");
    let code = code.or(told.then_some(Code::IdpError))?;
    let failure = code.failure(format!("{origin} did not log in: {words}"));
    Some(match known {
        Some((.., advice)) if !advice.is_empty() => failure.advise(*advice),
        _ => failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_both_tools_tell_who_has_to_do_something() {
        let ticket = "'NoneType' object has no attribute 'get'";
        for (words, code) in [
            (
                "ERROR: Login failed: This application requires consent. Please accept it manually",
                Some("consent"),
            ),
            (
                "Enter your 6-digit OTP code for a@X: Error: login failed: login failed: failed to read OTP: EOF",
                Some("need-otp"),
            ),
            ("Error: Invalid authenticator code.", Some("need-otp")),
            (
                "Error: login failed: 2FA required but no supported method available",
                Some("need-webauthn"),
            ),
            ("ERROR: Login failed: Account disabled", Some("idp-error")),
            (
                "ERROR: Login failed: Landing page not recognized as the CERN SSO login page.",
                Some("no-button"),
            ),
            (
                "ERROR: Invalid URL '/hub/spawn': No scheme supplied. Perhaps",
                Some("idp-error"),
            ),
            (ticket, Some("no-ticket")),
            (
                "Error: login failed: SPNEGO authentication failed: could not acquire client credential: could",
                Some("no-ticket"),
            ),
            (
                "k5start: error getting credentials: Preauthentication failed",
                Some("no-ticket"),
            ),
            (
                "k5start: error getting credentials: Cannot contact any KDC for realm 'X'",
                Some("kdc-unreachable"),
            ),
            (
                "(Caused by SSLError(certificate verify failed))",
                Some("tls-untrusted"),
            ),
            (
                "Error: login failed: failed to follow redirect: connection refused",
                None,
            ),
            ("", None),
        ] {
            let failure = understood(words, "command `x`");
            let found = failure.as_ref().map(|failure| failure.code.as_str());
            assert_eq!(found, code, "{words}");
            assert!(failure.is_none_or(|failure| failure.what.contains(words)));
        }
    }
}

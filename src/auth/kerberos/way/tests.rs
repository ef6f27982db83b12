//! A login step by step, without a network.

use super::*;
use crate::catalogue::assert_told;

const LOGIN: &str =
    "https://auth.cern.ch/auth/realms/cern/protocol/openid-connect/auth?client_id=swan&state=s";
const KERBEROS: &str = "https://auth.cern.ch/auth/realms/kerberos/auth?x=y";

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn way() -> Way {
    Way::new(&url("https://swan.cern.ch/"))
}

fn redirect(to: &str) -> Answer {
    Answer {
        status: 302,
        location: Some(to.into()),
        ..Answer::default()
    }
}

fn page(status: u16, html: &str) -> Answer {
    Answer {
        status,
        html: html.into(),
        ..Answer::default()
    }
}

fn asks() -> Answer {
    Answer {
        status: 401,
        asks_for_ticket: true,
        ..Answer::default()
    }
}

const BUTTON: &str =
    r#"<a id="social-kerberos" href="/auth/realms/cern/broker/kerberos/login?c=d&amp;e=f">"#;

/// A way that has come to the page of the identity provider.
fn at_login() -> Way {
    let mut way = way();
    let go = way.next(
        &url("https://swan.cern.ch/hub/oauth_login"),
        &redirect(LOGIN),
        false,
    );
    assert_eq!(go, Ok(Next::Go(url(LOGIN))));
    way
}

/// The same after its ticket was shown.
fn after_ticket() -> Way {
    let mut way = at_login();
    let broker = "https://auth.cern.ch/auth/realms/cern/broker/kerberos/login?c=d&e=f";
    assert_eq!(
        way.next(&url(LOGIN), &page(200, BUTTON), false),
        Ok(Next::Go(url(broker)))
    );
    assert_eq!(
        way.next(&url(broker), &redirect(KERBEROS), false),
        Ok(Next::Go(url(KERBEROS)))
    );
    assert_eq!(way.next(&url(KERBEROS), &asks(), false), Ok(Next::Show));
    way
}

fn told(next: Result<Next, Failure>, code: Code, part: &str) -> Failure {
    let failure = next.expect_err("a failure");
    assert_eq!(failure.code, code, "{failure}");
    assert!(failure.what.contains(part), "{failure}");
    assert!(!failure.what.contains('?'), "{failure}");
    failure
}

#[test]
fn a_login_goes_by_the_button_and_the_ticket_back_to_the_hub_and_no_further() {
    let mut way = after_ticket();
    let endpoint = "https://auth.cern.ch/auth/realms/cern/broker/kerberos/endpoint?state=a&code=b";
    assert_eq!(
        way.next(&url(KERBEROS), &redirect(endpoint), false),
        Ok(Next::Go(url(endpoint)))
    );
    let callback =
        "https://swan.cern.ch/hub/oauth_callback?state=s&iss=https%3A%2F%2Fauth.cern.ch&code=c";
    assert_eq!(
        way.next(&url(endpoint), &redirect(callback), false),
        Ok(Next::Go(url(callback)))
    );
    // What would follow starts the user's server.
    assert_eq!(
        way.next(&url(callback), &redirect("/hub/spawn"), true),
        Ok(Next::Arrived)
    );
}

#[test]
fn a_cookie_of_the_hub_doesnt_end_the_way_elsewhere() {
    let mut way = at_login();
    let next = way.next(&url(LOGIN), &page(200, BUTTON), true);
    assert!(matches!(next, Ok(Next::Go(_))), "{next:?}");
}

#[test]
fn a_ticket_is_shown_once_and_to_nobody_but_where_the_hub_leads() {
    told(
        after_ticket().next(&url(KERBEROS), &asks(), false),
        Code::IdpError,
        "refuses the Kerberos ticket",
    );
    for other in [
        "https://evil.example/auth",
        "https://auth.cern.ch:8443/auth",
        "https://auth.cern.ch.evil.example/",
        "https://swan.cern.ch/hub/login",
    ] {
        told(
            at_login().next(&url(other), &asks(), false),
            Code::IdpError,
            "shown none",
        );
    }
    told(
        way().next(&url("https://swan.cern.ch/hub/"), &asks(), false),
        Code::IdpError,
        "to nowhere",
    );
    let mut astray = at_login();
    let evil = "https://evil.example/x";
    assert_eq!(
        astray.next(&url(LOGIN), &redirect(evil), false),
        Ok(Next::Go(url(evil)))
    );
    told(
        astray.next(&url(evil), &asks(), false),
        Code::IdpError,
        "shown none",
    );
}

#[test]
fn no_step_leads_to_where_all_travels_in_the_clear() {
    for to in [
        "http://auth.cern.ch/",
        "ftp://auth.cern.ch/",
        "javascript:x",
        "http://",
        "//evil.example:x/",
    ] {
        let next = at_login().next(&url(LOGIN), &redirect(to), false);
        assert!(
            matches!(&next, Err(failure) if failure.code == Code::IdpError),
            "{to}: {next:?}"
        );
    }
    let mut way = Way::new(&url("http://127.0.0.1:8000/"));
    let to = "http://localhost:9000/auth";
    let next = way.next(
        &url("http://127.0.0.1:8000/hub/oauth_login"),
        &redirect(to),
        false,
    );
    assert_eq!(next, Ok(Next::Go(url(to))));
}

#[test]
fn every_end_that_is_none_has_its_code() {
    let otp = r#"<form id="kc-otp-login-form">"#;
    let webauthn = r#"<form id="webauth">"#;
    let consent = r#"<div id="kc-oauth">"#;
    let refusal = r#"<p id="kc-error-message">Account disabled</p>"#;
    let mut met = Vec::new();
    for (answer, code, part) in [
        (page(200, otp), Code::NeedOtp, "one-time code"),
        (page(200, webauthn), Code::NeedWebauthn, "security key"),
        (page(200, consent), Code::Consent, "consent"),
        (page(400, refusal), Code::IdpError, "says: Account disabled"),
        (page(502, refusal), Code::IdpError, "says: Account disabled"),
        (page(200, BUTTON), Code::IdpError, "once more"),
        (
            page(200, "<title>Update</title>"),
            Code::IdpError,
            "`Update`",
        ),
        (page(403, ""), Code::IdpError, "answered 403"),
        (
            page(503, "<p>x</p>"),
            Code::TokenEndpointDown,
            "answered 503",
        ),
        (page(429, ""), Code::TokenEndpointDown, "answered 429"),
    ] {
        let next = after_ticket().next(&url(KERBEROS), &answer, false);
        let met_page = format!("{} {}", answer.status, answer.html);
        met.push((met_page, told(next, code, part)));
    }
    let bare = page(200, "<title>Sign in</title>");
    let next = at_login().next(&url(LOGIN), &bare, false);
    let bare = told(next, Code::NoButton, "`Sign in`");
    met.push(("a login without a button".into(), bare));
    let refused = page(403, "");
    let callback = url("https://swan.cern.ch/hub/oauth_callback?code=c");
    let next = after_ticket().next(&callback, &refused, false);
    let refused = told(next, Code::Denied, "answered 403");
    met.push(("refused by the hub after the login".into(), refused));
    assert_told("single-sign-on", met);
}

#[test]
fn what_the_hub_says_in_place_of_a_cookie_is_told() {
    let callback = url("https://swan.cern.ch/hub/oauth_callback?code=c");
    let start = url("https://swan.cern.ch/hub/login");
    for (status, after, before) in [
        (200, Code::Denied, Code::NoButton),
        (400, Code::Denied, Code::NoButton),
        (403, Code::Denied, Code::Denied),
        (404, Code::Denied, Code::NoButton),
        (429, Code::HubBusy, Code::HubBusy),
        (500, Code::HubError, Code::HubError),
        (503, Code::HubDown, Code::HubDown),
    ] {
        told(
            after_ticket().next(&callback, &page(status, ""), false),
            after,
            "oauth_callback",
        );
        told(
            way().next(&start, &page(status, ""), false),
            before,
            "hub/login",
        );
    }
    let failure = way()
        .next(&start, &page(200, ""), false)
        .expect_err("a failure");
    assert!(
        failure
            .advice()
            .contains("https://swan.cern.ch/hub/oauth_login")
    );
}

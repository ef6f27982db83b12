//! Logins for which no ticket is needed, or none is there; the real ones are tested with one.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::super::stand::{World, redirect};
use super::*;
use crate::config::checked::{Kerberos, Tickets};

/// What a login in this world comes to, and what was asked for.
async fn log_in(world: World) -> (Result<Cookies, Failure>, Vec<String>) {
    let stand = world.start().await;
    let patience = Duration::from_secs(10);
    let client = || Client::new(None, None, patience).expect("a client");
    let kerberos = Kerberos {
        principal: None,
        tickets: Tickets::Cache("FILE:/nowhere/nbcourier-ticket".into()),
        login_url: None,
        mint: patience,
    };
    let login = Login {
        start: stand.hub().join("hub/oauth_login").expect("a URL"),
        door: Door {
            hub: stand.hub(),
            client: client(),
        },
        elsewhere: client(),
        drawer: Drawer::new(&kerberos, "swan", patience),
    };
    (login.cookies().await, stand.asked())
}

#[tokio::test]
async fn a_login_ends_with_the_hubs_cookies_alone_and_starts_no_server() {
    let (cookies, asked) = log_in(World::open()).await;
    let file = cookies.expect("cookies").file();
    let names: Vec<&str> = file
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').nth(5))
        .collect();
    let hubs = [
        "oauthenticator-state",
        "jupyterhub-hub-login",
        "jupyterhub-session-id",
        "_xsrf",
    ];
    assert_eq!(names, hubs, "{asked:?}");
    assert!(file.contains("\t_xsrf\tnew\n"));
    let way = [
        "hub/hub/oauth_login",
        "idp/auth",
        "idp/broker",
        "idp/kerberos",
        "hub/hub/oauth_callback",
        "hub/hub/token",
        "hub/hub/api/user",
    ];
    assert_eq!(asked, way);
}

#[tokio::test]
async fn what_ends_a_login_is_told_and_nothing_is_asked_after_it() {
    let otp = r#"<form id="kc-otp-login-form" action="/otp" method="post">"#;
    let page = |page| World {
        page,
        ..World::default()
    };
    let kerberos = |answer| World {
        at_kerberos: Some(answer),
        ..World::open()
    };
    let callback = |status| World {
        at_callback: Some(status),
        ..World::open()
    };
    let api = |status| World {
        api: Some(status),
        ..World::open()
    };
    for (world, code, last) in [
        (page(otp), Code::NeedOtp, "idp/auth"),
        (page("<title>Sign in</title>"), Code::NoButton, "idp/auth"),
        (
            kerberos(|| StatusCode::SERVICE_UNAVAILABLE.into_response()),
            Code::TokenEndpointDown,
            "idp/kerberos",
        ),
        (
            kerberos(|| redirect("/kerberos", &[])),
            Code::IdpError,
            "idp/kerberos",
        ),
        (
            kerberos(|| redirect("http://evil.example/", &[])),
            Code::IdpError,
            "idp/kerberos",
        ),
        (
            callback(StatusCode::FORBIDDEN),
            Code::Denied,
            "hub/hub/oauth_callback",
        ),
        (api(StatusCode::FORBIDDEN), Code::Denied, "hub/hub/api/user"),
        (
            api(StatusCode::SERVICE_UNAVAILABLE),
            Code::HubDown,
            "hub/hub/api/user",
        ),
    ] {
        let (told, asked) = log_in(world).await;
        let failure = told.expect_err("a failure");
        assert_eq!(failure.code, code, "{failure} {asked:?}");
        assert_eq!(asked.last().map(String::as_str), Some(last), "{failure}");
        assert!(asked.len() <= MOST + 1, "{asked:?}");
        assert!(
            !failure.what.contains("state=") && !failure.what.contains("live"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn without_a_ticket_the_sign_on_is_not_asked_again() {
    let (told, asked) = log_in(World::that_asks()).await;
    let failure = told.expect_err("a failure");
    // The library may be missing where the tests run.
    let codes = [Code::NoTicket, Code::KerberosMissing];
    assert!(codes.contains(&failure.code), "{failure}");
    assert_eq!(asked.last().map(String::as_str), Some("idp/kerberos"));
}

#[test]
fn kerberos_is_found_among_other_ways_to_authenticate() {
    for (header, asks) in [
        ("Negotiate", true),
        ("negotiate YIIB", true),
        ("Basic realm=\"x\", Negotiate", true),
        ("Basic realm=\"Negotiate\"", false),
        ("", false),
    ] {
        assert_eq!(asks_for_it(header), asks, "{header}");
    }
}

//! When a login is made, and when not.

use std::path::Path;

use super::stand::{Stand, World};
use super::*;
use crate::config::checked::Auth;
use crate::config::parse;
use crate::failure::Code;

/// What logs in at a stand with a ticket from this cache.
fn sign_on(stand: &Stand, cache: &Path) -> SignOn {
    let hub = stand.hub();
    let text = format!(
        "watch.a.directory = \"/a\"\nnotebook.a.template = \"a.ipynb\"\n\
         [destination.swan]\nhub = \"{hub}\"\nauth.kerberos = {{ cache = \"{}\" }}\n",
        cache.display()
    );
    let config = parse(&text, Path::new("nbcourier.toml")).expect("valid");
    let table = &config.destinations[0];
    let Some(Auth::Kerberos(kerberos)) = table.auth() else {
        panic!("a login by Kerberos")
    };
    SignOn::new(&config, table, (&hub, kerberos)).expect("a login")
}

#[test]
fn a_login_begins_where_the_hub_leads_on_by_itself() {
    for (hub, start) in [
        (
            "https://swan.cern.ch/",
            "https://swan.cern.ch/hub/oauth_login",
        ),
        (
            "http://127.0.0.1:8000/jupyter/",
            "http://127.0.0.1:8000/jupyter/hub/oauth_login",
        ),
    ] {
        let hub = Url::parse(hub).expect("a URL");
        assert_eq!(begins(&hub).as_str(), start);
    }
}

#[tokio::test]
async fn one_login_is_for_all_until_its_cookies_are_refused() {
    let stand = World::open().start().await;
    let sign_on = sign_on(&stand, Path::new("/nowhere/ticket"));
    let first = sign_on.token().await.expect("cookies");
    assert!(first.is_cookies());
    assert_eq!(sign_on.token().await, Ok(first.clone()));
    let once = stand.asked().len();
    sign_on.engine.accepted(&first);
    let second = sign_on.renewed(&first).await.expect("a login");
    assert!(second.is_some_and(|second| second != first));
    assert_eq!(stand.asked().len(), 2 * once);
}

#[tokio::test]
async fn a_login_without_a_ticket_is_not_tried_again_before_another_one_is_there() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cache = directory.path().join("ticket");
    let stand = World::that_asks().start().await;
    let sign_on = sign_on(&stand, &cache);
    let codes = [Code::NoTicket, Code::KerberosMissing];
    for _ in 0..3 {
        let failure = sign_on.token().await.expect_err("no ticket");
        assert!(codes.contains(&failure.code), "{failure}");
    }
    let once = stand.asked().len();
    assert_eq!(once, 4, "{:?}", stand.asked());
    std::fs::write(&cache, "another one, though no ticket").expect("write");
    let failure = sign_on.token().await.expect_err("no ticket");
    assert!(codes.contains(&failure.code), "{failure}");
    assert_eq!(stand.asked().len(), 2 * once);
}

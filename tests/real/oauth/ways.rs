//! Ways of saying who asks, and of showing a token.

use super::{Provider, SECRET, by_secret, table, write_secret};
use crate::support::Room;

#[test]
fn clients_prove_themselves_as_asked_and_tokens_are_shown_as_asked() {
    let provider = Provider::start();
    provider.secret_client("posts", "client_secret_post");
    provider.secret_client("basic", "client_secret_basic");
    let secret = "secret = { file = \"secret\" }";
    let found = format!(
        "issuer = \"{}\", client_id = \"posts\", {secret}",
        provider.url
    );
    let ways = [
        ("posts", by_secret(&provider, "posts")),
        (
            "basic",
            by_secret(&provider, "basic") + ", client_auth = \"basic\"",
        ),
        ("found", found),
        (
            "old",
            by_secret(&provider, "posts") + ", scheme = \"token\"",
        ),
        (
            "bare",
            by_secret(&provider, "posts") + ", scheme = \"bare\"",
        ),
        (
            "more",
            by_secret(&provider, "posts")
                + ", scope = \"deliver\", audience = \"jupyter\", extra = { tenant = \"t & u\" }",
        ),
    ];
    let tables = ways.map(|(name, oauth)| table(&provider, name, &oauth));
    let mut room = Room::new(&tables.concat());
    write_secret(&room, "secret", SECRET);
    room.start();
    room.make_run(1);
    room.await_delivered(6, 30);
    let seen = provider.seen();
    for scheme in ["Bearer", "token", "bare"] {
        assert!(seen["schemes"][scheme].is_number(), "{}", seen["schemes"]);
    }
    assert!(provider.requests("basic").iter().all(|request| {
        request["auth"] == "basic" && request["form"].get("client_secret").is_none()
    }));
    let asked = provider.requests("posts");
    let more = asked
        .iter()
        .find(|request| request["form"]["tenant"] == "t & u");
    let form = &more.expect("the request with more")["form"];
    assert_eq!(
        (&form["audience"], &form["scope"]),
        (&"jupyter".into(), &"deliver".into())
    );
}

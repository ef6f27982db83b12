//! `auth.oauth` of a destination.

use serde_json::Value;
use url::Url;

use super::auth::by_reference;
use super::checked::{ClientAuth, Endpoint, OAuth, Proof, Scheme};
use super::item::{Item, clean};
use super::secret::SecretRef;
use super::table::Table;
use super::values::{is_loopback, object, some_time};

/// What the request itself says.
const RESERVED: [&str; 9] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "device_code",
    "audience",
    "scope",
];

/// How tokens are had from an authorization server; `title` is how its table is called.
pub(super) fn oauth(item: &Item<'_>, title: String) -> Option<OAuth> {
    let table = item.table(title)?;
    let grants = ["secret", "key", "refresh_token"];
    if !grants.iter().any(|key| table.has(key)) {
        table.lacks(&grants, "a client has a `secret` or a `key` that signs, a person a `refresh_token`: each like secret = { file = \"…\" }");
    }
    let endpoint = endpoint(&table);
    // Without a place, the rest is looked at for mistakes all the same.
    let is_placed = endpoint.is_some();
    let oauth = OAuth {
        endpoint: endpoint.unwrap_or(Endpoint::Issuer(String::new())),
        client_id: client_id(&table),
        proof: proof(&table),
        refresh_token: reference(&table, "refresh_token"),
        audience: table.read("audience", some_text),
        scope: table.read("scope", some_text),
        extra: table.read("extra", extra).unwrap_or_default(),
        scheme: table.read("scheme", scheme).unwrap_or_default(),
        mint: table.read("mint", some_time),
    };
    table.finish();
    is_placed.then_some(oauth)
}

fn endpoint(table: &Table<'_>) -> Option<Endpoint> {
    let item = table.one_of(&["token_url", "issuer"])?;
    let url = url(&item)?;
    match item.key {
        "token_url" => Some(Endpoint::Token(url)),
        _ if url.query().is_some() => item.no(
            "`issuer` has a query",
            "remove everything from the `?` on, or use `token_url`",
        ),
        // Compared with what the server says, which may or may not end in a slash.
        _ => item.text().map(|text| Endpoint::Issuer(text.to_owned())),
    }
}

/// The URL of something that is sent secrets.
fn url(item: &Item<'_>) -> Option<Url> {
    let hint = "write it like \"https://auth.example/token\"";
    let url = match Url::parse(item.text()?) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) => return item.no(&format!("`{}` is no http or https URL", item.key), hint),
        Err(error) => return item.no(&format!("`{}` is no URL: {error}", item.key), hint),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "remove what stands before the `@`; it belongs into `client_id` and `secret`";
        return item.no(&format!("`{}` holds a login", item.key), hint);
    }
    if url.fragment().is_some() {
        return item.no(
            &format!("`{}` has a fragment", item.key),
            "remove everything from the `#` on",
        );
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        let hint = "use https; plain http is for this machine only (localhost, 127.0.0.1, [::1])";
        return item.no("a secret would travel in the clear", hint);
    }
    Some(url)
}

/// The secret of that key.
fn reference(table: &Table<'_>, key: &'static str) -> Option<SecretRef> {
    let item = table.get(key)?;
    let title = table.title.replacen("oauth", &format!("oauth.{key}"), 1);
    let hint = format!(
        "put it into a file of its own: {key} = {{ file = \"/etc/nbcourier/credentials/NAME\" }}"
    );
    by_reference(&item, title, &format!("`{key}` itself"), &hint)
}

/// How the client proves to be itself.
fn proof(table: &Table<'_>) -> Option<Proof> {
    let secret =
        reference(table, "secret").map(|secret| (secret, table.read("client_auth", client_auth)));
    let key = reference(table, "key");
    if table.has("secret") && table.has("key") {
        let hint = "a client has one of them: remove the other";
        table.refuse("key", "`secret` and `key` are both set", hint);
    }
    if !table.has("secret") {
        let hint = "it says how a `secret` is sent; a `key` signs instead";
        table.refuse("client_auth", "`client_auth` has no `secret`", hint);
    }
    match secret {
        Some((secret, method)) => Some(Proof::Secret(secret, method)),
        None => key.map(Proof::Key),
    }
}

fn client_auth(item: &Item<'_>) -> Option<ClientAuth> {
    match item.text()? {
        "basic" => Some(ClientAuth::Basic),
        "post" => Some(ClientAuth::Post),
        _ => item.no(
            "`client_auth` is unknown",
            "valid are \"basic\" and \"post\"",
        ),
    }
}

/// The client, which a secret is always of.
fn client_id(table: &Table<'_>) -> Option<String> {
    let item = match table.has("secret") {
        true => table.must("client_id", "client_id = \"…\": a `secret` is of a client"),
        false => table.get("client_id"),
    };
    some_text(&item?)
}

fn some_text(item: &Item<'_>) -> Option<String> {
    match item.text()? {
        "" => item.no(&format!("`{}` is empty", item.key), "leave it out"),
        text => Some(text.to_owned()),
    }
}

fn scheme(item: &Item<'_>) -> Option<Scheme> {
    match item.text()? {
        "bearer" => Some(Scheme::Bearer),
        "token" => Some(Scheme::Token),
        "bare" => Some(Scheme::Bare),
        _ => item.no(
            "`scheme` is unknown",
            "valid are \"bearer\", \"token\" and \"bare\"",
        ),
    }
}

/// Further fields of the request, as texts.
fn extra(item: &Item<'_>) -> Option<Vec<(String, String)>> {
    let fields = object(item)?.into_iter().map(|(name, value)| {
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{}` in `extra` is a field of its own", clean(&name));
            return item.no(
                &message,
                "set the key of that name beside `extra`, if there is one",
            );
        }
        match value {
            Value::String(text) => Some((name, text)),
            Value::Number(_) | Value::Bool(_) => Some((name, value.to_string())),
            _ => {
                let message = format!("`{}` in `extra` is no text", clean(&name));
                item.no(&message, "a field of a form is a text")
            }
        }
    });
    fields.collect::<Vec<_>>().into_iter().collect()
}

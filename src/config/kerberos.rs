//! `auth.kerberos` of a destination.

use std::time::Duration;

use url::Url;

use super::checked::{Kerberos, Tickets};
use super::item::Item;
use super::secret::SecretRef;
use super::table::Table;
use super::values::{is_loopback, path, secret, some_time};

/// How long a hub's own token lives, if nothing is said.
const MINT: Duration = Duration::from_secs(7 * 86400);

/// The kinds of cache that another process can fill.
const CACHES: [&str; 4] = ["FILE", "DIR", "KCM", "KEYRING"];

/// How a hub's cookies are had by single sign-on; `title` is how its table is called.
pub(super) fn kerberos(item: &Item<'_>, title: String, is_hub: bool) -> Option<Kerberos> {
    if !is_hub {
        let hint = "elsewhere use auth.token, auth.oauth or auth.command";
        item.no_key(
            "`auth.kerberos` logs in to a `hub`, and to nothing else",
            hint,
        );
    }
    let table = item.table(title)?;
    let principal = table.read("principal", principal);
    let login_url = table.read("login_url", login_url);
    let mint = table.read("mint", some_time);
    let tickets = table.one_of(&["keytab", "cache"]);
    let tickets = tickets.and_then(|item| match item.key {
        "keytab" => keytab(&table, &item).map(Tickets::Keytab),
        _ => cache(&item).map(Tickets::Cache),
    });
    table.finish();
    Some(Kerberos {
        principal,
        tickets: tickets?,
        login_url,
        mint: mint.unwrap_or(MINT),
    })
}

fn principal(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.is_empty() || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        let hint = "write it as `klist` shows it, such as \"service@CERN.CH\"";
        return item.no("`principal` is no name", hint);
    }
    Some(text.to_owned())
}

/// A file, by its path or as secrets are referred to; what a command prints or an environment holds
/// is none.
fn keytab(table: &Table<'_>, item: &Item<'_>) -> Option<SecretRef> {
    if item.value.is_str() {
        return path(item).map(SecretRef::File);
    }
    let title = table.title.replacen("kerberos", "kerberos.keytab", 1);
    match secret(item, title)? {
        SecretRef::Command(_) | SecretRef::Env(_) => item.no(
            "a keytab is a file",
            "write keytab = { credential = \"NAME\" } or keytab = \"/etc/nbcourier/daq.keytab\"",
        ),
        file => Some(file),
    }
}

/// A cache by its type and name, or the path of one that is a file.
fn cache(item: &Item<'_>) -> Option<String> {
    let hint =
        "write the path of a file, or as `klist -l` shows it: \"KCM:1000\", \"DIR:/run/tickets\"";
    match item.text()?.split_once(':') {
        Some((kind, _)) if CACHES.contains(&kind) => item.text().map(str::to_owned),
        Some(("MEMORY", _)) => item.no("no other program can fill a cache in memory", hint),
        Some((kind, _)) if !kind.contains('/') => item.no("`cache` has no known type", hint),
        _ => path(item).map(|path| format!("FILE:{}", path.display())),
    }
}

/// Where a login begins: at the hub, which is sent its cookies.
fn login_url(item: &Item<'_>) -> Option<Url> {
    let hint = "write it like \"https://swan.cern.ch/hub/oauth_login\"";
    let url = match Url::parse(item.text()?) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) => return item.no("`login_url` is no http or https URL", hint),
        Err(error) => return item.no(&format!("`login_url` is no URL: {error}"), hint),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return item.no(
            "`login_url` holds a login",
            "remove what stands before the `@`",
        );
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        let hint = "use https; plain http is for this machine only (localhost, 127.0.0.1, [::1])";
        return item.no("cookies would travel in the clear", hint);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::checked::Auth;
    use crate::config::parse;

    fn read(keys: &str) -> Kerberos {
        let text = format!(
            "watch.a.directory = \"/a\"\nnotebook.a.template = \"a.ipynb\"\n\
             [destination.swan]\nhub = \"https://swan.cern.ch\"\nauth.kerberos = {{ {keys} }}\n"
        );
        let config = parse(&text, Path::new("/etc/daq/nbcourier.toml")).expect("valid");
        match config.destinations[0].auth() {
            Some(Auth::Kerberos(kerberos)) => (**kerberos).clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_keytab_is_a_file_or_a_credential() {
        let file = Tickets::Keytab(SecretRef::File("/etc/daq/a.keytab".into()));
        for keys in ["keytab = \"a.keytab\"", "keytab = { file = \"a.keytab\" }"] {
            assert_eq!(read(keys).tickets, file, "{keys}");
        }
        let credential = read("keytab = { credential = \"swan\" }, principal = \"daq@CERN.CH\"");
        assert_eq!(
            credential,
            Kerberos {
                principal: Some("daq@CERN.CH".into()),
                tickets: Tickets::Keytab(SecretRef::Credential("swan".into())),
                login_url: None,
                mint: MINT,
            }
        );
    }

    #[test]
    fn a_cache_is_a_file_unless_it_names_its_type() {
        for (text, cache) in [
            ("ticket", "FILE:/etc/daq/ticket"),
            ("/run/a:b/ticket", "FILE:/run/a:b/ticket"),
            ("FILE:/run/ticket", "FILE:/run/ticket"),
            ("KCM:1000", "KCM:1000"),
            ("DIR:/run/tickets", "DIR:/run/tickets"),
        ] {
            let keys = format!("cache = \"{text}\"");
            assert_eq!(read(&keys).tickets, Tickets::Cache(cache.into()), "{text}");
        }
    }
}

//! Cookies as servers set them (RFC 6265 §5), and the text of their file.

use std::time::SystemTime;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::{Cookie, Cookies};
use crate::config::secret::Secret;

/// The first line of a cookie file.
const TITLE: &str = "# Netscape HTTP Cookie File\n";

impl Cookies {
    /// Takes what a server at `url` says in one `Set-Cookie` header: a cookie, another value of
    /// one, or that one is over. What is not its to set is left out.
    pub fn set(&mut self, url: &Url, header: &str, now: SystemTime) {
        let now = seconds(now);
        let Some(cookie) = parse(url, header, now) else {
            return;
        };
        self.0.retain(|other| !other.is_same(&cookie));
        if cookie.ends.is_none_or(|ends| ends > now) {
            self.0.push(cookie);
        }
    }

    /// The text of a file of them.
    #[must_use]
    pub fn file(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(TITLE.to_owned());
        for cookie in &self.0 {
            text.push_str(&cookie.line());
        }
        text
    }
}

impl Cookie {
    fn line(&self) -> Zeroizing<String> {
        let flag = |is: bool| if is { "TRUE" } else { "FALSE" };
        let dot = if self.below { "." } else { "" };
        Zeroizing::new(format!(
            "{dot}{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            self.host,
            flag(self.below),
            self.path,
            flag(self.secure),
            self.ends.unwrap_or(0),
            self.name,
            self.value.expose(),
        ))
    }

    /// Whether one takes the other's place.
    fn is_same(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.host.clone(), one.below, one.path.clone());
        self.name == other.name && place(self) == place(other)
    }

    /// Takes one attribute; `None` if the cookie is not the server's to set.
    fn attribute(&mut self, url: &Url, attribute: &str, life: &mut Life) -> Option<()> {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut self.path),
            "domain" => self.widen(url, value)?,
            "secure" => self.secure = true,
            "max-age" => life.lasts = value.parse().ok().or(life.lasts),
            "expires" => life.expires = date(value).or(life.expires),
            _ => {}
        }
        Some(())
    }

    /// Makes it one for the hosts below a domain as well.
    fn widen(&mut self, url: &Url, domain: &str) -> Option<()> {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        if domain.is_empty() {
            return Some(());
        }
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        if domain != self.host {
            let above = self.host.strip_suffix(&domain)?.ends_with('.');
            // One for a whole top-level domain would go to strangers.
            (is_name && above && domain.contains('.')).then_some(())?;
            self.host = domain;
        }
        self.below = is_name;
        Some(())
    }
}

/// How long a cookie lasts, as it says in two ways.
#[derive(Default)]
struct Life {
    /// Seconds from now on.
    lasts: Option<i64>,
    /// Seconds since 1970, UTC.
    expires: Option<u64>,
}

fn parse(url: &Url, header: &str, now: u64) -> Option<Cookie> {
    let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || pair.contains(char::is_control) {
        return None;
    }
    let host = url.host_str()?.trim_start_matches('[');
    let mut cookie = Cookie {
        host: host.trim_end_matches(']').to_owned(),
        below: false,
        path: directory(url.path()).to_owned(),
        secure: false,
        ends: None,
        name: name.to_owned(),
        value: Secret::new(value.to_owned()),
    };
    let mut life = Life::default();
    for attribute in attributes.split(';') {
        cookie.attribute(url, attribute, &mut life)?;
    }
    let end = life.lasts.map(|lasts| now.saturating_add_signed(lasts));
    cookie.ends = end.or(life.expires);
    Some(cookie)
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Where a cookie belongs that names no path.
fn directory(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

/// Some servers write dashes between the parts of the date.
fn date(text: &str) -> Option<u64> {
    let date = jiff::fmt::rfc2822::parse(&text.replace('-', " ")).ok()?;
    u64::try_from(date.timestamp().as_second().max(0)).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1000)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    /// The file after these answers of `https://auth.cern.ch/realms/cern/login`.
    fn file(headers: &[&str]) -> String {
        let mut cookies = Cookies::default();
        let from = url("https://auth.cern.ch/realms/cern/login");
        for header in headers {
            cookies.set(&from, header, now());
        }
        let text = cookies.file();
        let lines = text.strip_prefix(TITLE).expect("its title");
        lines.trim_end().replace('\t', " ")
    }

    #[test]
    fn a_cookie_is_for_the_place_that_its_server_says_if_it_is_its_to_say() {
        for (header, kept) in [
            ("a=b", "auth.cern.ch FALSE /realms/cern FALSE 0 a b"),
            (
                "a=b; Path=/x; Secure; HttpOnly",
                "auth.cern.ch FALSE /x TRUE 0 a b",
            ),
            ("a=b; path=x", "auth.cern.ch FALSE /realms/cern FALSE 0 a b"),
            ("a=b; Path=/; Domain=cern.ch", ".cern.ch TRUE / FALSE 0 a b"),
            (
                "a=b; Path=/; Domain=.AUTH.cern.ch",
                ".auth.cern.ch TRUE / FALSE 0 a b",
            ),
            ("a=b; Domain=ch", ""),
            ("a=b; Domain=example.org", ""),
            ("a=b; Domain=uth.cern.ch", ""),
            (
                "a=\"2|1:0|x==\"; Path=/",
                "auth.cern.ch FALSE / FALSE 0 a \"2|1:0|x==\"",
            ),
            ("=b", ""),
            ("no cookie", ""),
        ] {
            assert_eq!(file(&[header]), kept, "{header}");
        }
    }

    #[test]
    fn a_later_answer_replaces_or_ends_a_cookie_and_its_age_goes_before_its_date() {
        let kept = |rest: &str| format!("auth.cern.ch FALSE / FALSE {rest}");
        let old = "a=; Path=/; expires=Thu, 01-Jan-1970 00:00:01 GMT";
        let later = "a=b; Path=/; Expires=Thu, 01 Jan 1970 01:00:00 GMT";
        let both = format!("{later}; Max-Age=1");
        assert_eq!(file(&["a=b; Path=/", "a=c; Path=/"]), kept("0 a c"));
        assert_eq!(file(&["a=b; Path=/", "a=; Path=/; Max-Age=0"]), "");
        assert_eq!(file(&["a=b; Path=/", old]), "");
        assert_eq!(file(&["a=b; Path=/; Max-Age=-5; Expires=x"]), "");
        assert_eq!(file(&["a=b; Path=/; Max-Age=60"]), kept("1060 a b"));
        assert_eq!(file(&[later]), kept("3600 a b"));
        assert_eq!(file(&[&both]), kept("1001 a b"));
    }

    #[test]
    fn what_was_set_is_read_back_from_the_file_and_only_the_hosts_own_is_kept() {
        let mut cookies = Cookies::default();
        let hub = url("https://swan.cern.ch/hub/oauth_callback");
        cookies.set(
            &hub,
            "login=\"2|1:0\"; Path=/hub/; Secure; Max-Age=60",
            now(),
        );
        cookies.set(
            &url("https://auth.cern.ch/x"),
            "KEYCLOAK_SESSION=y; Path=/",
            now(),
        );
        assert!(cookies.has("login", &url("https://swan.cern.ch/hub/api/user")));
        assert!(!cookies.has("login", &url("https://swan.cern.ch/user/x")));
        assert!(!cookies.has("login", &url("https://auth.cern.ch/hub/")));
        let read = Cookies::parse(&cookies.file(), now()).expect("a cookie file");
        assert_eq!(read, cookies);
        let kept = cookies.of_host(&hub);
        assert!(!kept.file().contains("KEYCLOAK"));
        assert!(kept.has("login", &hub));
    }
}

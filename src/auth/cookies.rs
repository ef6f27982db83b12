//! Cookies as single sign-on tools and `curl` keep them in a file: seven fields with tabs between
//! them (the Netscape format), as servers set them, and which of them go to a URL (RFC 6265).

mod set;

use std::time::{Duration, SystemTime};

use reqwest::RequestBuilder;
use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, REFERER};
use url::{Host, Url};

use crate::config::secret::Secret;

/// The cookie whose value a write must also send as a header (`JupyterHub` ≥ 4.1, Jupyter Server).
const XSRF: &str = "_xsrf";

/// That header.
const XSRF_HEADER: HeaderName = HeaderName::from_static("x-xsrftoken");

/// Python's cookie jar writes this behind a host without a dot.
const LOCAL: &str = ".local";

/// Cookies that were valid when they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cookies(Vec<Cookie>);

#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    /// Without a leading dot.
    host: String,
    /// Whether it goes to hosts below that one too.
    below: bool,
    path: String,
    /// Whether it goes to https only.
    secure: bool,
    /// Seconds since 1970, UTC; `None` is with the session.
    ends: Option<u64>,
    name: String,
    value: Secret,
}

/// The values are secrets.
impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} cookies]", self.0.len())
    }
}

impl Cookies {
    /// Those of a file's text that are valid at this time; `None` if it is no cookie file.
    #[must_use]
    pub fn parse(text: &str, now: SystemTime) -> Option<Self> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let title = text.lines().next()?.to_ascii_lowercase();
        let cookies: Vec<Cookie> = text.lines().filter_map(cookie).collect();
        if cookies.is_empty() && !(title.starts_with('#') && title.contains("http cookie file")) {
            return None;
        }
        let valid = cookies.into_iter();
        Some(Self(
            valid
                .filter(|cookie| cookie.ends.is_none_or(|ends| ends > now))
                .collect(),
        ))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of that name is among them, whomever it is meant for.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|cookie| cookie.name == name)
    }

    /// Whether one of that name is meant for a URL.
    #[must_use]
    pub fn has(&self, name: &str, url: &Url) -> bool {
        self.of(url).iter().any(|cookie| cookie.name == name)
    }

    /// Those that are meant for the host of a URL, whatever the path.
    #[must_use]
    pub fn of_host(&self, url: &Url) -> Self {
        let meant = self.0.iter().filter(|cookie| cookie.is_for_host(url));
        Self(meant.cloned().collect())
    }

    /// When the first of them ends; `None` if all last as long as the session.
    #[must_use]
    pub fn end(&self) -> Option<SystemTime> {
        let end = self.0.iter().filter_map(|cookie| cookie.ends).min()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end))
    }

    /// The request with those that are meant for its URL, in place of any others.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let parts = request.try_clone().map(RequestBuilder::build_split);
        let Some((client, Ok(mut parts))) = parts else {
            return request;
        };
        let headers = self.headers(parts.url());
        for name in [COOKIE, XSRF_HEADER, REFERER] {
            parts.headers_mut().remove(name);
        }
        parts.headers_mut().extend(headers);
        RequestBuilder::from_parts(client, parts)
    }

    fn headers(&self, url: &Url) -> HeaderMap {
        let sent = self.of(url);
        let pairs: Vec<String> = sent
            .iter()
            .map(|one| format!("{}={}", one.name, one.value.expose()))
            .collect();
        let xsrf = sent.iter().find(|cookie| cookie.name == XSRF);
        // JupyterHub before 4.1 wants to see that a write comes from its own pages instead.
        let referer = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let headers = [
            (COOKIE, Some(pairs.join("; "))),
            (
                XSRF_HEADER,
                xsrf.map(|cookie| cookie.value.expose().to_owned()),
            ),
            (REFERER, Some(referer)),
        ];
        let secret = |(name, value): (HeaderName, Option<String>)| {
            let mut value = HeaderValue::try_from(value?).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        };
        match sent.is_empty() {
            true => HeaderMap::new(),
            false => headers.into_iter().filter_map(secret).collect(),
        }
    }

    /// Those that are meant for a URL, the longest path first; of a name only the first, since
    /// servers take one, and not all of them the one that is meant.
    fn of(&self, url: &Url) -> Vec<&Cookie> {
        // The last of the same path is the newest.
        let mut meant: Vec<&Cookie> = self.0.iter().rev().filter(|one| one.is_for(url)).collect();
        meant.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut first: Vec<&Cookie> = Vec::new();
        for cookie in meant {
            if !first.iter().any(|other| other.name == cookie.name) {
                first.push(cookie);
            }
        }
        first
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let below =
            |path: &str| path.is_empty() || path.starts_with('/') || self.path.ends_with('/');
        let in_path = url
            .path()
            .strip_prefix(self.path.as_str())
            .is_some_and(below);
        (url.scheme() == "https" || !self.secure) && in_path && self.is_for_host(url)
    }

    fn is_for_host(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let same = self.host == host;
        let dotless = !host.contains('.') && self.host.strip_suffix(LOCAL) == Some(host);
        let parent = || {
            host.strip_suffix(&self.host)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        same || dotless || (self.below && is_name && parent())
    }
}

/// The cookie of a line; `None` for comments and what is no cookie.
fn cookie(line: &str) -> Option<Cookie> {
    let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
    let fields: Vec<&str> = line.split('\t').collect();
    let [host, below, path, secure, ends, name, value] = fields.as_slice() else {
        return None;
    };
    let flag = |text: &str| match text {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    };
    let sendable = |text: &str| !text.contains(|c: char| c.is_control() || c == ';');
    let ends = match *ends {
        "" => None,
        ends => Some(ends.parse::<f64>().ok()?).filter(|ends| *ends >= 1.0),
    };
    let well = !host.starts_with('#') && path.starts_with('/') && sendable(name) && sendable(value);
    (well && !host.is_empty() && !name.is_empty()).then_some(())?;
    Some(Cookie {
        host: host.trim_start_matches('.').to_ascii_lowercase(),
        below: flag(below)?,
        path: (*path).to_owned(),
        secure: flag(secure)?,
        ends: ends.map(|ends| {
            Duration::try_from_secs_f64(ends)
                .unwrap_or(Duration::MAX)
                .as_secs()
        }),
        name: (*name).to_owned(),
        value: Secret::new((*value).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn cookies(lines: &[&str]) -> Cookies {
        let lines = lines.iter().map(|line| line.replace(' ', "\t"));
        let text = lines.collect::<Vec<_>>().join("\n");
        Cookies::parse(&text, at(1000)).expect("cookies")
    }

    fn sent(cookies: &Cookies, url: &str) -> String {
        let headers = cookies.headers(&Url::parse(url).expect("a URL"));
        let text = |name| {
            headers
                .get(name)
                .map_or("-", |value: &HeaderValue| value.to_str().expect("text"))
        };
        format!("{} | {}", text(COOKIE), text(XSRF_HEADER))
    }

    const HUB: [&str; 5] = [
        "hub.example FALSE /hub/ TRUE 2000 _xsrf old",
        "#HttpOnly_hub.example FALSE /hub/ TRUE 2000 jupyterhub-hub-login \"2|1:0\"",
        "hub.example FALSE /hub/ TRUE 2000 _xsrf of-hub",
        "hub.example FALSE /user/al/ TRUE 2000 _xsrf of-al",
        "hub.example FALSE / TRUE 0 session s",
    ];

    #[test]
    fn a_url_gets_the_cookies_of_its_path_and_the_header_of_the_nearest_xsrf() {
        let hub = cookies(&HUB);
        for (path, expected) in [
            (
                "hub/api/user",
                "_xsrf=of-hub; jupyterhub-hub-login=\"2|1:0\"; session=s | of-hub",
            ),
            ("user/al/api/contents/x", "_xsrf=of-al; session=s | of-al"),
            ("user/al", "session=s | -"),
            ("user/albert/api", "session=s | -"),
            ("hubs/", "session=s | -"),
        ] {
            assert_eq!(sent(&hub, &format!("https://hub.example/{path}")), expected);
        }
        let root = cookies(&["a FALSE / FALSE 0 _xsrf root", "a FALSE /b FALSE 0 _xsrf b"]);
        assert_eq!(sent(&root, "http://a/b"), "_xsrf=b | b");
        assert_eq!(sent(&root, "http://a/bc"), "_xsrf=root | root");
    }

    #[test]
    fn no_other_host_and_no_plain_http_sees_a_cookie_that_is_not_for_it() {
        let hub = cookies(&HUB);
        for url in [
            "https://example/hub/",
            "https://x.hub.example/hub/",
            "https://hub.example.org/hub/",
            "https://evilhub.example/hub/",
            "http://hub.example/hub/",
        ] {
            assert_eq!(sent(&hub, url), "- | -", "{url}");
        }
        let wide = cookies(&[
            ".cern.ch TRUE / FALSE 0 a b",
            "localhost.local FALSE / FALSE 0 c d",
            "1.2.3.4 TRUE / FALSE 0 e f",
        ]);
        assert_eq!(sent(&wide, "https://swan.cern.ch/"), "a=b | -");
        assert_eq!(sent(&wide, "https://CERN.ch/"), "a=b | -");
        assert_eq!(sent(&wide, "https://notcern.ch/"), "- | -");
        assert_eq!(sent(&wide, "http://localhost:8000/"), "c=d | -");
        assert_eq!(sent(&wide, "http://1.2.3.4:8000/"), "e=f | -");
    }

    #[test]
    fn what_has_ended_is_dropped_and_what_is_no_cookie_file_is_told_from_one() {
        let some = cookies(&[
            "a FALSE / FALSE 999 old x",
            "a FALSE / FALSE 5000 b y",
            "a FALSE / FALSE 3000.5 c z",
        ]);
        assert_eq!(sent(&some, "http://a/"), "c=z; b=y | -");
        assert_eq!(some.end(), Some(at(3000)));
        let none = Cookies::parse("# Netscape HTTP Cookie File\n\n", at(0)).expect("a cookie file");
        assert!(none.is_empty() && none.end().is_none());
        for other in [
            "",
            "a token",
            "{\"token\": \"x\"}",
            "a\tb\tc\td\te\tf\tg",
            "# a comment",
        ] {
            assert_eq!(Cookies::parse(other, at(0)), None, "{other}");
        }
        let forged = cookies(&[
            "a FALSE / FALSE 0 good x",
            "a FALSE / FALSE 0 bad x;y=z",
            "a FALSE x FALSE 0 n v",
        ]);
        assert_eq!(sent(&forged, "http://a/"), "good=x | -");
        assert!(!format!("{forged:?}").contains('x'));
    }
}

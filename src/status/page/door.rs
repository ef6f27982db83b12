//! Who may read: nobody by another site's hand, beyond loopback nobody without the token.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::token::{self, Token};

/// An answer in place of what was asked for.
pub(super) type Refusal = Box<Response>;

/// What needs no token: whether the process lives tells nobody anything, nor does the style.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/page.css", "/icon.svg"];

/// Every answer says that nothing of another site, and no script in the page itself, is wanted.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
         img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// What the door goes by.
pub(super) struct Door {
    /// What is asked for, if anything is.
    pub(super) token: Option<Token>,
    /// Whether the page is served beyond this machine.
    pub(super) is_public: bool,
}

impl Door {
    /// Whether the machine can be meant by this name. Another web page may have pointed a name of its
    /// own at it (DNS rebinding), but no address, and not the machine's own name.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let inside = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let address = inside.unwrap_or(name).parse::<std::net::IpAddr>();
        match address {
            Ok(address) => self.is_public || address.is_loopback(),
            Err(_) => name == "localhost" || (self.is_public && is_machine(name)),
        }
    }
}

/// Whether this is the machine's name, with or without its domain.
fn is_machine(name: &str) -> bool {
    let own = super::frame::machine().to_ascii_lowercase();
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    !own.is_empty() && first(&name.to_ascii_lowercase()) == first(&own)
}

/// Lets a request in, or says why not.
pub(super) async fn guard(
    State(door): State<std::sync::Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = match (needs_token(&door, &request), &door.token) {
        (Ok(true), Some(token)) => {
            let wanted = token.read().await;
            wanted.and_then(|wanted| token::known(&wanted, &request))
        }
        (Ok(_), _) => Ok(()),
        (Err(refusal), _) => Err(refusal),
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => *refusal,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Whether a request must bring the token, if there is one; or why it is refused in any case.
fn needs_token(door: &Door, request: &Request) -> Result<bool, Refusal> {
    let headers = request.headers();
    if !door.is_ours(text(headers, header::HOST.as_str())) {
        let own = match door.is_public {
            true => "its addresses and the machine's name",
            false => "127.0.0.1, [::1] and localhost",
        };
        return refuse(
            StatusCode::FORBIDDEN,
            format!("this page answers to {own} only\n"),
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let told = "this page is read-only: `nbcourier retry` and `nbcourier skip` act\n";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, told.into());
    }
    if is_foreign(headers) {
        let told = "another site may link to this page, and nothing more\n";
        return refuse(StatusCode::FORBIDDEN, told.into());
    }
    Ok(!OPEN.contains(&request.uri().path()))
}

/// Whether a page of another site has asked for it, other than by a link that was followed.
fn is_foreign(headers: &HeaderMap) -> bool {
    let followed = text(headers, "sec-fetch-mode") == "navigate"
        && text(headers, "sec-fetch-dest") == "document";
    let site = text(headers, "sec-fetch-site");
    !matches!(site, "" | "none" | "same-origin") && !followed
}

fn refuse(status: StatusCode, told: String) -> Result<bool, Refusal> {
    Err(Box::new((status, told).into_response()))
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let door = |is_public| Door {
            token: None,
            is_public,
        };
        let (local, public) = (door(false), door(true));
        for host in ["127.0.0.1:8750", "127.9.9.9", "localhost:1", "[::1]:8750"] {
            assert!(local.is_ours(host) && public.is_ours(host), "{host}");
        }
        for host in [
            "",
            "evil.example:8750",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ] {
            assert!(!local.is_ours(host) && !public.is_ours(host), "{host}");
        }
        let own = super::super::frame::machine();
        for host in [
            "192.0.2.7:8750",
            "[2001:db8::1]:8750",
            &own,
            &format!("{own}.example:8750"),
        ] {
            assert!(!local.is_ours(host) && public.is_ours(host), "{host}");
        }
    }

    #[test]
    fn another_site_may_link_and_nothing_more() {
        let request = |site: &str, mode: &str, dest: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("site", site), ("mode", mode), ("dest", dest)] {
                let name =
                    header::HeaderName::try_from(format!("sec-fetch-{name}")).expect("a name");
                headers.insert(name, value.parse().expect("a value"));
            }
            is_foreign(&headers)
        };
        assert!(!is_foreign(&HeaderMap::new()), "programs say nothing");
        assert!(!request("none", "navigate", "document"));
        assert!(!request("same-origin", "cors", "empty"));
        assert!(!request("cross-site", "navigate", "document"));
        for site in ["cross-site", "same-site"] {
            assert!(request(site, "cors", "empty"));
            assert!(request(site, "no-cors", "script"));
            assert!(request(site, "navigate", "iframe"));
        }
    }
}

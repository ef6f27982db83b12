//! The token of those who read from elsewhere: shown by a program each time, by a browser once.

use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, html};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::door::{Refusal, text};
use super::find::query;
use crate::config::secret::SecretRef;

/// How long a token that was read counts; one that is replaced counts after that.
const KEPT: Duration = Duration::from_secs(5);

/// How long a browser that was given the token may read, in seconds: 30 days.
const COOKIE_SECONDS: u32 = 30 * 86400;

type Hash = [u8; 32];

/// The token that is asked for. Only its hash is kept.
pub(super) struct Token {
    from: SecretRef,
    /// The token's hash, and when it was read.
    kept: Mutex<Option<(Instant, Hash)>>,
}

impl Token {
    pub(super) fn new(from: SecretRef) -> Self {
        Self {
            from,
            kept: Mutex::default(),
        }
    }

    /// The hash of the token as it is now. Why it can't be read is nothing for strangers.
    pub(super) async fn read(&self) -> Result<Hash, Refusal> {
        let mut kept = self.kept.lock().await;
        if let Some((at, hash)) = *kept
            && at.elapsed() < KEPT
        {
            return Ok(hash);
        }
        let told = "`[status] read_token` can't be read: `nbcourier check` says why\n";
        let refused = || Box::new((StatusCode::SERVICE_UNAVAILABLE, told).into_response());
        let read = self.from.read().await.map_err(|_| refused())?;
        let hash = hash(read.expose());
        *kept = Some((Instant::now(), hash));
        Ok(hash)
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(format!("nbcourier page {text}")).into()
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// By the token itself, or by the cookie that it was once changed for.
pub(super) fn known(wanted: &Hash, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let is = |given: &Hash| verify_slices_are_equal(given, wanted).is_ok();
    let bearer = text(headers, header::AUTHORIZATION.as_str());
    let bearer = bearer
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if bearer.is_some_and(|(_, token)| is(&hash(token.trim()))) {
        return Ok(());
    }
    let given = query(request.uri(), "token");
    if given.is_some_and(|token| is(&hash(&token))) {
        return Err(Box::new(remembered(wanted, request.uri())));
    }
    let cookies = text(headers, header::COOKIE.as_str()).split(';');
    let mut ours = cookies.filter_map(|one| one.trim().strip_prefix("nbcourier="));
    if ours.any(|value| verify_slices_are_equal(value.as_bytes(), hex(wanted).as_bytes()).is_ok()) {
        return Ok(());
    }
    Err(Box::new(asked(headers)))
}

/// The same address without the token, and a cookie in its place: the token's hash, so that the
/// browser keeps no token.
fn remembered(wanted: &Hash, uri: &Uri) -> Response {
    // Two slashes or a backslash would lead to another site.
    let path = uri.path().trim_start_matches(['/', '\\']);
    let cookie = format!(
        "nbcourier={}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict",
        hex(wanted)
    );
    let headers = [
        (header::LOCATION, format!("/{path}")),
        (header::SET_COOKIE, cookie),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Asks for the token. A link from another site comes without the cookie (`SameSite=Strict`); the
/// page that loads itself again brings it.
fn asked(headers: &HeaderMap) -> Response {
    let again = matches!(text(headers, "sec-fetch-site"), "cross-site" | "same-site");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if again { meta http-equiv="refresh" content="0"; }
                title { "nbcourier asks for its token" }
                link rel="stylesheet" href="/page.css";
            }
            body {
                main {
                    h1 { "nbcourier asks for its token" }
                    p { "Open this address once with " code { "?token=…" } " at its end: the token of "
                        code { "[status] read_token" } ". The browser then may read for 30 days." }
                    p { "Programs send it as " code { "Authorization: Bearer …" } "." }
                }
            }
        }
    };
    let bearer = [(header::WWW_AUTHENTICATE, "Bearer")];
    (
        StatusCode::UNAUTHORIZED,
        bearer,
        super::frame::document(page),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_on_this_site() {
        for (asked, back) in [
            ("/run/7?token=x", "/run/7"),
            ("//evil.example/?token=x", "/evil.example/"),
        ] {
            let response = remembered(&[0; 32], &asked.parse().expect("an address"));
            assert_eq!(response.headers()[header::LOCATION], back);
        }
    }
}

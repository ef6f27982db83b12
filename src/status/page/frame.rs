//! What is around every page, and whether there is anything new to see.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::words::sentence;
use super::{Page, Site};
use crate::ledger::LedgerError;

/// What the script has seen, in a request; what it sees now, in the page.
const SEEN: &str = "nbcourier-seen";

/// However little has happened, the page is made again after so many milliseconds.
const FRESH: i64 = 30_000;

/// A page's title and its body.
pub(super) type Shown = (String, Markup);

/// The page, or that nothing has happened since it was seen.
pub(super) async fn answer(
    site: &Site,
    headers: &HeaderMap,
    shown: impl Future<Output = Result<Shown, LedgerError>>,
) -> Response {
    let read = async {
        let seen = pulse(&site.page).await?;
        let given = headers.get(SEEN).and_then(|value| value.to_str().ok());
        if given == Some(&seen) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let (title, body) = shown.await?;
        Ok(document(frame((&title, Some(&seen)), body)).into_response())
    };
    read.await.unwrap_or_else(|error| lost(&site.page, &error))
}

/// While the ledger can't be read: what is wrong, and what to do. Loads itself again.
fn lost(page: &Page, error: &LedgerError) -> Response {
    let told = html! {
        section.band.bad {
            p.verdict { span.symbol aria-hidden="true" { "‖" } " a person is needed" }
            p.beside { (sentence(&error.to_string())) }
        }
        p { b { "what to do: " } (page.ledger.advice()) }
    };
    let again = [("refresh", "15")];
    let page = frame(("‖ a person is needed", None), told);
    (StatusCode::SERVICE_UNAVAILABLE, again, document(page)).into_response()
}

/// A text that differs once there is something new to see.
async fn pulse(page: &Page) -> Result<String, LedgerError> {
    let pulse = page.ledger.pulse().await?;
    let mut hasher = DefaultHasher::new();
    for notice in (page.alive)().notices {
        (notice.code, notice.what).hash(&mut hasher);
    }
    let (notices, turn) = (hasher.finish(), page.ledger.now() / FRESH);
    Ok(format!(
        "{}.{}.{}.{notices:x}.{turn}",
        pulse.event, pulse.run, pulse.delivering
    ))
}

/// The head and foot of every page; `seen` where it lives.
pub(super) fn frame((title, seen): (&str, Option<&str>), body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if seen.is_some() { noscript { meta http-equiv="refresh" content="15"; } }
                title { (title) " · nbcourier" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                @if seen.is_some() { script src="/page.js" defer {} }
            }
            body {
                a.skip href="#main" { "to the content" }
                header { a.home href="/" { "nbcourier" } " " span.quiet { (machine()) } }
                main #main data-seen=[seen] { p #lost hidden role="alert" {} (body) }
                footer {
                    "nbcourier " (env!("CARGO_PKG_VERSION")) " · read-only; "
                    code { "nbcourier retry" } " and " code { "skip" } " act"
                }
            }
        }
    }
}

/// The name of this machine.
pub(super) fn machine() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

pub(super) fn document(page: Markup) -> Html<String> {
    Html(page.into_string())
}

pub(super) fn unreadable(error: &LedgerError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

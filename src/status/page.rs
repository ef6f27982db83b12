//! The plain page of runs, for a browser on this machine. Read-only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use tokio::sync::watch;

use super::{json, metrics};
use crate::config::Config;
use crate::ledger::{Filter, Ledger, LedgerError};

/// Runs on the page and in `/api/v1/runs`.
const SHOWN: i64 = 200;

/// What the page reads.
#[derive(Clone)]
pub struct Page {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// What only the daemon knows.
    pub alive: Arc<dyn Fn() -> json::Alive + Send + Sync>,
}

/// Whatever the configuration is when somebody asks.
impl FromRef<watch::Receiver<Self>> for Page {
    fn from_ref(pages: &watch::Receiver<Self>) -> Self {
        pages.borrow().clone()
    }
}

/// `/`, `/api/v1/runs`, `/metrics` and `/healthz`.
pub fn router(pages: watch::Receiver<Page>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/api/v1/runs", get(api_runs))
        .route("/metrics", get(scrape))
        .route("/healthz", get(async || "ok\n"))
        .layer(middleware::from_fn(only_this_machine))
        .with_state(pages)
}

/// Refuses names that another web page may have pointed at this machine (DNS rebinding).
async fn only_this_machine(headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local = matches!(name, "localhost" | "[::1]")
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    if local {
        return next.run(request).await;
    }
    (
        StatusCode::FORBIDDEN,
        "this page answers to 127.0.0.1, [::1] and localhost only\n",
    )
        .into_response()
}

async fn api_runs(State(page): State<Page>) -> Response {
    match json::runs(&page.ledger, &shown()).await {
        Ok(runs) => axum::Json(runs).into_response(),
        Err(error) => unreadable(&error),
    }
}

async fn scrape(State(page): State<Page>) -> Response {
    let format = [(header::CONTENT_TYPE, metrics::FORMAT)];
    let text = metrics::text(&page.config, &page.ledger).await;
    (format, text).into_response()
}

async fn index(State(page): State<Page>) -> Response {
    let runs = json::runs(&page.ledger, &shown()).await;
    let status = json::status(&page.config, &page.ledger, &(page.alive)()).await;
    match (runs, status) {
        (Ok(runs), Ok(status)) => {
            let contact = page.config.contact.as_deref();
            Html(document(&runs, &status, contact).into_string()).into_response()
        }
        (Err(error), _) | (_, Err(error)) => unreadable(&error),
    }
}

fn shown() -> Filter {
    Filter {
        limit: Some(SHOWN),
        ..Filter::default()
    }
}

fn unreadable(error: &LedgerError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

fn document(runs: &[Value], status: &Value, contact: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="5";
                meta name="viewport" content="width=device-width";
                title { "nbcourier" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                h1 { "nbcourier" }
                (health(status))
                (table(runs))
                footer { "nbcourier " (text(&status["version"])) @if let Some(contact) = contact { " · " (contact) } }
            }
        }
    }
}

fn health(status: &Value) -> Markup {
    let troubles = status["health"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    html! {
        @if troubles.is_empty() { p.well { "all well" } }
        @for trouble in troubles {
            p.trouble { (text(&trouble["what"])) br; b { "what to do: " } (text(&trouble["advice"])) }
        }
    }
}

fn table(runs: &[Value]) -> Markup {
    html! {
        table {
            thead { tr { th { "run" } th { "seen" } th { "state" } th { "notebook" } } }
            tbody {
                @for run in runs {
                    @let jobs = run["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
                    @if jobs.is_empty() {
                        tr { (lead(run)) td { (text(&run["state"])) " " (text(&run["reason"])) } td {} }
                    }
                    @for job in jobs { tr { (lead(run)) td class=(text(&job["state"])) { (sentence(job)) } td { (link(job)) } } }
                }
            }
        }
    }
}

fn lead(run: &Value) -> Markup {
    html! { td { (text(&run["name"])) } td { (text(&run["seen_at"])) } }
}

fn sentence(job: &Value) -> Markup {
    let word = match text(&job["state"]) {
        "held" => "needs a person",
        state => state,
    };
    let failure = &job["failure"];
    html! {
        (word)
        @if !failure.is_null() {
            ": " (text(&failure["what"])) br; b { "what to do: " } (text(&failure["advice"]))
        }
        @if !job["next_attempt_at"].is_null() && !failure.is_null() { " (next attempt " (text(&job["next_attempt_at"])) ")" }
    }
}

fn link(job: &Value) -> Markup {
    html! {
        @match job["url"].as_str() {
            Some(url) => a href=(url) { (text(&job["path"])) },
            None => (text(&job["path"])),
        }
        @if let Some(user) = job["user"].as_str() { " for " (user) }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

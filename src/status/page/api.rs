//! The page's JSON twin, and what a watchdog asks.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Site;
use super::find::{asked, find};
use super::frame::unreadable;
use super::snapshot::{SHOWN, listed};
use crate::health::Notice;
use crate::status::{json, metrics};

/// Up to 200 runs, newest first; `state`, `q` and `before` as on the page.
pub(super) async fn runs(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    match listed(&site.page.ledger, &asked(&uri), SHOWN).await {
        Ok(runs) => {
            let runs: Vec<_> = runs
                .iter()
                .map(|(run, jobs)| json::run(run, jobs))
                .collect();
            axum::Json(runs).into_response()
        }
        Err(error) => unreadable(&error),
    }
}

/// One run with its history, as `show --json` has it.
pub(super) async fn run(State(site): State<Arc<Site>>, Path(named): Path<String>) -> Response {
    let ledger = &site.page.ledger;
    let run = match find(ledger, &named).await {
        Ok(run) => run,
        Err(missing) => return missing.as_json(),
    };
    let read = async {
        let mut told = json::run(&run, &ledger.jobs(run.id).await?);
        told["sources"] = json!(run.sources);
        let events = ledger.events(run.id).await?;
        told["events"] = events.iter().map(json::event).collect();
        Ok(told)
    };
    match read.await {
        Ok(told) => axum::Json(told).into_response(),
        Err(error) => unreadable(&error),
    }
}

/// As `status --json` has it.
pub(super) async fn status(State(site): State<Arc<Site>>) -> Response {
    let (page, alive) = (&site.page, (site.page.alive)());
    let status = json::status(&page.config, &page.ledger, &alive).await;
    let without = |error| json::status_without(&page.ledger, &error, &alive);
    axum::Json(status.unwrap_or_else(without)).into_response()
}

/// For a Prometheus.
pub(super) async fn scrape(State(site): State<Arc<Site>>) -> Response {
    let page = &site.page;
    let format = [(header::CONTENT_TYPE, metrics::FORMAT)];
    let text = metrics::text(&page.config, &page.ledger).await;
    (format, text).into_response()
}

/// Whether the ledger can be written and the watches are set; whatever the hubs do.
pub(super) async fn ready(State(site): State<Arc<Site>>) -> Response {
    let alive = (site.page.alive)();
    let unwritable = |notice: &Notice| notice.code == json::UNWRITABLE;
    let told = match (alive.watching, site.page.ledger.expect_writable().await) {
        (false, _) => "the watches are not set yet\n",
        (_, Err(_)) => "the ledger can't be written\n",
        (true, Ok(())) if alive.notices.iter().any(unwritable) => "the ledger can't be written\n",
        (true, Ok(())) => return "ready\n".into_response(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
}
